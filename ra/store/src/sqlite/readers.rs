//! The connections that read: a few, each lent for one statement.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_ra::ports::StoreError;
use sqlx::query::Query;
use sqlx::sqlite::{Sqlite, SqliteArguments, SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions, Connection, SqliteConnection};
use tokio::sync::{Semaphore, SemaphorePermit};

use super::failure::{RETRY_AFTER, reading};

/// Connections, at most.
const READERS: u32 = 4;

/// How long one waits for a connection.
const WAIT: Duration = Duration::from_secs(5);

/// A question.
pub(crate) type Question<'q> = Query<'q, Sqlite, SqliteArguments>;

/// The connections that read.
#[derive(Debug)]
pub(crate) struct Readers {
    options: SqliteConnectOptions,
    /// The one used last is used next: its caches are warm.
    idle: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

impl Readers {
    /// Opens the first connection; the others follow when they are needed.
    pub(crate) async fn open(options: SqliteConnectOptions) -> Result<Self, StoreError> {
        let first = options.connect().await.map_err(reading)?;
        let permits = Semaphore::new(usize::try_from(READERS).unwrap_or(1));
        Ok(Self {
            options,
            idle: Mutex::new(vec![first]),
            permits,
        })
    }

    /// All rows that answer a question.
    pub(crate) async fn rows(&self, question: Question<'_>) -> Result<Vec<SqliteRow>, StoreError> {
        let _permit = self.permit().await?;
        let kept = self.idle().pop();
        let mut connection = match kept {
            Some(connection) => connection,
            None => self.options.connect().await.map_err(reading)?,
        };
        // A connection whose question failed, or was given up half-way, is not lent again.
        let rows = question.fetch_all(&mut connection).await.map_err(reading)?;
        self.idle().push(connection);
        Ok(rows)
    }

    /// The row that answers a question, if there is one.
    pub(crate) async fn row(&self, question: Question<'_>) -> Result<Option<SqliteRow>, StoreError> {
        Ok(self.rows(question).await?.into_iter().next())
    }

    /// Closes the connections when the questions under way are answered; there are no answers any more.
    pub(crate) async fn close(&self) {
        let all = self.permits.acquire_many(READERS).await;
        self.permits.close();
        drop(all);
        let idle = std::mem::take(&mut *self.idle());
        for connection in idle {
            if let Err(error) = connection.close().await {
                tracing::warn!(%error, "a reader of the store did not close cleanly");
            }
        }
    }

    async fn permit(&self) -> Result<SemaphorePermit<'_>, StoreError> {
        match tokio::time::timeout(WAIT, self.permits.acquire()).await {
            Ok(Ok(permit)) => Ok(permit),
            Ok(Err(_)) | Err(_) => Err(StoreError::Unavailable {
                retry_after: RETRY_AFTER,
            }),
        }
    }

    fn idle(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
