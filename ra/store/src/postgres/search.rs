//! Searches on PostgreSQL.

use portreeve_ra::ports::StoreError;
use sqlx::postgres::PgRow;

use super::pool::{Pool, Question};
use crate::search::{Answering, Dialect, Parameter, Statement};

/// What is particular to PostgreSQL.
pub(crate) const DIALECT: Dialect = Dialect { place: "strpos" };

impl Answering for Pool {
    type Row = PgRow;

    async fn answer(&self, statement: Statement) -> Result<Vec<PgRow>, StoreError> {
        // Each query has a text of its own: it is not kept among those that are asked all the time.
        let mut question = Question::new(statement.sql).asked_once();
        for parameter in statement.parameters {
            match parameter {
                Parameter::Text(text) => question.add(text),
                Parameter::Octets(octets) => question.add(octets),
                Parameter::Number(number) => question.add(number),
            }
        }
        Ok(self.read(&question).await?)
    }
}
