//! `portreeve serve`.

use std::path::PathBuf;

use clap::Args;

use super::{CliError, Exit, ending};
use crate::config::{Config, Override};
use crate::installation::Mode;
use crate::running::{StartOptions, Substitutes, start};
use crate::signals::EndSignals;
use crate::telemetry::start_logs;

/// The roles one process plays today: all of them.
const ALL_ROLES: [&str; 4] = ["edge", "worker", "status", "console"];

/// Runs the gateway by a configuration file.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A value laid over the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// The roles of this node.
    #[arg(long, value_name = "ROLE", value_delimiter = ',', default_values = ALL_ROLES)]
    roles: Vec<String>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, CliError> {
    check_roles(&arguments.roles)?;
    let config = Config::load(&arguments.config, &arguments.set)?;
    config.server.check_serving()?;
    start_logs(&config.telemetry).map_err(|error| CliError::Failed(error.to_string()))?;
    let mut signals = EndSignals::listen().map_err(CliError::Runtime)?;
    let mut running = start(StartOptions {
        config,
        mode: Mode::Serve,
        endpoints: Vec::new(),
        program: None,
        substitutes: Substitutes::default(),
    })
    .await?;
    let ended = ending::awaited(&mut running, &mut signals).await;
    ending::stop(running, &mut signals).await?;
    ended.map(|()| Exit::Fine)
}

fn check_roles(roles: &[String]) -> Result<(), CliError> {
    if let Some(unknown) = roles.iter().find(|role| !ALL_ROLES.contains(&role.as_str())) {
        return Err(CliError::Usage(format!(
            "there is no role {unknown}; roles are {}",
            ALL_ROLES.join(", ")
        )));
    }
    if ALL_ROLES
        .iter()
        .all(|role| roles.iter().any(|given| given == role))
    {
        return Ok(());
    }
    Err(CliError::Usage(format!(
        "one node plays all roles with an embedded database: leave --roles out, or give {}",
        ALL_ROLES.join(",")
    )))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_all_roles_together_are_played() {
        let rows = [
            ("all", vec!["edge", "worker", "status", "console"], true),
            (
                "in another order",
                vec!["console", "status", "worker", "edge"],
                true,
            ),
            ("some", vec!["edge"], false),
            (
                "unknown",
                vec!["edge", "worker", "status", "console", "king"],
                false,
            ),
        ];
        for (name, roles, fine) in rows {
            let roles: Vec<String> = roles.into_iter().map(str::to_owned).collect();
            assert_eq!(check_roles(&roles).is_ok(), fine, "{name}");
        }
    }
}
