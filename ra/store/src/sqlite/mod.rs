//! The store on SQLite.

mod batch;
mod checkpoint;
mod database;
mod directory;
mod documents;
#[cfg(test)]
mod explain;
mod failure;
mod gather;
mod plan;
mod projections;
mod read;
mod readers;
mod row;
mod schema;
mod store;
mod tasks;
mod writer;

pub use database::{Database, Installation, MadeBy, Options, PendingMigrations, migrate, status};
pub use schema::{Migrated, SchemaStatus};
pub use store::SqliteStore;
