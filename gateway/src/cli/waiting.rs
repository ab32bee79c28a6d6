//! What commands say when something is done only once people have agreed.

use portreeve_console::ProposalView;
use serde::Serialize;

use super::decision::{about, lines};
use super::{CliError, Format, Output, aligned};
use crate::control::Done;

/// What was done, or nothing when it waits for people: that is told.
pub(super) fn done<T>(done: Done<T>, output: Output) -> Result<Option<T>, CliError> {
    match done {
        Done::Now(value) => Ok(Some(value)),
        Done::Waits(proposal) => {
            match output.format() {
                Format::Json => output.json(&Waiting::of(&proposal))?,
                Format::Table => output.text(&told(&proposal))?,
            }
            Ok(None)
        }
    }
}

/// That something waits for people, as JSON: the same word as that of objects.
#[derive(Serialize)]
struct Waiting<'a> {
    outcome: &'static str,
    proposal: &'a str,
    approval: &'a ProposalView,
}

impl<'a> Waiting<'a> {
    fn of(proposal: &'a ProposalView) -> Self {
        Self {
            outcome: "proposed",
            proposal: &proposal.id,
            approval: proposal,
        }
    }
}

/// That something waits for people, who they are, and who does not count among them.
fn told(proposal: &ProposalView) -> String {
    let mut text = format!("{} waits for approval\n", about(&proposal.subject));
    let shown = ["proposal", "policy", "step", "excluded"];
    let told = lines(proposal)
        .into_iter()
        .filter(|(name, _)| shown.contains(name));
    text.push_str(&aligned(&told.collect::<Vec<_>>()));
    text.push_str(&format!(
        "decide on it with portreeve approval approve|reject {}\n",
        proposal.id
    ));
    text
}

/// Says of what was shown that it is good only once people have agreed. JSON says so itself.
pub(super) fn also_waits(proposal: Option<&ProposalView>, output: Output) -> Result<(), CliError> {
    match (proposal, output.format()) {
        (Some(proposal), Format::Table) => Ok(output.text(&told(proposal))?),
        _ => Ok(()),
    }
}
