//! Why an object is not changed.

use crate::access::Forbidden;
use crate::domain::{ObjectKind, Remark};
use crate::error::{Error, InternalError};

use super::{DRAFTS_MAX, GUARD};

/// Why a change of configuration was not made.
#[derive(Debug, thiserror::Error)]
pub enum ConfigurationError {
    /// The principal lacks a right.
    #[error(transparent)]
    Forbidden(#[from] Forbidden),
    /// Something else is in force than was expected.
    #[error("another version is in force than the one you looked at")]
    Condition,
    /// There is no such object in force.
    #[error("there is none with this name in force")]
    Unknown,
    /// There is no such version.
    #[error("there is no version {0}")]
    NoVersion(u32),
    /// The version is or was in force.
    #[error("version {0} is no draft: to have its text in force again, publish it as a new version")]
    NotADraft(u32),
    /// Something newer is or was in force.
    #[error("version {draft} has been overtaken by version {by}: draft it anew")]
    Overtaken {
        /// The draft.
        draft: u32,
        /// What was in force later.
        by: u32,
    },
    /// The text cannot be read, or names what is not there.
    #[error("{0}")]
    Unreadable(String),
    /// The text gives away more than it says reasons for.
    #[error("the text gives away more than is safe: {}", in_words(.0))]
    Blocked(Vec<Remark>),
    /// Nobody could agree to anything any more.
    #[error("the approval policy {GUARD} asks for people who are not there: {0}")]
    Unfulfillable(String),
    /// Objects in force name it.
    #[error("it is named by {}: change them first", .0.join(", "))]
    Named(Vec<String>),
    /// It guards every other change.
    #[error("the approval policy {GUARD} guards every change: it can be replaced, and not retired")]
    Guard,
    /// Nobody agrees to their own work.
    #[error(
        "you wrote this version or one it came from, put it in force, or it is about you: another person must agree to it"
    )]
    OwnWork,
    /// There are so many drafts that nobody looks at them.
    #[error("there are {DRAFTS_MAX} drafts newer than what is in force: publish one of them first")]
    TooManyDrafts,
    /// Objects of this kind have other ways to change.
    #[error("a {} is not changed here", .0.as_str())]
    Kind(ObjectKind),
    /// The RA.
    #[error(transparent)]
    Ra(#[from] Error),
}

impl From<InternalError> for ConfigurationError {
    fn from(error: InternalError) -> Self {
        Self::Ra(error.into())
    }
}

fn in_words(remarks: &[Remark]) -> String {
    let blocking = remarks.iter().filter(|remark| remark.blocks);
    blocking.map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
