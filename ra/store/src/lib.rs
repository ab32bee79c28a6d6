//! The store: `Store`, `Tasks`, `Documents` and `Leases` of the RA, on SQLite and on PostgreSQL.
//!
//! On SQLite one writer task owns the only writing connection of a directory and groups what waits into one
//! transaction. On PostgreSQL a commit is one statement, and any number of nodes share a database. Either way a commit
//! is acknowledged after it is durable, and each question is one statement. The tables are described in this crate's
//! README.

mod audit;
mod condition;
mod cursor;
mod error;
mod installation;
mod names;
mod open;
mod postgres;
mod row;
mod rows;
mod schema;
mod sealed;
mod seals;
mod search;
mod sqlite;
mod statistics;

pub use audit::AuditDatabase;
pub use error::OpenError;
pub use installation::{Installation, MadeBy, Options, PendingMigrations};
pub use open::{OpenDatabase, OpenStore, StoreUrl, StoreUrlError};
pub use postgres::{
    CONNECTIONS, Creator, PostgresDatabase, PostgresOptions, PostgresStore, PostgresUrl, PostgresUrlError,
    ROLE_PREFIX, ServerFacts, StoreTime, Verdict, finding_statements, roles_script,
};
pub use schema::{Migrated, SchemaStatus};
pub use sqlite::{Database, SqliteStore, migrate, status};
pub use statistics::Statistics;
