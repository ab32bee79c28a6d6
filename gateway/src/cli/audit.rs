//! `portreeve audit incidents|close`.

use clap::{Args, Subcommand};
use portreeve_console::{ClosingBody, IncidentView, List};

use super::paging::Paging;
use super::request::{comment, segment};
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, plain};

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
    Incidents(Paging),
    /// Closes an incident that was looked into.
    Close {
        /// The id of the incident, as `audit incidents` shows it.
        id: String,
        /// What was done, in at most 1,024 characters; it goes into the audit log.
        #[arg(long, value_parser = comment)]
        comment: String,
    },
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    let found: List<IncidentView> = match arguments.verb {
        Verb::Incidents(paging) => client.read(&paging.of("/api/v1/incidents", [])).await?,
        Verb::Close { id, comment } => {
            let path = format!("/api/v1/incidents/{}/close", segment(&id)?);
            let closed = client.post(&path, &ClosingBody { comment }).await?;
            List {
                items: vec![closed],
                next_cursor: None,
            }
        }
    };
    around.output.show(&found, |found| table(found, around.output))?;
    Ok(Exit::Fine)
}

fn table(found: &List<IncidentView>, output: Output) -> Table {
    let mut table = Table::new(["ID", "RAISED", "WHAT", "SUBJECT", "STATUS", "DETAIL"]);
    for row in &found.items {
        let status = match row.closed_at {
            Some(at) => format!("closed {at}"),
            None => output.tone("open", Tone::Bad),
        };
        table.row([
            row.id.clone(),
            row.raised_at.to_string(),
            row.what.clone(),
            row.subject.clone(),
            status,
            plain(&row.detail),
        ]);
    }
    table
}
