//! `database`: where the truth is kept.

use std::fmt;
use std::path::Path;

use portreeve_store::{CONNECTIONS, StoreUrl};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use super::{ConfigError, SecretSource, invalid};

/// Connections of one node, at most.
const CONNECTIONS_MAX: u32 = 200;

/// Where the truth is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSection {
    /// `sqlite:DIRECTORY`, or `postgres://USER@HOST:PORT,HOST:PORT/DATABASE?sslmode=…&sslrootcert=…` for several
    /// nodes; a relative directory counts from the data directory. A URL with a password can lie in a file or a
    /// variable: `{ file = "…" }`, `{ env = "…" }`.
    pub url: DatabaseUrl,
    /// Connections of this node to PostgreSQL.
    pub connections_max: u32,
}

/// A URL, or where it lies. Shown without the password.
#[derive(Clone, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(untagged)]
pub enum DatabaseUrl {
    /// The URL itself.
    Text(String),
    /// Where it lies.
    Elsewhere(SecretSource),
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self {
            url: DatabaseUrl::Text("sqlite:store".to_owned()),
            connections_max: CONNECTIONS,
        }
    }
}

impl DatabaseSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        if !(1..=CONNECTIONS_MAX).contains(&self.connections_max) {
            let bounds = format!("must lie between 1 and {CONNECTIONS_MAX}");
            return Err(invalid("database.connections_max", bounds));
        }
        match &self.url {
            DatabaseUrl::Text(text) => parsed(text, Path::new("/")).map(drop),
            DatabaseUrl::Elsewhere(SecretSource::File(path)) if path.as_os_str().is_empty() => {
                Err(invalid("database.url.file", "must name a file"))
            }
            DatabaseUrl::Elsewhere(SecretSource::Env(name)) if name.is_empty() => {
                Err(invalid("database.url.env", "must name a variable"))
            }
            DatabaseUrl::Elsewhere(_) => Ok(()),
        }
    }

    /// Where the store is; reads the file or the variable that holds the URL.
    pub fn store(&self, data_dir: &Path) -> Result<StoreUrl, ConfigError> {
        match &self.url {
            DatabaseUrl::Text(text) => parsed(text, data_dir),
            DatabaseUrl::Elsewhere(SecretSource::File(path)) => {
                let path = data_dir.join(path);
                let text =
                    std::fs::read_to_string(&path).map_err(|source| ConfigError::Read { path, source })?;
                parsed(text.trim(), data_dir)
            }
            DatabaseUrl::Elsewhere(SecretSource::Env(name)) => {
                let text = std::env::var(name)
                    .map_err(|_| invalid("database.url", format!("there is no variable {name}")))?;
                parsed(text.trim(), data_dir)
            }
        }
    }
}

fn parsed(text: &str, base: &Path) -> Result<StoreUrl, ConfigError> {
    StoreUrl::parse(text, base).map_err(|error| invalid("database.url", error.to_string()))
}

impl DatabaseUrl {
    /// As it was given, with the password: for a file that only its owner may read.
    pub fn to_toml(&self) -> toml::Value {
        match self {
            Self::Text(text) => toml::Value::String(text.clone()),
            Self::Elsewhere(source) => {
                toml::Value::try_from(source).unwrap_or_else(|_| toml::Value::String(String::new()))
            }
        }
    }

    /// The text without the password; of a text that is no URL, nothing that follows the scheme.
    fn shown(text: &str) -> String {
        match StoreUrl::parse(text, Path::new("")) {
            Ok(StoreUrl::Sqlite(_)) => text.to_owned(),
            Ok(url @ StoreUrl::Postgres(_)) => url.to_string(),
            Err(_) => text.split(':').next().unwrap_or_default().to_owned(),
        }
    }
}

impl Serialize for DatabaseUrl {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(&Self::shown(text)),
            Self::Elsewhere(source) => source.serialize(serializer),
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(&Self::shown(text)),
            Self::Elsewhere(source) => source.fmt(f),
        }
    }
}
