//! `portreeve cert list`.

use clap::{Args, Subcommand};
use portreeve_console::{CertificateView, List};

use super::paging::Paging;
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, beginning};

/// Certificates.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists certificates, the newest first.
    List(Paging),
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let Verb::List(paging) = arguments.verb;
    let path = paging.of("/api/v1/certificates", []);
    let found: List<CertificateView> = arguments.target.client()?.read(&path).await?;
    around.output.show(&found, |found| table(found, around.output))?;
    Ok(Exit::Fine)
}

fn table(found: &List<CertificateView>, output: Output) -> Table {
    let mut table = Table::new(["SERIAL", "CA", "NAMES", "NOT AFTER", "STATUS", "REQUEST"]);
    for row in &found.items {
        let status = match &row.revocation_reason {
            Some(reason) => output.tone(&format!("revoked: {reason}"), Tone::Bad),
            None => output.tone("good", Tone::Good),
        };
        table.row([
            row.serial.clone(),
            row.backend.clone(),
            beginning(&row.names),
            row.not_after.to_string(),
            status,
            row.request.clone(),
        ]);
    }
    table
}
