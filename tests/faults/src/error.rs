//! Why a fault could not be made or its effects not be seen.

use std::time::Duration;

use portreeve_harness::HarnessError;
use portreeve_ra::RecordError;

/// What went wrong around a fault.
#[derive(Debug, thiserror::Error)]
pub enum FaultError {
    /// The gateway's process.
    #[error(transparent)]
    Harness(#[from] HarnessError),
    /// The database as rows.
    #[error("database: {0}")]
    Database(#[from] sqlx::Error),
    /// What the server told a client.
    #[error("ACME: {0}")]
    Acme(#[from] instant_acme::Error),
    /// A row that is no record.
    #[error("record: {0}")]
    Record(#[from] RecordError),
    /// A file, a process or a socket.
    #[error("{what}: {source}")]
    System {
        /// What was tried.
        what: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A certification request that cannot be made.
    #[error("request: {0}")]
    Request(#[from] rcgen::Error),
    /// TLS that cannot be set up.
    #[error("TLS: {0}")]
    Tls(#[from] rustls::Error),
    /// Something that must be there is not.
    #[error("no {0}")]
    Absent(String),
    /// Octets are not what they should be.
    #[error("{0} cannot be read")]
    Unreadable(&'static str),
    /// An order came to an end without a certificate.
    #[error("order {url} ended as {status}")]
    Ended {
        /// The order.
        url: String,
        /// Its status and error.
        status: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
    },
}

impl FaultError {
    /// An error of the system, for `map_err`.
    pub(crate) fn system(what: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        let what = what.into();
        move |source| Self::System { what, source }
    }
}
