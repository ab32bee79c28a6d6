//! What can keep a task from being carried out, as opposed to a test that fails.

use std::path::PathBuf;

/// Why a task could not be carried out.
#[derive(Debug, thiserror::Error)]
pub(crate) enum XtaskError {
    /// A program could not be started or its output not be read.
    #[error("cannot run {program}: {source}")]
    Start {
        /// The program.
        program: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A program that had to succeed did not.
    #[error("{program} failed ({status})")]
    Failed {
        /// The program and its first arguments.
        program: String,
        /// How it ended.
        status: std::process::ExitStatus,
    },
    /// A file or folder could not be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which one.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Programs are missing that only an administrator can install.
    #[error("missing: {missing}. Install with:\n    {command}")]
    NeedsAdministrator {
        /// What was not found.
        missing: String,
        /// The command to run as root.
        command: String,
    },
    /// Programs are missing and this is not a Debian system.
    #[error("missing: {missing}. There is no apt-get here: install them in your system's own way")]
    NoPackageTool {
        /// What was not found.
        missing: String,
    },
    /// No Python that can create virtual environments was found.
    #[error(
        "no python3 with the modules venv and ensurepip was found, not even after installing python3-venv"
    )]
    NoPython,
    /// The compiler did not name its host.
    #[error("`rustc -vV` names no host")]
    NoHost,
    /// A fuzz target that does not exist was asked for.
    #[error("there is no fuzz target {0}")]
    NoFuzzTarget(String),
}
