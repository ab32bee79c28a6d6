//! `portreeve profile …`: what is done with objects of any kind, and trying profiles out.

mod check;
mod lint;
mod test;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portreeve_ra::ObjectKind;

use super::{CliError, Exit, Surroundings, Target, object};

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
    /// Says what a profile in the store makes of a request, rule by rule. Exit code 1 when the request would be refused.
    Test {
        /// The name of the profile.
        name: String,
        /// The request, PKCS #10 in PEM.
        #[arg(long, value_name = "FILE")]
        csr: PathBuf,
        /// The version of the profile; the one in force when not given.
        #[arg(long, value_name = "NUMBER")]
        number: Option<u32>,
        /// The endpoint where it would arrive; without it: one that asks for proven names and no approval.
        #[arg(long, value_name = "PROTOCOL/NAME")]
        endpoint: Option<String>,
    },
    /// Says where a profile gives away more than is usually meant. Exit code 1 when it could not be published.
    Lint {
        /// The profile, a TOML file.
        profile: PathBuf,
        /// The endpoint that offers it, a TOML file. Without it: one that asks for proven names and no approval.
        #[arg(long, value_name = "FILE")]
        endpoint: Option<PathBuf>,
    },
    #[command(flatten)]
    Object(object::Verb),
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let kind = ObjectKind::Profile;
    match arguments.verb {
        Verb::Check { profile, csr } => check::run(&profile, &csr, &around),
        Verb::Lint { profile, endpoint } => lint::run(&profile, endpoint.as_deref(), &around),
        Verb::Object(verb) => object::act((&arguments.target, kind), verb, around).await,
        Verb::Test {
            name,
            csr,
            number,
            endpoint,
        } => {
            let client = arguments.target.client()?;
            let resource = object::Resource { kind, client };
            test::run(&resource, (&name, &csr), (number, endpoint), around).await
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
