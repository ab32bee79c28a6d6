//! A store on either engine, chosen by its URL, so that nobody above has to know which one it is.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{AuditLog, Documents, Leases, Sealer, Sealing, Store, StoreError, Tasks};

use crate::error::OpenError;
use crate::installation::{Installation, Options};
use crate::postgres::{
    self, PostgresDatabase, PostgresOptions, PostgresStore, PostgresUrl, PostgresUrlError,
};
use crate::postgres::{ServerFacts, StoreTime};
use crate::schema::{Migrated, SchemaStatus};
use crate::sqlite::{self, Database, SqliteStore};
use crate::statistics::Statistics;

/// Where the sealed key of a CA lies among the raw values of SQLite.
const KEY_PREFIX: &str = "ca-key/";

/// Why a text is no URL of a store. It never shows a password.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreUrlError {
    /// It names neither engine.
    #[error("a store is sqlite:DIRECTORY or postgres://…")]
    Scheme,
    /// It is one of PostgreSQL, and something in it is wrong.
    #[error(transparent)]
    Postgres(#[from] PostgresUrlError),
}

/// Where a store is: `sqlite:DIRECTORY` or `postgres://…`. Shown without the password.
#[derive(Clone, PartialEq, Eq)]
pub enum StoreUrl {
    /// A directory of this machine, for one process.
    Sqlite(PathBuf),
    /// A database server, for any number of nodes.
    Postgres(Box<PostgresUrl>),
}

impl StoreUrl {
    /// Reads a URL; a relative directory counts from `base`.
    pub fn parse(text: &str, base: &Path) -> Result<Self, StoreUrlError> {
        if let Some(path) = text.strip_prefix("sqlite:") {
            let path = path.strip_prefix("//").unwrap_or(path);
            return if path.is_empty() {
                Err(StoreUrlError::Scheme)
            } else {
                Ok(Self::Sqlite(base.join(path)))
            };
        }
        if text.starts_with("postgres://") || text.starts_with("postgresql://") {
            return Ok(Self::Postgres(Box::new(text.parse()?)));
        }
        Err(StoreUrlError::Scheme)
    }

    /// Opens the database; `connections_max` is for PostgreSQL.
    pub async fn open(&self, options: Options, connections_max: u32) -> Result<OpenDatabase, OpenError> {
        match self {
            Self::Sqlite(directory) => Ok(OpenDatabase::Sqlite(Box::new(
                Database::open(directory, options).await?,
            ))),
            Self::Postgres(url) => {
                let options = PostgresOptions {
                    common: options,
                    connections_max,
                    time: StoreTime::Database,
                };
                let database = PostgresDatabase::open(url, options).await?;
                Ok(OpenDatabase::Postgres(Box::new(database)))
            }
        }
    }

    /// What the database has of the schema. Writes nothing and takes no lock.
    pub async fn status(&self) -> Result<SchemaStatus, OpenError> {
        match self {
            Self::Sqlite(directory) => sqlite::status(directory).await,
            Self::Postgres(url) => postgres::database::status(url).await,
        }
    }

    /// Applies waiting migrations. SQLite must not be in use; `now` is its time.
    pub async fn migrate(&self, now: Timestamp) -> Result<Migrated, OpenError> {
        match self {
            Self::Sqlite(directory) => sqlite::migrate(directory, now).await,
            Self::Postgres(url) => postgres::database::migrate(url).await,
        }
    }

    /// What the database server says of itself; `None` when there is none. `now` is this node's time.
    pub async fn server(&self, now: impl Fn() -> Timestamp) -> Option<Result<ServerFacts, OpenError>> {
        match self {
            Self::Sqlite(_) => None,
            Self::Postgres(url) => Some(postgres::database::server(url, now).await),
        }
    }

    /// Hosts on other machines whose identity is not checked; empty without any.
    pub fn unverified_hosts(&self) -> Vec<String> {
        match self {
            Self::Sqlite(_) => Vec::new(),
            Self::Postgres(url) => url.unverified_hosts(),
        }
    }

    /// The directory of a store on SQLite.
    pub fn directory(&self) -> Option<&Path> {
        match self {
            Self::Sqlite(directory) => Some(directory),
            Self::Postgres(_) => None,
        }
    }
}

impl fmt::Display for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sqlite(directory) => write!(f, "{}", directory.display()),
            Self::Postgres(url) => url.fmt(f),
        }
    }
}

impl fmt::Debug for StoreUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A database that is open, before there is a sealer: installation and raw values can be used.
pub enum OpenDatabase {
    /// On SQLite: locked as well.
    Sqlite(Box<Database>),
    /// On PostgreSQL.
    Postgres(Box<PostgresDatabase>),
}

impl OpenDatabase {
    /// Which installation this is.
    pub const fn installation(&self) -> &Installation {
        match self {
            Self::Sqlite(database) => database.installation(),
            Self::Postgres(database) => database.installation(),
        }
    }

    /// A raw value. Not sealed: only for what is sealed already, or no secret.
    pub async fn value(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match self {
            Self::Sqlite(database) => database.value(name).await,
            Self::Postgres(database) => database.value(name).await,
        }
    }

    /// Writes a raw value unless there is one; says whether it was written. Of several nodes one writes it.
    pub async fn put_value_if_absent(&mut self, name: &str, value: &[u8]) -> Result<bool, StoreError> {
        match self {
            Self::Sqlite(database) => database.put_value_if_absent(name, value).await,
            Self::Postgres(database) => database.put_value_if_absent(name, value).await,
        }
    }

    /// The store in this database. Must be called in a tokio runtime.
    pub async fn into_store(self, sealer: Arc<dyn Sealer>) -> Result<OpenStore, OpenError> {
        Ok(match self {
            Self::Sqlite(database) => OpenStore::sqlite(database.into_store(sealer).await?),
            Self::Postgres(database) => OpenStore::postgres(database.into_store(sealer)),
        })
    }
}

#[derive(Clone)]
enum Engine {
    Sqlite(Arc<SqliteStore>),
    Postgres(Arc<PostgresStore>),
}

/// A store on either engine, as the ports of the RA and what only a gateway asks for.
#[derive(Clone)]
pub struct OpenStore {
    /// The truth.
    pub store: Arc<dyn Store>,
    /// Background work.
    pub tasks: Arc<dyn Tasks>,
    /// The private state of protocols.
    pub documents: Arc<dyn Documents>,
    /// Duties of one node at a time.
    pub leases: Arc<dyn Leases>,
    /// What is sealed.
    pub audit: Arc<dyn AuditLog>,
    /// Seals and erases.
    pub sealing: Arc<dyn Sealing>,
    engine: Engine,
}

impl OpenStore {
    /// A store on SQLite.
    pub fn sqlite(store: Arc<SqliteStore>) -> Self {
        Self {
            store: Arc::clone(&store) as _,
            tasks: Arc::clone(&store) as _,
            documents: Arc::clone(&store) as _,
            leases: Arc::clone(&store) as _,
            audit: store.audit_log(),
            sealing: Arc::clone(&store) as _,
            engine: Engine::Sqlite(store),
        }
    }

    /// A store on PostgreSQL.
    pub fn postgres(store: Arc<PostgresStore>) -> Self {
        Self {
            store: Arc::clone(&store) as _,
            tasks: Arc::clone(&store) as _,
            documents: Arc::clone(&store) as _,
            leases: Arc::clone(&store) as _,
            audit: store.audit_log(),
            sealing: Arc::clone(&store) as _,
            engine: Engine::Postgres(store),
        }
    }

    /// Which installation this is.
    pub fn installation(&self) -> &Installation {
        match &self.engine {
            Engine::Sqlite(store) => store.installation(),
            Engine::Postgres(store) => store.installation(),
        }
    }

    /// The sealed key of a CA.
    pub async fn sealed_key(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        match &self.engine {
            Engine::Sqlite(store) => store.value(&format!("{KEY_PREFIX}{name}")).await,
            Engine::Postgres(store) => store.sealed_key(name).await,
        }
    }

    /// Keeps the sealed key of a CA, durable on return.
    pub async fn put_sealed_key(&self, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
        match &self.engine {
            Engine::Sqlite(store) => store.put_value(&format!("{KEY_PREFIX}{name}"), sealed).await,
            Engine::Postgres(store) => store.put_sealed_key(name, sealed).await,
        }
    }

    /// What this node has written since the store was opened.
    pub fn statistics(&self) -> Statistics {
        match &self.engine {
            Engine::Sqlite(store) => store.statistics(),
            Engine::Postgres(store) => store.statistics(),
        }
    }

    /// What the database server says of itself; `None` when there is none. `now` is this node's time.
    pub async fn server(&self, now: impl Fn() -> Timestamp) -> Option<Result<ServerFacts, StoreError>> {
        match &self.engine {
            Engine::Sqlite(_) => None,
            Engine::Postgres(store) => Some(store.server(now).await),
        }
    }

    /// Returns when the store has ended by itself: it writes no more, and the process should end. Where nothing runs
    /// beside its callers, it never returns.
    pub async fn ended(&self) {
        match &self.engine {
            Engine::Sqlite(store) => store.ended().await,
            Engine::Postgres(_) => std::future::pending().await,
        }
    }

    /// Finishes what is under way and closes the database. Commits from now on are turned away.
    pub async fn close(&self) {
        match &self.engine {
            Engine::Sqlite(store) => store.close().await,
            Engine::Postgres(store) => store.close().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_name_an_engine() {
        let base = Path::new("/data");
        let rows = [
            ("relative", "sqlite:store", Some("/data/store")),
            ("absolute", "sqlite:/srv/store", Some("/srv/store")),
            ("with slashes", "sqlite:///srv/store", Some("/srv/store")),
            (
                "a server",
                "postgres://u:secret@h/db",
                Some("postgres://u@h:5432/db"),
            ),
            ("no directory", "sqlite:", None),
            ("another engine", "mysql://h/db", None),
            ("a server without a database", "postgres://h", None),
        ];
        for (name, text, shown) in rows {
            let found = StoreUrl::parse(text, base).ok().map(|url| url.to_string());
            assert_eq!(found.as_deref(), shown, "{name}");
        }
    }
}
