//! What every interop test needs: a DNS server, a gateway that asks it, and a folder. The tests are in `tests/`, one
//! file per client; they are ignored unless asked for, because they need the clients that `cargo xtask tools` installs.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_harness::HarnessError;
use portreeve_harness::clients::{Certificate, Challtest, revoked_serials};
use portreeve_harness::process::{DevOptions, Gateway, until};
use tempfile::TempDir;

const PUBLICATION_LIMIT: Duration = Duration::from_secs(30);

/// A gateway of its own for one test, with everything around it.
#[derive(Debug)]
pub struct Site {
    /// The gateway; dropped first.
    pub gateway: Gateway,
    /// The DNS server its validation asks.
    pub dns: Challtest,
    folder: TempDir,
}

impl Site {
    /// Starts both.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub fn start() -> Result<Self, HarnessError> {
        let folder = TempDir::with_prefix("portreeve-interop-").map_err(|source| HarnessError::File {
            path: "/tmp".into(),
            source,
        })?;
        let dns = Challtest::start()?;
        let gateway = Gateway::start_dev(DevOptions {
            dns: Some(dns.dns()),
            ..DevOptions::default()
        })?;
        Ok(Self { gateway, dns, folder })
    }

    /// A path in the test's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a certificate stands in the revocation list.
    ///
    /// # Errors
    /// When it does not in time, or the list cannot be read.
    pub fn wait_until_revoked(&self, certificate: &Certificate) -> Result<(), HarnessError> {
        until(
            &format!("{} in the revocation list", certificate.serial),
            PUBLICATION_LIMIT,
            || Ok(self.is_revoked(certificate)?.then_some(())),
        )
    }

    /// Whether a certificate stands in the revocation list now.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn is_revoked(&self, certificate: &Certificate) -> Result<bool, HarnessError> {
        Ok(revoked_serials(&self.gateway)?.contains(&certificate.serial))
    }
}

/// Names as a set, to compare with [`Certificate::names`].
pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
