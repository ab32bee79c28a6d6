//! `keyset`: the key that seals the keyset, which itself lies in the store.

use std::path::{Path, PathBuf};

use portreeve_keyset::KekSource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, SecretSource, invalid};

/// The key that seals the keyset, which itself lies in the store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct KeysetSection {
    /// The key encryption key: 32 octets in hexadecimal or base64. Keep a copy apart from the database: without it
    /// nothing that is sealed can be opened again.
    pub kek: SecretSource,
}

impl Default for KeysetSection {
    fn default() -> Self {
        Self {
            kek: SecretSource::File(PathBuf::from("kek")),
        }
    }
}

impl KeysetSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let empty = match &self.kek {
            SecretSource::File(path) => path.as_os_str().is_empty(),
            SecretSource::Env(name) => name.is_empty(),
        };
        if empty {
            Err(invalid("keyset.kek", "must name a file or a variable"))
        } else {
            Ok(())
        }
    }

    /// Where the key encryption key is read from.
    pub fn source(&self, data_dir: &Path) -> KekSource {
        match &self.kek {
            SecretSource::File(path) => KekSource::File(data_dir.join(path)),
            SecretSource::Env(name) => KekSource::Environment(name.clone()),
        }
    }
}
