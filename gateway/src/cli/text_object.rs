//! `portreeve role list|show|apply|confirm|remove` and the same for `team`: objects that are texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_console::{ChangeView, List, ObjectView, Publication, ReasonBody, TextBody};

use super::operator::object_name;
use super::waiting::done;
use super::{CliError, Exit, Format, Surroundings, Table, Target, plain};
use crate::control::{ClientError, ControlClient, Done, OnlyIf};

/// Objects of one kind.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Lists those in force.
    List,
    /// Prints the text of one.
    Show {
        /// Its name.
        name: String,
    },
    /// Puts a text in force.
    Apply {
        /// Its name.
        name: String,
        /// The file with the text, TOML.
        #[arg(short = 'f', long = "from", value_name = "FILE")]
        from: PathBuf,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Agrees to the version in force: its authors no longer count as unconfirmed.
    Confirm {
        /// Its name.
        name: String,
        /// The number of the version.
        number: u32,
        /// Why; it goes into the audit log.
        #[arg(long, default_value = "")]
        reason: String,
    },
    /// Takes one out of force.
    Remove {
        /// Its name.
        name: String,
    },
}

pub(super) async fn run(
    arguments: Arguments,
    resource: &'static str,
    around: Surroundings,
) -> Result<Exit, CliError> {
    let (client, output) = (arguments.target.client()?, around.output);
    let path = |name: &str| Ok::<_, CliError>(format!("{resource}/{}", object_name(name)?));
    match arguments.verb {
        Verb::List => {
            let found: List<ObjectView> = client.read(resource).await?;
            output.show(&found, |found| {
                let mut table = Table::new(["NAME", "VERSION", "DESCRIPTION"]);
                for row in &found.items {
                    table.row([row.name.clone(), row.version.to_string(), description(&row.body)]);
                }
                table
            })?;
        }
        Verb::Show { name } => {
            let found: ObjectView = client.read(&path(&name)?).await?;
            match output.format() {
                Format::Json => output.json(&found)?,
                Format::Table => output.text(&found.body)?,
            }
        }
        Verb::Apply { name, from, reason } => {
            let body = std::fs::read_to_string(&from).map_err(CliError::file(&from))?;
            let found = applied(&client, resource, (path(&name)?, text(name, body, reason))).await?;
            if let Some(found) = done(found, output)? {
                output.show(&found, table)?;
            }
        }
        Verb::Confirm { name, number, reason } => {
            let path = format!("{}/versions/{number}/confirm", path(&name)?);
            let found: ObjectView = client.post(&path, &ReasonBody { reason }).await?;
            output.show(&found, table)?;
        }
        Verb::Remove { name } => {
            let found: ObjectView = client.read(&path(&name)?).await?;
            client.delete(&path(&name)?, Some(OnlyIf(found.version))).await?;
            output.text(&format!("{name} was removed\n"))?;
        }
    }
    Ok(Exit::Fine)
}

fn table(found: &ObjectView) -> Table {
    let mut table = Table::new(["NAME", "VERSION", "UNCONFIRMED"]);
    table.row([
        found.name.clone(),
        found.version.to_string(),
        plain(&found.unconfirmed_authors.join(", ")),
    ]);
    table
}

/// A text to put in force.
pub(super) const fn text(name: String, body: String, reason: String) -> Publication {
    Publication {
        name,
        body,
        reason,
        check: false,
    }
}

/// Creates the object, or replaces the version that is in force now.
async fn applied(
    client: &ControlClient,
    resource: &str,
    (path, publication): (String, Publication),
) -> Result<Done<ObjectView>, CliError> {
    let current = match client.read::<InForce>(&path).await {
        Ok(found) => Some(found.version),
        Err(ClientError::Problem(problem)) if problem.status == 404 => None,
        Err(error) => return Err(error.into()),
    };
    written(client, resource, (path, publication), current).await
}

/// Creates the object, or replaces this version that is in force.
pub(super) async fn written(
    client: &ControlClient,
    resource: &str,
    (path, publication): (String, Publication),
    current: Option<u32>,
) -> Result<Done<ObjectView>, CliError> {
    let body = publication.body.clone();
    let done: Done<InForce> = match current {
        Some(version) => {
            let text = TextBody {
                body: publication.body,
                reason: publication.reason,
                check: publication.check,
            };
            client.ask_to_put(&path, (&text, Some(OnlyIf(version)))).await?
        }
        None => client.ask(resource, &publication).await?,
    };
    Ok(match done {
        Done::Now(found) => Done::Now(found.shown(body)),
        Done::Waits(proposal) => Done::Waits(proposal),
    })
}

/// What writing a text over this version would come to.
pub(super) async fn checked(
    client: &ControlClient,
    resource: &str,
    (path, publication): (String, Publication),
    current: Option<u32>,
) -> Result<ChangeView, ClientError> {
    match current {
        Some(version) => {
            let text = TextBody {
                body: publication.body,
                reason: publication.reason,
                check: true,
            };
            client.put(&path, (&text, Some(OnlyIf(version)))).await
        }
        None => {
            let publication = Publication {
                check: true,
                ..publication
            };
            client.post(resource, &publication).await
        }
    }
}

/// What the answers about roles, teams and operators have in common.
#[derive(serde::Deserialize)]
struct InForce {
    name: String,
    version: u32,
    #[serde(default)]
    unconfirmed_authors: Vec<String>,
}

impl InForce {
    fn shown(self, body: String) -> ObjectView {
        ObjectView {
            name: self.name,
            version: self.version,
            sha256: hex::encode(portreeve_pkix::sha256(body.as_bytes())),
            body,
            unconfirmed_authors: self.unconfirmed_authors,
        }
    }
}

fn description(body: &str) -> String {
    let table: toml::Table = toml::from_str(body).unwrap_or_default();
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(plain);
    text("title").or_else(|| text("description")).unwrap_or_default()
}
