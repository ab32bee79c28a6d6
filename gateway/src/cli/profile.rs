//! `portreeve profile check|lint|diff|list`.

mod check;
mod diff;
mod lint;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portreeve_console::{List, ObjectView};

use super::{CliError, Exit, Surroundings, Table, Target};

/// Certificate profiles.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says what a profile makes of a request, rule by rule, and what its lints find. Exit code 1 when the request would
    /// be refused.
    Check {
        /// The profile, a TOML file.
        profile: PathBuf,
        /// The request, PKCS #10 in PEM or DER.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
    },
    /// Says where a profile gives away more than is usually meant. Exit code 1 when it could not be published.
    Lint {
        /// The profile, a TOML file.
        profile: PathBuf,
        /// The endpoint that offers it, a TOML file. Without it: one that asks for proven names and no approval.
        #[arg(long, value_name = "FILE")]
        endpoint: Option<PathBuf>,
    },
    /// Says what changes between two profiles by meaning, and whether more can be had by the second.
    Diff {
        /// The old one, a TOML file.
        old: PathBuf,
        /// The new one, a TOML file.
        new: PathBuf,
    },
    /// Lists the profiles in force.
    List,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    match arguments.verb {
        Verb::Check { profile, csr } => check::run(&profile, &csr, &around),
        Verb::Lint { profile, endpoint } => lint::run(&profile, endpoint.as_deref(), &around),
        Verb::Diff { old, new } => diff::run(&old, &new, &around),
        Verb::List => {
            let found: List<ObjectView> = arguments.target.client()?.read("/api/v1/profiles").await?;
            around.output.show(&found, |found| {
                let mut table = Table::new(["NAME", "VERSION", "SHA-256"]);
                for row in &found.items {
                    table.row([row.name.clone(), row.version.to_string(), row.sha256.clone()]);
                }
                table
            })?;
            Ok(Exit::Fine)
        }
    }
}

fn text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(CliError::file(path))
}

/// Profiles are published under the names of their files.
fn name(path: &Path) -> String {
    let stem = path.file_stem().and_then(|stem| stem.to_str());
    stem.unwrap_or_default().to_owned()
}
