//! What can go wrong, by class: the report counts errors by it.

use std::path::PathBuf;

/// Why a run cannot start, or why one issuance failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LoadError {
    /// An option contradicts another or lacks a value.
    #[error("{0}")]
    Usage(&'static str),
    /// A file could not be read.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A PEM file holds no certificate that can be used.
    #[error("{}: no usable certificate", .0.display())]
    NoCertificate(PathBuf),
    /// A socket could not be opened or broke.
    #[error("{what}: {source}")]
    Network {
        /// What for.
        what: &'static str,
        /// What the system said.
        source: std::io::Error,
    },
    /// HTTP failed below the level of answers.
    #[error("http: {0}")]
    Http(#[from] hyper::Error),
    /// There was no answer in time.
    #[error("no answer in time")]
    Timeout,
    /// The server refused.
    #[error("{status} {kind}: {detail}")]
    Problem {
        /// The HTTP status.
        status: u16,
        /// The last part of the problem type.
        kind: String,
        /// The problem's text.
        detail: String,
    },
    /// The answer lacks what RFC 8555 says it has.
    #[error("the answer has no usable {0}")]
    Answer(&'static str),
    /// An order or authorization ended in another state than wanted.
    #[error("{what} became {status}")]
    State {
        /// Which object.
        what: &'static str,
        /// Its final status.
        status: String,
    },
    /// TLS could not be set up.
    #[error("tls: {0}")]
    Tls(#[from] rustls::Error),
    /// A key or request could not be made.
    #[error("a key or request could not be made: {0}")]
    Key(String),
}

impl LoadError {
    /// The class under which it is counted.
    pub(crate) fn class(&self) -> String {
        match self {
            Self::Problem { status, kind, .. } => format!("{status} {kind}"),
            Self::State { what, status } => format!("{what} {status}"),
            Self::Answer(what) => format!("answer without {what}"),
            Self::Network { what, .. } => format!("network: {what}"),
            Self::Timeout => "timeout".to_owned(),
            Self::Http(_) => "connection broken".to_owned(),
            Self::Tls(_) => "tls".to_owned(),
            Self::Usage(_) | Self::File { .. } | Self::NoCertificate(_) | Self::Key(_) => "client".to_owned(),
        }
    }
}
