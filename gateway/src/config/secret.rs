//! Secrets are named by where they lie, never written into the configuration.

use std::path::PathBuf;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Where a secret lies: `{ file = "…" }` or `{ env = "…" }`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase", deny_unknown_fields)]
pub enum SecretSource {
    /// In a file; a relative path counts from the data directory.
    File(PathBuf),
    /// In a variable of the environment.
    Env(String),
}
