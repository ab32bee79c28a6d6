//! The options of `portreeve-load acme`.

use std::time::Duration;

use clap::Args;

use crate::error::LoadError;
use crate::options::{RunArguments, RunOptions};

/// Requests prepared per second of a run that is bounded by time only.
const PREPARED_PER_SECOND: u64 = 400;

/// As typed.
#[derive(Debug, Args)]
pub(crate) struct AcmeArguments {
    /// The URL of the ACME directory.
    #[arg(long, value_name = "URL", required_unless_present = "dev")]
    directory: Option<String>,
    /// Where http-01 is answered; 0 takes a free port.
    #[arg(long, default_value_t = 5002, value_name = "PORT")]
    http_port: u16,
    /// Where DNS is answered; 0 takes a free port.
    #[arg(long, default_value_t = 8053, value_name = "PORT")]
    dns_port: u16,
    /// The first pause between polls, doubled up to 250 ms.
    #[arg(long, default_value_t = 10, value_name = "MS")]
    poll_ms: u64,
    #[command(flatten)]
    pub(crate) run: RunArguments,
}

/// With everything filled in.
#[derive(Debug)]
pub(crate) struct AcmeOptions {
    /// The URL of the ACME directory.
    pub(crate) directory: String,
    /// Where http-01 is answered.
    pub(crate) http_port: u16,
    /// Where DNS is answered.
    pub(crate) dns_port: u16,
    /// The first pause between polls.
    pub(crate) poll_first: Duration,
    /// What every flow has.
    pub(crate) run: RunOptions,
}

impl AcmeArguments {
    /// Fills in what was left out.
    pub(crate) fn resolve(self) -> Result<AcmeOptions, LoadError> {
        let (run, dev) = self.run.resolve(PREPARED_PER_SECOND)?;
        let directory = self.directory.or_else(|| dev.text("/acme/directory"));
        Ok(AcmeOptions {
            directory: directory.ok_or(LoadError::Usage("there is no directory"))?,
            http_port: self.http_port,
            dns_port: self.dns_port,
            poll_first: Duration::from_millis(self.poll_ms.max(1)),
            run,
        })
    }
}
