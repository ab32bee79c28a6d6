//! The options of `portreeve-load est`.

use std::path::PathBuf;

use clap::{Args, ValueEnum};

use crate::error::LoadError;
use crate::options::{RunArguments, RunOptions};

/// Requests prepared per second of a run that is bounded by time only.
const PREPARED_PER_SECOND: u64 = 1_500;

/// As typed.
#[derive(Debug, Args)]
pub(crate) struct EstArguments {
    /// The URL of EST, up to `/.well-known/est`.
    #[arg(long, value_name = "URL", required_unless_present = "dev")]
    url: Option<String>,
    /// The endpoint.
    #[arg(long, default_value = "load", value_name = "NAME")]
    endpoint: String,
    /// A folder with the CA of the devices that enrol. Where there is none it is made, with the objects by which a gateway
    /// trusts it.
    #[arg(long, value_name = "DIR")]
    manufacturer: PathBuf,
    /// Whether each certificate is asked for on a connection of its own.
    #[arg(long, value_enum, default_value_t = Connections::Fresh)]
    connections: Connections,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// How long a connection is used.
#[derive(Copy, Clone, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum Connections {
    /// For one certificate: a whole handshake of TLS 1.3 with a client certificate each time.
    Fresh,
    /// By one worker for all of its certificates.
    Kept,
}

/// With everything filled in.
#[derive(Debug)]
pub(crate) struct EstOptions {
    /// The URL of the endpoint.
    pub(crate) url: String,
    /// The endpoint.
    pub(crate) endpoint: String,
    /// The folder with the CA of the devices.
    pub(crate) manufacturer: PathBuf,
    /// How long a connection is used.
    pub(crate) connections: Connections,
    /// What every flow has.
    pub(crate) run: RunOptions,
}

impl EstArguments {
    /// Fills in what was left out.
    pub(crate) fn resolve(self) -> Result<EstOptions, LoadError> {
        let (run, dev) = self.run.resolve(PREPARED_PER_SECOND)?;
        let url = self.url.or_else(|| dev.text("/est/url"));
        let url = url.ok_or(LoadError::Usage("there is no URL of EST"))?;
        Ok(EstOptions {
            url: format!("{}/{}", url.trim_end_matches('/'), self.endpoint),
            endpoint: self.endpoint,
            manufacturer: self.manufacturer,
            connections: self.connections,
            run,
        })
    }
}
