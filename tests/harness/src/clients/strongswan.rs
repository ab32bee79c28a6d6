//! `pki` of strongSwan, as in Debian's packages: TLS 1.2 without the extended master secret, Basic without being asked, a path
//! only in front of `.well-known`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::Certificate;
use crate::error::HarnessError;
use crate::process::{Finished, Gateway, Running, attempt, background};

const LIMIT: Duration = Duration::from_secs(180);

/// One `pki` with a folder of its own, for one EST endpoint.
#[derive(Debug)]
pub struct StrongSwan {
    folder: PathBuf,
    url: String,
    tls_root: PathBuf,
}

impl StrongSwan {
    /// For the endpoint with this label; everything is kept below `folder`.
    ///
    /// # Errors
    /// When the gateway does not tell its URL.
    pub fn new((gateway, label): (&Gateway, &str), folder: &Path) -> Result<Self, HarnessError> {
        std::fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        let url = gateway.dev_text("/est/url")?.replace("/.well-known/est", "");
        let url = match label {
            "default" => url,
            label => format!("{url}/{label}"),
        };
        Ok(Self {
            folder: folder.to_path_buf(),
            url,
            tls_root: gateway.tls_root()?,
        })
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// `pki --estca`: the certificates of the CA, the root first, then each in a file of its own.
    ///
    /// # Errors
    /// When it fails.
    pub fn ca_certificates(&self) -> Result<Vec<PathBuf>, HarnessError> {
        let root = self.path("est-ca.pem");
        let mut command = Command::new("pki");
        command
            .args(["--estca", "--url", &self.url, "--outform", "pem", "--force"])
            .arg("--cacert")
            .arg(&self.tls_root)
            .arg("--caout")
            .arg(&root);
        attempt(&mut command, LIMIT)?.success()?;
        let mut found = vec![root];
        found.extend(
            (1..8)
                .map(|number| self.path(&format!("est-ca-{number}.pem")))
                .filter(|path| path.exists()),
        );
        Ok(found)
    }

    /// `pki --gen` and `pki --req`: a P-256 key in `NAME.key` and a request for these names in `NAME.csr`.
    ///
    /// # Errors
    /// When one of them fails.
    pub fn request(&self, name: &str, (dn, names): (&str, &[&str])) -> Result<(), HarnessError> {
        let key = self.path(&format!("{name}.key"));
        let made = Command::new("pki")
            .args(["--gen", "--type", "ecdsa", "--size", "256", "--outform", "pem"])
            .output();
        self.keep(&key, made)?;
        self.request_with((name, &key), (dn, names))
    }

    /// `pki --req` with a key that is there.
    ///
    /// # Errors
    /// When it fails.
    pub fn request_with(
        &self,
        (name, key): (&str, &Path),
        (dn, names): (&str, &[&str]),
    ) -> Result<(), HarnessError> {
        let mut command = Command::new("pki");
        command
            .args(["--req", "--type", "ecdsa", "--dn", dn, "--outform", "pem", "--in"])
            .arg(key);
        for san in names {
            command.args(["--san", san]);
        }
        self.keep(&self.path(&format!("{name}.csr")), command.output())
    }

    fn keep(&self, path: &Path, made: std::io::Result<std::process::Output>) -> Result<(), HarnessError> {
        let made = made.map_err(|source| HarnessError::Start {
            program: "pki".to_owned(),
            source,
        })?;
        if !made.status.success() {
            return Err(HarnessError::Outcome {
                program: "pki".to_owned(),
                outcome: made.status.to_string(),
                output: String::from_utf8_lossy(&made.stderr).into_owned(),
            });
        }
        std::fs::write(path, made.stdout).map_err(HarnessError::file(path))
    }

    fn enrolling(&self, csr: &str, arguments: &[&str]) -> Command {
        let mut command = Command::new("pki");
        command
            .args(["--est", "--url", &self.url, "--outform", "pem"])
            .arg("--in")
            .arg(self.path(&format!("{csr}.csr")))
            .arg("--cacert")
            .arg(&self.tls_root)
            .args(arguments);
        command
    }

    /// `pki --est` with these further arguments; its exit status is for the caller to judge.
    ///
    /// # Errors
    /// When it cannot be run or takes too long.
    pub fn attempt(&self, csr: &str, arguments: &[&str]) -> Result<Finished, HarnessError> {
        attempt(&mut self.enrolling(csr, arguments), LIMIT)
    }

    /// The same while the test does something else.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(&self, csr: &str, arguments: &[&str]) -> Result<Running, HarnessError> {
        background(&mut self.enrolling(csr, arguments), LIMIT)
    }

    /// `pki --est` that must succeed: the certificate is kept in `NAME.pem`.
    ///
    /// # Errors
    /// When it fails, or OpenSSL cannot read what it got.
    pub fn enroll(&self, csr: &str, arguments: &[&str], name: &str) -> Result<Certificate, HarnessError> {
        let finished = self.attempt(csr, arguments)?.success()?;
        self.certificate(&finished, name)
    }

    /// Keeps the certificate that a run printed, in `NAME.pem`.
    ///
    /// # Errors
    /// When OpenSSL cannot read it.
    pub fn certificate(&self, finished: &Finished, name: &str) -> Result<Certificate, HarnessError> {
        let path = self.path(&format!("{name}.pem"));
        std::fs::write(&path, &finished.stdout).map_err(HarnessError::file(&path))?;
        Certificate::read(&path)
    }

    /// A path in its folder as text.
    pub fn text(&self, name: &str) -> String {
        self.path(name).to_string_lossy().into_owned()
    }
}
