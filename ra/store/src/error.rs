//! Why a store does not open.

use std::path::PathBuf;

use portreeve_ra::ports::StoreError;

use crate::postgres::Creator;

/// Why a store does not open. Nothing was changed, except by [`OpenError::Migration`] and [`OpenError::Store`],
/// after which the schema is either as before or complete.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has the directory open.
    #[error(
        "{} is in use by another process: stop that process, or give this one a directory of its own",
        directory.display()
    )]
    Locked {
        /// The directory.
        directory: PathBuf,
    },
    /// The directory or a file in it cannot be made or opened.
    #[error("cannot open {}", path.display())]
    Directory {
        /// What cannot be opened.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database was written by a newer version of this program.
    #[error("the database has schema version {found}, this program knows {known}: run the newer program")]
    Newer {
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// The file has tables of somebody else, or is no database.
    #[error("the database belongs to another program: {reason}")]
    Foreign {
        /// How that shows.
        reason: &'static str,
    },
    /// A migration that was applied is not the one this program has.
    #[error("schema version {version} was not made by this program's migration of that number")]
    Altered {
        /// Which.
        version: u32,
    },
    /// Migrations wait to be applied.
    #[error("the database has schema version {found}, {known} is needed: run `portreeve migrate apply`")]
    Pending {
        /// The version found; 0 for an empty database.
        found: u32,
        /// The version needed.
        known: u32,
    },
    /// A migration failed and was rolled back.
    #[error("migration {number} failed: {reason}")]
    Migration {
        /// Which.
        number: u32,
        /// Why.
        reason: String,
    },
    /// The database server cannot be reached, does not let us in, or cannot be written to.
    #[error("the database cannot be used: {reason}")]
    Unreachable {
        /// Why; no credentials.
        reason: String,
    },
    /// The role of this node has rights that it should not have.
    #[error(transparent)]
    Rights(#[from] Creator),
    /// The database does not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
}
