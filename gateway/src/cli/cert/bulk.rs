//! `portreeve cert revoke-all`.

use clap::Args;
use portreeve_console::{BulkBody, BulkPreview, BulkQuery, BulkView};

use super::status::ask;
use crate::cli::{CliError, Exit, Format, Surroundings, Table, beginning};
use crate::control::ControlClient;

/// What to revoke.
#[derive(Debug, Args)]
pub(super) struct Selected {
    /// What must be true of them.
    query: String,
    /// Why, by the name in RFC 5280, such as superseded.
    #[arg(long)]
    reason: String,
    /// Why, in words; it goes into the audit log.
    #[arg(long, default_value = "")]
    comment: String,
    /// Only show what would be revoked.
    #[arg(long)]
    dry_run: bool,
}

pub(super) async fn run(
    client: &ControlClient,
    selected: Selected,
    around: Surroundings,
) -> Result<Exit, CliError> {
    let query = BulkQuery {
        query: selected.query,
        reason: selected.reason,
    };
    let preview: BulkPreview = client.post("/api/v1/certificates/revoke/preview", &query).await?;
    let is_table = around.output.format() == Format::Table;
    if is_table || selected.dry_run {
        around.output.show(&preview, table)?;
    }
    if selected.dry_run || preview.items.is_empty() {
        return Ok(Exit::Fine);
    }
    let more = if preview.complete {
        ""
    } else {
        ", not all there are"
    };
    let count = preview.count.to_string();
    ask(
        &format!("revoke these {count}{more}"),
        ("their number", &count),
        around,
    )?;
    let body = BulkBody {
        requests: preview.items.into_iter().map(|row| row.request).collect(),
        reason: query.reason,
        digest: preview.digest,
        comment: selected.comment,
    };
    let outcome: BulkView = client.post("/api/v1/certificates/revoke", &body).await?;
    around.output.show(&outcome, |outcome| {
        let mut table = Table::new(["REQUEST", "OUTCOME"]);
        for row in &outcome.items {
            table.row([row.request.clone(), row.outcome.clone()]);
        }
        table
    })?;
    Ok(if outcome.revoked == outcome.items.len() {
        Exit::Fine
    } else {
        Exit::Failed
    })
}

fn table(preview: &BulkPreview) -> Table {
    let mut table = Table::new(["SERIAL", "CA", "NAMES", "NOT AFTER", "REQUEST"]);
    for row in &preview.items {
        table.row([
            row.serial.clone(),
            row.backend.clone(),
            beginning(&row.names),
            row.not_after.to_string(),
            row.request.clone(),
        ]);
    }
    table
}
