//! The schema on PostgreSQL: its migrations, and what a database has of them.
//!
//! Several nodes may start on an empty database at once. Each looks first; whoever finds something to do takes the
//! lock of the table of versions and looks again, so that one does it and the others find it done.

use std::time::Duration;

use portreeve_ra::ports::StoreError;
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection};

use super::failure::{Failure, opening};
use crate::error::OpenError;
use crate::row::{column, number};
use crate::schema::{Migrated, Migration, SchemaStatus};

/// Written as a comment on the table of versions.
const MARK: &str = "portreeve";

/// The table of versions, with its mark. Two that make it at once fail in various ways: see [`is_race`].
const VERSION_TABLE: &str = "CREATE TABLE IF NOT EXISTS schema_version (\
    version bigint NOT NULL PRIMARY KEY, name text NOT NULL, digest bytea NOT NULL, applied_at bigint NOT NULL); \
    COMMENT ON TABLE schema_version IS 'portreeve'";

/// How often the start of a migration is tried again.
const ATTEMPTS: u32 = 10;

/// In order; the first has number 1. One that has been released is never edited.
const MIGRATIONS: &[Migration] = &[Migration {
    name: "first",
    sql: include_str!("../../migrations/postgres/0001_first.sql"),
}];

/// The newest version this program knows.
pub(crate) fn known() -> u32 {
    crate::schema::known(MIGRATIONS)
}

/// Looks without writing. Tables of extensions do not count.
pub(crate) async fn examine(connection: &mut PgConnection) -> Result<SchemaStatus, OpenError> {
    let look = "SELECT current_schema() IS NULL, obj_description(to_regclass('schema_version'), 'pg_class'), \
        (SELECT count(*) FROM pg_class c WHERE c.relnamespace = to_regnamespace(quote_ident(current_schema())) \
         AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S') AND NOT EXISTS \
         (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e'))";
    let rows = connection.fetch_all(sqlx::query(look)).await.map_err(failed)?;
    let row = rows.first().ok_or_else(nothing)?;
    let mark: Option<String> = column(row, 1)?;
    let tables: i64 = number(row, 2)?;
    if column(row, 0)? {
        return Ok(SchemaStatus::Foreign {
            reason: "search_path names no schema that there is",
        });
    }
    match mark.as_deref() {
        Some(MARK) => compare(connection).await,
        _ if tables == 0 => Ok(SchemaStatus::Empty),
        _ => Ok(SchemaStatus::Foreign {
            reason: "its schema has tables that are not ours",
        }),
    }
}

async fn compare(connection: &mut PgConnection) -> Result<SchemaStatus, OpenError> {
    let applied = sqlx::query("SELECT version, digest FROM schema_version ORDER BY version");
    let rows = connection.fetch_all(applied).await.map_err(failed)?;
    let applied: Vec<(u32, Vec<u8>)> = rows
        .iter()
        .map(|row| Ok((number(row, 0)?, column(row, 1)?)))
        .collect::<Result<_, StoreError>>()?;
    Ok(SchemaStatus::of(&applied, MIGRATIONS))
}

/// Applies what is missing, all in one transaction.
pub(crate) async fn apply(connection: &mut PgConnection) -> Result<Migrated, OpenError> {
    for attempt in 1..ATTEMPTS {
        match locked(connection).await {
            Err(Stopped::Race) => tokio::time::sleep(Duration::from_millis(20) * attempt).await,
            Err(Stopped::Failed(error)) => return Err(error),
            Ok(migrated) => return Ok(migrated),
        }
    }
    match locked(connection).await {
        Ok(migrated) => Ok(migrated),
        Err(Stopped::Failed(error)) => Err(error),
        Err(Stopped::Race) => Err(OpenError::Migration {
            number: 1,
            reason: "others migrate at the same time".to_owned(),
        }),
    }
}

enum Stopped {
    /// Another node makes the table of versions at this moment.
    Race,
    Failed(OpenError),
}

impl From<OpenError> for Stopped {
    fn from(error: OpenError) -> Self {
        Self::Failed(error)
    }
}

/// One transaction: the table of versions, its lock, a second look, and what is missing. Its end undoes it.
async fn locked(connection: &mut PgConnection) -> Result<Migrated, Stopped> {
    let mut transaction = connection.begin().await.map_err(failed)?;
    let opening = "LOCK TABLE schema_version IN ACCESS EXCLUSIVE MODE";
    for sql in [VERSION_TABLE, opening] {
        if let Err(error) = transaction.execute(sqlx::raw_sql(sql)).await {
            return Err(if is_race(&error) {
                Stopped::Race
            } else {
                failed(error).into()
            });
        }
    }
    let from = compare(&mut transaction).await?.version()?;
    for (number, migration) in (1_u32..).zip(MIGRATIONS).filter(|(number, _)| *number > from) {
        if let Err(error) = apply_one(&mut transaction, number, migration).await {
            return Err(Stopped::Failed(OpenError::Migration {
                number,
                reason: error.to_string(),
            }));
        }
    }
    transaction.commit().await.map_err(failed)?;
    Ok(Migrated { from, to: known() })
}

/// unique_violation in the catalogue, duplicate_table, "tuple concurrently updated", deadlock
fn is_race(error: &sqlx::Error) -> bool {
    let code = error.as_database_error().and_then(|error| error.code());
    matches!(code.as_deref(), Some("23505" | "42P07" | "XX000" | "40P01"))
}

/// Functions keep the search path of this moment, in which no temporary table comes first.
async fn apply_one(
    connection: &mut PgConnection,
    number: u32,
    migration: &Migration,
) -> Result<(), sqlx::Error> {
    let path = "SELECT set_config('search_path', quote_ident(current_schema()) || ', pg_temp', true)";
    connection.fetch_all(sqlx::raw_sql(path)).await?;
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(migration.sql)))
        .await?;
    sqlx::query(
        "INSERT INTO schema_version (version, name, digest, applied_at) VALUES ($1, $2, $3, store_time(NULL))",
    )
    .bind(i64::from(number))
    .bind(migration.name)
    .bind(migration.digest().to_vec())
    .execute(connection)
    .await?;
    Ok(())
}

fn failed(error: sqlx::Error) -> OpenError {
    opening(Failure::from(error))
}

fn nothing() -> OpenError {
    StoreError::Broken("the database gave no row".to_owned()).into()
}
