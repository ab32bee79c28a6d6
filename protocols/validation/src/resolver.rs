//! DNS questions: always absolute, never cached, to the configured servers only.

mod answers;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, RecordType};
use hickory_resolver::system_conf::read_system_conf;
use tokio::time::timeout;
use tracing::{debug, warn};

use answers::Answers;

/// Asks the DNS; each question goes out anew.
pub(crate) struct NameResolver {
    resolver: TokioResolver,
    limit: Duration,
}

/// The TXT records found for one name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TxtRecords {
    /// The name that holds them, at the end of a chain of CNAMEs if there is one.
    pub(crate) owner: String,
    /// One entry for each record, its strings joined.
    pub(crate) values: Vec<Vec<u8>>,
}

/// Why a question has no answer; an answer without records is not one of these for TXT.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum LookupError {
    /// NXDOMAIN.
    #[error("the name does not exist (NXDOMAIN)")]
    NoSuchName,
    /// The name exists and has no address.
    #[error("the name has neither an A nor an AAAA record")]
    NoAddress,
    /// A server answered with an error, such as SERVFAIL (also what bogus DNSSEC looks like).
    #[error("the DNS server answered {0}")]
    ServerFailed(ResponseText),
    /// No answer in time.
    #[error("no DNS answer in time")]
    TimedOut,
    /// No server could be asked, or what it sent made no sense.
    #[error("the DNS query failed")]
    Failed,
    /// The text is no domain name, for instance too long with its prefix.
    #[error("not a name that can be looked up")]
    NotAName,
}

/// A response code in the spelling of `dig`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ResponseText(ResponseCode);

impl std::fmt::Display for ResponseText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.0 {
            ResponseCode::ServFail => f.write_str("SERVFAIL"),
            ResponseCode::Refused => f.write_str("REFUSED"),
            ResponseCode::FormErr => f.write_str("FORMERR"),
            ResponseCode::NotImp => f.write_str("NOTIMP"),
            other => write!(f, "response code {}", u16::from(other)),
        }
    }
}

impl NameResolver {
    /// Asks `servers`, or those of the system when there are none; each lookup ends within `limit`.
    pub(crate) fn new(servers: &[SocketAddr], limit: Duration) -> Result<Self, NetError> {
        let servers = if servers.is_empty() {
            system_servers()
        } else {
            servers.iter().map(|at| server(*at)).collect()
        };
        let config = ResolverConfig::from_name_servers(servers);
        let mut builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        *builder.options_mut() = options(limit);
        Ok(Self {
            resolver: builder.build()?,
            limit,
        })
    }

    /// All addresses of a host, IPv6 and IPv4 in turn, IPv6 first.
    ///
    /// One family's failure does not matter when the other has an address.
    pub(crate) async fn addresses(&self, host: &str) -> Result<Vec<IpAddr>, LookupError> {
        if is_localhost(host) {
            return Ok(vec![Ipv6Addr::LOCALHOST.into(), Ipv4Addr::LOCALHOST.into()]);
        }
        let name = absolute(host)?;
        let (six, four) = tokio::join!(
            self.records(&name, RecordType::AAAA),
            self.records(&name, RecordType::A)
        );
        match (six, four) {
            (Err(failure @ LookupError::NoSuchName), Err(LookupError::NoSuchName)) => Err(failure),
            (Err(LookupError::NoSuchName), Err(failure)) | (Err(failure), Err(_)) => Err(failure),
            (six, four) => {
                let failure = six.as_ref().err().or(four.as_ref().err()).cloned();
                let found = in_turn(addresses_of(six), addresses_of(four));
                if found.is_empty() {
                    Err(failure.unwrap_or(LookupError::NoAddress))
                } else {
                    Ok(found)
                }
            }
        }
    }

    /// The TXT records of a name, through CNAMEs; none is not an error, NXDOMAIN is.
    pub(crate) async fn txt(&self, owner: &str) -> Result<TxtRecords, LookupError> {
        let answers = self.records(&absolute(owner)?, RecordType::TXT).await?;
        let values = answers.data.iter().filter_map(|data| match data {
            RData::TXT(txt) => Some(txt.txt_data.concat()),
            _ => None,
        });
        let holder = answers.owner.to_ascii();
        Ok(TxtRecords {
            owner: holder.trim_end_matches('.').to_owned(),
            values: values.collect(),
        })
    }

    async fn records(&self, name: &Name, kind: RecordType) -> Result<Answers, LookupError> {
        match timeout(self.limit, self.resolver.lookup(name.clone(), kind)).await {
            Ok(Ok(lookup)) => Ok(Answers::of(name, kind, lookup.answers())),
            Ok(Err(NetError::Dns(DnsError::NoRecordsFound(none)))) => match none.response_code {
                ResponseCode::NXDomain => Err(LookupError::NoSuchName),
                _ => Ok(Answers::none(name)),
            },
            Ok(Err(error)) => {
                debug!(%name, %kind, %error, "DNS lookup failed");
                Err(failure_of(&error))
            }
            Err(_) => Err(LookupError::TimedOut),
        }
    }
}

fn failure_of(error: &NetError) -> LookupError {
    match error {
        NetError::Dns(DnsError::ResponseCode(code)) => LookupError::ServerFailed(ResponseText(*code)),
        NetError::Timeout => LookupError::TimedOut,
        _ => LookupError::Failed,
    }
}

/// RFC 6761 section 6.3: names under `localhost` are loopback and never asked for.
fn is_localhost(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    last.eq_ignore_ascii_case("localhost")
}

fn absolute(text: &str) -> Result<Name, LookupError> {
    let mut name = Name::from_ascii(text).map_err(|_| LookupError::NotAName)?;
    name.set_fqdn(true);
    Ok(name)
}

fn addresses_of(answers: Result<Answers, LookupError>) -> Vec<IpAddr> {
    answers
        .map(|answers| answers.data.iter().filter_map(RData::ip_addr).collect())
        .unwrap_or_default()
}

/// Alternates two lists, so that a few dead addresses of one family do not hide the other.
fn in_turn(first: Vec<IpAddr>, second: Vec<IpAddr>) -> Vec<IpAddr> {
    let mut merged = Vec::with_capacity(first.len() + second.len());
    let (mut first, mut second) = (first.into_iter(), second.into_iter());
    loop {
        match (first.next(), second.next()) {
            (None, None) => return merged,
            (one, other) => merged.extend(one.into_iter().chain(other)),
        }
    }
}

fn server(at: SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()].map(|mut connection| {
        connection.port = at.port();
        connection
    });
    NameServerConfig::new(at.ip(), true, connections.into())
}

/// The name servers of the system; without any, the one on this machine, as resolv.conf(5) has it.
fn system_servers() -> Vec<NameServerConfig> {
    match read_system_conf() {
        Ok((config, _)) if !config.name_servers().is_empty() => config.name_servers().to_vec(),
        other => {
            let reason = other.err().map(|error| error.to_string());
            warn!(
                reason,
                "no name servers in the system configuration; validation asks 127.0.0.1:53"
            );
            vec![server(SocketAddr::from((Ipv4Addr::LOCALHOST, 53)))]
        }
    }
}

fn options(limit: Duration) -> ResolverOpts {
    let mut options = ResolverOpts::default();
    options.timeout = limit / 2;
    options.attempts = 1;
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.preserve_intermediates = true;
    options.try_tcp_on_error = true;
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_under_localhost_are_loopback() {
        let rows = [
            ("localhost", true),
            ("tour.localhost", true),
            ("A.LocalHost", true),
            ("localhost.example", false),
            ("notlocalhost", false),
            ("a.notlocalhost", false),
        ];
        for (host, expected) in rows {
            assert_eq!(is_localhost(host), expected, "{host}");
        }
    }

    #[test]
    fn the_families_take_turns_and_ipv6_begins() {
        let rows = [
            ("both", "::1 ::2", "1.0.0.1 1.0.0.2", "::1 1.0.0.1 ::2 1.0.0.2"),
            ("more of IPv6", "::1 ::2 ::3", "1.0.0.1", "::1 1.0.0.1 ::2 ::3"),
            ("only IPv4", "", "1.0.0.1 1.0.0.2", "1.0.0.1 1.0.0.2"),
            ("none", "", "", ""),
        ];
        let list = |text: &str| {
            text.split_whitespace()
                .map(|ip| ip.parse::<IpAddr>().unwrap())
                .collect()
        };
        for (name, six, four, expected) in rows {
            let expected: Vec<_> = list(expected);
            assert_eq!(in_turn(list(six), list(four)), expected, "{name}");
        }
    }
}
