//! `portreeve-load`: drives a running gateway as fast as it answers, and checks every certificate it gets.

mod acme;
mod closed_loop;
mod connection;
mod dns;
mod error;
mod est;
mod measure;
mod options;
mod outcome;
mod prepare;
mod proc;
mod report;
mod responder;
mod verify;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::acme::options::AcmeArguments;
use crate::error::LoadError;
use crate::est::options::EstArguments;
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
    /// RFC 7030: simpleenroll by devices with a certificate of their manufacturer.
    Est(EstArguments),
}

fn main() -> ExitCode {
    let flow = Arguments::parse().flow;
    let json = match &flow {
        Flow::Acme(arguments) => arguments.run.json,
        Flow::Est(arguments) => arguments.run.json,
    };
    match run(flow) {
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

fn run(flow: Flow) -> Result<Report, LoadError> {
    match flow {
        Flow::Acme(arguments) => {
            let options = arguments.resolve()?;
            runtime(options.run.threads)?.block_on(acme::run(options))
        }
        Flow::Est(arguments) => {
            let options = arguments.resolve()?;
            runtime(options.run.threads)?.block_on(est::run(options))
        }
    }
}

fn runtime(threads: usize) -> Result<tokio::runtime::Runtime, LoadError> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(threads)
        .enable_all()
        .build()
        .map_err(|source| LoadError::Network {
            what: "the runtime",
            source,
        })
}
