//! `portreeve signer`: the process that holds CA keys. Its standard input is a socket to the gateway.

use clap::Args;

use super::{CliError, Exit};

/// Started by the gateway only.
#[derive(Debug, Args)]
pub(super) struct Arguments {}

pub(super) fn run(_: Arguments) -> Result<Exit, CliError> {
    portreeve_signer::child::run().map_err(|error| CliError::Failed(format!("signer: {error}")))?;
    Ok(Exit::Fine)
}
