//! The schema: its migrations, and what a database has of them.

use portreeve_pkix::Timestamp;
use portreeve_pkix::digest::sha256;
use sqlx::{AssertSqlSafe, Executor, Row, SqliteConnection};

use super::failure::{opening, reading};
use super::row;
use crate::error::OpenError;

/// Written into the file's header: `Prtv`.
const APPLICATION_ID: i64 = 0x5072_7476;

const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";

struct Migration {
    name: &'static str,
    sql: &'static str,
}

/// In order; the first has number 1. One that has been released is never edited.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "first",
    sql: include_str!("../../migrations/sqlite/0001_first.sql"),
}];

/// What a database has of the schema.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum SchemaStatus {
    /// Nothing: no file, or a file without a table.
    Empty,
    /// All of it.
    Current {
        /// The version.
        version: u32,
    },
    /// The first part of it.
    Pending {
        /// The version found.
        found: u32,
        /// The version this program needs.
        known: u32,
    },
    /// More than this program knows.
    Newer {
        /// The version found.
        found: u32,
        /// The newest version this program knows.
        known: u32,
    },
    /// Something else.
    Foreign {
        /// How that shows.
        reason: &'static str,
    },
    /// A migration that was applied differs from the one this program has.
    Altered {
        /// Which.
        version: u32,
    },
}

/// What a migration run did.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Migrated {
    /// The version before; 0 for an empty database.
    pub from: u32,
    /// The version now.
    pub to: u32,
}

/// The newest version this program knows.
pub(crate) fn known() -> u32 {
    u32::try_from(MIGRATIONS.len()).unwrap_or(u32::MAX)
}

impl SchemaStatus {
    /// The version to migrate from, if this program may write to the database at all.
    pub(crate) fn version(&self) -> Result<u32, OpenError> {
        match *self {
            Self::Empty => Ok(0),
            Self::Current { version } | Self::Pending { found: version, .. } => Ok(version),
            Self::Newer { found, known } => Err(OpenError::Newer { found, known }),
            Self::Foreign { reason } => Err(OpenError::Foreign { reason }),
            Self::Altered { version } => Err(OpenError::Altered { version }),
        }
    }
}

/// Looks without writing.
pub(crate) async fn examine(connection: &mut SqliteConnection) -> Result<SchemaStatus, OpenError> {
    let tables = "SELECT (SELECT application_id FROM pragma_application_id), \
                  (SELECT count(*) FROM sqlite_schema WHERE name NOT LIKE 'sqlite\\_%' ESCAPE '\\')";
    let found = connection.fetch_one(tables).await.map_err(opening)?;
    let (application, tables): (i64, i64) = (row::column(&found, 0)?, row::column(&found, 1)?);
    match (application, tables) {
        (0, 0) => Ok(SchemaStatus::Empty),
        (APPLICATION_ID, _) => compare(connection).await,
        (0, _) => Ok(SchemaStatus::Foreign {
            reason: "it has tables that are not ours",
        }),
        _ => Ok(SchemaStatus::Foreign {
            reason: "its header names another application",
        }),
    }
}

async fn compare(connection: &mut SqliteConnection) -> Result<SchemaStatus, OpenError> {
    let applied = "SELECT version, digest FROM schema_version ORDER BY version";
    let rows = connection.fetch_all(applied).await.map_err(reading)?;
    let found = rows.last().map_or(Ok(0), |row| row::number(row, 0))?;
    if found > known() {
        return Ok(SchemaStatus::Newer {
            found,
            known: known(),
        });
    }
    for (index, (migration, row)) in MIGRATIONS.iter().zip(&rows).enumerate() {
        let number = u32::try_from(index + 1).unwrap_or(u32::MAX);
        let version: i64 = row::column(row, 0)?;
        let digest: &[u8] = row.try_get(1).map_err(reading)?;
        if version != i64::from(number) || digest != sha256(migration.sql.as_bytes()) {
            return Ok(SchemaStatus::Altered { version: number });
        }
    }
    if found < known() {
        return Ok(SchemaStatus::Pending {
            found,
            known: known(),
        });
    }
    Ok(SchemaStatus::Current { version: found })
}

/// Applies what is missing, all in one transaction.
pub(crate) async fn apply(
    connection: &mut SqliteConnection,
    from: u32,
    now: Timestamp,
) -> Result<Migrated, OpenError> {
    let failed = |number: u32| {
        move |error: sqlx::Error| OpenError::Migration {
            number,
            reason: error.to_string(),
        }
    };
    connection
        .execute("BEGIN IMMEDIATE")
        .await
        .map_err(failed(from + 1))?;
    for (number, migration) in (1_u32..).zip(MIGRATIONS).filter(|(number, _)| *number > from) {
        if let Err(error) = apply_one(connection, number, migration, now).await {
            // What has been applied so far goes with the transaction; if this fails the connection's end undoes it.
            let _ = connection.execute("ROLLBACK").await;
            return Err(failed(number)(error));
        }
    }
    connection.execute("COMMIT").await.map_err(failed(known()))?;
    Ok(Migrated { from, to: known() })
}

async fn apply_one(
    connection: &mut SqliteConnection,
    number: u32,
    migration: &Migration,
    now: Timestamp,
) -> Result<(), sqlx::Error> {
    let marker = format!("PRAGMA application_id = {APPLICATION_ID}");
    connection.execute(sqlx::raw_sql(AssertSqlSafe(marker))).await?;
    connection.execute(VERSION_TABLE).await?;
    connection.execute(sqlx::raw_sql(migration.sql)).await?;
    sqlx::query("INSERT INTO schema_version (version, name, digest, applied_at) VALUES (?, ?, ?, ?)")
        .bind(i64::from(number))
        .bind(migration.name)
        .bind(sha256(migration.sql.as_bytes()).to_vec())
        .bind(now.unix_millis())
        .execute(connection)
        .await?;
    Ok(())
}
