//! Opening a database: the server, the schema, the installation, and raw values for what comes before any sealer.

use std::fmt;
use std::sync::Arc;
use std::time::Instant;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Clock, Sealer, StoreError};
use sqlx::postgres::PgRow;
use sqlx::{Connection, Executor, PgConnection};

use super::connect::{Server, Session};
use super::examine::{FACTS, ServerFacts, creator, facts};
use super::failure::{Failure, opening};
use super::pool::{Pool, Question};
use super::schema;
use super::store::PostgresStore;
use super::url::PostgresUrl;
use crate::audit::{AuditDatabase, KEYSET, absent};
use crate::error::OpenError;
use crate::installation::{Installation, Options, PendingMigrations};
use crate::row::{column, octets};
use crate::schema::{Migrated, SchemaStatus};
use crate::statistics::Counters;

/// Connections of one node, unless configured.
pub const CONNECTIONS: u32 = 20;

pub(crate) const READ_VALUE: &str = "SELECT value FROM installation_value WHERE name = $1";
pub(crate) const PUT_VALUE: &str = "INSERT INTO installation_value (name, value) VALUES ($1, $2) \
                                    ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING name";
const PUT_VALUE_IF_ABSENT: &str = "INSERT INTO installation_value (name, value) VALUES ($1, $2) \
                                   ON CONFLICT DO NOTHING RETURNING name";

/// Where a store on PostgreSQL has its time from.
#[derive(Clone, Default)]
pub enum StoreTime {
    /// The database's clock, the same for all nodes.
    #[default]
    Database,
    /// A clock given by a test, so that it can be moved by hand. Never in earnest: nodes would differ.
    Given(Arc<dyn Clock>),
}

impl StoreTime {
    /// What statements get: the time, or nothing for the database's own.
    pub(crate) fn given(&self) -> Option<i64> {
        match self {
            Self::Database => None,
            Self::Given(clock) => Some(clock.now().unix_millis()),
        }
    }
}

impl fmt::Debug for StoreTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Database => "Database",
            Self::Given(_) => "Given",
        })
    }
}

/// How to open a database on PostgreSQL.
#[derive(Clone)]
pub struct PostgresOptions {
    /// What holds on either engine.
    pub common: Options,
    /// Connections to the server at a time, at least 1.
    pub connections_max: u32,
    /// The store's time.
    pub time: StoreTime,
}

/// A database that is open, before there is a sealer: installation and raw values can be used.
/// [`PostgresDatabase::into_store`] makes it a store.
pub struct PostgresDatabase {
    pub(crate) server: Server,
    pub(crate) connection: PgConnection,
    pub(crate) installation: Installation,
    pub(crate) connections_max: u32,
    pub(crate) time: StoreTime,
}

impl PostgresDatabase {
    /// Opens a database: checks the schema, and applies waiting migrations if it may. Nodes that open an empty one
    /// at the same time agree on one installation.
    pub async fn open(url: &PostgresUrl, options: PostgresOptions) -> Result<Self, OpenError> {
        let server = Server::new(url);
        let mut connection = server
            .connect_patiently(Session::Serving)
            .await
            .map_err(opening)?;
        let version = schema::examine(&mut connection).await?.version()?;
        if version < schema::known() {
            if options.common.pending == PendingMigrations::Refuse {
                return Err(OpenError::Pending {
                    found: version,
                    known: schema::known(),
                });
            }
            let mut owner = server.connect_patiently(Session::Schema).await.map_err(opening)?;
            schema::apply(&mut owner).await?;
            close(owner).await;
        }
        let found = connection.fetch_all(FACTS).await;
        let found = found.map_err(|error| opening(error.into()))?;
        if let Some(creator) = found.first().map(creator).transpose()?.flatten() {
            return Err(OpenError::Rights(creator));
        }
        let installation = installation(&mut connection, &options.common).await?;
        Ok(Self {
            server,
            connection,
            installation,
            connections_max: options.connections_max,
            time: options.time,
        })
    }

    /// Which installation this is.
    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    /// A raw value. Not sealed: only for what is sealed already, or no secret.
    pub async fn value(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query(READ_VALUE).bind(name.to_owned());
        let rows = self.connection.fetch_all(query).await.map_err(Failure::from)?;
        rows.first().map(|row| column(row, 0)).transpose()
    }

    /// Writes a raw value, durable on return.
    pub async fn put_value(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.put(PUT_VALUE, name, value).await.map(|_| ())
    }

    /// Writes a raw value unless there is one; says whether it was written. Of several nodes one writes it.
    pub async fn put_value_if_absent(&mut self, name: &str, value: &[u8]) -> Result<bool, StoreError> {
        Ok(!self.put(PUT_VALUE_IF_ABSENT, name, value).await?.is_empty())
    }

    async fn put(&mut self, sql: &'static str, name: &str, value: &[u8]) -> Result<Vec<PgRow>, StoreError> {
        let query = sqlx::query(sql).bind(name.to_owned()).bind(value.to_vec());
        let rows = self.connection.fetch_all(query).await.map_err(Failure::from)?;
        Ok(rows)
    }

    /// The store in this database.
    pub fn into_store(self, sealer: Arc<dyn Sealer>) -> Arc<PostgresStore> {
        PostgresStore::new(self, sealer)
    }

    /// Closes the connection.
    pub async fn close(self) {
        close(self.connection).await;
    }
}

/// What a database has of the schema. Writes nothing.
pub(crate) async fn status(url: &PostgresUrl) -> Result<SchemaStatus, OpenError> {
    let mut connection = Server::new(url)
        .connect(Session::Serving)
        .await
        .map_err(opening)?;
    let status = schema::examine(&mut connection).await?;
    close(connection).await;
    Ok(status)
}

/// What a server says of itself; `now` is this node's time. The second answer is timed: the first makes the session warm.
pub(crate) async fn server(url: &PostgresUrl, now: impl Fn() -> Timestamp) -> Result<ServerFacts, OpenError> {
    let mut connection = Server::new(url)
        .connect(Session::Serving)
        .await
        .map_err(opening)?;
    let failed = |error: sqlx::Error| opening(error.into());
    connection.fetch_all(FACTS).await.map_err(failed)?;
    let (asked, started) = (now(), Instant::now());
    let found = connection.fetch_all(FACTS).await.map_err(failed)?;
    let latency = started.elapsed();
    close(connection).await;
    let nothing = || StoreError::Broken("the database gave no row".to_owned());
    Ok(facts(found.first().ok_or_else(nothing)?, asked, latency)?)
}

/// Applies waiting migrations. Nodes may be running: what is added does not disturb them.
pub(crate) async fn migrate(url: &PostgresUrl) -> Result<Migrated, OpenError> {
    let mut connection = Server::new(url).connect(Session::Schema).await.map_err(opening)?;
    let version = schema::examine(&mut connection).await?.version()?;
    let migrated = if version < schema::known() {
        schema::apply(&mut connection).await?
    } else {
        Migrated {
            from: version,
            to: version,
        }
    };
    close(connection).await;
    Ok(migrated)
}

async fn close(connection: PgConnection) {
    if let Err(error) = connection.close().await {
        tracing::debug!(%error, "a connection did not close cleanly");
    }
}

/// Reads the installation, or marks a database that has none.
async fn installation(connection: &mut PgConnection, options: &Options) -> Result<Installation, OpenError> {
    if let Some(found) = read_installation(connection).await? {
        return Ok(found);
    }
    let id = Installation::new_id(options.clock.now(), options.random.as_ref());
    let mark = sqlx::query(
        "INSERT INTO installation (singleton, id, made_by, created_at) VALUES (1, $1, $2, store_time(NULL)) \
         ON CONFLICT DO NOTHING",
    )
    .bind(id.to_vec())
    .bind(options.made_by.as_str());
    connection
        .fetch_all(mark)
        .await
        .map_err(|error| opening(error.into()))?;
    let missing = || StoreError::Broken("the installation was not written".to_owned()).into();
    read_installation(connection).await?.ok_or_else(missing)
}

async fn read_installation(connection: &mut PgConnection) -> Result<Option<Installation>, OpenError> {
    let query = sqlx::query("SELECT id, made_by, created_at FROM installation");
    let rows = connection
        .fetch_all(query)
        .await
        .map_err(|error| opening(error.into()))?;
    let Some(row) = rows.first() else {
        return Ok(None);
    };
    let made_by: String = column(row, 1)?;
    Ok(Some(Installation::from_row(row, &made_by)?))
}

/// The audit log of a database, with what is needed to verify it.
pub(crate) async fn audit(url: &PostgresUrl) -> Result<AuditDatabase, OpenError> {
    let pool = Pool::new(Server::new(url), 2, Arc::new(Counters::default()));
    let value = Question::new(READ_VALUE).bind(KEYSET.to_owned());
    let keyset = pool.read(&value).await.map_err(opening)?;
    let row = pool
        .read(&Question::new("SELECT id FROM installation"))
        .await
        .map_err(opening)?;
    Ok(AuditDatabase {
        keyset: column(keyset.first().ok_or_else(absent)?, 0)?,
        installation: octets(row.first().ok_or_else(absent)?, 0)?,
        log: Arc::new(pool),
    })
}
