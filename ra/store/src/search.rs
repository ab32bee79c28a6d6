//! Searches as SQL, the same on either engine but for the name of one function.
//!
//! A statement reads a bounded number of rows along one index, as the plan says, and compares each with the whole
//! expression until a page is full. Words of the statement come from here; every value of a query, whatever it is, is a
//! parameter.

use std::future::Future;

use portreeve_pkix::Timestamp;
use portreeve_ra::EnrollmentId;
use portreeve_ra::ports::{CertificateRow, Found, RequestRow, Scan, StoreError};
use portreeve_ra::search::{Among, Drive, Field, Position, Range, Way};

use crate::condition::{Conditions, column};
use crate::cursor;
use crate::names;
use crate::row::{Columns, octets, time};
use crate::rows;

/// Rows that one search looks at, at most.
pub(crate) const BUDGET: usize = 2_000;

/// What an engine calls the function that finds text in text and says where.
#[derive(Copy, Clone, Debug)]
pub(crate) struct Dialect {
    pub(crate) place: &'static str,
}

/// A value of a statement.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Parameter {
    Text(String),
    Octets(Vec<u8>),
    Number(i64),
}

/// A statement with its values, in the order of their numbers.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Statement {
    pub(crate) sql: String,
    pub(crate) parameters: Vec<Parameter>,
}

/// Who answers statements.
pub(crate) trait Answering {
    /// A row of an answer.
    type Row: Columns + Send + Sync;

    /// The rows that answer a statement which is asked once.
    fn answer(&self, statement: Statement)
    -> impl Future<Output = Result<Vec<Self::Row>, StoreError>> + Send;
}

/// Certificates of which an expression is true.
pub(crate) async fn certificates<A: Answering + Sync>(
    answering: &A,
    dialect: Dialect,
    scan: &Scan<'_>,
) -> Result<Found<CertificateRow>, StoreError> {
    let place = |row: &CertificateRow| match &scan.plan.drive {
        Drive::Between(field, ..) => Position::Time(row.time_of(*field), row.enrollment),
        _ => Position::Enrollment(row.enrollment),
    };
    let statements = Statements::of((dialect, Among::Certificates), scan);
    find(answering, scan, statements, (rows::certificate, place)).await
}

/// Requests of which an expression is true.
pub(crate) async fn requests<A: Answering + Sync>(
    answering: &A,
    dialect: Dialect,
    scan: &Scan<'_>,
) -> Result<Found<RequestRow>, StoreError> {
    let place = |row: &RequestRow| Position::Enrollment(row.enrollment);
    let statements = Statements::of((dialect, Among::Requests), scan);
    find(answering, scan, statements, (rows::request, place)).await
}

/// Reads a row.
type Read<R, T> = fn(&R) -> Result<T, StoreError>;

trait TimeOf {
    fn time_of(&self, field: Field) -> Timestamp;
}

impl TimeOf for CertificateRow {
    fn time_of(&self, field: Field) -> Timestamp {
        match field {
            Field::Expires => self.not_after,
            Field::Revoked => self.revoked.map_or(Timestamp::default(), |(_, since)| since),
            _ => self.issued_at,
        }
    }
}

async fn find<A: Answering + Sync, T>(
    answering: &A,
    scan: &Scan<'_>,
    statements: Statements,
    (read, place): (Read<A::Row, T>, impl Fn(&T) -> Position),
) -> Result<Found<T>, StoreError> {
    let rows = answering.answer(statements.rows).await?;
    let mut items = rows.iter().map(read).collect::<Result<Vec<T>, StoreError>>()?;
    let size = cursor::page_size(scan.limit);
    let is_full = items.len() > size;
    items.truncate(size);
    let last = items.last().map(place);
    if is_full || scan.expression.is_none() {
        let next = last.filter(|_| is_full);
        return Ok(Found { items, next });
    }
    // All rows that may be looked at have been: it goes on behind the last of them, if there are that many.
    let ends = answering.answer(statements.end).await?;
    let end = ends.first().map(|row| end_of(row, scan)).transpose()?;
    let next = end.map(|end| last.map_or(end, |last| further(end, last, scan)));
    Ok(Found { items, next })
}

fn end_of(row: &impl Columns, scan: &Scan<'_>) -> Result<Position, StoreError> {
    let enrollment = EnrollmentId::from_bytes(octets(row, 0)?);
    Ok(if scan.plan.is_by_time() {
        Position::Time(time(row, 1)?, enrollment)
    } else {
        Position::Enrollment(enrollment)
    })
}

/// Whichever comes later in the list. The end was looked up after the rows, and rows may have come in between.
fn further(one: Position, other: Position, scan: &Scan<'_>) -> Position {
    let key = |position: Position| match position {
        Position::Enrollment(id) => (Timestamp::default(), id),
        Position::Time(at, id) => (at, id),
    };
    let rising = matches!(scan.plan.drive, Drive::Between(_, _, Way::Rising));
    if (key(one) < key(other)) == rising {
        other
    } else {
        one
    }
}

/// The statements of one search.
struct Statements {
    /// The rows: one more than the page has, if there are.
    rows: Statement,
    /// The last row that may be looked at, if there are that many.
    end: Statement,
}

impl Statements {
    fn of((dialect, among): (Dialect, Among), scan: &Scan<'_>) -> Self {
        let columns = match among {
            Among::Certificates => rows::CERTIFICATE,
            Among::Requests => rows::REQUEST,
        };
        let mut conditions = Conditions::new(dialect, among, scan.now);
        let window = Window::of(&mut conditions, among, scan);
        let keys = match &window.time {
            Some(time) => format!("c.enrollment, c.{time}"),
            None => "c.enrollment".to_owned(),
        };
        let end = format!(
            "SELECT {keys} FROM {} WHERE {} ORDER BY {} LIMIT 1 OFFSET {}",
            window.from,
            window.condition,
            window.order,
            BUDGET - 1
        );
        let end = Statement {
            sql: end,
            parameters: conditions.parameters().to_vec(),
        };
        let inner = columns
            .split(", ")
            .map(|column| format!("c.{}", column.trim()))
            .collect::<Vec<_>>()
            .join(", ");
        let wanted = scan.expression.map_or_else(
            || "TRUE".to_owned(),
            |expression| conditions.expression(expression),
        );
        let limit = conditions.bind(Parameter::Number(cursor::rows_wanted(scan.limit)));
        let sql = format!(
            "SELECT {columns} FROM (SELECT {inner} FROM {} WHERE {} ORDER BY {} LIMIT {BUDGET}) c \
             WHERE {wanted} ORDER BY {} LIMIT {limit}",
            window.from, window.condition, window.order, window.order
        );
        let rows = Statement {
            sql,
            parameters: conditions.parameters().to_vec(),
        };
        Self { rows, end }
    }
}

/// The rows that may be looked at, along one index.
struct Window {
    from: String,
    condition: String,
    order: String,
    /// The column of the time by which they come.
    time: Option<&'static str>,
}

impl Window {
    fn of(conditions: &mut Conditions, among: Among, scan: &Scan<'_>) -> Self {
        let table = match among {
            Among::Certificates => "certificate c",
            Among::Requests => "request c",
        };
        let mut parts = Vec::new();
        let mut from = table.to_owned();
        let (mut time, mut way) = (None, Way::Falling);
        match &scan.plan.drive {
            Drive::Newest => {}
            Drive::Equal(field, value) => {
                parts.push(format!("c.{} = {}", column(*field), conditions.value(value)));
            }
            Drive::Waiting(field, value) => {
                parts.push("c.state = 'awaiting_approval'".to_owned());
                parts.push(format!("c.{} = {}", column(*field), conditions.value(value)));
            }
            Drive::Named(_, name) => {
                let key = conditions.bind(Parameter::Text(names::key(name)));
                // Read along the names; the order is that of the certificates all the same.
                from = "certificate_name n JOIN certificate c ON c.enrollment = n.enrollment".to_owned();
                parts.push(format!("n.name = {key}"));
            }
            Drive::Between(field, range, direction) => {
                let by = column(*field);
                (time, way) = (Some(by), *direction);
                parts.extend(conditions.range(by, *range));
                // Said once more, PostgreSQL would take it for a further limit and expect far fewer rows than there are.
                if parts.is_empty() && scan.after.is_none() {
                    parts.push(format!("c.{by} IS NOT NULL"));
                }
            }
        }
        let made = Range {
            from: scan.plan.made.from,
            before: scan.plan.made.before,
        };
        for (limit, comparison) in [(made.from, ">="), (made.before, "<")] {
            if let Some(at) = limit {
                let first = conditions.bind(Parameter::Octets(first_id(at)));
                parts.push(format!("c.enrollment {comparison} {first}"));
            }
        }
        let id = match scan.plan.drive {
            Drive::Named(..) => "n.enrollment",
            _ => "c.enrollment",
        };
        parts.extend(behind(conditions, scan, (id, time, way)));
        if parts.is_empty() {
            // A range, so that SQLite searches along the key.
            let end = conditions.bind(Parameter::Octets(cursor::AFTER_ALL.to_vec()));
            parts.push(format!("c.enrollment < {end}"));
        }
        let word = match way {
            Way::Rising => "ASC",
            Way::Falling => "DESC",
        };
        let order = match time {
            Some(by) => format!("c.{by} {word}, c.enrollment {word}"),
            None => "c.enrollment DESC".to_owned(),
        };
        Self {
            from,
            condition: parts.join(" AND "),
            order,
            time,
        }
    }
}

/// That a row comes behind the place where an earlier page ended.
fn behind(
    conditions: &mut Conditions,
    scan: &Scan<'_>,
    (id, time, way): (&str, Option<&str>, Way),
) -> Option<String> {
    let after = scan.after?;
    let sign = match way {
        Way::Rising => ">",
        Way::Falling => "<",
    };
    let at = match (after, time) {
        (Position::Time(at, _), Some(by)) => Some((by, conditions.bind(Parameter::Number(at.unix_millis())))),
        _ => None,
    };
    let place = conditions.bind(Parameter::Octets(after.enrollment().as_bytes().to_vec()));
    Some(match at {
        None => format!("{id} < {place}"),
        // As a pair it would be expected to leave hardly any row, since most are not revoked, and all that are would be
        // sorted. Few are revoked within one millisecond.
        Some((by, at)) if by == column(Field::Revoked) => {
            format!("c.{by} {sign}= {at} AND (c.{by} {sign} {at} OR c.enrollment {sign} {place})")
        }
        Some((by, at)) => format!("(c.{by}, c.enrollment) {sign} ({at}, {place})"),
    })
}

/// The first identifier that a UUIDv7 of this millisecond can be.
fn first_id(millis: i64) -> Vec<u8> {
    let mut id = vec![0; 16];
    let octets = millis.clamp(0, (1 << 48) - 1).to_be_bytes();
    id.iter_mut()
        .zip(octets.iter().skip(2))
        .for_each(|(to, from)| *to = *from);
    id
}

mod examples;
#[cfg(test)]
mod tests;

pub(crate) use examples::examples;
