//! The options of `portreeve-load est`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, ValueEnum};
use serde_json::Value;

use crate::error::LoadError;
use crate::prepare::{PREPARED_MAX, fresh_name, read_dev};

/// Requests prepared per second of a run that is bounded by time only; later ones are made on the way.
const PREPARED_PER_SECOND: u64 = 1_500;

/// As typed.
#[derive(Debug, Args)]
pub(crate) struct EstArguments {
    /// `dev.json` of a gateway: gives URL, roots and process id.
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// The URL of EST, up to `/.well-known/est`.
    #[arg(long, value_name = "URL", required_unless_present = "dev")]
    url: Option<String>,
    /// The root certificate of the gateway's HTTPS.
    #[arg(long, value_name = "PEM", required_unless_present = "dev")]
    root: Option<PathBuf>,
    /// The root certificate under which issued chains must verify; without it only their own links are checked.
    #[arg(long, value_name = "PEM")]
    ca_root: Option<PathBuf>,
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
    /// Workers.
    #[arg(long, default_value_t = 8, value_name = "N")]
    clients: usize,
    /// Stop after this many certificates.
    #[arg(long, value_name = "N")]
    count: Option<u64>,
    /// Stop after this time.
    #[arg(long, value_name = "S")]
    seconds: Option<u64>,
    /// The gateway's process id, to measure what it uses.
    #[arg(long)]
    pid: Option<u32>,
    /// Names are `NAMEn.load.test`; without it a new NAME every time.
    #[arg(long)]
    name: Option<String>,
    /// Threads of this tool.
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// Report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
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
    /// The root of the gateway's HTTPS.
    pub(crate) tls_root: PathBuf,
    /// The root of what it issues.
    pub(crate) ca_root: Option<PathBuf>,
    /// The endpoint.
    pub(crate) endpoint: String,
    /// The folder with the CA of the devices.
    pub(crate) manufacturer: PathBuf,
    /// How long a connection is used.
    pub(crate) connections: Connections,
    /// Workers.
    pub(crate) clients: usize,
    /// The number of certificates after which it stops.
    pub(crate) count: u64,
    /// The time after which it stops.
    pub(crate) seconds: Option<Duration>,
    /// The gateway's process.
    pub(crate) pid: Option<u32>,
    /// What names begin with.
    pub(crate) name: String,
    /// Requests to make beforehand.
    pub(crate) prepared: u64,
    /// Threads of this tool.
    pub(crate) threads: usize,
}

impl EstArguments {
    /// Fills in what was left out.
    pub(crate) fn resolve(self) -> Result<EstOptions, LoadError> {
        let dev = self.dev.as_ref().map(read_dev).transpose()?;
        let of_dev = |pointer: &str| dev.as_ref().and_then(|dev| dev.pointer(pointer));
        let text = |pointer: &str| of_dev(pointer).and_then(Value::as_str).map(str::to_owned);
        let path = |pointer: &str| text(pointer).map(PathBuf::from);
        if self.clients == 0 || self.threads == 0 {
            return Err(LoadError::Usage("--clients and --threads must not be 0"));
        }
        let count = match (self.count, self.seconds) {
            (Some(count), _) => count,
            (None, Some(_)) => u64::MAX,
            (None, None) => 1_000,
        };
        let expected = self.seconds.map_or(count, |seconds| {
            count.min(seconds.saturating_mul(PREPARED_PER_SECOND))
        });
        let url = self.url.or_else(|| text("/est/url"));
        let url = url.ok_or(LoadError::Usage("there is no URL of EST"))?;
        Ok(EstOptions {
            url: format!("{}/{}", url.trim_end_matches('/'), self.endpoint),
            tls_root: self
                .root
                .or_else(|| path("/tls_root"))
                .ok_or(LoadError::Usage("there is no root"))?,
            ca_root: self.ca_root.or_else(|| path("/ca/root")),
            endpoint: self.endpoint,
            manufacturer: self.manufacturer,
            connections: self.connections,
            clients: self.clients,
            count,
            seconds: self.seconds.map(Duration::from_secs),
            pid: self.pid.or_else(|| {
                of_dev("/pid")
                    .and_then(Value::as_u64)
                    .and_then(|pid| pid.try_into().ok())
            }),
            name: self.name.unwrap_or_else(fresh_name),
            prepared: expected.min(PREPARED_MAX),
            threads: self.threads,
        })
    }
}
