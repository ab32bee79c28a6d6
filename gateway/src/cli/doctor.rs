//! `portreeve doctor`.

use clap::Args;
use portreeve_queue::SystemClock;
use portreeve_ra::Role;
use portreeve_ra::ports::Clock;

use super::{CliError, Exit, Surroundings, Table, Target, Tone};
use crate::doctor::{Patient, Severity, examine, worst};

/// Examines an installation, running or not. Exit code 3 for warnings, 4 for errors.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// What the node does, when it does not run: edge, worker, status, console. A node that runs says so itself.
    #[arg(
        long,
        value_name = "ROLE",
        value_delimiter = ',',
        default_value = "edge,worker,status,console"
    )]
    roles: Vec<Role>,
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let patient = Patient {
        config: arguments.target.configuration()?,
        client: arguments.target.client()?,
        roles: arguments.roles.into_iter().collect(),
        made_by_dev: arguments.target.config.is_none(),
    };
    let findings = examine(&patient, SystemClock.now()).await;
    around.output.show(&findings, |findings| {
        let mut table = Table::new(["CHECK", "STATE", "DETAIL"]);
        for finding in findings {
            let (word, tone) = shown(finding.severity);
            table.row([
                finding.check.clone(),
                around.output.tone(word, tone),
                finding.detail.clone(),
            ]);
        }
        table
    })?;
    Ok(match worst(&findings) {
        Severity::Ok | Severity::Skipped => Exit::Fine,
        Severity::Warning => Exit::Warnings,
        Severity::Error => Exit::Errors,
    })
}

const fn shown(severity: Severity) -> (&'static str, Tone) {
    match severity {
        Severity::Ok => ("ok", Tone::Good),
        Severity::Skipped => ("skipped", Tone::Plain),
        Severity::Warning => ("warning", Tone::Warning),
        Severity::Error => ("error", Tone::Bad),
    }
}
