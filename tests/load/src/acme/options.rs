//! The options of `portreeve-load acme`.

use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use serde_json::Value;

use crate::error::LoadError;
use crate::prepare::{PREPARED_MAX, fresh_name, read_dev};

/// Requests prepared per second of a run that is bounded by time only; later ones are made on the way.
const PREPARED_PER_SECOND: u64 = 400;

/// As typed.
#[derive(Debug, Args)]
pub(crate) struct AcmeArguments {
    /// `dev.json` of a gateway: gives directory, roots and process id.
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// The URL of the ACME directory.
    #[arg(long, value_name = "URL", required_unless_present = "dev")]
    directory: Option<String>,
    /// The root certificate of the gateway's HTTPS.
    #[arg(long, value_name = "PEM", required_unless_present = "dev")]
    root: Option<PathBuf>,
    /// The root certificate under which issued chains must verify; without it only their own links are checked.
    #[arg(long, value_name = "PEM")]
    ca_root: Option<PathBuf>,
    /// Workers, each with a connection and an account of its own.
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
    /// Where http-01 is answered; 0 takes a free port.
    #[arg(long, default_value_t = 5002, value_name = "PORT")]
    http_port: u16,
    /// Where DNS is answered; 0 takes a free port.
    #[arg(long, default_value_t = 8053, value_name = "PORT")]
    dns_port: u16,
    /// Names are `NAMEn.load.test`; without it a new NAME every time, so that no authorization is reused.
    #[arg(long)]
    name: Option<String>,
    /// The first pause between polls, doubled up to 250 ms.
    #[arg(long, default_value_t = 10, value_name = "MS")]
    poll_ms: u64,
    /// Threads of this tool.
    #[arg(long, default_value_t = 1, value_name = "N")]
    threads: usize,
    /// Report as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

/// With everything filled in.
#[derive(Debug)]
pub(crate) struct AcmeOptions {
    /// The URL of the ACME directory.
    pub(crate) directory: String,
    /// The root of the gateway's HTTPS.
    pub(crate) tls_root: PathBuf,
    /// The root of what it issues.
    pub(crate) ca_root: Option<PathBuf>,
    /// Workers.
    pub(crate) clients: usize,
    /// The number of certificates after which it stops.
    pub(crate) count: u64,
    /// The time after which it stops.
    pub(crate) seconds: Option<Duration>,
    /// The gateway's process.
    pub(crate) pid: Option<u32>,
    /// Where http-01 is answered.
    pub(crate) http_port: u16,
    /// Where DNS is answered.
    pub(crate) dns_port: u16,
    /// What names begin with.
    pub(crate) name: String,
    /// Requests to make beforehand.
    pub(crate) prepared: u64,
    /// The first pause between polls.
    pub(crate) poll_first: Duration,
    /// Threads of this tool.
    pub(crate) threads: usize,
}

impl AcmeArguments {
    /// Fills in what was left out.
    pub(crate) fn resolve(self) -> Result<AcmeOptions, LoadError> {
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
        Ok(AcmeOptions {
            directory: self
                .directory
                .or_else(|| text("/acme/directory"))
                .ok_or(LoadError::Usage("there is no directory"))?,
            tls_root: self
                .root
                .or_else(|| path("/tls_root"))
                .ok_or(LoadError::Usage("there is no root"))?,
            ca_root: self.ca_root.or_else(|| path("/ca/root")),
            clients: self.clients,
            count,
            seconds: self.seconds.map(Duration::from_secs),
            pid: self.pid.or_else(|| {
                of_dev("/pid")
                    .and_then(Value::as_u64)
                    .and_then(|pid| pid.try_into().ok())
            }),
            http_port: self.http_port,
            dns_port: self.dns_port,
            name: self.name.unwrap_or_else(fresh_name),
            prepared: expected.min(PREPARED_MAX),
            poll_first: Duration::from_millis(self.poll_ms.max(1)),
            threads: self.threads,
        })
    }
}
