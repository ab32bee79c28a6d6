//! `portreeve apply -f DIR`.

mod layout;

use std::path::PathBuf;

use clap::Args;
use portreeve_console::{ChangeView, WriteMode};
use portreeve_ra::ObjectKind;
use serde::Serialize;

use super::object::{Resource, WriteOptions, told};
use super::request::{comment, parameter};
use super::{CliError, Exit, Format, Surroundings, Table, Target, plain, text_object};
use crate::control::{ClientError, ControlClient, Done, OnlyIf};

use layout::Found;
pub(super) use layout::PLACES;

/// Puts the objects of a directory in force: `approval-policies/NAME.toml`, `roles/NAME.toml`, `teams/NAME.toml`,
/// `operators/NAME.toml`, `trust-anchors/NAME.toml`, `profiles/NAME.toml`, `endpoints/PROTOCOL/NAME.toml`. Each is a change
/// of its own; what is refused is told at the end, with exit code 1.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    /// The directory.
    #[arg(short = 'f', long = "from", value_name = "DIR")]
    from: PathBuf,
    /// Why, in at most 1,024 characters; it goes into the audit log.
    #[arg(long, default_value = "portreeve apply", value_parser = comment)]
    reason: String,
    /// Only says what would change.
    #[arg(long)]
    dry_run: bool,
    /// Retires what is in force and has no file, of the kinds that have a directory.
    #[arg(long)]
    prune: bool,
}

/// What became of one object.
#[derive(Debug, Serialize)]
struct Applied {
    kind: &'static str,
    name: String,
    outcome: String,
    version: Option<u32>,
    /// Where people decide on it, when it waits for them.
    proposal: Option<String>,
    /// What was said about it, or why it was refused.
    remarks: Vec<String>,
}

impl Applied {
    fn new(kind: ObjectKind, name: &str, outcome: &str) -> Self {
        Self {
            kind: kind.as_str(),
            name: name.to_owned(),
            outcome: outcome.to_owned(),
            version: None,
            proposal: None,
            remarks: Vec::new(),
        }
    }

    /// What a refusal of the gateway comes to. Anything else ends the command.
    fn refused(kind: ObjectKind, name: &str, error: CliError) -> Result<Self, CliError> {
        let CliError::Client(ClientError::Problem(problem)) = error else {
            return Err(error);
        };
        if matches!(problem.status, 401 | 403 | 500..) {
            return Err(ClientError::Problem(problem).into());
        }
        let mut remarks = vec![plain(&format!("{} ({})", problem.detail, problem.code))];
        if !problem.remarks.is_empty() {
            remarks = problem.remarks.iter().map(told).collect();
        }
        Ok(Self {
            remarks,
            ..Self::new(kind, name, REFUSED)
        })
    }
}

const REFUSED: &str = "refused";

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let found = layout::read(&arguments.from)?;
    let work = Work {
        client: arguments.target.client()?,
        arguments: &arguments,
    };
    let mut applied = Vec::new();
    for one in layout::in_order(&found) {
        applied.extend(work.put_in_force(&one).await?);
    }
    if arguments.prune {
        // What names others goes before them.
        for one in found.iter().rev().filter(|one| one.there) {
            applied.extend(work.prune(one).await?);
        }
    }
    let refused = applied.iter().any(|one| one.outcome == REFUSED);
    around.output.show(&applied, |applied| table(applied))?;
    if around.output.format() == Format::Table {
        let lines: Vec<String> = applied.iter().flat_map(lines).collect();
        if !lines.is_empty() {
            around.output.text(&lines.join("\n"))?;
        }
    }
    Ok(if refused { Exit::Failed } else { Exit::Fine })
}

fn table(applied: &[Applied]) -> Table {
    let mut table = Table::new(["KIND", "NAME", "OUTCOME", "VERSION"]);
    for one in applied {
        let version = one.version.map(|number| number.to_string()).unwrap_or_default();
        table.row([
            one.kind.to_owned(),
            plain(&one.name),
            one.outcome.clone(),
            version,
        ]);
    }
    table
}

fn lines(applied: &Applied) -> Vec<String> {
    let of = format!("{} {}", applied.kind, plain(&applied.name));
    let waits = applied.proposal.as_ref();
    let waits = waits.map(|id| format!("{of}: waits for approval, see portreeve approval show {id}"));
    let remarks = applied.remarks.iter().map(|remark| format!("{of}: {remark}"));
    waits.into_iter().chain(remarks).collect()
}

struct Work<'a> {
    client: ControlClient,
    arguments: &'a Arguments,
}

impl Work<'_> {
    async fn put_in_force(&self, found: &Found) -> Result<Vec<Applied>, CliError> {
        let resource = self.resource(found.place.kind);
        let known = resource.in_force().await?;
        let mut applied = Vec::with_capacity(found.texts.len());
        for (name, body) in &found.texts {
            let current = known.iter().find(|one| one.name == *name);
            if let Some(current) = current.filter(|current| current.body == *body) {
                let mut same = Applied::new(resource.kind, name, "unchanged");
                same.version = Some(current.version);
                applied.push(same);
                continue;
            }
            let current = current.map(|current| current.version);
            let written = match resource.kind.is_of_people() {
                true => self.write_people(&resource, (name, body), current).await,
                false => self.write(&resource, (name, body), current).await,
            };
            let one = written.or_else(|error| Applied::refused(resource.kind, name, error))?;
            applied.push(one);
        }
        Ok(applied)
    }

    /// Whoever changed the object since its list was read is not undone.
    async fn write(
        &self,
        resource: &Resource,
        (name, body): (&str, &str),
        current: Option<u32>,
    ) -> Result<Applied, CliError> {
        resource.of(name)?;
        let options = WriteOptions {
            mode: match self.arguments.dry_run {
                true => WriteMode::Check,
                false => WriteMode::Publish,
            },
            reason: self.arguments.reason.clone(),
            only_if: Some(OnlyIf(current.unwrap_or(0))),
        };
        let changed = resource.write((name, body.to_owned(), &options)).await?;
        Ok(self.told(resource, (name, changed)))
    }

    fn told(&self, resource: &Resource, (name, changed): (&str, ChangeView)) -> Applied {
        let ChangeView {
            outcome,
            version,
            proposal,
            remarks,
            ..
        } = changed;
        let outcome = match self.arguments.dry_run {
            true if outcome != "unchanged" => format!("would be {outcome}"),
            _ => outcome,
        };
        Applied {
            version: Some(version),
            proposal: proposal.filter(|_| !self.arguments.dry_run),
            remarks: remarks.iter().map(told).collect(),
            ..Applied::new(resource.kind, name, &outcome)
        }
    }

    async fn write_people(
        &self,
        resource: &Resource,
        (name, body): (&str, &str),
        current: Option<u32>,
    ) -> Result<Applied, CliError> {
        let path = resource.of(name)?;
        let text = text_object::text(name.to_owned(), body.to_owned(), self.arguments.reason.clone());
        if self.arguments.dry_run {
            let changed = text_object::checked(&self.client, resource.path(), (path, text), current).await?;
            return Ok(self.told(resource, (name, changed)));
        }
        let done = text_object::written(&self.client, resource.path(), (path, text), current).await?;
        Ok(match done {
            Done::Now(found) => Applied {
                version: Some(found.version),
                ..Applied::new(resource.kind, name, "published")
            },
            Done::Waits(proposal) => Applied {
                proposal: Some(proposal.id),
                ..Applied::new(resource.kind, name, "proposed")
            },
        })
    }

    /// Retires what has no file. What is built in stays.
    async fn prune(&self, found: &Found) -> Result<Vec<Applied>, CliError> {
        let resource = self.resource(found.place.kind);
        let known = resource.in_force().await?;
        let kept = |name: &str| found.texts.iter().any(|(file, _)| file == name);
        let mut applied = Vec::new();
        for one in known.iter().filter(|one| one.version > 0 && !kept(&one.name)) {
            if self.arguments.dry_run {
                applied.push(Applied::new(resource.kind, &one.name, "would be retired"));
                continue;
            }
            let mut path = resource.of(&one.name)?;
            if !resource.kind.is_of_people() {
                path = format!("{path}?{}", parameter("reason", &self.arguments.reason));
            }
            let retired = self.client.delete(&path, Some(OnlyIf(one.version))).await;
            applied.push(match retired {
                Ok(()) => Applied::new(resource.kind, &one.name, "retired"),
                Err(error) => Applied::refused(resource.kind, &one.name, error.into())?,
            });
        }
        Ok(applied)
    }

    fn resource(&self, kind: ObjectKind) -> Resource {
        Resource {
            kind,
            client: self.client.clone(),
        }
    }
}
