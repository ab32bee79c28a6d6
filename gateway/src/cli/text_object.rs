//! `portreeve role list|show|apply|remove` and the same for `team`: objects that are texts.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use portreeve_console::{List, ObjectView, Publication, TextBody};

use super::operator::object_name;
use super::{CliError, Exit, Format, Surroundings, Table, Target, plain};
use crate::control::{ClientError, ControlClient, OnlyIf};

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
            let found = applied(
                &client,
                resource,
                (path(&name)?, Publication { name, body, reason }),
            )
            .await?;
            output.show(&found, |found| {
                let mut table = Table::new(["NAME", "VERSION"]);
                table.row([found.name.clone(), found.version.to_string()]);
                table
            })?;
        }
        Verb::Remove { name } => {
            let found: ObjectView = client.read(&path(&name)?).await?;
            client.delete(&path(&name)?, Some(OnlyIf(found.version))).await?;
            output.text(&format!("{name} was removed\n"))?;
        }
    }
    Ok(Exit::Fine)
}

/// Creates the object, or replaces the version that is in force now.
pub(super) async fn applied(
    client: &ControlClient,
    resource: &str,
    (path, publication): (String, Publication),
) -> Result<ObjectView, CliError> {
    match client.read::<InForce>(&path).await {
        Ok(found) => {
            let text = TextBody {
                body: publication.body.clone(),
                reason: publication.reason,
            };
            let put: InForce = client.put(&path, (&text, Some(OnlyIf(found.version)))).await?;
            Ok(put.shown(publication.body))
        }
        Err(ClientError::Problem(problem)) if problem.status == 404 => {
            let posted: InForce = client.post(resource, &publication).await?;
            Ok(posted.shown(publication.body))
        }
        Err(error) => Err(error.into()),
    }
}

/// What the answers about roles, teams and operators have in common.
#[derive(serde::Deserialize)]
struct InForce {
    name: String,
    version: u32,
}

impl InForce {
    fn shown(self, body: String) -> ObjectView {
        ObjectView {
            name: self.name,
            version: self.version,
            sha256: hex::encode(portreeve_pkix::sha256(body.as_bytes())),
            body,
        }
    }
}

fn description(body: &str) -> String {
    let table: toml::Table = toml::from_str(body).unwrap_or_default();
    let text = |key: &str| table.get(key).and_then(toml::Value::as_str).map(plain);
    text("title").or_else(|| text("description")).unwrap_or_default()
}
