//! What can go wrong in the RA: a refusal for the client, a wait, or a fault of ours.

use std::time::Duration;

use crate::domain::{NotPossible, RecordError, Refusal, StreamId};

/// Why a verb of the RA did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// By rule. The client may know.
    #[error("refused: {0}")]
    Refused(#[from] Refusal),
    /// Not now. The client may come back.
    #[error("unavailable, retry after {retry_after:?}")]
    Unavailable {
        /// When to come back.
        retry_after: Duration,
    },
    /// A fault of ours. The client learns only that there was one.
    #[error(transparent)]
    Internal(#[from] InternalError),
}

/// A fault that no client caused and no client may see.
#[derive(Debug, thiserror::Error)]
pub enum InternalError {
    /// A stored stream does not verify.
    #[error("stream {stream} does not verify: {reason}")]
    Tampered {
        /// Which.
        stream: StreamId,
        /// Why.
        reason: &'static str,
    },
    /// A record could not be made or read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A command came at the wrong time.
    #[error(transparent)]
    NotPossible(#[from] NotPossible),
    /// A key is missing or does not work.
    #[error(transparent)]
    Key(#[from] crate::ports::KeyError),
    /// A backend is not configured.
    #[error("no CA backend named {0}")]
    NoBackend(String),
    /// A backend cannot do its work.
    #[error("CA backend: {0}")]
    Backend(#[from] crate::ports::CaError),
    /// A published object cannot be read.
    #[error("object {name}: {reason}")]
    Object {
        /// Which.
        name: String,
        /// Why.
        reason: String,
    },
    /// The store failed in a way that waiting does not heal.
    #[error("store: {0}")]
    Store(String),
    /// An optimistic write lost every race.
    #[error("too many writers at {0}")]
    Contended(StreamId),
}

impl From<crate::ports::StoreError> for Error {
    fn from(error: crate::ports::StoreError) -> Self {
        match error {
            crate::ports::StoreError::Unavailable { retry_after } => Self::Unavailable { retry_after },
            crate::ports::StoreError::Broken(reason) => Self::Internal(InternalError::Store(reason)),
        }
    }
}

impl From<RecordError> for Error {
    fn from(error: RecordError) -> Self {
        Self::Internal(error.into())
    }
}

impl From<NotPossible> for Error {
    fn from(error: NotPossible) -> Self {
        Self::Internal(error.into())
    }
}

impl From<crate::ports::KeyError> for Error {
    fn from(error: crate::ports::KeyError) -> Self {
        Self::Internal(error.into())
    }
}
