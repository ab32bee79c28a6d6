//! `portreeve profile|endpoint|approval-policy|trust-anchors …`: objects with versions, from draft to retired.

mod show;
mod write;

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use portreeve_console::{ConfigurationView, List};
use portreeve_ra::ObjectKind;
use serde::Deserialize;

use super::operator::object_name;
use super::paging::everything;
use super::request::{comment, parameter};
use super::{CliError, Exit, Surroundings, Target};
use crate::control::ControlClient;

pub(super) use write::{WriteOptions, told};

/// Objects of one kind.
#[derive(Debug, Args)]
pub(super) struct Arguments {
    #[command(flatten)]
    target: Target,
    #[command(subcommand)]
    verb: LintingVerb,
}

#[derive(Debug, Subcommand)]
enum LintingVerb {
    /// Says what publishing a text would come to, and what is to be said about it. Exit code 1 when it would be refused.
    Lint {
        /// The text, a TOML file.
        file: PathBuf,
        /// The name of the object; that of the file when it is not given.
        #[arg(long)]
        name: Option<String>,
    },
    #[command(flatten)]
    Object(Verb),
}

/// What is done with objects of any kind.
#[derive(Debug, Subcommand)]
pub(super) enum Verb {
    /// Lists those in force.
    List {
        /// Others: those with drafts, those retired, or all.
        #[arg(long, value_parser = ["in_force", "draft", "retired", "all"])]
        state: Option<String>,
    },
    /// Shows one: its state, its drafts, its text.
    Show {
        /// Its name.
        name: String,
        /// This version of it.
        #[arg(long, value_name = "NUMBER")]
        number: Option<u32>,
    },
    /// Lists its versions, the newest first: who wrote them, why, who agreed.
    Versions {
        /// Its name.
        name: String,
    },
    /// Says what changes by meaning, and whether more can be had: from the version in force to the latest, between two
    /// versions, or between two files.
    Diff {
        /// Its name; or the old and the new file.
        #[arg(num_args = 1..=2, required = true, value_names = ["NAME_OR_OLD", "NEW"])]
        what: Vec<String>,
        /// The old version.
        #[arg(long, value_name = "NUMBER")]
        from: Option<u32>,
        /// The new version.
        #[arg(long, value_name = "NUMBER")]
        to: Option<u32>,
    },
    /// Keeps a text as a draft.
    Draft {
        /// The name of the object.
        name: String,
        #[command(flatten)]
        text: TextArguments,
    },
    /// Puts a text or a draft in force, or proposes it where that must be approved.
    Publish {
        /// The name of the object.
        name: String,
        /// The text, a TOML file.
        #[arg(
            short = 'f',
            long = "from",
            value_name = "FILE",
            required_unless_present = "draft"
        )]
        from: Option<PathBuf>,
        /// The draft with this number.
        #[arg(long, value_name = "NUMBER", conflicts_with = "from")]
        draft: Option<u32>,
        #[command(flatten)]
        why: Why,
    },
    /// Agrees to the version in force, which somebody else wrote.
    Confirm {
        /// The name of the object.
        name: String,
        /// The version that you looked at.
        number: u32,
        #[command(flatten)]
        why: Why,
    },
    /// Takes it out of force.
    Retire {
        /// Its name.
        name: String,
        #[command(flatten)]
        why: Why,
    },
    /// Writes a text as it is, to a file or to the terminal.
    Export {
        /// Its name.
        name: String,
        /// This version of it.
        #[arg(long, value_name = "NUMBER")]
        number: Option<u32>,
        /// The file.
        #[arg(long = "to", value_name = "FILE")]
        to: Option<PathBuf>,
    },
    /// Puts texts in force, each under the name of its file (an endpoint: PROTOCOL/NAME.toml).
    Import {
        /// The files.
        #[arg(required = true)]
        files: Vec<PathBuf>,
        /// Keeps them as drafts.
        #[arg(long)]
        draft: bool,
        #[command(flatten)]
        why: Why,
    },
}

/// A text and why it is written.
#[derive(Debug, Args)]
pub(super) struct TextArguments {
    /// The text, a TOML file.
    #[arg(short = 'f', long = "from", value_name = "FILE")]
    from: PathBuf,
    #[command(flatten)]
    why: Why,
}

/// Why something is changed.
#[derive(Debug, Args)]
pub(super) struct Why {
    /// Why, in at most 1,024 characters; it goes into the audit log.
    #[arg(long, default_value = "", value_parser = comment)]
    reason: String,
}

/// What the lists of every kind have in common.
#[derive(Debug, Deserialize)]
pub(super) struct InForce {
    pub(super) name: String,
    pub(super) version: u32,
    pub(super) body: String,
}

/// Objects of a kind at a gateway.
#[derive(Debug)]
pub(super) struct Resource {
    pub(super) kind: ObjectKind,
    pub(super) client: ControlClient,
}

impl Resource {
    /// Where they are listed.
    pub(super) const fn path(&self) -> &'static str {
        path(self.kind)
    }

    /// Where one is found.
    pub(super) fn of(&self, name: &str) -> Result<String, CliError> {
        let parts: Vec<&str> = name.split('/').collect();
        let wanted = if self.kind == ObjectKind::Endpoint { 2 } else { 1 };
        if parts.len() != wanted {
            return Err(CliError::Usage(match self.kind {
                ObjectKind::Endpoint => format!("{name} is not of the form PROTOCOL/NAME"),
                _ => format!("{name} is not a name"),
            }));
        }
        for part in parts {
            object_name(part)?;
        }
        Ok(format!("{}/{name}", self.path()))
    }

    /// Name, version and text of everything in force, of whatever kind.
    pub(super) async fn in_force(&self) -> Result<Vec<InForce>, CliError> {
        everything(&self.client, self.path(), None).await
    }

    /// One object.
    async fn read(&self, name: &str) -> Result<ConfigurationView, CliError> {
        Ok(self.client.read(&self.of(name)?).await?)
    }

    /// Every object in this state, by name.
    async fn all(&self, state: Option<&str>) -> Result<List<ConfigurationView>, CliError> {
        let state = state.map(|state| parameter("state", state));
        Ok(List {
            items: everything(&self.client, self.path(), state).await?,
            next_cursor: None,
        })
    }
}

/// Where objects of a kind are listed.
pub(super) const fn path(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Profile => "/api/v1/profiles",
        ObjectKind::Endpoint => "/api/v1/endpoints",
        ObjectKind::ApprovalPolicy => "/api/v1/approval-policies",
        ObjectKind::TrustAnchors => "/api/v1/trust-anchors",
        ObjectKind::Role => "/api/v1/roles",
        ObjectKind::Team => "/api/v1/teams",
        ObjectKind::Operator => "/api/v1/operators",
        ObjectKind::Ca => "/api/v1/authorities",
    }
}

pub(super) async fn run(
    arguments: Arguments,
    kind: ObjectKind,
    around: Surroundings,
) -> Result<Exit, CliError> {
    match arguments.verb {
        LintingVerb::Lint { file, name } => {
            let client = arguments.target.client()?;
            let name = name.map_or_else(|| name_of(&file, kind), Ok)?;
            write::lint(&Resource { kind, client }, (name, &file), around).await
        }
        LintingVerb::Object(verb) => act((&arguments.target, kind), verb, around).await,
    }
}

/// Does what is asked with an object of this kind.
pub(super) async fn act(
    (target, kind): (&Target, ObjectKind),
    verb: Verb,
    around: Surroundings,
) -> Result<Exit, CliError> {
    // Two files are compared here, without a gateway.
    if let Verb::Diff { what, .. } = &verb
        && let [old, new] = what.as_slice()
    {
        return show::diff_of_files(kind, (Path::new(old), Path::new(new)), around);
    }
    let client = target.client()?;
    let resource = Resource { kind, client };
    match verb {
        Verb::List { state } => show::list(&resource, state.as_deref(), around).await,
        Verb::Show { name, number } => show::show(&resource, (&name, number), around).await,
        Verb::Versions { name } => show::versions(&resource, &name, around).await,
        Verb::Diff { what, from, to } => {
            let name = what.first().map(String::as_str).unwrap_or_default();
            show::diff(&resource, (name, from, to), around).await
        }
        Verb::Export { name, number, to } => {
            show::export(&resource, (&name, number, to.as_deref()), around).await
        }
        Verb::Draft { name, text } => {
            let options = WriteOptions::draft(text.why.reason);
            write::one(&resource, (name, &text.from, &options), around).await
        }
        Verb::Publish {
            name,
            from: Some(from),
            why,
            ..
        } => {
            let options = WriteOptions::publish(why.reason);
            write::one(&resource, (name, &from, &options), around).await
        }
        Verb::Publish { name, draft, why, .. } => {
            write::release(&resource, (&name, draft.unwrap_or(0), why.reason), around).await
        }
        Verb::Confirm { name, number, why } => {
            write::confirm(&resource, (&name, number, why.reason), around).await
        }
        Verb::Retire { name, why } => write::retire(&resource, (&name, &why.reason), around).await,
        Verb::Import { files, draft, why } => {
            let options = match draft {
                true => WriteOptions::draft(why.reason),
                false => WriteOptions::publish(why.reason),
            };
            write::import(&resource, (&files, &options), around).await
        }
    }
}

/// Texts are published under the names of their files; those of endpoints lie in a directory with the name of the protocol.
fn name_of(path: &Path, kind: ObjectKind) -> Result<String, CliError> {
    let text = |part: Option<&std::ffi::OsStr>| part.and_then(|part| part.to_str()).map(str::to_owned);
    let unnamed = || CliError::Usage(format!("{} does not name an object: give --name", path.display()));
    let stem = text(path.file_stem()).ok_or_else(unnamed)?;
    if kind != ObjectKind::Endpoint {
        return Ok(stem);
    }
    let path = super::target::absolute(path)?;
    let protocol = text(path.parent().and_then(Path::file_name)).ok_or_else(unnamed)?;
    Ok(format!("{protocol}/{stem}"))
}

fn read_text(path: &Path) -> Result<String, CliError> {
    std::fs::read_to_string(path).map_err(CliError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_and_paths_name_objects() {
        let rows = [
            (ObjectKind::Profile, "a/web.toml", Some("web")),
            (ObjectKind::Endpoint, "a/acme/web.toml", Some("acme/web")),
        ];
        for (kind, path, expected) in rows {
            assert_eq!(name_of(Path::new(path), kind).ok().as_deref(), expected, "{path}");
        }
        let resource = |kind| Resource {
            kind,
            client: ControlClient::new(Path::new("/nowhere")),
        };
        let rows = [
            (ObjectKind::Profile, "web", Some("/api/v1/profiles/web")),
            (ObjectKind::Profile, "acme/web", None),
            (ObjectKind::Profile, "..", None),
            (
                ObjectKind::Endpoint,
                "acme/web",
                Some("/api/v1/endpoints/acme/web"),
            ),
            (ObjectKind::Endpoint, "web", None),
            (ObjectKind::Endpoint, "acme/../web", None),
            (ObjectKind::Endpoint, "acme/?x", None),
        ];
        for (kind, name, expected) in rows {
            assert_eq!(resource(kind).of(name).ok().as_deref(), expected, "{name}");
        }
    }
}
