//! Plans: the statements of one batch as one text, with what each must have done.
//!
//! Each message to the thread of a connection costs more than a small statement, so a batch is one message: its
//! statements in a row under a savepoint, their parameters in the same order. SQLite counts the rows each statement
//! changed; a statement that should have changed one and changed none has met a conflict.

use futures_util::TryStreamExt;
use portreeve_ra::ports::{CommitError, Conflict, StoreError};
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Arguments, AssertSqlSafe, Either, Executor, SqliteConnection};

use super::failure::Failure;

/// Before the statements of a plan: what opens a fresh savepoint.
const OPENING_STATEMENTS: usize = 2;

/// Where a plan stands in its transaction.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Turn {
    /// It begins it.
    First,
    /// The plan before is kept, or has been undone by [`UNDO`].
    Later,
}

impl Turn {
    const fn opening(self) -> &'static str {
        match self {
            Self::First => "BEGIN IMMEDIATE;SAVEPOINT batch;",
            Self::Later => "RELEASE batch;SAVEPOINT batch;",
        }
    }
}

/// Undoes the batch that ran last.
pub(crate) const UNDO: &str = "ROLLBACK TO batch";

/// Statements of one plan, at most.
const STEPS_MAX: usize = 4_096;

/// Plans of up to this many statements stay prepared.
const STEPS_KEPT: usize = 48;

/// What a statement must have done.
#[derive(Debug)]
pub(crate) enum Expected {
    /// Anything.
    Whatever,
    /// Change one row; none means this conflict.
    OneRow(Conflict),
    /// Break no constraint; breaking one means this conflict.
    NoConstraint(Conflict),
}

/// The statements of one batch.
pub(crate) struct Plan {
    sql: String,
    arguments: SqliteArguments,
    expected: Vec<Expected>,
    bindable: bool,
}

/// What a plan gave back.
#[derive(Default)]
pub(crate) struct Answer {
    /// The rows of all its statements, in order.
    pub(crate) rows: Vec<SqliteRow>,
    /// Rows changed by all its statements.
    pub(crate) changed: u64,
}

impl Plan {
    pub(crate) fn new() -> Self {
        Self {
            sql: String::new(),
            arguments: SqliteArguments::default(),
            expected: Vec::new(),
            bindable: true,
        }
    }

    /// A plan of one statement.
    pub(crate) fn of(sql: &str) -> Self {
        let mut plan = Self::new();
        plan.step(sql, Expected::Whatever);
        plan
    }

    /// Appends one statement; its parameters follow, each a plain `?`.
    pub(crate) fn step(&mut self, sql: &str, expected: Expected) -> &mut Self {
        self.sql.push_str(sql);
        self.sql.push(';');
        self.expected.push(expected);
        self
    }

    pub(crate) fn blob(&mut self, value: impl Into<Vec<u8>>) -> &mut Self {
        let added = self.arguments.add(value.into());
        self.note(added.is_ok())
    }

    pub(crate) fn blob_or_null(&mut self, value: Option<Vec<u8>>) -> &mut Self {
        let added = self.arguments.add(value);
        self.note(added.is_ok())
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        let added = self.arguments.add(value);
        self.note(added.is_ok())
    }

    pub(crate) fn text_or_null(&mut self, value: Option<&str>) -> &mut Self {
        let bound = self.arguments.add(value.map(str::to_owned)).is_ok();
        self.note(bound)
    }

    pub(crate) fn integer(&mut self, value: i64) -> &mut Self {
        let added = self.arguments.add(value);
        self.note(added.is_ok())
    }

    pub(crate) fn integer_or_null(&mut self, value: Option<i64>) -> &mut Self {
        let added = self.arguments.add(value);
        self.note(added.is_ok())
    }

    fn note(&mut self, bound: bool) -> &mut Self {
        self.bindable &= bound;
        self
    }

    /// Whether there is nothing to do.
    pub(crate) fn is_empty(&self) -> bool {
        self.expected.is_empty()
    }

    /// The plan, unless it is too long.
    pub(crate) fn checked(self) -> Result<Self, StoreError> {
        if self.expected.len() > STEPS_MAX || !self.bindable {
            return Err(StoreError::Broken(format!(
                "a batch of {} statements",
                self.expected.len()
            )));
        }
        Ok(self)
    }

    /// Runs the statements. After a refusal the transaction is open, and the caller must run [`UNDO`].
    pub(crate) async fn run(self, turn: Turn, connection: &mut SqliteConnection) -> Result<Answer, Stopped> {
        let kept = self.expected.len() <= STEPS_KEPT;
        let sql = [turn.opening(), &self.sql].concat();
        let query = sqlx::query_with(AssertSqlSafe(sql), self.arguments).persistent(kept);
        let mut results = connection.fetch_many(query);
        let mut expected = self.expected.into_iter();
        let mut answer = Answer::default();
        let mut opened = 0;
        loop {
            match results.try_next().await {
                Ok(Some(Either::Right(row))) => answer.rows.push(row),
                Ok(Some(Either::Left(_))) if opened < OPENING_STATEMENTS => opened += 1,
                Ok(Some(Either::Left(done))) => match expected.next() {
                    Some(Expected::OneRow(conflict)) if done.rows_affected() == 0 => {
                        return Err(Stopped::Refused(CommitError::Conflict(conflict)));
                    }
                    _ => answer.changed += done.rows_affected(),
                },
                Ok(None) => return Ok(answer),
                Err(error) if opened < OPENING_STATEMENTS => return Err(Stopped::Lost(error.into())),
                Err(error) => return Err(Stopped::by(error.into(), expected.next())),
            }
        }
    }
}

/// Why a plan did not run to its end.
pub(crate) enum Stopped {
    /// The batch cannot be committed; the transaction goes on without it.
    Refused(CommitError),
    /// The transaction is lost.
    Lost(Failure),
}

impl Stopped {
    fn by(failure: Failure, expected: Option<Expected>) -> Self {
        match (failure, expected) {
            (Failure::Constraint(_), Some(Expected::NoConstraint(conflict) | Expected::OneRow(conflict))) => {
                Self::Refused(CommitError::Conflict(conflict))
            }
            (failure, _) if failure.ends_transaction() => Self::Lost(failure),
            (failure, _) => Self::Refused(CommitError::Store(failure.into())),
        }
    }
}
