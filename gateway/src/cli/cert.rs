//! `portreeve cert search|list|show|download|revoke|hold|release|revoke-all`.

mod bulk;
mod download;
mod status;

use clap::{Args, Subcommand};
use portreeve_console::{CertificateDetail, CertificateView, List};

use super::paging::Paging;
use super::request::{parameter, segment};
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, beginning, plain};
use crate::control::ControlClient;

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
    /// Finds certificates, such as 'cn~"web" and status=valid and expires<30d'. docs/search.md describes the language.
    Search {
        /// What must be true of them.
        query: String,
        #[command(flatten)]
        paging: Paging,
    },
    /// Lists certificates, the newest first.
    List(Paging),
    /// Shows a certificate, as its verified events tell.
    Show(Which),
    /// Writes a certificate into a file, or prints it.
    Download(download::Wanted),
    /// Revokes a certificate for good.
    Revoke(status::Revocation),
    /// Puts a certificate on hold: it counts as revoked until it is released.
    Hold(status::Change),
    /// Takes a certificate off hold: it is good again.
    Release(status::Change),
    /// Revokes every certificate that a query finds, at most 1,000, after showing them.
    RevokeAll(bulk::Selected),
}

/// Which certificate.
#[derive(Debug, Args)]
struct Which {
    /// Its serial number, in hex.
    serial: String,
    /// The CA, when several have given this serial number.
    #[arg(long)]
    backend: Option<String>,
}

impl Which {
    /// Its path in the API, with something behind it.
    fn path(&self, behind: &str) -> Result<String, CliError> {
        let serial = segment(&self.serial)?;
        let query = self
            .backend
            .as_deref()
            .map(|backend| format!("?{}", parameter("backend", backend)));
        Ok(format!(
            "/api/v1/certificates/{serial}{behind}{}",
            query.unwrap_or_default()
        ))
    }

    async fn read(&self, client: &ControlClient) -> Result<CertificateDetail, CliError> {
        Ok(client.read(&self.path("")?).await?)
    }
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    match arguments.verb {
        Verb::Search { query, paging } => {
            let found = paging.gathered(&client, "/api/v1/certificates", &query).await?;
            around.output.show(&found, |found| table(found, around.output))?;
        }
        Verb::List(paging) => {
            let found: List<CertificateView> = client.read(&paging.of("/api/v1/certificates", [])).await?;
            around.output.show(&found, |found| table(found, around.output))?;
        }
        Verb::Show(which) => show(&which.read(&client).await?, around.output)?,
        Verb::Download(wanted) => download::run(&client, wanted).await?,
        Verb::Revoke(revocation) => status::revoke(&client, revocation, around).await?,
        Verb::Hold(change) => status::change(&client, ("hold", change), around).await?,
        Verb::Release(change) => status::change(&client, ("release", change), around).await?,
        Verb::RevokeAll(selected) => return bulk::run(&client, selected, around).await,
    }
    Ok(Exit::Fine)
}

fn table(found: &List<CertificateView>, output: Output) -> Table {
    let mut table = Table::new([
        "SERIAL",
        "CA",
        "PROFILE",
        "NAMES",
        "NOT AFTER",
        "STATUS",
        "REQUEST",
    ]);
    for row in &found.items {
        table.row([
            row.serial.clone(),
            row.backend.clone(),
            row.profile.clone(),
            beginning(&row.names),
            row.not_after.to_string(),
            standing(&row.status, row.revocation_reason.as_deref(), output),
            row.request.clone(),
        ]);
    }
    table
}

fn standing(status: &str, reason: Option<&str>, output: Output) -> String {
    let tone = match status {
        "valid" => Tone::Good,
        "revoked" => Tone::Bad,
        _ => Tone::Warning,
    };
    match reason {
        Some(reason) if status == "revoked" => output.tone(&format!("revoked: {reason}"), tone),
        _ => output.tone(status, tone),
    }
}

fn show(found: &CertificateDetail, output: Output) -> Result<(), CliError> {
    Ok(output.fields(found, |found| fields(found, output))?)
}

fn fields(found: &CertificateDetail, output: Output) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("serial", found.serial.clone()),
        (
            "status",
            standing(&found.status, found.revocation_reason.as_deref(), output),
        ),
        ("subject", plain(&found.subject)),
        ("names", plain(&found.names.join(", "))),
        ("issuer", plain(&found.issuer)),
        ("backend", found.backend.clone()),
        ("not before", found.not_before.to_string()),
        ("not after", found.not_after.to_string()),
        (
            "profile",
            format!("{} version {}", found.profile, found.profile_version),
        ),
        ("endpoint", found.endpoint.clone()),
        ("requester", found.requester.clone()),
        ("request", found.request.clone()),
        (
            "key",
            format!("{} sha256:{}", found.key_algorithm, found.key_sha256),
        ),
        ("sha256", found.fingerprint_sha256.clone()),
    ];
    let further = [("registration", &found.registration), ("team", &found.team)];
    lines.extend(
        further
            .into_iter()
            .filter_map(|(name, value)| Some((name, plain(value.as_deref()?)))),
    );
    lines.extend(found.revoked_at.map(|at| ("since", at.to_string())));
    lines
}
