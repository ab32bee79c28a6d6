//! certbot, the release in Debian and the newest one.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{Certificate, Challtest, script, tools};
use crate::error::HarnessError;
use crate::process::{Finished, Gateway, attempt, background};

const LIMIT: Duration = Duration::from_secs(180);

/// Which certbot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CertbotRelease {
    /// The one in Debian's packages.
    Debian,
    /// The one from PyPI in the Python environment of the tests.
    Newest,
}

/// One certbot with folders, an ACME directory and a challenge port of its own.
#[derive(Debug)]
pub struct Certbot {
    program: PathBuf,
    folder: PathBuf,
    directory: String,
    tls_root: PathBuf,
    http01_port: u16,
}

impl Certbot {
    /// A certbot that uses one endpoint of a gateway and keeps everything below `folder`.
    ///
    /// # Errors
    /// When the gateway does not tell its directory.
    pub fn new(
        release: CertbotRelease,
        (gateway, endpoint): (&Gateway, &str),
        folder: &Path,
    ) -> Result<Self, HarnessError> {
        let program = match release {
            CertbotRelease::Debian => PathBuf::from("/usr/bin/certbot"),
            CertbotRelease::Newest => tools().join("python/bin/certbot"),
        };
        std::fs::create_dir_all(folder).map_err(HarnessError::file(folder))?;
        Ok(Self {
            program,
            folder: folder.to_path_buf(),
            directory: gateway.directory(endpoint)?,
            tls_root: gateway.tls_root()?,
            http01_port: gateway.http01_port(),
        })
    }

    /// Runs `certbot SUBCOMMAND` with the options every call needs, then `arguments`.
    ///
    /// # Errors
    /// When it cannot be run or takes too long; its exit status is for the caller to judge.
    pub fn run(&self, subcommand: &str, arguments: &[&str]) -> Result<Finished, HarnessError> {
        attempt(&mut self.command(subcommand, arguments), LIMIT)
    }

    /// Starts the same as [`Self::run`] and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start(
        &self,
        subcommand: &str,
        arguments: &[&str],
    ) -> Result<crate::process::Running, HarnessError> {
        background(&mut self.command(subcommand, arguments), LIMIT)
    }

    /// The arguments of `certonly` for http-01 by its own small server.
    pub fn standalone(&self) -> Vec<String> {
        let port = self.http01_port.to_string();
        [
            "--agree-tos",
            "-m",
            "a@example.com",
            "--standalone",
            "--http-01-address",
            "127.0.0.1",
            "--http-01-port",
        ]
        .iter()
        .map(|word| (*word).to_owned())
        .chain([port])
        .collect()
    }

    /// Starts to issue for a name over http-01, with further options, and does not wait.
    ///
    /// # Errors
    /// When it cannot be started.
    pub fn start_standalone(
        &self,
        name: &str,
        options: &[&str],
    ) -> Result<crate::process::Running, HarnessError> {
        let standalone = self.standalone();
        let mut arguments: Vec<&str> = standalone.iter().map(String::as_str).collect();
        arguments.extend(["-d", name]);
        arguments.extend(options);
        self.start("certonly", &arguments)
    }

    /// Issues for `names` over http-01 and returns the certificate.
    ///
    /// # Errors
    /// When certbot fails or leaves no certificate.
    pub fn issue(&self, names: &[&str]) -> Result<Certificate, HarnessError> {
        self.issue_with(names, &[])
    }

    /// The same with further options.
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn issue_with(&self, names: &[&str], options: &[&str]) -> Result<Certificate, HarnessError> {
        let standalone = self.standalone();
        let mut arguments: Vec<&str> = standalone.iter().map(String::as_str).collect();
        arguments.extend(names.iter().flat_map(|name| ["-d", name]));
        arguments.extend(options);
        self.run("certonly", &arguments)?.success()?;
        self.lineage(names.first().copied().unwrap_or_default())
    }

    /// Issues for `names` over dns-01 with hooks that set the records in `dns`.
    ///
    /// # Errors
    /// As [`Self::issue`].
    pub fn issue_dns(&self, names: &[&str], dns: &Challtest) -> Result<Certificate, HarnessError> {
        let (auth, clean) = (self.folder.join("auth.sh"), self.folder.join("clean.sh"));
        let url = dns.management_url();
        let host = r#"{\"host\":\"_acme-challenge.$CERTBOT_DOMAIN.\""#;
        let set =
            format!("curl -sf -d \"{host},\\\"value\\\":\\\"$CERTBOT_VALIDATION\\\"}}\" {url}/set-txt\n");
        script(&auth, &set)?;
        script(&clean, &format!("curl -sf -d \"{host}}}\" {url}/clear-txt\n"))?;
        let (auth, clean) = (
            auth.to_string_lossy().into_owned(),
            clean.to_string_lossy().into_owned(),
        );
        let mut arguments = vec![
            "--agree-tos",
            "-m",
            "a@example.com",
            "--manual",
            "--preferred-challenges",
            "dns",
        ];
        arguments.extend(["--manual-auth-hook", &auth, "--manual-cleanup-hook", &clean]);
        arguments.extend(names.iter().flat_map(|name| ["-d", name]));
        self.run("certonly", &arguments)?.success()?;
        self.lineage(
            names
                .first()
                .copied()
                .unwrap_or_default()
                .trim_start_matches("*."),
        )
    }

    /// The newest certificate of a lineage.
    ///
    /// # Errors
    /// When it cannot be read.
    pub fn lineage(&self, name: &str) -> Result<Certificate, HarnessError> {
        Certificate::read(&self.live(name, "fullchain.pem"))
    }

    /// A file of a lineage: `cert.pem`, `chain.pem`, `fullchain.pem` or `privkey.pem`.
    pub fn live(&self, name: &str, file: &str) -> PathBuf {
        self.folder.join("c/live").join(name).join(file)
    }

    /// Its debug log; certbot 2.1 prints less than the truth about an error.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.join("l/letsencrypt.log")).unwrap_or_default()
    }

    fn command(&self, subcommand: &str, arguments: &[&str]) -> Command {
        let option =
            |name: &str, folder: &str| [OsString::from(name), self.folder.join(folder).into_os_string()];
        let mut command = Command::new(&self.program);
        command.arg(subcommand);
        command
            .args(option("--config-dir", "c"))
            .args(option("--work-dir", "w"))
            .args(option("--logs-dir", "l"));
        command
            .args(["--non-interactive", "--server", &self.directory])
            .args(arguments);
        command.env("REQUESTS_CA_BUNDLE", &self.tls_root);
        command
    }
}
