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
mod registrations;
mod schema;
mod seals;
mod search;
mod store;
mod tasks;
mod writer;

pub use database::{Database, migrate, status};
pub(crate) use database::{READ_VALUE, audit_reader};
pub use store::SqliteStore;
