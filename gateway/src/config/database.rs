//! `database`: where the truth is kept.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{ConfigError, invalid};

/// Where the truth is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct DatabaseSection {
    /// `sqlite:DIRECTORY`; a relative directory counts from the data directory.
    pub url: String,
}

impl Default for DatabaseSection {
    fn default() -> Self {
        Self {
            url: "sqlite:store".to_owned(),
        }
    }
}

impl DatabaseSection {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.path() {
            Some(path) if !path.as_os_str().is_empty() => Ok(()),
            _ => Err(invalid(
                "database.url",
                format!("{} is not sqlite:DIRECTORY", self.url),
            )),
        }
    }

    fn path(&self) -> Option<PathBuf> {
        let path = self.url.strip_prefix("sqlite:")?;
        Some(PathBuf::from(path.strip_prefix("//").unwrap_or(path)))
    }

    /// The directory of the database.
    pub fn directory(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.path().unwrap_or_default())
    }
}
