//! The connections: a bounded number, each lent for one statement.
//!
//! Every statement is a transaction of its own. Nothing here waits for long: for a connection a second, for an answer
//! four. While the database is away one caller at a time tries to reach it, and all others are told so at once.

use std::borrow::Cow;
use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sqlx::postgres::{PgArguments, PgRow};
use sqlx::{Arguments, AssertSqlSafe, Connection, Encode, Executor, PgConnection, Postgres, Type};
use tokio::sync::Semaphore;

use super::connect::{Server, Session};
use super::failure::Failure;
use crate::statistics::Counters;

/// How long one waits for a connection.
const WAIT: Duration = Duration::from_secs(1);

/// How long a statement may take; a little longer than the server allows it.
const ANSWER: Duration = Duration::from_secs(4);

/// Between two attempts to reach a database that is away.
const PAUSE: Duration = Duration::from_millis(200);

/// A connection that was idle for longer is asked whether it still is one.
const TRUSTED_IDLE: Duration = Duration::from_secs(2);

/// A connection is replaced at this age, so that sessions follow changes of the server.
const AGE_MAX: Duration = Duration::from_secs(30 * 60);

/// How often a statement that another transaction stood in the way of is run, at most.
const ATTEMPTS: u32 = 5;

/// The wait before the second attempt; it doubles with each.
const FIRST_PAUSE: Duration = Duration::from_millis(5);

const FOR_THESE_VALUES: &str = "SET plan_cache_mode = force_custom_plan";

const FOR_ALL_VALUES: &str = "SET plan_cache_mode = force_generic_plan";

/// One statement with its parameters.
#[derive(Clone)]
pub(crate) struct Question {
    sql: Cow<'static, str>,
    arguments: PgArguments,
    bindable: bool,
    /// Whether the session keeps it prepared.
    kept: bool,
}

impl Question {
    pub(crate) fn new(sql: impl Into<Cow<'static, str>>) -> Self {
        Self {
            sql: sql.into(),
            arguments: PgArguments::default(),
            bindable: true,
            kept: true,
        }
    }

    /// With room for so many parameters of so many octets together.
    pub(crate) fn of_about(mut self, parameters: usize, octets: usize) -> Self {
        self.arguments.reserve(parameters, octets);
        self
    }

    /// The value of the next parameter.
    pub(crate) fn bind<'q, T>(mut self, value: T) -> Self
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        self.add(value);
        self
    }

    /// With a text that is not asked again: the session does not keep it, and plans it for its values.
    pub(crate) const fn asked_once(mut self) -> Self {
        self.kept = false;
        self
    }

    /// The value of the next parameter, in place.
    pub(crate) fn add<'q, T>(&mut self, value: T)
    where
        T: Encode<'q, Postgres> + Type<Postgres>,
    {
        self.bindable &= self.arguments.add(value).is_ok();
    }

    /// The same parameters for another text.
    pub(crate) fn with_text(self, sql: String) -> Self {
        Self {
            sql: sql.into(),
            ..self
        }
    }

    /// All rows, once the server is done: what the statement wrote is then durable.
    async fn ask(&self, connection: &mut PgConnection) -> Result<Vec<PgRow>, Failure> {
        if !self.bindable {
            return Err(Failure::Broken("a value that cannot be sent".to_owned()));
        }
        let query =
            sqlx::query_with(AssertSqlSafe(self.sql.clone()), self.arguments.clone()).persistent(self.kept);
        if self.kept {
            return Ok(connection.fetch_all(query).await?);
        }
        // Which way is short depends on the values here, so this plan is made for them. A session that does not come back
        // to planning once and for all is given up: its error ends it.
        connection.execute(FOR_THESE_VALUES).await?;
        let rows = connection.fetch_all(query).await;
        connection
            .execute(FOR_ALL_VALUES)
            .await
            .map_err(|error| Failure::Lost(error.to_string()))?;
        Ok(rows?)
    }
}

struct Kept {
    connection: PgConnection,
    made: Instant,
    used: Instant,
}

/// The connections.
pub(crate) struct Pool {
    server: Server,
    size: u32,
    permits: Semaphore,
    /// The one used last is used next: its caches are warm.
    idle: Mutex<Vec<Kept>>,
    /// When the last attempt to connect failed; `None` while the database is there.
    away: Mutex<Option<Instant>>,
    /// Held by whoever tries while the database is away.
    turn: tokio::sync::Mutex<()>,
    counters: Arc<Counters>,
}

impl Pool {
    pub(crate) fn new(server: Server, size: u32, counters: Arc<Counters>) -> Self {
        Self {
            server,
            size: size.max(1),
            permits: Semaphore::new(usize::try_from(size.max(1)).unwrap_or(1)),
            idle: Mutex::default(),
            away: Mutex::default(),
            turn: tokio::sync::Mutex::default(),
            counters,
        }
    }

    /// Keeps a connection that was made elsewhere.
    pub(crate) fn keep(&self, connection: PgConnection) {
        let now = Instant::now();
        self.put_back(Kept {
            connection,
            made: now,
            used: now,
        });
    }

    /// The rows that answer a question that changes nothing: asked again once when the connection had gone stale.
    pub(crate) async fn read(&self, question: &Question) -> Result<Vec<PgRow>, Failure> {
        match self.once(question).await {
            Err(Failure::Lost(reason)) if !self.is_away() => {
                tracing::debug!(reason, "asking again on another connection");
                self.once(question).await
            }
            outcome => outcome,
        }
    }

    /// As [`Pool::read`], counted: for questions that are gathered.
    pub(crate) async fn ask(&self, question: &Question) -> Result<Vec<PgRow>, Failure> {
        self.counters.questions.add(1);
        self.read(question).await
    }

    /// Runs a statement that may write. When the connection is lost it is not known whether it did.
    pub(crate) async fn once(&self, question: &Question) -> Result<Vec<PgRow>, Failure> {
        let _permit = match tokio::time::timeout(WAIT, self.permits.acquire()).await {
            Ok(Ok(permit)) => permit,
            Ok(Err(_)) => return Err(Failure::Busy("the store is closed".to_owned())),
            Err(_) => {
                self.counters.turned_away.add(1);
                return Err(Failure::Busy("every connection is in use".to_owned()));
            }
        };
        let mut kept = self.connection().await?;
        let outcome = match tokio::time::timeout(ANSWER, question.ask(&mut kept.connection)).await {
            Ok(outcome) => outcome,
            Err(_) => {
                self.note_away(Some(Instant::now()));
                Err(Failure::Lost(format!("no answer within {ANSWER:?}")))
            }
        };
        match &outcome {
            // What happened to one has most likely happened to all.
            Err(failure) if failure.ends_connection() => self.idle().clear(),
            _ => {
                kept.used = Instant::now();
                self.put_back(kept);
            }
        }
        outcome
    }

    /// Runs a statement, again when another transaction stood in its way: then nothing was written.
    pub(crate) async fn persevere(&self, question: &Question) -> Result<Vec<PgRow>, Failure> {
        let mut pause = FIRST_PAUSE;
        for _ in 1..ATTEMPTS {
            match self.once(question).await {
                Err(Failure::Tangled(reason)) => tracing::debug!(reason, "trying again"),
                outcome => return outcome,
            }
            self.counters.retries.add(1);
            let chance = RandomState::new().hash_one(pause) % 8;
            tokio::time::sleep(pause + Duration::from_millis(chance)).await;
            pause *= 2;
        }
        self.once(question).await
    }

    /// Closes the connections when the statements under way are done; there are no answers any more.
    pub(crate) async fn close(&self) {
        let all = tokio::time::timeout(ANSWER, self.permits.acquire_many(self.size)).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for kept in idle {
            let _ = tokio::time::timeout(WAIT, kept.connection.close()).await;
        }
    }

    async fn connection(&self) -> Result<Kept, Failure> {
        while let Some(mut kept) = self.take() {
            if kept.used.elapsed() < TRUSTED_IDLE {
                return Ok(kept);
            }
            match tokio::time::timeout(WAIT, kept.connection.ping()).await {
                Ok(Ok(())) => return Ok(kept),
                _ => self.idle().clear(),
            }
        }
        let _turn = match self.since_away() {
            None => None,
            Some(since) if since < PAUSE => return Err(away()),
            Some(_) => Some(self.turn.try_lock().map_err(|_| away())?),
        };
        match self.server.connect(Session::Serving).await {
            Ok(connection) => {
                if self.note_away(None).is_some() {
                    tracing::info!("the database is there again");
                }
                let now = Instant::now();
                Ok(Kept {
                    connection,
                    made: now,
                    used: now,
                })
            }
            Err(failure) => {
                if self.note_away(Some(Instant::now())).is_none() {
                    tracing::error!(?failure, "the database cannot be reached");
                }
                Err(failure)
            }
        }
    }

    fn take(&self) -> Option<Kept> {
        let mut idle = self.idle();
        idle.retain(|kept| kept.made.elapsed() < AGE_MAX);
        idle.pop()
    }

    fn put_back(&self, kept: Kept) {
        if !self.permits.is_closed() {
            self.idle().push(kept);
        }
    }

    fn is_away(&self) -> bool {
        self.since_away().is_some()
    }

    fn since_away(&self) -> Option<Duration> {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.map(|since| since.elapsed())
    }

    /// Notes whether the database is away, and gives back what was noted before.
    fn note_away(&self, since: Option<Instant>) -> Option<Instant> {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::replace(&mut *away, since)
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Kept>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn away() -> Failure {
    Failure::Lost("the database is away".to_owned())
}
