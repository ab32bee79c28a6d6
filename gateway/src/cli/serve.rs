//! `portreeve serve`.

use std::path::PathBuf;

use clap::Args;
use portreeve_ra::{Role, Roles};

use super::{CliError, Exit, ending};
use crate::config::{Config, Override};
use crate::installation::Mode;
use crate::running::{StartOptions, Substitutes, start};
use crate::signals::EndSignals;
use crate::telemetry::start_logs;

/// Runs the gateway by a configuration file.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The configuration file.
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
    /// A value laid over the file.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<Override>,
    /// What this node does: edge, worker, status, console. Nodes of one installation that do not do all of it share a
    /// database server.
    #[arg(
        long,
        value_name = "ROLE",
        value_delimiter = ',',
        default_value = "edge,worker,status,console"
    )]
    roles: Vec<Role>,
}

pub(super) async fn run(arguments: Arguments) -> Result<Exit, CliError> {
    let config = Config::load(&arguments.config, &arguments.set)?;
    config.server.check_serving(Roles::ALL)?;
    let roles: Roles = arguments.roles.into_iter().collect();
    check_roles(roles, &config)?;
    start_logs(&config.telemetry).map_err(|error| CliError::Failed(error.to_string()))?;
    let mut signals = EndSignals::listen().map_err(CliError::Runtime)?;
    let mut running = start(StartOptions {
        config,
        mode: Mode::Serve,
        roles,
        endpoints: Vec::new(),
        program: None,
        substitutes: Substitutes::default(),
    })
    .await?;
    let ended = ending::awaited(&mut running, &mut signals).await;
    ending::stop(running, &mut signals).await?;
    ended.map(|()| Exit::Fine)
}

/// An embedded database has one node, which does everything.
pub(super) fn check_roles(roles: Roles, config: &Config) -> Result<(), CliError> {
    let embedded = config.database.store(config.data_dir())?.directory().is_some();
    if embedded && roles != Roles::ALL {
        return Err(CliError::Usage(
            "one node plays all roles with an embedded database: leave --roles out, or set database.url to postgres://…"
                .to_owned(),
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_embedded_database_has_one_node() {
        let server = "[database]\nurl = \"postgres://localhost/p\"";
        let rows = [
            ("all", "", Roles::ALL, true),
            ("some, embedded", "", Roles::NONE.with(Role::Edge), false),
            ("some, with a server", server, Roles::NONE.with(Role::Edge), true),
            ("all, with a server", server, Roles::ALL, true),
        ];
        for (name, text, roles, fine) in rows {
            let config = Config::from_toml(text, "test", &[]).unwrap();
            assert_eq!(check_roles(roles, &config).is_ok(), fine, "{name}");
        }
    }
}
