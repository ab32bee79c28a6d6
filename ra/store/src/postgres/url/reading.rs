//! How a URL is read.

use std::path::PathBuf;
use std::str::FromStr;

use super::{HOSTS_MAX, PostgresUrl, PostgresUrlError, Tls, host};

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
            } => host::named(&names, ports.as_deref().unwrap_or_default())?,
            Rest { hosts: None, .. } => hosts
                .split(',')
                .enumerate()
                .map(|(index, text)| host::read(text, index + 1))
                .collect::<Result<_, _>>()?,
        };
        url.checked()
    }
}

impl PostgresUrl {
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

/// The text behind percent-encoding.
pub(super) fn decoded(text: &str, what: &'static str) -> Result<String, PostgresUrlError> {
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
