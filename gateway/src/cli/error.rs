//! How commands fail, and the exit codes.

use std::path::PathBuf;
use std::process::ExitCode;

use crate::config::{ConfigError, OverrideError};
use crate::control::ClientError;

/// How the program ends.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Exit {
    /// 0.
    Fine,
    /// 1.
    Failed,
    /// 2.
    Usage,
    /// 3: `doctor` has warnings.
    Warnings,
    /// 4: `doctor` has errors.
    Errors,
    /// 5: the principal may not do this.
    Denied,
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(match exit {
            Exit::Fine => 0,
            Exit::Failed => 1,
            Exit::Usage => 2,
            Exit::Warnings => 3,
            Exit::Errors => 4,
            Exit::Denied => 5,
        })
    }
}

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    /// What was typed cannot be done as typed.
    #[error("{0}")]
    Usage(String),
    /// The configuration is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A value on the command line is wrong.
    #[error(transparent)]
    Override(#[from] OverrideError),
    /// The gateway cannot be asked, or says no.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// The gateway does not start.
    #[error(transparent)]
    Start(#[from] crate::StartError),
    /// A part that the gateway cannot do without has ended.
    #[error(transparent)]
    DutyEnded(#[from] crate::running::DutyEnded),
    /// The process was asked a second time to end and did not wait any longer.
    #[error("asked again to end: stopped at once; what was under way is finished after the next start")]
    Interrupted,
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file holds something else.
    #[error("{path}: {reason}")]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// Nothing can be printed.
    #[error("cannot print: {0}")]
    Print(#[from] std::io::Error),
    /// The runtime does not start.
    #[error("cannot start: {0}")]
    Runtime(std::io::Error),
    /// Something else failed, in words.
    #[error("{0}")]
    Failed(String),
}

impl CliError {
    /// With which code the program ends.
    pub fn exit(&self) -> Exit {
        match self {
            Self::Usage(_) | Self::Override(_) => Exit::Usage,
            Self::Client(error) if error.is_denied() => Exit::Denied,
            _ => Exit::Failed,
        }
    }

    /// What to do next.
    pub fn advice(&self) -> Option<&'static str> {
        match self {
            Self::Config(_) => Some("`portreeve config schema` describes every key."),
            Self::Override(_) => Some("Write --set telemetry.log_format=json, for example."),
            Self::Client(ClientError::NotRunning { .. }) => Some(
                "Start it with `portreeve dev` or `portreeve serve`, or point --data-dir, --config or --socket at it.",
            ),
            _ => None,
        }
    }

    /// About this file.
    pub fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }
}
