//! `portreeve apply -f DIR`.

use std::path::{Path, PathBuf};

use clap::Args;
use portreeve_console::{List, ObjectView, Publication};
use serde::Serialize;

use super::operator::object_name;
use super::request::comment;
use super::{CliError, Exit, Surroundings, Table, Target, text_object};
use crate::control::ControlClient;

/// Publishes approval policies, profiles, endpoints, roles, teams and operators: `DIR/approval-policies/NAME.toml`,
/// `DIR/profiles/NAME.toml`, `DIR/endpoints/PROTOCOL/NAME.toml`, `DIR/roles/NAME.toml`, `DIR/teams/NAME.toml`,
/// `DIR/operators/NAME.toml`.
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
}

/// What became of one file.
#[derive(Debug, Serialize)]
struct Applied {
    kind: &'static str,
    name: String,
    outcome: &'static str,
    version: Option<u32>,
}

/// Where the objects of a kind are published.
struct Kind {
    word: &'static str,
    resource: &'static str,
}

const APPROVAL_POLICIES: Kind = Kind {
    word: "approval-policy",
    resource: "/api/v1/approval-policies",
};
const PROFILES: Kind = Kind {
    word: "profile",
    resource: "/api/v1/profiles",
};
const ENDPOINTS: Kind = Kind {
    word: "endpoint",
    resource: "/api/v1/endpoints",
};

/// Roles and teams before the operators that name them.
const PEOPLE: [(Kind, &str); 3] = [
    (
        Kind {
            word: "role",
            resource: "/api/v1/roles",
        },
        "roles",
    ),
    (
        Kind {
            word: "team",
            resource: "/api/v1/teams",
        },
        "teams",
    ),
    (
        Kind {
            word: "operator",
            resource: "/api/v1/operators",
        },
        "operators",
    ),
];

pub(super) async fn run(arguments: Arguments, around: Surroundings) -> Result<Exit, CliError> {
    let client = arguments.target.client()?;
    // In this order: an endpoint names the profiles it offers, and the approval policy.
    let policies = texts(&arguments.from.join("approval-policies"), 1)?;
    let profiles = texts(&arguments.from.join("profiles"), 1)?;
    let endpoints = texts(&arguments.from.join("endpoints"), 2)?;
    let mut people = Vec::with_capacity(PEOPLE.len());
    for (kind, directory) in PEOPLE {
        people.push((kind, texts(&arguments.from.join(directory), 1)?));
    }
    let nothing = policies.is_empty() && profiles.is_empty() && endpoints.is_empty();
    if nothing && people.iter().all(|(_, found)| found.is_empty()) {
        return Err(CliError::Usage(format!(
            "{} holds no approval-policies/NAME.toml, profiles/NAME.toml, endpoints/PROTOCOL/NAME.toml, roles, teams or operators",
            arguments.from.display()
        )));
    }
    let mut applied = Vec::new();
    let kinds = [
        (APPROVAL_POLICIES, policies),
        (PROFILES, profiles),
        (ENDPOINTS, endpoints),
    ];
    for (kind, found) in kinds {
        applied.extend(publish(&client, &kind, (found, &arguments)).await?);
    }
    for (kind, found) in people.into_iter().filter(|(_, found)| !found.is_empty()) {
        applied.extend(put_in_force(&client, &kind, (found, &arguments)).await?);
    }
    around.output.show(&applied, |applied| {
        let mut table = Table::new(["KIND", "NAME", "OUTCOME", "VERSION"]);
        for one in applied {
            let version = one.version.map(|number| number.to_string()).unwrap_or_default();
            table.row([
                one.kind.to_owned(),
                one.name.clone(),
                one.outcome.to_owned(),
                version,
            ]);
        }
        table
    })?;
    Ok(Exit::Fine)
}

async fn publish(
    client: &ControlClient,
    kind: &Kind,
    (found, arguments): (Vec<(String, String)>, &Arguments),
) -> Result<Vec<Applied>, CliError> {
    let known: List<ObjectView> = client.read(kind.resource).await?;
    let mut applied = Vec::with_capacity(found.len());
    for (name, body) in found {
        let current = known.items.iter().find(|one| one.name == name);
        let (outcome, version) = match current {
            Some(current) if current.body == body => ("unchanged", Some(current.version)),
            _ if arguments.dry_run => ("would be published", None),
            _ => {
                let publication = Publication {
                    name: name.clone(),
                    body,
                    reason: arguments.reason.clone(),
                };
                let published: ObjectView = client.post(kind.resource, &publication).await?;
                ("published", Some(published.version))
            }
        };
        applied.push(Applied {
            kind: kind.word,
            name,
            outcome,
            version,
        });
    }
    Ok(applied)
}

/// The same for objects that are replaced only as they were looked at.
async fn put_in_force(
    client: &ControlClient,
    kind: &Kind,
    (found, arguments): (Vec<(String, String)>, &Arguments),
) -> Result<Vec<Applied>, CliError> {
    let known: List<InForce> = client.read(kind.resource).await?;
    let mut applied = Vec::with_capacity(found.len());
    for (name, body) in found {
        let current = known.items.iter().find(|one| one.name == name);
        let (outcome, version) = match current {
            Some(current) if current.body == body => ("unchanged", Some(current.version)),
            _ if arguments.dry_run => ("would be published", None),
            _ => {
                let path = format!("{}/{}", kind.resource, object_name(&name)?);
                let reason = arguments.reason.clone();
                let publication = Publication {
                    name: name.clone(),
                    body,
                    reason,
                };
                let published = text_object::applied(client, kind.resource, (path, publication)).await?;
                ("published", Some(published.version))
            }
        };
        applied.push(Applied {
            kind: kind.word,
            name,
            outcome,
            version,
        });
    }
    Ok(applied)
}

/// What the lists of roles, teams and operators have in common.
#[derive(serde::Deserialize)]
struct InForce {
    name: String,
    version: u32,
    body: String,
}

/// Name and text of every `.toml` file so many levels below the directory, by name. An absent directory has none.
fn texts(directory: &Path, levels: u8) -> Result<Vec<(String, String)>, CliError> {
    let entries = match std::fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => {
            return Err(CliError::File {
                path: directory.to_owned(),
                source,
            });
        }
    };
    let mut found = Vec::new();
    for entry in entries {
        let path = entry.map_err(CliError::file(directory))?.path();
        let Some(stem) = path.file_stem().and_then(|name| name.to_str()).map(str::to_owned) else {
            continue;
        };
        if levels > 1 && path.is_dir() {
            let below = texts(&path, levels - 1)?;
            found.extend(
                below
                    .into_iter()
                    .map(|(name, text)| (format!("{stem}/{name}"), text)),
            );
        } else if levels == 1 && path.extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(&path).map_err(CliError::file(&path))?;
            found.push((stem, text));
        }
    }
    found.sort();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_by_their_place() {
        let directory = tempfile::tempdir().unwrap();
        let write = |path: &str| {
            let path = directory.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, "x = 1\n").unwrap();
        };
        for path in [
            "profiles/b.toml",
            "profiles/a.toml",
            "profiles/README.md",
            "endpoints/acme/default.toml",
        ] {
            write(path);
        }
        let names =
            |found: Vec<(String, String)>| found.into_iter().map(|(name, _)| name).collect::<Vec<_>>();
        assert_eq!(
            names(texts(&directory.path().join("profiles"), 1).unwrap()),
            ["a", "b"]
        );
        assert_eq!(
            names(texts(&directory.path().join("endpoints"), 2).unwrap()),
            ["acme/default"]
        );
        assert_eq!(
            names(texts(&directory.path().join("absent"), 1).unwrap()),
            Vec::<String>::new()
        );
    }
}
