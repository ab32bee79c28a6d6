//! The store on PostgreSQL.

mod batch;
mod connect;
pub(crate) mod database;
mod documents;
mod examine;
mod failure;
mod pool;
mod read;
mod schema;
mod store;
mod tasks;
mod url;

pub use database::{CONNECTIONS, PostgresDatabase, PostgresOptions, StoreTime};
pub use examine::ServerFacts;
pub use store::PostgresStore;
pub use url::{PostgresUrl, PostgresUrlError};
