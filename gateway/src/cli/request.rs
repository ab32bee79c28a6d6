//! `portreeve request list|show|approve|reject|withdraw-grant|resolve`.

use clap::{Args, Subcommand, ValueEnum};
use portreeve_console::{
    GrantBody, List, ReasonBody, RequestSummary, RequestView, ResolutionBody, ResolutionWord,
};
use portreeve_ra::Decision;
use portreeve_ra::authority::COMMENT_CHARS_MAX;

use super::decision::{DecisionArguments, GrantArguments, lines as proposal_lines};
use super::paging::Paging;
use super::{CliError, Exit, Output, Surroundings, Table, Target, Tone, beginning, plain};
use crate::control::ControlClient;

/// Requests for certificates.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists requests, the newest first.
    List {
        /// Only those of which this is true, such as 'cn~"web" and received>-1d'. docs/search.md describes the language.
        #[arg(long, short = 'q')]
        query: Option<String>,
        /// Only those in this state, such as awaiting_approval.
        #[arg(long)]
        state: Option<String>,
        /// Only those at this endpoint, such as acme/approval.
        #[arg(long)]
        endpoint: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a request with all that a decision is about.
    Show {
        /// The id of the request.
        id: String,
    },
    /// Approves a request.
    Approve {
        #[command(flatten)]
        decision: DecisionArguments,
        #[command(flatten)]
        grant: GrantArguments,
    },
    /// Rejects a request.
    Reject(DecisionArguments),
    /// Makes the grant void that was given with the decision on a request: nothing passes by it from now on.
    WithdrawGrant {
        /// The id of the request.
        id: String,
        /// Why, in at most 1,024 characters; it goes into the audit log.
        #[arg(long, default_value = "", value_parser = comment)]
        reason: String,
    },
    /// Decides on a request that is in_doubt or quarantined, for which the gateway does nothing more by itself.
    Resolve(Resolved),
}

#[derive(Debug, Args)]
struct Resolved {
    /// The id of the request.
    id: String,
    /// How it goes on.
    #[arg(long = "as", value_enum)]
    resolution: How,
    /// Why, in at most 1,024 characters; it goes into the audit log.
    #[arg(long, value_parser = comment)]
    comment: String,
}

#[derive(Copy, Clone, Debug, ValueEnum)]
enum How {
    /// Ask the CA once more what it knows; only for a request in doubt.
    Retry,
    /// Deliver nothing: the client hears that no certificate was issued. Look first whether the CA has issued one, and
    /// have it revoked there.
    GiveUp,
}

/// A comment that can be kept in full.
pub(super) fn comment(text: &str) -> Result<String, String> {
    match text.chars().count() {
        0..=COMMENT_CHARS_MAX => Ok(text.to_owned()),
        count => Err(format!(
            "it has {count} characters, and {COMMENT_CHARS_MAX} can be kept: say it shorter"
        )),
    }
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    match arguments.verb {
        Verb::List {
            query,
            state,
            endpoint,
            paging,
        } => {
            let state = state.map(|value| parameter("state", &value));
            let endpoint = endpoint.map(|value| parameter("endpoint", &value));
            let further: Vec<String> = state.into_iter().chain(endpoint).collect();
            let path = match further.is_empty() {
                true => "/api/v1/requests".to_owned(),
                false => format!("/api/v1/requests?{}", further.join("&")),
            };
            let query = query.unwrap_or_default();
            let found: List<RequestSummary> = paging.gathered(&client, &path, &query).await?;
            around.output.show(&found, |found| table(found, around.output))?;
        }
        Verb::Show { id } => {
            show(&read(&client, &id).await?, around.output)?;
        }
        Verb::Approve { decision, grant } => {
            let decided = (Decision::Approve, grant.body());
            decide(&client, decided, (decision, around.output)).await?;
        }
        Verb::Reject(decision) => {
            decide(&client, (Decision::Reject, None), (decision, around.output)).await?;
        }
        Verb::WithdrawGrant { id, reason } => {
            let path = format!("/api/v1/requests/{}/grant/withdraw", segment(&id)?);
            let found: RequestView = client.post(&path, &ReasonBody { reason }).await?;
            show(&found, around.output)?;
        }
        Verb::Resolve(resolved) => {
            let body = ResolutionBody {
                resolution: match resolved.resolution {
                    How::Retry => ResolutionWord::Retry,
                    How::GiveUp => ResolutionWord::GiveUp,
                },
                comment: resolved.comment,
            };
            let path = format!("/api/v1/requests/{}/resolve", segment(&resolved.id)?);
            let found: RequestView = client.post(&path, &body).await?;
            show(&found, around.output)?;
        }
    }
    Ok(Exit::Fine)
}

async fn read(client: &ControlClient, id: &str) -> Result<RequestView, CliError> {
    Ok(client.read(&format!("/api/v1/requests/{}", segment(id)?)).await?)
}

async fn decide(
    client: &ControlClient,
    decided: (Decision, Option<GrantBody>),
    (arguments, output): (DecisionArguments, Output),
) -> Result<(), CliError> {
    let known = match arguments.is_signed() {
        true => read(client, &arguments.id).await?.proposal,
        false => None,
    };
    let body = arguments.body(decided, known.as_ref())?;
    let path = format!(
        "/api/v1/requests/{}/{}",
        segment(&arguments.id)?,
        decided.0.as_str()
    );
    let found: RequestView = client.post(&path, &body).await?;
    show(&found, output)
}

fn show(request: &RequestView, output: Output) -> Result<(), CliError> {
    Ok(output.fields(request, |request| fields(request, output))?)
}

fn fields(request: &RequestView, output: Output) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("request", request.id.clone()),
        ("state", output.tone(&request.state, tone(&request.state))),
        ("endpoint", request.endpoint.clone()),
        ("requester", request.requester.clone()),
        (
            "profile",
            format!("{} version {}", request.profile, request.profile_version),
        ),
        ("backend", request.backend.clone()),
        ("subject", plain(&request.subject)),
        ("names", plain(&request.names.join(", "))),
        (
            "key",
            format!("{} sha256:{}", request.key_algorithm, request.key_sha256),
        ),
        ("lifetime", format!("{} s", request.lifetime_seconds)),
    ];
    lines.extend(request.received_at.map(|at| ("received", at.to_string())));
    lines.extend(request.granted_by.clone().map(|id| ("granted by", id)));
    lines.extend(request.serial.clone().map(|serial| ("serial", serial)));
    lines.extend(
        request
            .refusal
            .as_deref()
            .map(|refusal| ("refusal", plain(refusal))),
    );
    if let Some(proposal) = &request.proposal {
        lines.extend(proposal_lines(proposal));
    }
    lines.extend(request.findings.iter().map(|finding| ("finding", plain(finding))));
    lines
}

fn table(found: &List<RequestSummary>, output: Output) -> Table {
    let mut table = Table::new(["ID", "STATE", "ENDPOINT", "PROFILE", "NAMES", "RECEIVED"]);
    for row in &found.items {
        table.row([
            row.id.clone(),
            output.tone(&row.state, tone(&row.state)),
            row.endpoint.clone(),
            row.profile.clone(),
            beginning(&row.names),
            row.created_at.to_string(),
        ]);
    }
    table
}

pub(super) fn tone(state: &str) -> Tone {
    match state {
        "issued" | "confirmed" | "approved" => Tone::Good,
        "awaiting_approval" | "open" => Tone::Warning,
        "refused" | "rejected" | "failed" | "expired" | "in_doubt" | "quarantined" => Tone::Bad,
        _ => Tone::Plain,
    }
}

/// A query parameter, percent-encoded.
pub(super) fn parameter(name: &str, value: &str) -> String {
    url::form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish()
}

/// A part of a path: an id, nothing that could change the path.
pub(super) fn segment(text: &str) -> Result<&str, CliError> {
    let legal = !text.is_empty()
        && text
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-');
    if legal {
        Ok(text)
    } else {
        Err(CliError::Usage(format!("{text} is not an id")))
    }
}
