//! Which gateway a command is about.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use super::operator::secret_line;
use crate::config::Config;
use crate::control::{ControlClient, HttpsCredential, HttpsOptions, socket_for};
use crate::dev::{DevAddresses, Manifest, configuration, manifest_path};

/// The data directory of `portreeve dev` when none is given.
pub(super) const DEV_DATA_DIR: &str = "portreeve-data";

/// Which gateway: by its data directory, its configuration or its socket.
#[derive(Clone, Debug, Default, Args)]
pub struct Target {
    /// Data directory of `portreeve dev`.
    #[arg(long, global = true, value_name = "DIR", conflicts_with_all = ["config", "socket"])]
    pub data_dir: Option<PathBuf>,
    /// Configuration file of `portreeve serve`.
    #[arg(long, global = true, value_name = "FILE", conflicts_with = "socket")]
    pub config: Option<PathBuf>,
    /// Control socket of a running gateway.
    #[arg(long, global = true, value_name = "PATH")]
    pub socket: Option<PathBuf>,
    /// Or a gateway elsewhere.
    #[command(flatten)]
    pub elsewhere: Elsewhere,
}

/// A gateway that is reached over HTTPS, and what to sign in with there.
#[derive(Clone, Debug, Default, Args)]
pub struct Elsewhere {
    /// The operator API of a gateway elsewhere, such as https://pki.example.com:8444.
    #[arg(long, global = true, value_name = "URL", requires = "ca",
          conflicts_with_all = ["data_dir", "config", "socket"])]
    pub url: Option<String>,
    /// The certificates that the gateway's own may come from, PEM: its management CA.
    #[arg(long, global = true, value_name = "FILE", requires = "url")]
    pub ca: Option<PathBuf>,
    /// A file with a token.
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        requires = "url",
        conflicts_with = "user"
    )]
    pub token_file: Option<PathBuf>,
    /// The name of an operator, whose password lies in a file.
    #[arg(long, global = true, value_name = "NAME", requires_all = ["url", "password_file"])]
    pub user: Option<String>,
    /// A file with the password.
    #[arg(long, global = true, value_name = "FILE", requires = "user")]
    pub password_file: Option<PathBuf>,
    /// A client certificate with its chain, PEM.
    #[arg(long, global = true, value_name = "FILE", requires_all = ["url", "cert_key"])]
    pub cert: Option<PathBuf>,
    /// The private key of the client certificate, PEM.
    #[arg(long, global = true, value_name = "FILE", requires = "cert")]
    pub cert_key: Option<PathBuf>,
}

impl Elsewhere {
    /// The gateway elsewhere, if one was named.
    fn client(&self) -> Result<Option<ControlClient>, CliError> {
        let (Some(url), Some(ca)) = (&self.url, &self.ca) else {
            return Ok(None);
        };
        let read = |path: &PathBuf| std::fs::read_to_string(path).map_err(CliError::file(path));
        let identity = match (&self.cert, &self.cert_key) {
            (Some(cert), Some(key)) => Some((read(cert)?, read(key)?)),
            _ => None,
        };
        let credential = match (&self.token_file, &self.user, &self.password_file) {
            (Some(file), ..) => HttpsCredential::Token(secret_line(Some(file))?),
            (None, Some(user), Some(file)) => {
                HttpsCredential::Password(user.clone(), secret_line(Some(file))?)
            }
            _ => HttpsCredential::None,
        };
        let options = HttpsOptions {
            url: url.clone(),
            ca: read(ca)?,
            identity,
            credential,
        };
        Ok(Some(ControlClient::https(&options)?))
    }
}

impl Target {
    /// The control socket.
    pub fn socket(&self) -> Result<PathBuf, CliError> {
        if let Some(path) = &self.socket {
            return Ok(path.clone());
        }
        if let Some(path) = &self.config {
            return Ok(configured_socket(&Config::load(path, &[])?));
        }
        let data_dir = self.data_dir();
        let manifest = manifest_path(&data_dir);
        match Manifest::read(&manifest) {
            Ok(found) => Ok(found.control_socket),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {
                Ok(socket_for(&absolute(&data_dir)?))
            }
            Err(source) => Err(CliError::File {
                path: manifest,
                source,
            }),
        }
    }

    /// A client of the running gateway.
    pub fn client(&self) -> Result<ControlClient, CliError> {
        if let Some(elsewhere) = self.elsewhere.client()? {
            return Ok(elsewhere);
        }
        let client = ControlClient::new(&self.socket()?);
        if self.socket.is_some() {
            return Ok(client);
        }
        Ok(client.of_data_dir(self.configuration()?.data_dir()))
    }

    /// The data directory of `dev`.
    pub fn data_dir(&self) -> PathBuf {
        self.data_dir
            .clone()
            .unwrap_or_else(|| PathBuf::from(DEV_DATA_DIR))
    }

    /// The configuration of the installation, running or not.
    pub fn configuration(&self) -> Result<Config, CliError> {
        match &self.config {
            Some(path) => Ok(Config::load(path, &[])?),
            None => Ok(configuration(
                &absolute(&self.data_dir())?,
                DevAddresses::remembered(),
                &[],
            )?),
        }
    }
}

/// The control socket that a configuration asks for.
pub fn configured_socket(config: &Config) -> PathBuf {
    let wanted = &config.server.control_socket;
    let name = if wanted.as_os_str().is_empty() {
        Path::new("control.sock")
    } else {
        wanted
    };
    config.data_dir().join(name)
}

/// The path from the root, whether or not it exists.
pub(super) fn absolute(path: &Path) -> Result<PathBuf, CliError> {
    std::path::absolute(path).map_err(CliError::file(path))
}
