//! `portreeve config check|show|schema`.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_ra::Roles;

use super::{CliError, Exit, Format, Surroundings};
use crate::config::{Config, Override};

/// The configuration.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says whether a file can be served.
    Check(Source),
    /// Prints the configuration in force: file, environment and defaults together.
    Show(Source),
    /// Prints the JSON Schema of the file.
    Schema,
}

#[derive(Debug, Args)]
struct Source {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A value laid over the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
}

pub(super) fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    match arguments.verb {
        Verb::Check(source) => {
            let config = Config::load(&source.config, &source.set)?;
            config.server.check_serving(Roles::ALL)?;
            for remark in config.server.remarks() {
                around.output.text(&format!("warning: {remark}\n"))?;
            }
            around
                .output
                .text(&format!("{} is fine\n", source.config.display()))?;
        }
        Verb::Show(source) => {
            let config = Config::load(&source.config, &source.set)?;
            match around.output.format() {
                Format::Json => around.output.json(&config)?,
                Format::Table => {
                    let text =
                        toml::to_string(&config).map_err(|error| CliError::Failed(error.to_string()))?;
                    around.output.text(&text)?;
                }
            }
        }
        Verb::Schema => around.output.json(&Config::schema())?,
    }
    Ok(Exit::Fine)
}
