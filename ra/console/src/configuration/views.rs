//! What is shown of objects, their versions and what is said about them.

use portreeve_pkix::Timestamp;
use portreeve_ra::{ObjectHistory, ObjectVersion, Remark, Revision};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// An object, in force or not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ConfigurationView {
    /// Its name.
    pub name: String,
    /// `in_force`, `draft` when nothing ever was, or `retired`.
    pub state: String,
    /// The version in force, or that was last, or the latest draft.
    pub version: u32,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Its text, TOML.
    pub body: String,
    /// Drafts that are newer than what is or was in force.
    pub drafts: Vec<u32>,
    /// Who wrote it or what it came from, and was not confirmed by another person: they do not decide on requests here.
    pub unconfirmed_authors: Vec<String>,
}

/// A version of an object, and how it came to be.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct VersionView {
    /// The name of the object.
    pub name: String,
    /// The number of the version.
    pub version: u32,
    /// `in_force`, `draft`, `overtaken` (a draft older than what came in force), `replaced`, or `retired`.
    pub state: String,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Who wrote it.
    pub written_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub written_at: Timestamp,
    /// Why.
    pub reason: String,
    /// Where people decide or decided on it.
    pub proposal: Option<String>,
    /// Who put it in force; with the last approval, where it was approved.
    pub released_by: Option<String>,
    /// When.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub released_at: Option<Timestamp>,
    /// Whether others agreed before it came in force.
    pub approved: bool,
    /// Who agreed to it, beforehand or later.
    pub agreed: Vec<AssentView>,
    /// Its text, TOML; only when one version is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// That somebody agreed.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct AssentView {
    /// Who.
    pub by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
}

/// Something that whoever puts a text in force should know.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RemarkView {
    /// A stable word.
    pub code: String,
    /// Whether the text must not be in force as it is.
    pub blocks: bool,
    /// What was found.
    pub text: String,
    /// What to do about it.
    pub remedy: String,
    /// Why it is right here, where the text says so.
    pub reason: Option<String>,
}

impl From<&Remark> for RemarkView {
    fn from(remark: &Remark) -> Self {
        Self {
            code: remark.code.to_owned(),
            blocks: remark.blocks,
            text: remark.text.clone(),
            remedy: remark.remedy.to_owned(),
            reason: remark.reason.clone(),
        }
    }
}

/// What changes between two versions, by meaning.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiffView {
    /// The old version; 0 when there is none.
    pub from: u32,
    /// The new version.
    pub to: u32,
    /// Whether somebody may get by the new one what nobody gets by the old one.
    pub widens: bool,
    /// Every difference.
    pub changes: Vec<DiffEntry>,
}

/// One difference.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DiffEntry {
    /// The key, dotted.
    pub path: String,
    /// What it was.
    pub old: Option<String>,
    /// What it is.
    pub new: Option<String>,
    /// `widens`, `narrows` or `neutral`.
    pub direction: String,
}

/// What is shown of an object; `None` when it never had a version.
pub(super) fn object(history: &ObjectHistory) -> Option<ConfigurationView> {
    let current = history.current();
    let (state, version) = match (current, history.latest_released()) {
        (Some(current), _) => ("in_force", current),
        (None, Some(last)) => ("retired", last),
        (None, None) => ("draft", &history.revisions().last()?.object),
    };
    let authors = current.map(|current| history.unconfirmed_authors(current.version));
    Some(ConfigurationView {
        name: version.name.clone(),
        state: state.to_owned(),
        version: version.version,
        sha256: digest(version),
        body: version.body.clone(),
        drafts: history.drafts().map(|draft| draft.object.version).collect(),
        unconfirmed_authors: authors
            .unwrap_or_default()
            .into_iter()
            .map(ToString::to_string)
            .collect(),
    })
}

/// What is shown of a version, without its text.
pub(super) fn version(history: &ObjectHistory, revision: &Revision) -> VersionView {
    let Revision {
        object,
        written,
        proposal,
        released,
        agreed,
    } = revision;
    VersionView {
        name: object.name.clone(),
        version: object.version,
        state: state(history, revision).to_owned(),
        sha256: digest(object),
        written_by: written.by.to_string(),
        written_at: written.at,
        reason: written.reason.clone(),
        proposal: proposal.map(|id| id.to_string()),
        released_by: released.as_ref().map(|release| release.deed.by.to_string()),
        released_at: released.as_ref().map(|release| release.deed.at),
        approved: released.as_ref().is_some_and(|release| release.approved),
        agreed: agreed
            .iter()
            .map(|assent| AssentView {
                by: assent.by.to_string(),
                at: assent.at,
            })
            .collect(),
        body: None,
    }
}

fn state(history: &ObjectHistory, revision: &Revision) -> &'static str {
    let number = revision.object.version;
    let last = history.latest_released().map(|object| object.version);
    match (&revision.released, last) {
        (None, Some(last)) if last > number => "overtaken",
        (None, _) => "draft",
        (Some(_), Some(last)) if last == number && history.retired().is_some() => "retired",
        (Some(_), Some(last)) if last == number => "in_force",
        (Some(_), _) => "replaced",
    }
}

fn digest(version: &ObjectVersion) -> String {
    hex::encode(version.digest())
}
