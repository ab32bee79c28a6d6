//! Group commits: batches that come while another statement is committed go together in the next one.
//!
//! A statement costs the node, the server and the disk more than the rows in it. A batch that finds no other under way goes at
//! once. When a statement takes long, since the server is far or slow, or a row is locked, the next does not wait for its end.
//! A statement of several batches that fails, with its connection still there, has written nothing: then each of them is committed
//! by itself, all at the same time, so that what one of them meets does not concern the others.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use portreeve_ra::ports::{Batch, CommitError, StoreError};
use sqlx::postgres::PgRow;
use tokio::sync::oneshot;

use super::batch::{self, Names};
use super::database::StoreTime;
use super::failure::{Failure, RETRY_AFTER};
use super::patience::answered;
use super::pool::{Pool, Question};
use crate::sealed::Bodies;
use crate::statistics::Counters;

/// Batches of one statement, at most.
const GROUP_MAX: usize = 32;

/// Rows of a statement after which no further batch goes into it.
const ROWS_USUAL: usize = 512;

/// Batches that may wait; one more is turned away.
const WAITING_MAX: usize = 1_024;

/// Statements under way at a time, at most.
const UNDER_WAY_MAX: usize = 8;

/// A batch waits no longer for statements that are under way, while there are not too many of these.
const PATIENCE: Duration = Duration::from_millis(5);

const UNAVAILABLE: CommitError = CommitError::Store(StoreError::Unavailable {
    retry_after: RETRY_AFTER,
});

struct Job {
    batch: Batch,
    reply: oneshot::Sender<Result<(), CommitError>>,
}

#[derive(Default)]
struct Waiting {
    jobs: VecDeque<Job>,
    under_way: usize,
}

/// Where batches wait.
pub(crate) struct Committer {
    pool: Arc<Pool>,
    bodies: Bodies,
    time: StoreTime,
    counters: Arc<Counters>,
    waiting: Mutex<Waiting>,
}

impl Committer {
    pub(crate) fn new(
        pool: Arc<Pool>,
        bodies: Bodies,
        (time, counters): (StoreTime, Arc<Counters>),
    ) -> Arc<Self> {
        Arc::new(Self {
            pool,
            bodies,
            time,
            counters,
            waiting: Mutex::default(),
        })
    }

    /// Commits a batch; returns when it is durable. Once it waits it is committed even if the caller leaves.
    pub(crate) async fn commit(self: &Arc<Self>, batch: Batch) -> Result<(), CommitError> {
        let (reply, answer) = oneshot::channel();
        self.submit(Job { batch, reply })?;
        let answered = answered(answer, PATIENCE, || self.hurry()).await;
        answered.unwrap_or(Err(UNAVAILABLE))
    }

    fn submit(self: &Arc<Self>, job: Job) -> Result<(), CommitError> {
        let mut waiting = self.waiting();
        if waiting.jobs.len() >= WAITING_MAX {
            self.counters.turned_away.add(1);
            return Err(UNAVAILABLE);
        }
        waiting.jobs.push_back(job);
        if waiting.under_way == 0 {
            self.begin(waiting);
        }
        Ok(())
    }

    /// Somebody has waited long enough, though perhaps for a statement that is under way.
    fn hurry(self: &Arc<Self>) {
        let waiting = self.waiting();
        if !waiting.jobs.is_empty() && waiting.under_way < UNDER_WAY_MAX {
            self.begin(waiting);
        }
    }

    fn begin(self: &Arc<Self>, mut waiting: MutexGuard<'_, Waiting>) {
        waiting.under_way += 1;
        drop(waiting);
        let turn = Turn {
            committer: Arc::clone(self),
            is_over: false,
        };
        tokio::spawn(turn.run());
    }

    /// What goes into the next statement; `None` when nobody waits, and then one statement less is under way.
    fn next(&self) -> Option<Vec<Job>> {
        let mut waiting = self.waiting();
        let (mut jobs, mut together) = (Vec::new(), 0);
        while jobs.len() < GROUP_MAX
            && together < ROWS_USUAL
            && let Some(job) = waiting.jobs.pop_front()
        {
            together += rows(&job.batch);
            jobs.push(job);
        }
        if jobs.is_empty() {
            waiting.under_way = waiting.under_way.saturating_sub(1);
            return None;
        }
        Some(jobs)
    }

    async fn write(&self, jobs: Vec<Job>) {
        if let [_, _, ..] = jobs.as_slice() {
            let batches: Vec<&Batch> = jobs.iter().map(|job| &job.batch).collect();
            match self.together(&batches, Pool::once).await {
                Ok(()) => return jobs.into_iter().for_each(|job| answer(job, Ok(()))),
                // Whether it was written is not known.
                Err((failure @ Failure::Lost(_), names)) => {
                    self.counters.failures.add(jobs.len().saturating_sub(1));
                    let error = self.commit_error(failure, &names);
                    return jobs.into_iter().for_each(|job| answer(job, Err(error.clone())));
                }
                Err(_) => {}
            }
        }
        join_all(jobs.into_iter().map(|job| self.alone(job))).await;
    }

    async fn alone(&self, job: Job) {
        let written = self.together(&[&job.batch], Pool::persevere).await;
        let result = written.map_err(|(failure, names)| self.commit_error(failure, &names));
        answer(job, result);
    }

    async fn together(
        &self,
        batches: &[&Batch],
        ask: impl AsyncFn(&Pool, &Question) -> Result<Vec<PgRow>, Failure>,
    ) -> Result<(), (Failure, Names)> {
        let planned = batch::plan(batches, &self.bodies, self.time.given());
        let planned = planned.map_err(|error| (unplanned(error), Names::default()))?;
        let Some((question, names)) = planned else {
            return Ok(());
        };
        match ask(&self.pool, &question).await {
            Ok(_) => {
                self.counters.batches.add(batches.len());
                self.counters.groups.add(1);
                Ok(())
            }
            Err(failure) => Err((failure, names)),
        }
    }

    fn commit_error(&self, failure: Failure, names: &Names) -> CommitError {
        if let Failure::Conflict { code, place } = &failure
            && let Some(conflict) = names.conflict(code, *place)
        {
            self.counters.conflicts.add(1);
            return CommitError::Conflict(conflict);
        }
        self.counters.failures.add(1);
        tracing::warn!(?failure, "a batch was not committed");
        CommitError::Store(failure.into())
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Why a statement could not be made.
fn unplanned(error: StoreError) -> Failure {
    match error {
        StoreError::Broken(reason) => Failure::Broken(reason),
        StoreError::Unavailable { .. } => Failure::Busy(error.to_string()),
    }
}

/// What a batch writes.
const fn rows(batch: &Batch) -> usize {
    let decisive = batch.records.len() + batch.claims.len() + batch.reservations.len() + batch.spends.len();
    let work = batch.tasks.len() + batch.task_changes.len() + batch.documents.len();
    decisive + work + batch.projections.len()
}

/// Who has left needs no answer.
fn answer(job: Job, result: Result<(), CommitError>) {
    let _ = job.reply.send(result);
}

/// The right to have a statement under way.
struct Turn {
    committer: Arc<Committer>,
    is_over: bool,
}

impl Turn {
    /// Commits as long as somebody waits.
    async fn run(mut self) {
        while let Some(jobs) = self.committer.next() {
            self.committer.write(jobs).await;
        }
        self.is_over = true;
    }
}

impl Drop for Turn {
    /// If committing broke off, those whose batches were not sent are told so, and the next batch begins it anew.
    fn drop(&mut self) {
        if !self.is_over {
            let mut waiting = self.committer.waiting();
            waiting.jobs.clear();
            waiting.under_way = waiting.under_way.saturating_sub(1);
        }
    }
}
