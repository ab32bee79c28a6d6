//! The store: `Store`, `Tasks`, `Documents` and `Leases` of the RA on SQLite.
//!
//! One writer task owns the only writing connection of a directory and groups what waits into one transaction,
//! each batch under a savepoint of its own; a commit is acknowledged after the group is durable. A few read-only
//! connections answer the rest, each question in one statement. The tables are described in this crate's README.

mod cursor;
mod error;
mod sealed;
mod sqlite;
mod statistics;

pub use error::OpenError;
pub use sqlite::{
    Database, Installation, MadeBy, Migrated, Options, PendingMigrations, SchemaStatus, SqliteStore, migrate,
    status,
};
pub use statistics::Statistics;
