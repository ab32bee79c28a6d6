//! Opening a database: the lock, the schema, the installation, and raw values for what comes before any sealer.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Clock, Sealer, StoreError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};

use super::directory::{DATABASE, HeldDirectory};
use super::failure::{opening, reading};
use super::readers::Readers;
use super::schema;
use super::store::SqliteStore;
use crate::error::OpenError;
use crate::installation::{Installation, Options, PendingMigrations};
use crate::row::column;
use crate::schema::{Migrated, SchemaStatus};

/// How long a connection waits for another process, for example one that makes a backup.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);

/// Pages in the write-ahead log at which a commit makes a checkpoint by itself: a net under `checkpoint`.
const AUTOCHECKPOINT_PAGES: &str = "16000";

/// Octets of the write-ahead log that are kept when it starts over.
const LOG_SIZE_KEPT: &str = "67108864";

pub(crate) const READ_VALUE: &str = "SELECT value FROM installation_value WHERE name = ?";
pub(crate) const PUT_VALUE: &str = "INSERT INTO installation_value (name, value) VALUES (?, ?) \
                                    ON CONFLICT (name) DO UPDATE SET value = excluded.value";
pub(crate) const PUT_VALUE_IF_ABSENT: &str = "INSERT INTO installation_value (name, value) VALUES (?, ?) \
                                              ON CONFLICT DO NOTHING";

/// A database that is open and locked, before there is a sealer: installation and raw values can be used.
/// [`Database::into_store`] makes it a store.
pub struct Database {
    pub(crate) held: HeldDirectory,
    pub(crate) connection: SqliteConnection,
    pub(crate) installation: Installation,
    pub(crate) clock: Arc<dyn Clock>,
}

impl Database {
    /// Opens the database in a directory, made if it is missing: takes the lock, checks the schema and applies
    /// waiting migrations if it may.
    pub async fn open(directory: &Path, options: Options) -> Result<Self, OpenError> {
        let held = HeldDirectory::take(directory)?;
        let now = options.clock.now();
        let mut connection = writing(&held).connect().await.map_err(opening)?;
        let status = schema::examine(&mut connection).await?;
        let version = status.version()?;
        let missing = version < schema::known();
        if missing && options.pending == PendingMigrations::Refuse {
            return Err(OpenError::Pending {
                found: version,
                known: schema::known(),
            });
        }
        connection
            .fetch_all("PRAGMA journal_mode = WAL")
            .await
            .map_err(reading)?;
        if missing {
            schema::apply(&mut connection, version, now).await?;
        }
        let installation = installation(&mut connection, &options).await?;
        Ok(Self {
            held,
            connection,
            installation,
            clock: options.clock,
        })
    }

    /// Which installation this is.
    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    /// A raw value. Not sealed: only for what is sealed already, or no secret.
    pub async fn value(&mut self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query(READ_VALUE).bind(name.to_owned());
        let row = query
            .fetch_optional(&mut self.connection)
            .await
            .map_err(reading)?;
        row.map(|row| column(&row, 0)).transpose()
    }

    /// Writes a raw value, durable on return.
    pub async fn put_value(&mut self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        self.put(PUT_VALUE, name, value).await.map(|_| ())
    }

    /// Writes a raw value unless there is one; says whether it was written.
    pub async fn put_value_if_absent(&mut self, name: &str, value: &[u8]) -> Result<bool, StoreError> {
        Ok(self.put(PUT_VALUE_IF_ABSENT, name, value).await? > 0)
    }

    async fn put(&mut self, sql: &'static str, name: &str, value: &[u8]) -> Result<u64, StoreError> {
        let query = sqlx::query(sql).bind(name.to_owned()).bind(value.to_vec());
        let done = query.execute(&mut self.connection).await.map_err(reading)?;
        Ok(done.rows_affected())
    }

    /// The store in this database. Must be called in a tokio runtime: the writer is a task of it.
    pub async fn into_store(self, sealer: Arc<dyn Sealer>) -> Result<Arc<SqliteStore>, OpenError> {
        SqliteStore::new(self, sealer).await
    }

    /// Closes the database and gives up the lock.
    pub async fn close(self) -> Result<(), StoreError> {
        self.connection.close().await.map_err(reading)
    }
}

/// What the database in a directory has of the schema. Writes nothing and takes no lock.
pub async fn status(directory: &Path) -> Result<SchemaStatus, OpenError> {
    let file = directory.join(DATABASE);
    match std::fs::metadata(&file) {
        Ok(metadata) if metadata.len() > 0 => {}
        Ok(_) => return Ok(SchemaStatus::Empty),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(SchemaStatus::Empty),
        Err(source) => return Err(OpenError::Directory { path: file, source }),
    }
    let options = SqliteConnectOptions::new()
        .filename(&file)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT);
    let mut connection = options
        .disable_statement_logging()
        .connect()
        .await
        .map_err(opening)?;
    let status = schema::examine(&mut connection).await?;
    connection.close().await.map_err(reading)?;
    Ok(status)
}

/// Applies waiting migrations to the database in a directory, which must not be in use.
pub async fn migrate(directory: &Path, now: Timestamp) -> Result<Migrated, OpenError> {
    let held = HeldDirectory::take(directory)?;
    let mut connection = writing(&held).connect().await.map_err(opening)?;
    let version = schema::examine(&mut connection).await?.version()?;
    let migrated = if version < schema::known() {
        schema::apply(&mut connection, version, now).await?
    } else {
        Migrated {
            from: version,
            to: version,
        }
    };
    connection.close().await.map_err(reading)?;
    Ok(migrated)
}

/// A connection that writes. The journal mode is not among its settings: it is written into the file, and is only
/// set once the file is known to be ours.
pub(crate) fn writing(held: &HeldDirectory) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(held.database())
        .create_if_missing(false)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("wal_autocheckpoint", AUTOCHECKPOINT_PAGES)
        .pragma("journal_size_limit", LOG_SIZE_KEPT)
        .pragma("cache_size", "-32000")
        .pragma("temp_store", "MEMORY")
        .pragma("trusted_schema", "OFF")
        .statement_cache_capacity(256)
        .row_buffer_size(256)
        .thread_name(|_| "store-writer".to_owned())
        .disable_statement_logging()
}

/// A connection that reads.
pub(crate) fn reader(held: &HeldDirectory) -> SqliteConnectOptions {
    reading_from(&held.database())
}

/// Readers of the database in a directory, whether or not it is in use.
pub(crate) async fn audit_reader(directory: &Path) -> Result<Readers, OpenError> {
    let file = directory.join(DATABASE);
    if let Err(source) = std::fs::metadata(&file) {
        return Err(OpenError::Directory { path: file, source });
    }
    Ok(Readers::open(reading_from(&file)).await?)
}

fn reading_from(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .read_only(true)
        .busy_timeout(BUSY_TIMEOUT)
        .pragma("trusted_schema", "OFF")
        .statement_cache_capacity(256)
        .row_buffer_size(256)
        .thread_name(|_| "store-reader".to_owned())
        .disable_statement_logging()
}

/// Reads the installation, or marks a database that has none.
async fn installation(
    connection: &mut SqliteConnection,
    options: &Options,
) -> Result<Installation, OpenError> {
    if let Some(found) = read_installation(connection).await? {
        return Ok(found);
    }
    // Chance is asked for only now: its first octets cost tens of milliseconds, and most starts need none here.
    let now = options.clock.now();
    let id = Installation::new_id(now, options.random.as_ref());
    sqlx::query(
        "INSERT INTO installation (singleton, id, made_by, created_at) VALUES (1, ?, ?, ?) \
         ON CONFLICT DO NOTHING",
    )
    .bind(id.to_vec())
    .bind(options.made_by.as_str())
    .bind(now.unix_millis())
    .execute(&mut *connection)
    .await
    .map_err(reading)?;
    let missing = || StoreError::Broken("the installation was not written".to_owned()).into();
    read_installation(connection).await?.ok_or_else(missing)
}

async fn read_installation(connection: &mut SqliteConnection) -> Result<Option<Installation>, OpenError> {
    let query = "SELECT id, made_by, created_at FROM installation";
    let Some(row) = connection.fetch_optional(query).await.map_err(reading)? else {
        return Ok(None);
    };
    Ok(Some(Installation::from_row(&row, column(&row, 1)?)?))
}
