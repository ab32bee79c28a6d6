//! `portreeve-load`: drives a running gateway as fast as it answers, and checks every certificate it gets.

mod acme;
mod dns;
mod error;
mod measure;
mod proc;
mod report;
mod responder;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::acme::options::AcmeArguments;
use crate::error::LoadError;
use crate::report::Report;

#[derive(Parser)]
#[command(
    name = "portreeve-load",
    version,
    about = "Load for a gateway on this machine, and a check of every answer"
)]
struct Arguments {
    #[command(subcommand)]
    flow: Flow,
}

#[derive(Subcommand)]
enum Flow {
    /// The whole of RFC 8555: order, authorization over http-01, finalize, download.
    Acme(AcmeArguments),
}

fn main() -> ExitCode {
    let Flow::Acme(arguments) = Arguments::parse().flow;
    let json = arguments.json;
    match run(arguments) {
        Ok(report) => {
            let text = if json { report.to_json() } else { report.to_text() };
            let _ = writeln!(std::io::stdout(), "{text}");
            if report.is_safe() && report.issued > 0 {
                ExitCode::SUCCESS
            } else {
                ExitCode::FAILURE
            }
        }
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: AcmeArguments) -> Result<Report, LoadError> {
    let options = arguments.resolve()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(options.threads)
        .enable_all()
        .build()
        .map_err(|source| LoadError::Network {
            what: "the runtime",
            source,
        })?;
    runtime.block_on(acme::run(options))
}
