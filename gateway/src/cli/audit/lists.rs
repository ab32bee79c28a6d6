//! Events and checkpoints as lists, and erasing.

use std::io::{IsTerminal, Write};

use portreeve_console::List;

use super::super::paging::Paging;
use super::super::request::segment;
use super::super::{CliError, Exit, Output, Surroundings, Table, Target, beginning, plain};
use crate::audit::{CheckpointView, ErasedView, ErasingBody, EventView};

/// What was recorded.
pub(super) async fn events(target: &Target, paging: &Paging, output: Output) -> Result<Exit, CliError> {
    let found: List<EventView> = target
        .client()?
        .read(&paging.of("/api/v1/audit/events", []))
        .await?;
    output.show(&found, |found| {
        let mut table = Table::new(["INDEX", "AT", "EVENTS", "STREAM", "ACTOR", "ROLE", "REASON"]);
        for row in &found.items {
            let events = match (row.events.is_empty(), row.erased) {
                (true, _) => "missing".to_owned(),
                (false, true) => format!("{} (erased)", row.events.join(", ")),
                (false, false) => row.events.join(", "),
            };
            table.row([
                row.index.to_string(),
                row.at.map(|at| at.to_string()).unwrap_or_default(),
                events,
                format!("{} {}", row.stream, row.position),
                plain(&row.actor),
                row.purpose.clone(),
                beginning(&row.reason),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

/// What was signed.
pub(super) async fn checkpoints(target: &Target, paging: &Paging, output: Output) -> Result<Exit, CliError> {
    let path = paging.of("/api/v1/audit/checkpoints", []);
    let found: List<CheckpointView> = target.client()?.read(&path).await?;
    output.show(&found, |found| {
        let mut table = Table::new(["NUMBER", "SIGNED", "RECORDS", "ROOT"]);
        for row in &found.items {
            let root = row.note.lines().nth(2).unwrap_or_default();
            table.row([
                row.number.to_string(),
                row.signed_at.to_string(),
                row.size.to_string(),
                plain(root),
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

/// Erases a request, after a question.
pub(super) async fn erase(
    target: &Target,
    (id, comment): (&str, String),
    around: Surroundings,
) -> Result<Exit, CliError> {
    let path = format!("/api/v1/requests/{}/erase", segment(id)?);
    if !around.yes && !confirmed(id)? {
        return Err(CliError::Usage(
            "nothing was erased: say yes, or give --yes".to_owned(),
        ));
    }
    let erased: ErasedView = target.client()?.post(&path, &ErasingBody { comment }).await?;
    around.output.fields(&erased, |erased| {
        let mut fields = vec![
            ("request", erased.request.clone()),
            ("state", erased.state.clone()),
            ("records emptied", erased.records.to_string()),
        ];
        fields.extend(erased.proposal.clone().map(|id| ("proposal", id)));
        fields.extend(erased.registration.clone().map(|id| ("registration", id)));
        fields
    })?;
    Ok(Exit::Fine)
}

fn confirmed(id: &str) -> Result<bool, CliError> {
    if !std::io::stdin().is_terminal() {
        return Ok(false);
    }
    let mut stream = std::io::stderr().lock();
    write!(
        stream,
        "Erase what is recorded about request {id}? This cannot be undone. [yes/no] "
    )?;
    stream.flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    Ok(answer.trim() == "yes")
}
