//! Searches on SQLite.

use portreeve_ra::ports::StoreError;
use sqlx::AssertSqlSafe;
use sqlx::sqlite::SqliteRow;

use super::readers::Readers;
use crate::search::{Answering, Dialect, Parameter, Statement};

/// What is particular to SQLite.
pub(crate) const DIALECT: Dialect = Dialect { place: "instr" };

impl Answering for Readers {
    type Row = SqliteRow;

    async fn answer(&self, statement: Statement) -> Result<Vec<SqliteRow>, StoreError> {
        // Each query has a text of its own: it is not kept among those that are asked all the time.
        let mut question = sqlx::query(AssertSqlSafe(statement.sql)).persistent(false);
        for parameter in statement.parameters {
            question = match parameter {
                Parameter::Text(text) => question.bind(text),
                Parameter::Octets(octets) => question.bind(octets),
                Parameter::Number(number) => question.bind(number),
            };
        }
        self.rows(question).await
    }
}
