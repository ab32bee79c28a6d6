//! `portreeve audit incidents`.

use clap::{Args, Subcommand};
use portreeve_console::{IncidentView, List};

use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone};

/// What a person must look at.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists incidents.
    Incidents,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let Verb::Incidents = arguments.verb;
    let found: List<IncidentView> = arguments
        .target
        .client()?
        .read("/api/v1/incidents?limit=200")
        .await?;
    around.output.show(&found, |found| table(found, around.output))?;
    Ok(Exit::Fine)
}

fn table(found: &List<IncidentView>, output: Output) -> Table {
    let mut table = Table::new(["RAISED", "WHAT", "SUBJECT", "STATUS", "DETAIL"]);
    for row in &found.items {
        let status = match row.closed_at {
            Some(at) => format!("closed {at}"),
            None => output.tone("open", Tone::Bad),
        };
        table.row([
            row.raised_at.to_string(),
            row.what.clone(),
            row.subject.clone(),
            status,
            row.detail.clone(),
        ]);
    }
    table
}
