//! The `acme.validation` section of the configuration.

mod servers;

use std::net::SocketAddr;
use std::time::Duration;

use ipnet::IpNet;
use portreeve_pkix::duration;
use serde::{Deserialize, Serialize};

/// How this gateway validates identifiers; every key has a default.
///
/// Durations are written `"20s"`, `"500ms"` or `"1m"`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ValidationConfig {
    /// The TCP port http-01 is asked on first (RFC 8555 section 8.3 says 80).
    pub http_port: u16,
    /// The TCP port of tls-alpn-01 (RFC 8737 section 3 says 443); neither http-01 nor dns-01 uses it.
    pub tls_alpn_port: u16,
    /// The DNS servers asked, `"ip"`, `"ip:port"` or a list of them; empty: those of the system.
    #[serde(with = "servers")]
    pub dns_resolver: Vec<SocketAddr>,
    /// Networks that are let through although they are not globally reachable.
    pub allow_networks: Vec<IpNet>,
    /// Networks that are refused, whatever `allow_networks` says.
    pub deny_networks: Vec<IpNet>,
    /// How long the addresses, or the TXT records, of one name may take.
    #[serde(with = "duration")]
    pub dns_timeout: Duration,
    /// How long one TCP connection may take to open.
    #[serde(with = "duration")]
    pub connect_timeout: Duration,
    /// How long one whole attempt may take, redirects included.
    #[serde(with = "duration")]
    pub attempt_timeout: Duration,
    /// How many redirects http-01 follows.
    pub redirects_max: usize,
    /// How many addresses of one name are tried, the two families in turn.
    pub addresses_max: usize,
    /// How many attempts run at once.
    pub concurrent_max: usize,
    /// How many attempts may wait for one that runs to end, each no longer than `attempt_timeout`.
    pub waiting_max: usize,
}

impl Default for ValidationConfig {
    fn default() -> Self {
        Self {
            http_port: 80,
            tls_alpn_port: 443,
            dns_resolver: Vec::new(),
            allow_networks: Vec::new(),
            deny_networks: Vec::new(),
            dns_timeout: Duration::from_secs(10),
            connect_timeout: Duration::from_secs(5),
            attempt_timeout: Duration::from_secs(20),
            redirects_max: 10,
            addresses_max: 4,
            concurrent_max: 100,
            waiting_max: 1_000,
        }
    }
}

/// A value that cannot be worked with.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// A port, a time or a number that must not be zero is.
    #[error("acme.validation.{key} must not be zero")]
    Zero {
        /// The key.
        key: &'static str,
    },
    /// A number is beyond what this crate is willing to bound.
    #[error("acme.validation.{key} is more than {max}")]
    TooLarge {
        /// The key.
        key: &'static str,
        /// The largest value.
        max: u64,
    },
}

impl ValidationConfig {
    /// Checks what the types cannot: that no limit is absent or absurd.
    pub fn check(&self) -> Result<(), ConfigError> {
        const MINUTES_5: u64 = 5 * 60 * 1_000;
        let rows: [(&'static str, u128, u128, u64); 9] = [
            ("http_port", self.http_port.into(), 1, u16::MAX.into()),
            ("tls_alpn_port", self.tls_alpn_port.into(), 1, u16::MAX.into()),
            ("dns_timeout", self.dns_timeout.as_millis(), 1, MINUTES_5),
            ("connect_timeout", self.connect_timeout.as_millis(), 1, MINUTES_5),
            ("attempt_timeout", self.attempt_timeout.as_millis(), 1, MINUTES_5),
            ("redirects_max", self.redirects_max as u128, 0, 20),
            ("addresses_max", self.addresses_max as u128, 1, 32),
            ("concurrent_max", self.concurrent_max as u128, 1, 10_000),
            ("waiting_max", self.waiting_max as u128, 0, 1_000_000),
        ];
        for (key, value, min, max) in rows {
            if value < min {
                return Err(ConfigError::Zero { key });
            }
            if value > u128::from(max) {
                return Err(ConfigError::TooLarge { key, max });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<ValidationConfig, String> {
        toml::from_str(text).map_err(|error| error.to_string())
    }

    #[test]
    fn an_empty_section_is_the_default_and_the_default_passes() {
        assert_eq!(parse("").unwrap(), ValidationConfig::default());
        assert_eq!(ValidationConfig::default().check(), Ok(()));
    }

    #[test]
    fn every_key_is_read() {
        let config = parse(
            r#"
            http_port = 5002
            tls_alpn_port = 5001
            dns_resolver = ["127.0.0.1:8053", "::1"]
            allow_networks = ["127.0.0.0/8", "fd00::/8"]
            deny_networks = ["127.0.0.2/32"]
            dns_timeout = "2s"
            connect_timeout = "3s"
            attempt_timeout = "1500ms"
            redirects_max = 0
            addresses_max = 2
            concurrent_max = 7
            waiting_max = 0
            "#,
        )
        .unwrap();
        assert_eq!(
            config,
            ValidationConfig {
                http_port: 5002,
                tls_alpn_port: 5001,
                dns_resolver: vec!["127.0.0.1:8053".parse().unwrap(), "[::1]:53".parse().unwrap()],
                allow_networks: vec!["127.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()],
                deny_networks: vec!["127.0.0.2/32".parse().unwrap()],
                dns_timeout: Duration::from_secs(2),
                connect_timeout: Duration::from_secs(3),
                attempt_timeout: Duration::from_millis(1_500),
                redirects_max: 0,
                addresses_max: 2,
                concurrent_max: 7,
                waiting_max: 0,
            }
        );
        assert_eq!(
            parse(&toml::to_string(&config).unwrap()).unwrap(),
            config,
            "written and read again"
        );
    }

    #[test]
    fn one_resolver_needs_no_list() {
        let config = parse(r#"dns_resolver = "127.0.0.1:8053""#).unwrap();
        assert_eq!(config.dns_resolver, ["127.0.0.1:8053".parse().unwrap()]);
    }

    #[test]
    fn what_cannot_be_read_is_refused() {
        let rows = [
            ("unknown key", "http_prot = 80", "http_prot"),
            (
                "resolver by name",
                r#"dns_resolver = "dns.example""#,
                "dns.example",
            ),
            ("resolver in a list", r#"dns_resolver = ["127.0.0.1", "x"]"#, "x"),
            (
                "network without a prefix",
                r#"allow_networks = ["10.0.0.0"]"#,
                "allow_networks",
            ),
            ("duration without a unit", r#"dns_timeout = "5""#, "5"),
            ("duration with an unknown unit", r#"dns_timeout = "5y""#, "5y"),
            ("duration as a number", "dns_timeout = 5", "dns_timeout"),
            ("negative duration", "dns_timeout = -1", "dns_timeout"),
            (
                "duration beyond numbers",
                r#"dns_timeout = "99999999999999999999s""#,
                "9999",
            ),
        ];
        for (name, text, mentioned) in rows {
            let error = parse(text).expect_err(name);
            assert!(error.contains(mentioned), "{name}: {error}");
        }
    }

    #[test]
    fn absent_and_absurd_limits_are_refused() {
        let rows: [(&str, &str, Result<(), ConfigError>); 7] = [
            (
                "port 0",
                "http_port = 0",
                Err(ConfigError::Zero { key: "http_port" }),
            ),
            (
                "no time",
                r#"attempt_timeout = "0s""#,
                Err(ConfigError::Zero {
                    key: "attempt_timeout",
                }),
            ),
            (
                "no attempts",
                "concurrent_max = 0",
                Err(ConfigError::Zero {
                    key: "concurrent_max",
                }),
            ),
            (
                "no addresses",
                "addresses_max = 0",
                Err(ConfigError::Zero { key: "addresses_max" }),
            ),
            ("no redirects", "redirects_max = 0", Ok(())),
            (
                "endless",
                r#"connect_timeout = "6m""#,
                Err(ConfigError::TooLarge {
                    key: "connect_timeout",
                    max: 300_000,
                }),
            ),
            (
                "redirects",
                "redirects_max = 21",
                Err(ConfigError::TooLarge {
                    key: "redirects_max",
                    max: 20,
                }),
            ),
        ];
        for (name, text, expected) in rows {
            assert_eq!(parse(text).unwrap().check(), expected, "{name}");
        }
    }
}
