//! What nodes share, as one of the files that the checker reads: the tables of PostgreSQL copied into SQLite.

use std::path::Path;

use sqlx::postgres::PgRow;
use sqlx::sqlite::{SqliteArguments, SqliteConnectOptions};
use sqlx::{
    Arguments, AssertSqlSafe, Column, ColumnIndex, Connection, Executor, PgConnection, Row, SqliteConnection,
    TypeInfo,
};

use crate::FaultError;

const TABLES: [(&str, &str); 5] = [
    (
        "record",
        "sequence, kind, stream, position, header, payload_digest, salt, payload, key, signature",
    ),
    ("request", "enrollment, state"),
    ("certificate", "enrollment, serial"),
    ("task", "id, due"),
    ("installation_value", "name, value"),
];

/// Copies what the checker looks at into `portreeve.db` in a folder.
pub async fn export(url: &str, folder: &Path) -> Result<(), FaultError> {
    let mut from = PgConnection::connect(url).await?;
    let file = SqliteConnectOptions::new()
        .filename(folder.join("portreeve.db"))
        .create_if_missing(true);
    let mut to = SqliteConnection::connect_with(&file).await?;
    for (table, columns) in TABLES {
        let create = format!("CREATE TABLE {table} ({columns})");
        to.execute(AssertSqlSafe(create)).await?;
        let select = format!("SELECT {columns} FROM {table}");
        let rows = from.fetch_all(AssertSqlSafe(select)).await?;
        let marks = vec!["?"; columns.split(',').count()].join(", ");
        let insert = format!("INSERT INTO {table} ({columns}) VALUES ({marks})");
        for row in &rows {
            let query = sqlx::query_with(AssertSqlSafe(insert.clone()), values(row)?);
            query.execute(&mut to).await?;
        }
    }
    to.close().await?;
    from.close().await?;
    Ok(())
}

/// The values of a row, whatever its columns.
fn values(row: &PgRow) -> Result<SqliteArguments, FaultError> {
    let mut values = SqliteArguments::default();
    for column in row.columns() {
        let index = column.ordinal();
        let added = match column.type_info().name() {
            "INT8" => values.add(value::<Option<i64>>(row, index)?),
            "TEXT" => values.add(value::<Option<String>>(row, index)?),
            _ => values.add(value::<Option<Vec<u8>>>(row, index)?),
        };
        added.map_err(|_| FaultError::Unreadable("value"))?;
    }
    Ok(values)
}

fn value<'r, T>(row: &'r PgRow, index: usize) -> Result<T, sqlx::Error>
where
    T: sqlx::Decode<'r, sqlx::Postgres> + sqlx::Type<sqlx::Postgres>,
    usize: ColumnIndex<PgRow>,
{
    row.try_get(index)
}
