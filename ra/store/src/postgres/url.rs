//! Where a PostgreSQL database is and how to get in: `postgres://USER:PASSWORD@HOST:PORT,…/DATABASE?PARAMETER=…`.
//!
//! The form is that of libpq. A password appears in no message: neither `Debug` nor `Display` shows it, and errors name
//! the part that is wrong, not its value.

mod host;
mod reading;

use std::fmt;
use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

pub(crate) use host::Host;

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
mod tests;
