//! The writer: one task, one connection, what waits is committed together.

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::ports::{CommitError, StoreError};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::{Notify, mpsc, oneshot};
use tokio::task::JoinHandle;

use super::checkpoint::Checkpoints;
use super::directory::HeldDirectory;
use super::failure::Failure;
use super::plan::{Answer, Plan, Stopped, Turn, UNDO};
use crate::statistics::Counters;

/// Batches that may wait; one more is turned away.
const QUEUE_LENGTH: usize = 1_024;

/// Batches of one transaction, at most.
const GROUP_SIZE: usize = 128;

/// When one that was turned away may come back.
const TURNED_AWAY_RETRY: Duration = Duration::from_secs(1);

type Reply = oneshot::Sender<Result<Answer, CommitError>>;

struct Job {
    plan: Plan,
    reply: Reply,
}

/// The way to the writer.
#[derive(Debug)]
pub(crate) struct WriterHandle {
    queue: mpsc::Sender<Job>,
    closing: Arc<Notify>,
    counters: Arc<Counters>,
}

impl WriterHandle {
    /// Runs a plan; returns when what it wrote is durable. Once queued it is written even if the caller leaves.
    pub(crate) async fn write(&self, plan: Plan) -> Result<Answer, CommitError> {
        let (reply, answer) = oneshot::channel();
        if self.queue.try_send(Job { plan, reply }).is_err() {
            self.counters.turned_away.add(1);
            return Err(StoreError::Unavailable {
                retry_after: TURNED_AWAY_RETRY,
            }
            .into());
        }
        answer.await.unwrap_or_else(|_| {
            Err(StoreError::Unavailable {
                retry_after: TURNED_AWAY_RETRY,
            }
            .into())
        })
    }

    /// Runs a plan that has no conflicts.
    pub(crate) async fn write_plain(&self, plan: Plan) -> Result<Answer, StoreError> {
        self.write(plan).await.map_err(|error| match error {
            CommitError::Store(error) => error,
            CommitError::Conflict(conflict) => StoreError::Broken(format!("conflict: {conflict:?}")),
        })
    }

    /// Returns when the writer takes nothing more: it was closed, or has panicked.
    pub(crate) async fn ended(&self) {
        self.queue.closed().await;
    }

    /// Lets the writer finish what waits, and end.
    pub(crate) fn close(&self) {
        self.closing.notify_one();
    }
}

/// The task that writes.
pub(crate) struct Writer {
    queue: mpsc::Receiver<Job>,
    closing: Arc<Notify>,
    counters: Arc<Counters>,
    options: SqliteConnectOptions,
    /// `None` after a failure, until the next group.
    connection: Option<SqliteConnection>,
    checkpoints: Checkpoints,
    /// Given up last: by then nothing is written any more.
    _held: HeldDirectory,
}

impl Writer {
    /// Starts the writer on an open connection; `options` are for opening it again.
    pub(crate) fn start(
        held: HeldDirectory,
        connection: SqliteConnection,
        counters: Arc<Counters>,
    ) -> (WriterHandle, JoinHandle<()>) {
        let (sender, queue) = mpsc::channel(QUEUE_LENGTH);
        let closing = Arc::new(Notify::new());
        let handle = WriterHandle {
            queue: sender,
            closing: Arc::clone(&closing),
            counters: Arc::clone(&counters),
        };
        let options = super::database::writing(&held);
        let checkpoints = Checkpoints::start(options.clone().thread_name(|_| "store-checkpoint".to_owned()));
        let writer = Self {
            queue,
            closing,
            counters,
            options,
            connection: Some(connection),
            checkpoints,
            _held: held,
        };
        (handle, tokio::spawn(writer.run()))
    }

    async fn run(mut self) {
        loop {
            let first = tokio::select! {
                biased;
                () = self.closing.notified() => {
                    self.queue.close();
                    continue;
                }
                job = self.queue.recv() => job,
            };
            let Some(first) = first else {
                break;
            };
            let mut group = vec![first];
            while group.len() < GROUP_SIZE
                && let Ok(job) = self.queue.try_recv()
            {
                group.push(job);
            }
            self.commit_group(group).await;
        }
        if let Some(connection) = self.connection.take()
            && let Err(error) = connection.close().await
        {
            tracing::warn!(%error, "store did not close cleanly");
        }
    }

    /// One transaction: each batch, of which the first begins it, commit, and only then the acknowledgements.
    async fn commit_group(&mut self, group: Vec<Job>) {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(failure) => return self.fail(&failure, group.into_iter().map(|job| job.reply)),
        };
        match transaction(&mut connection, group).await {
            Ok(Committed { written, refused }) => {
                self.counters.batches.add(written.len());
                self.counters.groups.add(usize::from(!written.is_empty()));
                self.counters.conflicts.add(refused.len());
                let batches = written.len();
                for (reply, error) in refused {
                    let _ = reply.send(Err(error));
                }
                for (reply, answer) in written {
                    // Nobody waits any more: the batch is written all the same.
                    let _ = reply.send(Ok(answer));
                }
                let copied = self.checkpoints.after_group(batches, &mut connection).await;
                self.counters.checkpoints.add(usize::from(copied));
                self.connection = Some(connection);
            }
            Err(Lost { failure, replies }) => {
                self.fail(&failure, replies);
                // A transaction that is over already needs no end; a connection that cannot end one is given up.
                let ended = connection.execute("ROLLBACK").await.map_err(Failure::from);
                if matches!(ended, Ok(_) | Err(Failure::Broken(_))) && !matches!(failure, Failure::Damaged(_))
                {
                    self.connection = Some(connection);
                }
            }
        }
    }

    /// The connection, opened again if it was given up.
    async fn connection(&mut self) -> Result<SqliteConnection, Failure> {
        match self.connection.take() {
            Some(connection) => Ok(connection),
            None => Ok(self.options.connect().await?),
        }
    }

    fn fail(&self, failure: &Failure, replies: impl IntoIterator<Item = Reply>) {
        let error = match failure {
            Failure::Damaged(reason) => StoreError::Broken(reason.clone()),
            _ => StoreError::Unavailable {
                retry_after: super::failure::RETRY_AFTER,
            },
        };
        let mut failed = 0;
        for reply in replies {
            failed += 1;
            let _ = reply.send(Err(CommitError::Store(error.clone())));
        }
        self.counters.failures.add(failed);
        tracing::error!(?failure, batches = failed, "store cannot write");
    }
}

/// A group that is durable.
struct Committed {
    written: Vec<(Reply, Answer)>,
    /// Told only now: whoever lost to another batch of the same group must find it when they look.
    refused: Vec<(Reply, CommitError)>,
}

/// A group of which nothing is known to be written, and who waits for it.
struct Lost {
    failure: Failure,
    replies: Vec<Reply>,
}

async fn transaction(connection: &mut SqliteConnection, group: Vec<Job>) -> Result<Committed, Lost> {
    let mut committed = Committed {
        written: Vec::with_capacity(group.len()),
        refused: Vec::new(),
    };
    let mut jobs = group.into_iter();
    let (mut outcome, mut turn) = (Ok(()), Turn::First);
    while outcome.is_ok()
        && let Some(Job { plan, reply }) = jobs.next()
    {
        let ran = plan.run(turn, connection).await;
        turn = Turn::Later;
        match ran {
            Ok(answer) => committed.written.push((reply, answer)),
            Err(Stopped::Refused(error)) => {
                committed.refused.push((reply, error));
                outcome = execute(connection, UNDO).await;
            }
            Err(Stopped::Lost(failure)) => {
                committed.written.push((reply, Answer::default()));
                outcome = Err(failure);
            }
        }
    }
    if outcome.is_ok() {
        outcome = execute(connection, "COMMIT").await;
    }
    match outcome {
        Ok(()) => Ok(committed),
        Err(failure) => {
            let written = committed.written.into_iter().map(|(reply, _)| reply);
            let refused = committed.refused.into_iter().map(|(reply, _)| reply);
            let waiting = written.chain(refused).chain(jobs.map(|job| job.reply));
            Err(Lost {
                failure,
                replies: waiting.collect(),
            })
        }
    }
}

async fn execute(connection: &mut SqliteConnection, sql: &'static str) -> Result<(), Failure> {
    connection
        .execute(sqlx::query(sql))
        .await
        .map(|_| ())
        .map_err(Failure::from)
}
