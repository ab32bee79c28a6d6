//! Real clients and tools as they are installed by `cargo xtask tools`, each with its quirks in one place.

mod certbot;
mod certificate;
mod challtest;
mod curl;
mod lego;
mod lint;
mod npm;
mod schemathesis;
mod strongswan;

use std::path::{Path, PathBuf};

pub use certbot::{Certbot, CertbotRelease};
pub use certificate::{Certificate, openssl, revoked_serials};
pub use challtest::Challtest;
pub use curl::{CurlAnswer, CurlEst};
pub use lego::{Lego, LegoChallenge};
pub use lint::lint;
pub use npm::npm_acme_client;
pub use schemathesis::schemathesis;
pub use strongswan::StrongSwan;

use crate::error::HarnessError;

/// Where `cargo xtask tools` installed what is not a Debian package: `PORTREEVE_TOOLS`, else `tools` in the build folder.
fn tools() -> PathBuf {
    std::env::var_os("PORTREEVE_TOOLS").map_or_else(
        || {
            let test = std::env::current_exe().unwrap_or_default();
            test.ancestors()
                .nth(3)
                .unwrap_or(Path::new("target"))
                .join("tools")
        },
        PathBuf::from,
    )
}

/// Writes an executable shell script.
fn script(path: &Path, body: &str) -> Result<(), HarnessError> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, format!("#!/bin/sh\nset -eu\n{body}")).map_err(HarnessError::file(path))?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).map_err(HarnessError::file(path))
}
