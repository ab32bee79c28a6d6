//! What is counted.

use std::sync::atomic::{AtomicU64, Ordering};

/// Counters of one node's use of Redis.
#[derive(Debug, Default)]
pub(crate) struct Counters {
    pub(crate) sent: AtomicU64,
    pub(crate) dropped: AtomicU64,
    pub(crate) received: AtomicU64,
    pub(crate) ignored: AtomicU64,
    pub(crate) limits_shared: AtomicU64,
    pub(crate) limits_alone: AtomicU64,
}

/// What one node has done with Redis since it started.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct RedisStatistics {
    /// Whether hints go both ways at the moment.
    pub connected: bool,
    /// Hints written for other nodes.
    pub hints_sent: u64,
    /// Hints that other nodes were not given: Redis did not answer, or there were too many at once.
    pub hints_dropped: u64,
    /// Hints of other nodes.
    pub hints_received: u64,
    /// Entries that no node writes.
    pub hints_ignored: u64,
    /// Limits counted by all nodes together.
    pub limits_shared: u64,
    /// Limits counted by this node alone, because Redis did not answer in time.
    pub limits_alone: u64,
}

impl Counters {
    pub(crate) fn add(counter: &AtomicU64, count: usize) {
        counter.fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Ordering::Relaxed);
    }

    pub(crate) fn read(&self, connected: bool) -> RedisStatistics {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        RedisStatistics {
            connected,
            hints_sent: read(&self.sent),
            hints_dropped: read(&self.dropped),
            hints_received: read(&self.received),
            hints_ignored: read(&self.ignored),
            limits_shared: read(&self.limits_shared),
            limits_alone: read(&self.limits_alone),
        }
    }
}
