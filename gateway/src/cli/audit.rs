//! `portreeve audit …`: the sealed log, and what a person must look at.

mod lists;
mod proof;
mod stored;
mod verify;

use clap::{Args, Subcommand};
use portreeve_console::{ClosingBody, IncidentView, List};

use super::paging::Paging;
use super::request::{comment, segment};
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, plain};

/// The audit log.
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
    /// Lists what was recorded and sealed, the newest first.
    Events(Paging),
    /// Lists signed checkpoints, the newest first.
    Checkpoints(Paging),
    /// Prints the public keys that checkpoints are verified with, the newest last.
    Key,
    /// Goes through the log: every record, every chain, the tree and its checkpoints. Exit code 1 when something is wrong.
    Verify(verify::Verification),
    /// Writes the log to a file, which `verify --export` goes through without the store.
    Export {
        /// The file; it must not be there yet.
        file: std::path::PathBuf,
    },
    /// Prints the proof that a certificate was recorded.
    Proof(proof::Wanted),
    /// Checks such a proof with nothing but the public key of the log.
    VerifyProof(proof::Check),
    /// Removes what the records of an ended request say; that it was removed, by whom and why stays.
    Erase {
        /// The id of the request.
        id: String,
        /// Why; it goes into the audit log.
        #[arg(long)]
        comment: String,
    },
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let target = arguments.target;
    match arguments.verb {
        Verb::Incidents(paging) => {
            let found = target.client()?.read(&paging.of("/api/v1/incidents", [])).await?;
            incidents(&found, around.output)
        }
        Verb::Close { id, comment } => {
            let path = format!("/api/v1/incidents/{}/close", segment(&id)?);
            let closed = target.client()?.post(&path, &ClosingBody { comment }).await?;
            let found = List {
                items: vec![closed],
                next_cursor: None,
            };
            incidents(&found, around.output)
        }
        Verb::Events(paging) => lists::events(&target, &paging, around.output).await,
        Verb::Checkpoints(paging) => lists::checkpoints(&target, &paging, around.output).await,
        Verb::Key => stored::key(&target, around.output).await,
        Verb::Verify(verification) => verify::run(&target, verification, around.output).await,
        Verb::Export { file } => stored::export(&target, &file, around.output).await,
        Verb::Proof(wanted) => proof::show(&target, &wanted, around.output).await,
        Verb::VerifyProof(check) => proof::check(&check, around.output),
        Verb::Erase { id, comment } => lists::erase(&target, (&id, comment), around).await,
    }
}

fn incidents(found: &List<IncidentView>, output: Output) -> Result<Exit, CliError> {
    output.show(found, |found| table(found, output))?;
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
