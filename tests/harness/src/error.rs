//! Why a test's surroundings could not be set up or a client did not do what it was asked to.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// What went wrong around a test; the text carries enough to understand a failure from a log alone.
#[derive(thiserror::Error)]
pub enum HarnessError {
    /// A program could not be started.
    #[error("cannot start {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program that the tests need is not installed.
    #[error(
        "{program} is not installed: run `cargo xtask test`, which installs the Debian package {package}"
    )]
    Missing {
        /// What is missing.
        program: String,
        /// The Debian package it comes in.
        package: &'static str,
    },
    /// A program ended with another status than asked for.
    #[error("{program}: {outcome}\n{output}")]
    Outcome {
        /// The program and its arguments.
        program: String,
        /// How it ended.
        outcome: String,
        /// What it printed.
        output: String,
    },
    /// Something did not happen in time.
    #[error("{what} did not happen within {limit:?}\n{detail}")]
    Late {
        /// What was waited for.
        what: String,
        /// For how long.
        limit: Duration,
        /// What is known about it.
        detail: String,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// A network operation with a server of the test failed.
    #[error("{peer}: {source}")]
    Network {
        /// The server.
        peer: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A document lacks a part that it must have.
    #[error("{document} has no {part}")]
    Absent {
        /// The document.
        document: String,
        /// The missing part.
        part: String,
    },
    /// A document cannot be read as JSON.
    #[error("{document}: {source}")]
    Json {
        /// The document.
        document: String,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// The same text as `Display`: `unwrap` in a test then shows a program's output with its line breaks.
impl fmt::Debug for HarnessError {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, formatter)
    }
}

impl HarnessError {
    /// An error about a file, for `map_err`.
    pub(crate) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
