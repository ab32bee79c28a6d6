//! Which gateway a command is about.

use std::path::{Path, PathBuf};

use clap::Args;

use super::CliError;
use crate::config::Config;
use crate::control::{ControlClient, socket_for};
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
