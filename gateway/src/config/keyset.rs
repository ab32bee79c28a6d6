//! `keyset`: the key that seals the keyset, which itself lies in the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use portreeve_keyset::KekSource;
use portreeve_ra::Purpose;
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
    /// Own key encryption keys of single purposes: `edge`, `worker`, `status`, `console`, `ca`, `audit`. A node needs
    /// those of its roles only (a worker also `edge` and `audit`, a worker or status node also `ca`), so that an edge
    /// cannot open the keys of a worker. Fixed when the installation is made.
    pub keks: BTreeMap<PurposeWord, SecretSource>,
}

/// A purpose of the keyset, by its word.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PurposeWord {
    /// What edges say.
    Edge,
    /// What workers say.
    Worker,
    /// What status nodes say.
    Status,
    /// What consoles say.
    Console,
    /// Keys of CAs.
    Ca,
    /// The audit log.
    Audit,
}

impl From<PurposeWord> for Purpose {
    fn from(word: PurposeWord) -> Self {
        match word {
            PurposeWord::Edge => Self::Edge,
            PurposeWord::Worker => Self::Worker,
            PurposeWord::Status => Self::Status,
            PurposeWord::Console => Self::Console,
            PurposeWord::Ca => Self::Ca,
            PurposeWord::Audit => Self::Audit,
        }
    }
}

/// Where the key encryption keys are read from.
#[derive(Clone, Debug)]
pub struct KekSources {
    /// The shared one.
    pub shared: KekSource,
    /// Those of single purposes.
    pub own: BTreeMap<Purpose, KekSource>,
}

impl Default for KeysetSection {
    fn default() -> Self {
        Self {
            kek: SecretSource::File(PathBuf::from("kek")),
            keks: BTreeMap::new(),
        }
    }
}

impl KeysetSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let empty = |source: &SecretSource| match source {
            SecretSource::File(path) => path.as_os_str().is_empty(),
            SecretSource::Env(name) => name.is_empty(),
        };
        if empty(&self.kek) {
            return Err(invalid("keyset.kek", "must name a file or a variable"));
        }
        if self.keks.values().any(empty) {
            return Err(invalid("keyset.keks", "each must name a file or a variable"));
        }
        Ok(())
    }

    /// Where the key encryption keys are read from; a relative path counts from the data directory.
    pub fn sources(&self, data_dir: &Path) -> KekSources {
        let source = |source: &SecretSource| match source {
            SecretSource::File(path) => KekSource::File(data_dir.join(path)),
            SecretSource::Env(name) => KekSource::Environment(name.clone()),
        };
        let own = self
            .keks
            .iter()
            .map(|(word, kek)| (Purpose::from(*word), source(kek)));
        KekSources {
            shared: source(&self.kek),
            own: own.collect(),
        }
    }
}
