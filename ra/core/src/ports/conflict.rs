//! Why the store did not do what it was asked.

use std::time::Duration;

use super::store::{DocumentId, Space};
use crate::domain::{ClaimKey, StreamId, TaskId};

/// Why the store did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Down, full or busy: come back.
    #[error("store is not available")]
    Unavailable {
        /// When.
        retry_after: Duration,
    },
    /// A row cannot be read, or the schema is not ours.
    #[error("store is broken: {0}")]
    Broken(String),
}

/// What stood in the way of a commit. Nothing of the batch was written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Conflict {
    /// The stream has a record at this position already.
    Stream(StreamId),
    /// The claim is taken and still live.
    Claim(ClaimKey),
    /// The reservation is taken.
    Reservation(Space),
    /// The document has another version, or exists already.
    Document(DocumentId),
    /// A unique key of a document is taken.
    DocumentKey(&'static str),
    /// A one-time value was spent before.
    Spent,
    /// The task is leased to somebody else, or done.
    Fence(TaskId),
}

/// Why a batch was not committed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CommitError {
    /// Somebody was faster.
    #[error("conflict: {0:?}")]
    Conflict(Conflict),
    /// The store failed. Whether a commit that was under way took effect is not known for `Unavailable`;
    /// everything in a batch is written so that doing it again is either the same or a conflict.
    #[error(transparent)]
    Store(#[from] StoreError),
}
