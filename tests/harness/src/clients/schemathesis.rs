//! schemathesis: calls of an API as its OpenAPI description allows them, and as it does not.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use super::tools;
use crate::error::HarnessError;
use crate::process::{Finished, Gateway, attempt};

const LIMIT: Duration = Duration::from_secs(600);

/// Tries the operator API of a gateway with the token of its operator. A `schemathesis.toml` in `folder` counts.
///
/// # Errors
/// When it cannot be run or takes too long; its exit status is for the caller to judge.
pub fn schemathesis(gateway: &Gateway, folder: &Path, arguments: &[&str]) -> Result<Finished, HarnessError> {
    let path = gateway.dev_text("/admin/token_file")?;
    let token = std::fs::read_to_string(path).map_err(HarnessError::file(path))?;
    let url = gateway.dev_text("/admin/url")?;
    let mut command = Command::new(tools().join("schemathesis/bin/schemathesis"));
    command
        .current_dir(folder)
        .args(["run", &format!("{url}/api/v1/openapi.json"), "--url", url])
        .args(["--header", &format!("Authorization: Bearer {}", token.trim())])
        .arg("--tls-verify")
        .arg(gateway.tls_root()?)
        .args(["--no-color", "--generation-database", "none"])
        .args(arguments);
    attempt(&mut command, LIMIT)
}
