//! What OpenSSL, and not this project's own code, says about certificates and revocation lists.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::error::HarnessError;
use crate::process::{Gateway, succeed};

const LIMIT: Duration = Duration::from_secs(60);

/// Runs `openssl` with words and returns what it printed.
///
/// # Errors
/// When it fails.
pub fn openssl(arguments: &[&str]) -> Result<String, HarnessError> {
    Ok(succeed(Command::new("openssl").args(arguments), LIMIT)?.text())
}

/// A certificate with its chain in a PEM file, the certificate first.
#[derive(Debug, Clone)]
pub struct Certificate {
    file: PathBuf,
    /// The serial number in upper-case hexadecimal.
    pub serial: String,
    /// The DNS names in the subjectAltName.
    pub names: BTreeSet<String>,
}

impl Certificate {
    /// Reads a PEM file; what was read stays when the file changes later.
    ///
    /// # Errors
    /// When OpenSSL cannot read it.
    pub fn read(file: &Path) -> Result<Self, HarnessError> {
        let path = file.to_string_lossy();
        let serial = openssl(&["x509", "-noout", "-serial", "-in", &path])?;
        let names = openssl(&["x509", "-noout", "-ext", "subjectAltName", "-in", &path])?;
        Ok(Self {
            file: file.to_path_buf(),
            serial: serial.trim().trim_start_matches("serial=").to_owned(),
            names: names
                .lines()
                .flat_map(|line| line.split(','))
                .filter_map(|part| part.trim().strip_prefix("DNS:"))
                .map(str::to_owned)
                .collect(),
        })
    }

    /// The file it was read from.
    pub fn file(&self) -> &Path {
        &self.file
    }

    /// `openssl verify` up to the root of the gateway's CA, with the chain that came with it.
    ///
    /// # Errors
    /// When it does not verify.
    pub fn verify(&self, gateway: &Gateway) -> Result<(), HarnessError> {
        let file = self.file.to_string_lossy();
        openssl(&[
            "verify",
            "-x509_strict",
            "-purpose",
            "sslserver",
            "-CAfile",
            gateway.dev_text("/ca/root")?,
            "-untrusted",
            &file,
            &file,
        ])
        .map(|_| ())
    }

    /// What `openssl x509 -text` prints.
    ///
    /// # Errors
    /// When OpenSSL cannot read it.
    pub fn describe(&self) -> Result<String, HarnessError> {
        openssl(&["x509", "-noout", "-text", "-in", &self.file.to_string_lossy()])
    }
}

/// The serial numbers in the revocation list of the gateway's CA, whose signature OpenSSL verifies first.
///
/// # Errors
/// When the list cannot be fetched or does not verify.
pub fn revoked_serials(gateway: &Gateway) -> Result<BTreeSet<String>, HarnessError> {
    let folder = tempfile::TempDir::with_prefix("portreeve-crl-").map_err(HarnessError::file("/tmp"))?;
    let list = folder.path().join("list.crl").to_string_lossy().into_owned();
    let mut fetch = Command::new("curl");
    succeed(
        fetch.args([
            "-sSf",
            "--max-time",
            "20",
            "-o",
            &list,
            gateway.dev_text("/ca/crl")?,
        ]),
        LIMIT,
    )?;
    let chain = gateway.dev_text("/ca/chain")?;
    let verdict = openssl(&["crl", "-inform", "DER", "-noout", "-in", &list, "-CAfile", chain])?;
    if !verdict.contains("verify OK") {
        return Err(HarnessError::Absent {
            document: format!("crl: {verdict}"),
            part: "a good signature".into(),
        });
    }
    let text = openssl(&["crl", "-inform", "DER", "-noout", "-text", "-in", &list])?;
    Ok(text
        .lines()
        .filter_map(|line| line.trim().strip_prefix("Serial Number: "))
        .map(str::to_owned)
        .collect())
}
