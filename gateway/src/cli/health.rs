//! `portreeve health`.

use clap::Args;

use super::{CliError, Exit, Surroundings, Table, Target, Tone};
use crate::health::Report;

/// Says whether a running gateway is ready; exit code 1 when it is not.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let report: Report = arguments.target.client()?.read("/api/v1/health").await?;
    around.output.show(&report, |report| {
        let mut table = Table::new(["CHECK", "STATE", "DETAIL"]);
        for check in &report.checks {
            let (word, tone) = match (check.ok, check.degraded) {
                (true, false) => ("ok", Tone::Good),
                (true, true) => ("degraded", Tone::Warning),
                (false, _) => ("failed", Tone::Bad),
            };
            table.row([
                check.check.clone(),
                around.output.tone(word, tone),
                check.detail.clone(),
            ]);
        }
        table
    })?;
    Ok(if report.ready { Exit::Fine } else { Exit::Failed })
}
