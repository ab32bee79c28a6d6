//! `portreeve registration secret create|list|revoke`.

use clap::{Args, Subcommand, ValueEnum};
use portreeve_console::{List, MadeSecretView, NewSecretBody, ReasonBody, SecretView};

use super::{path, time};
use crate::cli::paging::Paging;
use crate::cli::request::segment;
use crate::cli::waiting::also_waits;
use crate::cli::{CliError, Exit, Format, Output, Table, Tone, aligned, beginning, plain};
use crate::control::ControlClient;

/// Secrets of a registration.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Makes a secret and prints it, this once.
    Create {
        /// The registration, by name or id.
        registration: String,
        /// What for.
        #[arg(long, value_enum)]
        kind: Kind,
        /// What its holder names it by; made up when absent.
        #[arg(long)]
        reference: Option<String>,
        /// How often it may be used; once when absent.
        #[arg(long, value_name = "COUNT", conflicts_with = "unlimited")]
        uses: Option<u32>,
        /// It may be used any number of times.
        #[arg(long)]
        unlimited: bool,
        /// After this it is refused: a time, or a duration from now such as 7d.
        #[arg(long, value_name = "WHEN")]
        until: Option<String>,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Lists the secrets of a registration; none of them is shown.
    List {
        /// The registration, by name or id.
        registration: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Refuses a secret from now on.
    Revoke {
        /// The registration, by name or id.
        registration: String,
        /// The id of the secret.
        id: String,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum Kind {
    /// An ACME external account key.
    AcmeEab,
    /// A password for EST.
    EstPassword,
    /// A SCEP challenge.
    ScepChallenge,
    /// A CMP reference and secret.
    CmpSecret,
    /// A bearer token, for EST.
    EnrollmentToken,
}

pub(super) async fn run(
    client: &ControlClient,
    arguments: Arguments,
    output: Output,
) -> Result<Exit, CliError> {
    match arguments.verb {
        Verb::Create {
            registration,
            kind,
            reference,
            uses,
            unlimited,
            until,
            reason,
        } => {
            let kind = match kind {
                Kind::AcmeEab => "acme-eab",
                Kind::EstPassword => "est-password",
                Kind::ScepChallenge => "scep-challenge",
                Kind::CmpSecret => "cmp-secret",
                Kind::EnrollmentToken => "enrollment-token",
            };
            let body = NewSecretBody {
                kind: kind.to_owned(),
                reference,
                uses,
                unlimited,
                until: until.as_deref().map(time).transpose()?,
                reason,
            };
            let made: MadeSecretView = client
                .post(&format!("{}/secrets", path(&registration)), &body)
                .await?;
            print_made(&made, output)?;
        }
        Verb::List { registration, paging } => {
            let path = paging.of(&format!("{}/secrets", path(&registration)), []);
            let found: List<SecretView> = client.read(&path).await?;
            output.show(&found, |found| table(found, output))?;
        }
        Verb::Revoke {
            registration,
            id,
            reason,
        } => {
            let path = format!("{}/secrets/{}/revoke", path(&registration), segment(&id)?);
            let found: SecretView = client.post(&path, &ReasonBody { reason }).await?;
            let found = List {
                items: vec![found],
                next_cursor: None,
            };
            output.show(&found, |found| table(found, output))?;
        }
    }
    Ok(Exit::Fine)
}

/// Prints a secret that was just made.
pub(in crate::cli) fn print_made(made: &MadeSecretView, output: Output) -> Result<(), CliError> {
    if output.format() == Format::Json {
        return Ok(output.json(made)?);
    }
    let (reference, secret) = if made.kind == "acme-eab" {
        ("kid", "hmac key")
    } else {
        ("reference", "secret")
    };
    let uses = made
        .uses
        .map_or_else(|| "any number".to_owned(), |uses| uses.to_string());
    let mut lines = vec![
        ("registration", plain(&made.registration)),
        ("id", made.id.clone()),
        ("kind", made.kind.clone()),
        ("uses", uses),
        (reference, plain(&made.reference)),
        (secret, made.secret.clone()),
    ];
    lines.extend(made.until.map(|until| ("until", until.to_string())));
    let text = aligned(&lines);
    output.text(&format!("{text}It is not shown again.\n"))?;
    also_waits(made.proposal.as_deref(), output)
}

/// Secrets, without what they are.
pub(in crate::cli) fn table(found: &List<SecretView>, output: Output) -> Table {
    let mut table = Table::new([
        "REFERENCE",
        "REGISTRATION",
        "KIND",
        "STATE",
        "USED",
        "UNTIL",
        "ID",
    ]);
    for row in &found.items {
        let tone = match row.state.as_str() {
            "live" | "new" | "active" => Tone::Good,
            "locked" | "pending" => Tone::Warning,
            "revoked" | "expired" => Tone::Bad,
            _ => Tone::Plain,
        };
        let used = match row.uses {
            Some(uses) => format!("{} of {uses}", row.used),
            None => "any number".to_owned(),
        };
        table.row([
            beginning(&row.reference),
            beginning(&row.registration_name),
            row.kind.clone(),
            output.tone(&row.state, tone),
            used,
            row.until.map(|until| until.to_string()).unwrap_or_default(),
            row.id.clone(),
        ]);
    }
    table
}
