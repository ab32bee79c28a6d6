//! Where a PostgreSQL database is and how to get in: `postgres://USER:PASSWORD@HOST:PORT,…/DATABASE?PARAMETER=…`.
//!
//! The form is that of libpq. A password appears in no message: neither `Debug` nor `Display` shows it, and errors name
//! the part that is wrong, not its value.

use std::fmt;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

/// The port of a host that names none.
const PORT: u16 = 5432;

/// Hosts of one URL, at most.
const HOSTS_MAX: usize = 8;

/// Statements that a connection keeps prepared.
const STATEMENTS_KEPT: usize = 256;

/// Why a text is no URL of a PostgreSQL database.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PostgresUrlError {
    /// It begins with something else.
    #[error("a PostgreSQL URL begins with postgres://")]
    Scheme,
    /// It names no host, or too many.
    #[error("one to {HOSTS_MAX} hosts are needed, as in postgres://db1:5432,db2:5432/portreeve")]
    Hosts,
    /// A host or its port cannot be read.
    #[error("host number {0} is not HOST or HOST:PORT")]
    Host(usize),
    /// A percent sign is not followed by two hexadecimal digits, or the octets are not UTF-8.
    #[error("{0} is not percent-encoded UTF-8")]
    Encoding(&'static str),
    /// A parameter nobody knows.
    #[error("unknown parameter {0}")]
    UnknownParameter(String),
    /// A parameter with a value that is not allowed.
    #[error("{name} must be {expected}")]
    Parameter {
        /// Which.
        name: &'static str,
        /// What is allowed.
        expected: &'static str,
    },
    /// No database is named.
    #[error("the name of a database is needed, as in postgres://localhost/portreeve")]
    Database,
}

/// A host to try.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Host {
    /// A name, an address, or the directory of a Unix socket.
    pub(crate) name: String,
    pub(crate) port: u16,
}

impl Host {
    fn is_socket(&self) -> bool {
        self.name.starts_with('/')
    }

    /// Whether what is said to it stays on this machine.
    fn is_local(&self) -> bool {
        self.is_socket()
            || self.name == "localhost"
            || self
                .name
                .parse::<IpAddr>()
                .is_ok_and(|address| address.is_loopback())
    }
}

impl fmt::Display for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.name.contains(':') {
            write!(f, "[{}]:{}", self.name, self.port)
        } else {
            write!(f, "{}:{}", self.name, self.port)
        }
    }
}

/// A PostgreSQL database: one host or several of which one is written to, credentials, and how far TLS is checked.
#[derive(Clone, PartialEq, Eq)]
pub struct PostgresUrl {
    hosts: Vec<Host>,
    user: Option<String>,
    password: Option<String>,
    database: String,
    tls: Option<Tls>,
    root_certificate: Option<PathBuf>,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
    application_name: String,
}

/// `sslmode`. `allow` is left out: it is plain in practice, and says something else.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Tls {
    Disable,
    Prefer,
    Require,
    VerifyCa,
    VerifyFull,
}

impl Tls {
    const ALL: [(&'static str, Self); 5] = [
        ("disable", Self::Disable),
        ("prefer", Self::Prefer),
        ("require", Self::Require),
        ("verify-ca", Self::VerifyCa),
        ("verify-full", Self::VerifyFull),
    ];

    const fn mode(self) -> PgSslMode {
        match self {
            Self::Disable => PgSslMode::Disable,
            Self::Prefer => PgSslMode::Prefer,
            Self::Require => PgSslMode::Require,
            Self::VerifyCa => PgSslMode::VerifyCa,
            Self::VerifyFull => PgSslMode::VerifyFull,
        }
    }
}

impl PostgresUrl {
    /// The hosts, in the order they are tried.
    pub(crate) fn hosts(&self) -> &[Host] {
        &self.hosts
    }

    /// Hosts on other machines to which this URL allows connections whose server is not verified.
    pub fn unverified_hosts(&self) -> Vec<String> {
        let unverified = |host: &&Host| !host.is_local() && self.tls(host) != Tls::VerifyFull;
        self.hosts
            .iter()
            .filter(unverified)
            .map(ToString::to_string)
            .collect()
    }

    /// What is needed to connect to one of the hosts.
    pub(crate) fn options(&self, host: &Host) -> PgConnectOptions {
        let mut options = PgConnectOptions::new_without_pgpass()
            .port(host.port)
            .database(&self.database)
            .application_name(&self.application_name)
            .ssl_mode(self.tls(host).mode())
            .statement_cache_capacity(STATEMENTS_KEPT);
        options = if host.is_socket() {
            options.host("localhost").socket(&host.name)
        } else {
            options.host(&host.name)
        };
        if let Some(user) = &self.user {
            options = options.username(user);
        }
        if let Some(password) = &self.password {
            options = options.password(password);
        }
        if let Some(path) = &self.root_certificate {
            options = options.ssl_root_cert(path);
        }
        if let (Some(certificate), Some(key)) = (&self.certificate, &self.key) {
            options = options.ssl_client_cert(certificate).ssl_client_key(key);
        }
        options.disable_statement_logging()
    }

    /// Without `sslmode`, other machines are verified, and this one may be plain.
    fn tls(&self, host: &Host) -> Tls {
        let default = if host.is_local() {
            Tls::Prefer
        } else {
            Tls::VerifyFull
        };
        self.tls.unwrap_or(default)
    }

    fn parameter(&mut self, name: &str, value: String, rest: &mut Rest) -> Result<(), PostgresUrlError> {
        match name {
            "sslmode" => self.tls = Some(tls(&value)?),
            "sslrootcert" => self.root_certificate = (value != "system").then(|| PathBuf::from(value)),
            "sslcert" => self.certificate = Some(PathBuf::from(value)),
            "sslkey" => self.key = Some(PathBuf::from(value)),
            "application_name" => self.application_name = value,
            "target_session_attrs" if matches!(value.as_str(), "read-write" | "primary" | "any") => {}
            "target_session_attrs" => {
                return Err(PostgresUrlError::Parameter {
                    name: "target_session_attrs",
                    expected: "read-write, which is what happens anyway",
                });
            }
            "host" => rest.hosts = Some(value),
            "port" => rest.ports = Some(value),
            "user" => self.user = Some(value),
            "password" => self.password = Some(value),
            "dbname" => self.database = value,
            _ => return Err(PostgresUrlError::UnknownParameter(name.to_owned())),
        }
        Ok(())
    }
}

/// Hosts and ports given as parameters.
#[derive(Default)]
struct Rest {
    hosts: Option<String>,
    ports: Option<String>,
}

impl FromStr for PostgresUrl {
    type Err = PostgresUrlError;

    fn from_str(text: &str) -> Result<Self, PostgresUrlError> {
        let rest = text
            .strip_prefix("postgres://")
            .or_else(|| text.strip_prefix("postgresql://"))
            .ok_or(PostgresUrlError::Scheme)?;
        let (place, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, database) = place.split_once('/').unwrap_or((place, ""));
        let (credentials, hosts) = match authority.rsplit_once('@') {
            Some((credentials, hosts)) => (Some(credentials), hosts),
            None => (None, authority),
        };
        let (user, password) = match credentials.map(|text| text.split_once(':').unwrap_or((text, ""))) {
            Some((user, password)) => (decoded(user, "the user")?, decoded(password, "the password")?),
            None => Default::default(),
        };
        let given = |text: String| (!text.is_empty()).then_some(text);
        let mut url = Self {
            hosts: Vec::new(),
            user: given(user),
            password: given(password),
            database: decoded(database, "the database")?,
            tls: None,
            root_certificate: None,
            certificate: None,
            key: None,
            application_name: "portreeve".to_owned(),
        };
        let mut rest = Rest::default();
        for pair in query.split('&').filter(|pair| !pair.is_empty()) {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decoded(name, "the name of a parameter")?;
            url.parameter(&name, decoded(value, "the value of a parameter")?, &mut rest)?;
        }
        url.hosts = match rest {
            Rest {
                hosts: Some(names),
                ports,
            } => named(&names, ports.as_deref().unwrap_or_default())?,
            Rest { hosts: None, .. } => hosts
                .split(',')
                .enumerate()
                .map(|(index, text)| host(text, index + 1))
                .collect::<Result<_, _>>()?,
        };
        url.checked()
    }
}

impl PostgresUrl {
    fn checked(self) -> Result<Self, PostgresUrlError> {
        if self.hosts.is_empty() || self.hosts.len() > HOSTS_MAX {
            return Err(PostgresUrlError::Hosts);
        }
        if self.database.is_empty() {
            return Err(PostgresUrlError::Database);
        }
        if self.certificate.is_some() != self.key.is_some() {
            return Err(PostgresUrlError::Parameter {
                name: "sslcert",
                expected: "given together with sslkey",
            });
        }
        Ok(self)
    }
}

fn tls(word: &str) -> Result<Tls, PostgresUrlError> {
    let found = Tls::ALL.iter().find(|(name, _)| *name == word);
    found.map(|(_, mode)| *mode).ok_or(PostgresUrlError::Parameter {
        name: "sslmode",
        expected: "disable, prefer, require, verify-ca or verify-full",
    })
}

/// `HOST`, `HOST:PORT`, `[ADDRESS]:PORT`; a socket's directory is percent-encoded.
fn host(text: &str, number: usize) -> Result<Host, PostgresUrlError> {
    let wrong = || PostgresUrlError::Host(number);
    let (name, port) = match text.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((address, port)) => {
            address
                .parse::<IpAddr>()
                .ok()
                .filter(IpAddr::is_ipv6)
                .ok_or_else(wrong)?;
            (address, port)
        }
        None => text.find(':').map_or((text, ""), |at| text.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some("") | None if !port.is_empty() && port != ":" => return Err(wrong()),
        Some(digits) if !digits.is_empty() => digits.parse().map_err(|_| wrong())?,
        _ => PORT,
    };
    let name = decoded(name, "a host")?;
    if name.is_empty() || port == 0 {
        return Err(wrong());
    }
    Ok(Host { name, port })
}

/// The parameters `host` and `port`, each a list; one port holds for all hosts.
fn named(names: &str, ports: &str) -> Result<Vec<Host>, PostgresUrlError> {
    let ports: Vec<&str> = ports.split(',').collect();
    let one_for_all = ports.len() == 1;
    let named = names.split(',').enumerate().map(|(index, name)| {
        let wrong = || PostgresUrlError::Host(index + 1);
        let port = ports.get(if one_for_all { 0 } else { index }).ok_or_else(wrong)?;
        let port = match *port {
            "" => PORT,
            digits => digits.parse().ok().filter(|port| *port != 0).ok_or_else(wrong)?,
        };
        if name.is_empty() {
            return Err(wrong());
        }
        Ok(Host {
            name: name.to_owned(),
            port,
        })
    });
    named.collect()
}

fn decoded(text: &str, what: &'static str) -> Result<String, PostgresUrlError> {
    let wrong = || PostgresUrlError::Encoding(what);
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(octet) = rest.next() {
        if octet != b'%' {
            octets.push(octet);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (Some(high), Some(low)) = (digit(), digit()) else {
            return Err(wrong());
        };
        octets.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    String::from_utf8(octets).map_err(|_| wrong())
}

/// Without the password.
impl fmt::Display for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("postgres://")?;
        if let Some(user) = &self.user {
            write!(f, "{user}@")?;
        }
        for (index, host) in self.hosts.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{host}")?;
        }
        write!(f, "/{}", self.database)?;
        let path = |path: &Option<PathBuf>| path.as_deref().map(Path::display).map(|shown| shown.to_string());
        let mode = Tls::ALL.iter().find(|(_, mode)| Some(*mode) == self.tls);
        let parameters = [
            ("sslmode", mode.map(|(word, _)| (*word).to_owned())),
            ("sslrootcert", path(&self.root_certificate)),
            ("sslcert", path(&self.certificate)),
            ("sslkey", path(&self.key)),
        ];
        let given = parameters
            .iter()
            .filter_map(|(name, value)| Some((name, value.as_ref()?)));
        for (index, (name, value)) in given.enumerate() {
            let sign = if index == 0 { '?' } else { '&' };
            write!(f, "{sign}{name}={value}")?;
        }
        Ok(())
    }
}

impl fmt::Debug for PostgresUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(text: &str) -> PostgresUrl {
        text.parse().unwrap()
    }

    #[test]
    fn hosts_and_credentials() {
        let rows = [
            ("one host", "postgres://h/db", "postgres://h:5432/db"),
            ("the longer scheme", "postgresql://h/db", "postgres://h:5432/db"),
            (
                "several hosts",
                "postgres://u:p@h1:5432,h2:5433/db",
                "postgres://u@h1:5432,h2:5433/db",
            ),
            (
                "an IPv6 address",
                "postgres://[::1]:5433/db",
                "postgres://[::1]:5433/db",
            ),
            (
                "without a port",
                "postgres://[::1]/db",
                "postgres://[::1]:5432/db",
            ),
            (
                "a socket",
                "postgres:///db?host=/run/postgresql",
                "postgres:///run/postgresql:5432/db",
            ),
            (
                "a socket as host",
                "postgres://%2Frun%2Fpostgresql:5433/db",
                "postgres:///run/postgresql:5433/db",
            ),
            (
                "hosts with one port",
                "postgres:///db?host=a,b&port=5433",
                "postgres://a:5433,b:5433/db",
            ),
            (
                "percent-encoded",
                "postgres://us%40er:p%40ss@h/d%2Fb",
                "postgres://us@er@h:5432/d/b",
            ),
            (
                "TLS",
                "postgres://h/db?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem",
                "postgres://h:5432/db?sslmode=verify-full&sslrootcert=ca.pem&sslcert=c.pem&sslkey=k.pem",
            ),
            (
                "session",
                "postgres://h/db?target_session_attrs=read-write&application_name=x",
                "postgres://h:5432/db",
            ),
        ];
        for (name, text, shown) in rows {
            assert_eq!(parsed(text).to_string(), shown, "{name}");
        }
        let url = parsed("postgres://us%40er:p%40s%3As@h/db");
        assert_eq!(
            (url.user.as_deref(), url.password.as_deref()),
            (Some("us@er"), Some("p@s:s"))
        );
    }

    #[test]
    fn what_is_wrong_is_named_and_nothing_secret() {
        let rows = [
            ("another scheme", "mysql://h/db", "begins with postgres://"),
            ("no database", "postgres://h", "name of a database"),
            ("no host", "postgres:///db", "host number 1"),
            ("a word as port", "postgres://h1,h2:secret/db", "host number 2"),
            ("port zero", "postgres://h:0/db", "host number 1"),
            (
                "unknown",
                "postgres://u:secret@h/db?fallback=yes",
                "unknown parameter fallback",
            ),
            (
                "a mode",
                "postgres://u:secret@h/db?sslmode=maybe",
                "sslmode must be",
            ),
            (
                "allow",
                "postgres://u:secret@h/db?sslmode=allow",
                "sslmode must be",
            ),
            (
                "a standby",
                "postgres://h/db?target_session_attrs=standby",
                "target_session_attrs",
            ),
            (
                "half a certificate",
                "postgres://u:secret@h/db?sslcert=c.pem",
                "sslkey",
            ),
            ("an encoding", "postgres://u:secret%4@h/db", "the password is not"),
            ("too many hosts", "postgres://a,b,c,d,e,f,g,h,i/db", "hosts"),
            ("no IPv6 address", "postgres://[secret]/db", "host number 1"),
        ];
        for (name, text, words) in rows {
            let error = text.parse::<PostgresUrl>().expect_err(name);
            assert!(error.to_string().contains(words), "{name}: {error}");
            assert!(
                !format!("{error} {error:?}").contains("secret"),
                "{name}: {error:?}"
            );
        }
        let url = parsed("postgres://u:secret@h/db");
        assert!(!format!("{url} {url:?}").contains("secret"));
    }

    #[test]
    fn other_machines_are_verified_by_default() {
        let rows = [
            ("postgres://h/db", Tls::VerifyFull),
            ("postgres://192.0.2.1/db", Tls::VerifyFull),
            ("postgres://localhost/db", Tls::Prefer),
            ("postgres://127.0.0.5/db", Tls::Prefer),
            ("postgres://[::1]/db", Tls::Prefer),
            ("postgres:///db?host=/run/postgresql", Tls::Prefer),
            ("postgres://h/db?sslmode=disable", Tls::Disable),
            ("postgres://localhost/db?sslmode=verify-full", Tls::VerifyFull),
        ];
        for (text, expected) in rows {
            let url = parsed(text);
            assert!(url.tls(&url.hosts[0]) == expected, "{text}");
        }
        assert_eq!(parsed("postgres://h,localhost/db").unverified_hosts(), [""; 0]);
        assert_eq!(
            parsed("postgres://h,localhost/db?sslmode=require").unverified_hosts(),
            ["h:5432"]
        );
    }
}
