//! Configuration of `portreeve serve`: one typed struct per concern, unknown keys are errors.
//!
//! The file holds infrastructure. What an installation offers (profiles, endpoints, CAs) lives in the store and
//! enters by `portreeve apply`. Values come from the file, then from `PORTREEVE__SECTION__KEY`, then from `--set`.

mod acme;
mod audit;
mod auth;
mod backend;
mod database;
mod fingerprint;
mod keyset;
mod overlay;
mod redis;
mod schema;
mod secret;
mod server;
mod signer;
mod span;
mod telemetry;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use portreeve_est::EstConfig;
use portreeve_status::StatusConfig;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use acme::AcmeSection;
pub use audit::{AuditSection, SyslogTarget};
pub use auth::AuthSection;
pub use backend::{BackendKind, BackendSection, ChallengePasswordWord, EstSection};
pub use database::{DatabaseSection, DatabaseUrl};
pub use keyset::{KekSources, KeysetSection, PurposeWord};
pub use overlay::{Override, OverrideError};
pub use redis::{RedisSection, RedisUrl};
pub use secret::SecretSource;
pub use server::{
    ClientCertificates, ExtendedMasterSecret, LimitsSection, ListenerSection, MountGroup, ServerSection,
    Transport,
};
pub use signer::{SignerKind, SignerSection};
pub use span::Span;
pub use telemetry::{LogFormat, TelemetrySection};

/// The whole configuration.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Addresses, listeners and limits.
    pub server: ServerSection,
    /// Where the truth is kept.
    pub database: DatabaseSection,
    /// What carries hints between nodes.
    pub redis: RedisSection,
    /// The keys that seal and sign, and the key that seals them.
    pub keyset: KeysetSection,
    /// Where CA keys live, by name.
    pub signer: BTreeMap<String, SignerSection>,
    /// Certificate authorities, by name; endpoints name one of these.
    pub backend: BTreeMap<String, BackendSection>,
    /// The ACME edge.
    pub acme: AcmeSection,
    /// The EST edge.
    #[schemars(with = "schema::EstKeys")]
    pub est: EstConfig,
    /// How operators sign in.
    pub auth: AuthSection,
    /// Publication of CRLs.
    #[schemars(with = "schema::StatusKeys")]
    pub status: StatusConfig,
    /// The sealed audit log.
    pub audit: AuditSection,
    /// Logs.
    pub telemetry: TelemetrySection,
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The text is not TOML, or holds an unknown key or a value of the wrong type.
    #[error("{origin}: {reason}")]
    Parse {
        /// File, or where else the value came from.
        origin: String,
        /// What is wrong, with its place.
        reason: String,
    },
    /// A value from the environment or the command line cannot be placed.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// Values are well-formed and do not fit together.
    #[error("{key}: {reason}")]
    Invalid {
        /// The key.
        key: String,
        /// What is wrong and what to do.
        reason: String,
    },
}

impl Config {
    /// Reads the file, then lays the environment and the given overrides over it, then checks the whole.
    pub fn load(path: &Path, overrides: &[Override]) -> Result<Self, ConfigError> {
        let text = std::fs::read_to_string(path).map_err(|source| ConfigError::Read {
            path: path.to_owned(),
            source,
        })?;
        let environment = Override::from_environment(std::env::vars())?;
        let all: Vec<Override> = environment.into_iter().chain(overrides.iter().cloned()).collect();
        Self::from_toml(&text, &path.display().to_string(), &all)
    }

    /// Reads TOML text, lays overrides over it and checks the whole.
    pub fn from_toml(text: &str, origin: &str, overrides: &[Override]) -> Result<Self, ConfigError> {
        let fail = |reason: String| ConfigError::Parse {
            origin: origin.to_owned(),
            reason,
        };
        // Reading the text itself first gives messages with line and column.
        let plain: Self = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        if overrides.is_empty() {
            plain.check()?;
            return Ok(plain);
        }
        let table: toml::Table = toml::from_str(text).map_err(|error| fail(error.to_string()))?;
        Self::from_table(table, overrides)
    }

    /// Lays overrides over a table and checks the whole.
    pub fn from_table(mut table: toml::Table, overrides: &[Override]) -> Result<Self, ConfigError> {
        for value in overrides {
            value.place(&mut table)?;
        }
        let origin = || {
            overrides
                .iter()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", ")
        };
        let config: Self = table
            .try_into()
            .map_err(|error: toml::de::Error| ConfigError::Parse {
                origin: origin(),
                reason: error.to_string(),
            })?;
        config.check()?;
        Ok(config)
    }

    /// Checks what the types cannot.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.server.check()?;
        self.database.check()?;
        self.redis.check()?;
        self.keyset.check()?;
        for (name, signer) in &self.signer {
            signer.check(name)?;
        }
        for (name, backend) in &self.backend {
            backend.check(name, &self.signer)?;
        }
        self.acme.check()?;
        let est = self.est.check();
        est.map_err(|(key, reason)| invalid(format!("est.{key}"), reason))?;
        check_status(&self.status)?;
        self.audit.check()?;
        self.telemetry.check()
    }

    /// The directory in which everything without a path of its own lies.
    pub fn data_dir(&self) -> &Path {
        &self.server.data_dir
    }

    /// Fingerprints of what the nodes of an installation must have in common, in hexadecimal, by key: at most 100, of whole
    /// sections where there would be more.
    pub fn fingerprints(&self) -> BTreeMap<String, String> {
        fingerprint::of(self)
    }

    /// The JSON Schema of the configuration file.
    pub fn schema() -> serde_json::Value {
        schema::of_config()
    }
}

fn check_status(status: &StatusConfig) -> Result<(), ConfigError> {
    let day = Duration::from_secs(86_400);
    if !(Duration::from_secs(60)..=day * 400).contains(&status.next_update) {
        return Err(invalid("status.next_update", "must lie between 1m and 400d"));
    }
    if status.look_every.is_zero() || status.look_every > day {
        return Err(invalid("status.look_every", "must lie between 1ms and 24h"));
    }
    Ok(())
}

/// A check that failed, for this key.
fn invalid(key: impl Into<String>, reason: impl Into<String>) -> ConfigError {
    ConfigError::Invalid {
        key: key.into(),
        reason: reason.into(),
    }
}

#[cfg(test)]
mod tests;
