//! Development tasks: `cargo xtask test` runs everything a change must pass, `cargo xtask fuzz` the fuzz targets.

mod error;
mod fuzz;
mod run;
mod suites;
mod summary;
mod tools;
mod workspace;

use std::io::Write;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

use crate::error::XtaskError;
use crate::suites::{Suite, TestOptions};
use crate::workspace::Workspace;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Development tasks of Portreeve")]
struct Arguments {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need where it is missing, then run them.
    Test {
        /// Leave out the suites that need real clients.
        #[arg(long)]
        quick: bool,
        /// Run this suite only; may be given several times.
        #[arg(long, value_enum, value_name = "NAME")]
        only: Vec<Suite>,
        /// Kills per crash point in the suite `crash`.
        #[arg(long, default_value_t = 3, value_name = "N")]
        repeat: u32,
    },
    /// Install what the tests need, and nothing else.
    Tools,
    /// Run the fuzz targets for a while each (needs a C++ compiler).
    Fuzz {
        /// How long each target runs.
        #[arg(long, default_value_t = 60, value_name = "N")]
        seconds: u32,
        /// The targets; all of them when none is named.
        targets: Vec<String>,
    },
}

fn main() -> ExitCode {
    match perform(Arguments::parse().task) {
        Ok(code) => code,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: Task) -> Result<ExitCode, XtaskError> {
    let workspace = Workspace::find()?;
    match task {
        Task::Test { quick, only, repeat } => suites::test(&workspace, &TestOptions { quick, only, repeat }),
        Task::Tools => tools::install(&workspace).map(|()| ExitCode::SUCCESS),
        Task::Fuzz { seconds, targets } => fuzz::fuzz(&workspace, seconds, &targets),
    }
}
