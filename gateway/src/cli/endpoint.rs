//! `portreeve endpoint list`.

use clap::{Args, Subcommand};
use portreeve_console::{List, ObjectView};

use super::{CliError, Exit, Surroundings, Table, Target};

/// Endpoints.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists the endpoints in force.
    List,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let Verb::List = arguments.verb;
    let found: List<ObjectView> = arguments.target.client()?.read("/api/v1/endpoints").await?;
    around.output.show(&found, |found| {
        let mut table = Table::new(["NAME", "VERSION", "PROFILES", "BACKEND", "APPROVAL"]);
        for row in &found.items {
            let body: toml::Table = toml::from_str(&row.body).unwrap_or_default();
            let text = |key: &str| body.get(key).map(plain).unwrap_or_default();
            table.row([
                row.name.clone(),
                row.version.to_string(),
                text("profiles"),
                text("backend"),
                text("approval"),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

fn plain(value: &toml::Value) -> String {
    match value {
        toml::Value::String(text) => text.clone(),
        toml::Value::Array(items) => items.iter().map(plain).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}
