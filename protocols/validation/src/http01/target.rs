//! Where a hop goes: a URL whose every part was checked. Pure.

use std::fmt;

use portreeve_acme::validator::ValidationFailure;
use portreeve_pkix::DnsName;
use url::{Host, Url};

use crate::abridged::Abridged;

/// The longest URL a redirect may lead to, in bytes.
const URL_LEN_MAX: usize = 2_048;
/// The ports a redirect may lead to besides the configured one.
const PORTS: [u16; 2] = [80, 443];

/// One hop: a host by name, an allowed port, a path.
///
/// Its `Display` is `host:port`, for messages: a path may contain the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    url: Url,
    host: DnsName,
    scheme: Scheme,
    port: u16,
}

/// How a hop is spoken to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Scheme {
    /// Plain.
    Http,
    /// Over TLS.
    Https,
}

/// Why a `Location` is not followed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
enum RedirectRefused {
    #[error("a URL of more than {URL_LEN_MAX} bytes")]
    TooLong,
    #[error("something that is not a URL")]
    NotAUrl,
    #[error("a scheme other than http and https")]
    Scheme,
    #[error("a URL with a user name or password")]
    UserInfo,
    #[error("an IP address in place of a name")]
    IpLiteral,
    #[error("a host that is not a DNS name")]
    Host,
    #[error("port {0}, which is not allowed")]
    Port(u16),
}

impl Target {
    /// Where http-01 begins (RFC 8555 section 8.3).
    pub(super) fn first(name: &DnsName, token: &str, port: u16) -> Result<Self, ValidationFailure> {
        let text = format!(
            "http://{}:{port}/.well-known/acme-challenge/{token}",
            name.as_str()
        );
        Url::parse(&text)
            .map_err(|_| RedirectRefused::NotAUrl)
            .and_then(|url| Self::checked(url, port))
            .map_err(|refused| {
                ValidationFailure::Malformed(format!("{}: {refused}", Abridged(name.as_str())).into())
            })
    }

    /// Where a redirect from here leads, relative `Location`s included.
    pub(super) fn redirected(&self, location: &str, http_port: u16) -> Result<Self, ValidationFailure> {
        self.follow(location, http_port).map_err(|refused| {
            ValidationFailure::Connection(format!("{self} redirected to {refused}").into())
        })
    }

    fn follow(&self, location: &str, http_port: u16) -> Result<Self, RedirectRefused> {
        if location.len() > URL_LEN_MAX {
            return Err(RedirectRefused::TooLong);
        }
        let url = self.url.join(location).map_err(|_| RedirectRefused::NotAUrl)?;
        Self::checked(url, http_port)
    }

    fn checked(mut url: Url, http_port: u16) -> Result<Self, RedirectRefused> {
        url.set_fragment(None);
        let scheme = match url.scheme() {
            "http" => Scheme::Http,
            "https" => Scheme::Https,
            _ => return Err(RedirectRefused::Scheme),
        };
        if url.as_str().len() > URL_LEN_MAX {
            return Err(RedirectRefused::TooLong);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(RedirectRefused::UserInfo);
        }
        let host = match url.host() {
            Some(Host::Domain(domain)) => DnsName::parse(domain).map_err(|_| RedirectRefused::Host)?,
            Some(Host::Ipv4(_) | Host::Ipv6(_)) => return Err(RedirectRefused::IpLiteral),
            None => return Err(RedirectRefused::Host),
        };
        if host.is_wildcard() {
            return Err(RedirectRefused::Host);
        }
        let port = url.port_or_known_default().ok_or(RedirectRefused::Scheme)?;
        if port != http_port && !PORTS.contains(&port) {
            return Err(RedirectRefused::Port(port));
        }
        Ok(Self {
            url,
            host,
            scheme,
            port,
        })
    }

    /// The host.
    pub(super) fn host(&self) -> &DnsName {
        &self.host
    }

    /// The port.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Plain or over TLS.
    pub(super) fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// The whole URL.
    pub(super) fn url(&self) -> &str {
        self.url.as_str()
    }

    /// The `Host` field: with the port if it is not the scheme's own (RFC 9110 section 7.2).
    pub(super) fn host_header(&self) -> String {
        match self.url.port() {
            Some(port) => format!("{}:{port}", self.host.as_str()),
            None => self.host.as_str().to_owned(),
        }
    }

    /// The request target in origin form (RFC 9112 section 3.2.1).
    pub(super) fn path_and_query(&self) -> String {
        match self.url.query() {
            Some(query) => format!("{}?{query}", self.url.path()),
            None => self.url.path().to_owned(),
        }
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", Abridged(self.host.as_str()), self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn first(port: u16) -> Target {
        Target::first(&DnsName::parse("a.example").unwrap(), "tok", port).unwrap()
    }

    #[test]
    fn the_first_hop_is_the_well_known_place_over_plain_http() {
        let rows = [
            (80, "http://a.example/.well-known/acme-challenge/tok", "a.example"),
            (
                5002,
                "http://a.example:5002/.well-known/acme-challenge/tok",
                "a.example:5002",
            ),
        ];
        for (port, url, host_header) in rows {
            let target = first(port);
            assert_eq!(target.url(), url);
            assert_eq!(target.host_header(), host_header);
            assert_eq!(target.path_and_query(), "/.well-known/acme-challenge/tok");
            assert_eq!((target.scheme(), target.port()), (Scheme::Http, port));
        }
    }

    #[test]
    fn redirects_lead_only_where_they_may() {
        let to = |url: &str| Ok(url.to_owned());
        let long = format!("/{}", "x".repeat(URL_LEN_MAX));
        let long_once_encoded = format!("/{}", "\"".repeat(URL_LEN_MAX / 2));
        let rows: [(&str, &str, Result<String, RedirectRefused>); 27] = [
            ("absolute", "http://b.example/x?y=1", to("http://b.example/x?y=1")),
            ("absolute path", "/x", to("http://a.example:5002/x")),
            (
                "relative path",
                "x",
                to("http://a.example:5002/.well-known/acme-challenge/x"),
            ),
            ("without scheme", "//b.example/x", to("http://b.example/x")),
            ("over TLS", "https://b.example/x", to("https://b.example/x")),
            (
                "the port of http, said",
                "http://b.example:80/",
                to("http://b.example/"),
            ),
            (
                "the configured port",
                "http://b.example:5002/",
                to("http://b.example:5002/"),
            ),
            (
                "TLS on the configured port",
                "https://b.example:5002/",
                to("https://b.example:5002/"),
            ),
            (
                "fragment dropped",
                "http://b.example/x#y",
                to("http://b.example/x"),
            ),
            ("upper case host", "http://B.Example/", to("http://b.example/")),
            (
                "forbidden port",
                "http://b.example:22/",
                Err(RedirectRefused::Port(22)),
            ),
            (
                "forbidden high port",
                "https://b.example:8443/",
                Err(RedirectRefused::Port(8443)),
            ),
            ("ftp", "ftp://b.example/x", Err(RedirectRefused::Scheme)),
            ("file", "file:///etc/passwd", Err(RedirectRefused::Scheme)),
            ("gopher", "gopher://b.example:80/x", Err(RedirectRefused::Scheme)),
            ("IPv4 literal", "http://8.8.8.8/", Err(RedirectRefused::IpLiteral)),
            (
                "IPv4 in decimal",
                "http://2130706433/",
                Err(RedirectRefused::IpLiteral),
            ),
            (
                "IPv4 in hexadecimal",
                "http://0x7f.1/",
                Err(RedirectRefused::IpLiteral),
            ),
            (
                "IPv6 literal",
                "http://[2001:db8::1]/",
                Err(RedirectRefused::IpLiteral),
            ),
            (
                "user name",
                "http://me@b.example/",
                Err(RedirectRefused::UserInfo),
            ),
            (
                "password",
                "http://:pw@b.example/",
                Err(RedirectRefused::UserInfo),
            ),
            ("wildcard host", "http://*.b.example/", Err(RedirectRefused::Host)),
            (
                "underscore host",
                "http://a_b.example/",
                Err(RedirectRefused::Host),
            ),
            ("no host", "http:///", Err(RedirectRefused::NotAUrl)),
            (
                "port beyond numbers",
                "http://b.example:99999/",
                Err(RedirectRefused::NotAUrl),
            ),
            ("too long", &long, Err(RedirectRefused::TooLong)),
            (
                "too long once encoded",
                &long_once_encoded,
                Err(RedirectRefused::TooLong),
            ),
        ];
        for (name, location, expected) in rows {
            let result = first(5002)
                .follow(location, 5002)
                .map(|target| target.url().to_owned());
            assert_eq!(result, expected, "{name}: {location}");
        }
    }

    #[test]
    fn the_configured_port_is_no_longer_special_when_it_is_80() {
        assert_eq!(
            first(80).follow("http://b.example:5002/", 80),
            Err(RedirectRefused::Port(5002))
        );
    }
}
