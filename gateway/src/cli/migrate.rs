//! `portreeve migrate status|apply`.

use clap::{Args, Subcommand};
use portreeve_queue::SystemClock;
use portreeve_ra::ports::Clock;
use portreeve_store::{ROLE_PREFIX, SchemaStatus, StoreUrl, roles_script};
use serde::Serialize;

use super::{CliError, Exit, Surroundings, Target};

/// The schema of the store.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Says which version the store has and which one this program needs. Exit code 1 when they differ.
    Status,
    /// Brings the store up to date. On SQLite the gateway must not be running.
    Apply,
    /// Prints the SQL script that makes the database roles of nodes on PostgreSQL: run it as the owner of the schema.
    Roles {
        /// What the names of the roles begin with.
        #[arg(long, default_value = ROLE_PREFIX)]
        prefix: String,
    },
}

#[derive(Debug, Serialize)]
struct Status {
    state: &'static str,
    detail: String,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let store = || -> Result<StoreUrl, CliError> {
        let config = arguments.target.configuration()?;
        Ok(config.database.store(config.data_dir())?)
    };
    match &arguments.verb {
        Verb::Status => status(&store()?, around).await,
        Verb::Apply => apply(&store()?, around).await,
        Verb::Roles { prefix } => {
            let script = roles_script(prefix)
                .ok_or_else(|| CliError::Usage(format!("--prefix {prefix}: not a plain lower-case name")))?;
            around.output.text(&script)?;
            Ok(Exit::Fine)
        }
    }
}

async fn apply(store: &StoreUrl, around: Surroundings) -> Result<Exit, CliError> {
    let migrated = store.migrate(SystemClock.now()).await;
    let migrated = migrated.map_err(|error| CliError::Failed(error.to_string()))?;
    let text = if migrated.from == migrated.to {
        format!("schema version {} is up to date\n", migrated.to)
    } else {
        format!(
            "schema brought from version {} to {}\n",
            migrated.from, migrated.to
        )
    };
    around.output.text(&text)?;
    Ok(Exit::Fine)
}

async fn status(store: &StoreUrl, around: Surroundings) -> Result<Exit, CliError> {
    let found = store
        .status()
        .await
        .map_err(|error| CliError::Failed(error.to_string()))?;
    let status = describe(&found);
    around.output.show(&status, |status| {
        let mut table = super::Table::new(["STATE", "DETAIL"]);
        table.row([status.state.to_owned(), status.detail.clone()]);
        table
    })?;
    Ok(if matches!(found, SchemaStatus::Current { .. }) {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

fn describe(status: &SchemaStatus) -> Status {
    let (state, detail) = match status {
        SchemaStatus::Empty => ("empty", "no installation yet".to_owned()),
        SchemaStatus::Current { version } => ("current", format!("version {version}")),
        SchemaStatus::Pending { found, known } => (
            "pending",
            format!("version {found}, {known} is needed: run `portreeve migrate apply`"),
        ),
        SchemaStatus::Newer { found, known } => (
            "newer",
            format!("version {found}, this program knows {known}: run the newer program"),
        ),
        SchemaStatus::Foreign { reason } => ("foreign", (*reason).to_owned()),
        SchemaStatus::Altered { version } => (
            "altered",
            format!("version {version} is not the one this program would have made"),
        ),
    };
    Status { state, detail }
}
