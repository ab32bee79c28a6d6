//! `portreeve completions SHELL`.

use std::io::Write;

use clap::{Args, CommandFactory};
use clap_complete::Shell;

use super::{Cli, CliError, Exit};

/// Prints a completion script.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// For which shell.
    shell: Shell,
}

pub(super) fn run(arguments: &Arguments) -> Result<Exit, CliError> {
    let mut script = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "portreeve", &mut script);
    std::io::stdout().lock().write_all(&script)?;
    Ok(Exit::Fine)
}
