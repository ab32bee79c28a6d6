//! `portreeve cert revoke|hold|release`.

use std::io::{BufRead, IsTerminal, Write};

use clap::Args;
use portreeve_console::{CertificateDetail, HoldBody, RevocationBody};

use super::{Which, show};
use crate::cli::{CliError, Format, Surroundings, plain};
use crate::control::ControlClient;

/// What to put on hold or release.
#[derive(Debug, Args)]
pub(super) struct Change {
    #[command(flatten)]
    which: Which,
    /// Why; it goes into the audit log.
    #[arg(long, default_value = "")]
    comment: String,
}

/// What to revoke.
#[derive(Debug, Args)]
pub(super) struct Revocation {
    #[command(flatten)]
    change: Change,
    /// Why, by the name in RFC 5280: keyCompromise, superseded, cessationOfOperation, affiliationChanged,
    /// privilegeWithdrawn or unspecified.
    #[arg(long)]
    reason: String,
}

pub(super) async fn revoke(
    client: &ControlClient,
    revocation: Revocation,
    around: Surroundings,
) -> Result<(), CliError> {
    let Revocation { change, reason } = revocation;
    let found = change.which.read(client).await?;
    confirm(&found, "revoke", around)?;
    let body = RevocationBody {
        reason,
        expected_serial: found.serial,
        comment: change.comment,
    };
    let changed: CertificateDetail = client.post(&change.which.path("/revoke")?, &body).await?;
    show(&changed, around.output)
}

/// `hold` or `release`.
pub(super) async fn change(
    client: &ControlClient,
    (verb, change): (&str, Change),
    around: Surroundings,
) -> Result<(), CliError> {
    let found = change.which.read(client).await?;
    confirm(&found, verb, around)?;
    let body = HoldBody {
        expected_serial: found.serial,
        comment: change.comment,
    };
    let path = change.which.path(&format!("/{verb}"))?;
    let changed: CertificateDetail = client.post(&path, &body).await?;
    show(&changed, around.output)
}

/// Has whoever sits at the terminal type the serial number once more, unless `--yes` was given.
fn confirm(found: &CertificateDetail, verb: &str, around: Surroundings) -> Result<(), CliError> {
    let what = format!(
        "{verb} {} ({}), issued by {}",
        plain(&found.subject),
        plain(&found.names.join(", ")),
        found.backend
    );
    ask(&what, ("its serial number", &found.serial), around)
}

/// Has whoever sits at the terminal type a word, unless `--yes` was given. Without a terminal `--yes` must be given.
pub(super) fn ask(what: &str, (name, word): (&str, &str), around: Surroundings) -> Result<(), CliError> {
    if around.yes {
        return Ok(());
    }
    let stdin = std::io::stdin();
    if !stdin.is_terminal() || around.output.format() == Format::Json {
        return Err(CliError::Usage(format!("to {what}, say --yes")));
    }
    let mut err = std::io::stderr().lock();
    write!(err, "To {what}, type {name} {word}: ")?;
    err.flush()?;
    let mut typed = String::new();
    stdin.lock().read_line(&mut typed)?;
    if typed.trim() == word {
        Ok(())
    } else {
        Err(CliError::Usage(
            "that is another one: nothing was changed".to_owned(),
        ))
    }
}
