//! Counters of a store, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

/// What a store has done since it was opened.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Statistics {
    /// Batches that were committed.
    pub batches: u64,
    /// Transactions that carried them, each made durable once.
    pub groups: u64,
    /// Batches that met a conflict.
    pub conflicts: u64,
    /// Batches that failed because the storage did.
    pub failures: u64,
    /// Batches turned away because too many were waiting.
    pub turned_away: u64,
    /// Checkpoints of the write-ahead log. PostgreSQL makes its own.
    pub checkpoints: u64,
    /// Statements run again because another transaction stood in their way. SQLite has one writer.
    pub retries: u64,
    /// Messages in which records, claims, reservations and documents were asked for, by one caller or by several.
    pub questions: u64,
}

/// The live counters.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) batches: Counter,
    pub(crate) groups: Counter,
    pub(crate) conflicts: Counter,
    pub(crate) failures: Counter,
    pub(crate) turned_away: Counter,
    pub(crate) checkpoints: Counter,
    pub(crate) retries: Counter,
    pub(crate) questions: Counter,
}

impl Counters {
    pub(crate) fn read(&self) -> Statistics {
        Statistics {
            batches: self.batches.read(),
            groups: self.groups.read(),
            conflicts: self.conflicts.read(),
            failures: self.failures.read(),
            turned_away: self.turned_away.read(),
            checkpoints: self.checkpoints.read(),
            retries: self.retries.read(),
            questions: self.questions.read(),
        }
    }
}

/// One counter.
#[derive(Debug, Default)]
pub(crate) struct Counter(AtomicU64);

impl Counter {
    pub(crate) fn add(&self, count: usize) {
        self.0
            .fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    fn read(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}
