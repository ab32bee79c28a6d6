//! The schema on SQLite: its migrations, and what a database has of them.

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::StoreError;
use sqlx::{AssertSqlSafe, Executor, SqliteConnection};

use super::failure::{opening, reading};
use crate::error::OpenError;
use crate::row;
use crate::schema::{Migrated, Migration, SchemaStatus};

/// Written into the file's header: `Prtv`.
const APPLICATION_ID: i64 = 0x5072_7476;

const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
    version INTEGER NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest BLOB NOT NULL, applied_at INTEGER NOT NULL) STRICT";

/// In order; the first has number 1. One that has been released is never edited.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "first",
    sql: include_str!("../../migrations/sqlite/0001_first.sql"),
}];

/// The newest version this program knows.
pub(crate) fn known() -> u32 {
    crate::schema::known(MIGRATIONS)
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
    let applied: Vec<(u32, Vec<u8>)> = rows
        .iter()
        .map(|row| Ok((row::number(row, 0)?, row::column(row, 1)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(SchemaStatus::of(&applied, MIGRATIONS))
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
        .bind(migration.digest().to_vec())
        .bind(now.unix_millis())
        .execute(connection)
        .await?;
    Ok(())
}
