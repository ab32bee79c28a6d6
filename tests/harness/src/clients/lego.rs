//! lego, as in Debian's packages.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Certificate, Challtest, script};
use crate::error::HarnessError;
use crate::process::{Finished, Gateway, attempt};

const LIMIT: Duration = Duration::from_secs(180);

/// How lego proves that it controls a name.
#[derive(Debug, Clone, Copy)]
pub enum LegoChallenge<'a> {
    /// http-01 by its own small server.
    Http,
    /// dns-01 by a script that sets the records in a DNS server.
    Dns(&'a Challtest),
}

/// One lego with a folder and an ACME directory of its own.
#[derive(Debug)]
pub struct Lego {
    folder: PathBuf,
    directory: String,
    tls_root: PathBuf,
    http01_port: u16,
}

impl Lego {
    /// A lego that uses one endpoint of a gateway and keeps everything below `folder`.
    ///
    /// # Errors
    /// When the gateway does not tell its directory.
    pub fn new((gateway, endpoint): (&Gateway, &str), folder: &Path) -> Result<Self, HarnessError> {
        std::fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        Ok(Self {
            folder: folder.to_path_buf(),
            directory: gateway.directory(endpoint)?,
            tls_root: gateway.tls_root()?,
            http01_port: gateway.http01_port(),
        })
    }

    /// Runs `lego OPTIONS SUBCOMMAND…` with a challenge and the options every call needs.
    ///
    /// # Errors
    /// When it cannot be run or takes too long; its exit status is for the caller to judge.
    pub fn run(
        &self,
        challenge: LegoChallenge<'_>,
        options: &[&str],
        subcommand: &[&str],
    ) -> Result<Finished, HarnessError> {
        let mut command = Command::new("lego");
        command.args([
            "--server",
            &self.directory,
            "--accept-tos",
            "-m",
            "a@example.com",
            "--path",
        ]);
        command
            .arg(&self.folder)
            .env("LEGO_CA_CERTIFICATES", &self.tls_root);
        match challenge {
            LegoChallenge::Http => {
                command.args([
                    "--http",
                    "--http.port",
                    &format!("127.0.0.1:{}", self.http01_port),
                ]);
            }
            LegoChallenge::Dns(dns) => {
                command
                    .env("EXEC_SEQUENCE_INTERVAL", "1")
                    .env("EXEC_PATH", self.hook(dns)?);
                command.args([
                    "--dns",
                    "exec",
                    "--dns.disable-cp",
                    "--dns.resolvers",
                    &dns.dns().to_string(),
                ]);
            }
        }
        attempt(command.args(options).args(subcommand), LIMIT)
    }

    /// The certificate lego stored under a name; a wildcard's file begins with an underscore.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn certificate(&self, name: &str) -> Result<Certificate, HarnessError> {
        let file = name.replace('*', "_");
        Certificate::read(&self.folder.join("certificates").join(format!("{file}.crt")))
    }

    fn hook(&self, dns: &Challtest) -> Result<PathBuf, HarnessError> {
        let path = self.folder.join("exec.sh");
        let url = dns.management_url();
        let body = format!(
            "case $1 in\npresent) curl -sf -d \"{{\\\"host\\\":\\\"$2\\\",\\\"value\\\":\\\"$3\\\"}}\" {url}/set-txt ;;\n\
             cleanup) curl -sf -d \"{{\\\"host\\\":\\\"$2\\\"}}\" {url}/clear-txt ;;\nesac\n"
        );
        script(&path, &body)?;
        Ok(path)
    }
}
