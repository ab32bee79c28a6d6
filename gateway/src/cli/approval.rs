//! `portreeve approval list|show|propose|approve|reject`: proposals on anything but requests.

use clap::{Args, Subcommand};
use portreeve_console::{List, ProposalBody, ProposalView};
use portreeve_ra::Decision;

use super::decision::{DecisionArguments, about, lines};
use super::paging::Paging;
use super::request::{comment, parameter, segment, tone};
use super::{CliError, Exit, Output, Surroundings, Table, Target};
use crate::control::ControlClient;

const RESOURCE: &str = "/api/v1/approvals";

/// Proposals on configuration, registrations and certificates. Those on requests are decided with `request`.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists proposals, the newest first.
    List {
        /// Only those in this state: open, approved, rejected or expired.
        #[arg(long)]
        state: Option<String>,
        #[command(flatten)]
        paging: Paging,
    },
    /// Shows a proposal, who must approve it and who may not.
    Show {
        /// The id of the proposal.
        id: String,
    },
    /// Asks others whether certificates may be revoked, or released from hold.
    Propose {
        /// The requests they came from, at most 200.
        #[arg(required = true, value_name = "REQUEST")]
        requests: Vec<String>,
        /// What is to become of them: release, or the reason they are revoked for, such as superseded.
        #[arg(long)]
        change: String,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "", value_parser = comment)]
        comment: String,
    },
    /// Approves a proposal.
    Approve(DecisionArguments),
    /// Rejects a proposal.
    Reject(DecisionArguments),
}

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    match arguments.verb {
        Verb::List { state, paging } => {
            let state = state.map(|value| parameter("state", &value));
            let path = paging.of(RESOURCE, state);
            let found: List<ProposalView> = client.read(&path).await?;
            around.output.show(&found, |found| table(found, around.output))?;
        }
        Verb::Show { id } => show(&read(&client, &id).await?, around.output)?,
        Verb::Propose {
            requests,
            change,
            comment,
        } => {
            let body = ProposalBody {
                change,
                requests,
                comment,
            };
            let found: ProposalView = client.post(RESOURCE, &body).await?;
            show(&found, around.output)?;
        }
        Verb::Approve(decision) => decide(&client, (Decision::Approve, decision), around.output).await?,
        Verb::Reject(decision) => decide(&client, (Decision::Reject, decision), around.output).await?,
    }
    Ok(Exit::Fine)
}

async fn read(client: &ControlClient, id: &str) -> Result<ProposalView, CliError> {
    Ok(client.read(&format!("{RESOURCE}/{}", segment(id)?)).await?)
}

async fn decide(
    client: &ControlClient,
    (decision, arguments): (Decision, DecisionArguments),
    output: Output,
) -> Result<(), CliError> {
    let proposal = match arguments.is_signed() {
        true => Some(read(client, &arguments.id).await?),
        false => None,
    };
    let body = arguments.body((decision, None), proposal.as_ref())?;
    let path = format!("{RESOURCE}/{}/{}", segment(&arguments.id)?, decision.as_str());
    let found: ProposalView = client.post(&path, &body).await?;
    show(&found, output)
}

fn show(proposal: &ProposalView, output: Output) -> Result<(), CliError> {
    Ok(output.fields(proposal, fields)?)
}

fn fields(proposal: &ProposalView) -> Vec<(&'static str, String)> {
    let mut all = vec![
        ("about", about(&proposal.subject)),
        (
            "opened",
            format!("{} by {}", proposal.opened_at, proposal.opened_by),
        ),
    ];
    all.extend(lines(proposal));
    all
}

fn table(found: &List<ProposalView>, output: Output) -> Table {
    let mut table = Table::new(["ID", "STATE", "ABOUT", "POLICY", "OPENED", "BY"]);
    for row in &found.items {
        table.row([
            row.id.clone(),
            output.tone(&row.state, tone(&row.state)),
            about(&row.subject),
            row.policy.clone(),
            row.opened_at.to_string(),
            row.opened_by.clone(),
        ]);
    }
    table
}
