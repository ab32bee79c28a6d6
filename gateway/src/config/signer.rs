//! `signer.NAME`: where CA keys live.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Where CA keys live.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct SignerSection {
    /// What kind.
    pub kind: SignerKind,
    /// The directory of the sealed keys and of the journal; a relative path counts from the data directory.
    pub directory: PathBuf,
}

/// What kind of signer.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SignerKind {
    /// Keys in files, sealed by the keyset, used only in a child process.
    #[default]
    Soft,
}

impl Default for SignerSection {
    fn default() -> Self {
        Self {
            kind: SignerKind::Soft,
            directory: PathBuf::from("signer"),
        }
    }
}

impl SignerSection {
    pub(super) fn check(&self, name: &str) -> Result<(), ConfigError> {
        if self.directory.as_os_str().is_empty() {
            return Err(invalid(
                format!("signer.{name}.directory"),
                "must name a directory",
            ));
        }
        Ok(())
    }

    /// The directory of keys and journal.
    pub fn path(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(&self.directory)
    }
}
