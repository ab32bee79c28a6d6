//! The store on PostgreSQL.

mod batch;
mod commits;
mod connect;
pub(crate) mod database;
mod documents;
mod examine;
mod failure;
mod gather;
mod patience;
mod pool;
mod read;
mod registrations;
mod roles;
mod schema;
mod seals;
mod search;
mod shown;
mod statements;
mod store;
mod tasks;
mod url;

pub use database::{CONNECTIONS, PostgresDatabase, PostgresOptions, StoreTime};
pub use examine::{Creator, ServerFacts, Verdict};
pub use roles::{ROLE_PREFIX, roles_script};
pub use statements::finding_statements;
pub use store::PostgresStore;
pub use url::{PostgresUrl, PostgresUrlError};
