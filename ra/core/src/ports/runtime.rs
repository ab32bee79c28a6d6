//! Time, chance, tasks, hints and limits.

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use crate::domain::{EnrollmentId, ProposalId, Refusal};

/// Time.
#[async_trait]
pub trait Clock: Send + Sync {
    /// Wall-clock time, UTC.
    fn now(&self) -> Timestamp;
    /// Returns after this long, by a clock that wall-clock jumps do not touch.
    async fn sleep(&self, duration: Duration);
}

/// A cryptographically secure source of random octets. Never fails: a process without one must not run.
pub trait Random: Send + Sync {
    /// Fills the slice.
    fn fill(&self, octets: &mut [u8]);
}

/// Lets work go on when the client that caused it has left.
pub trait Spawn: Send + Sync {
    /// Runs the future to its end.
    fn spawn(&self, work: Pin<Box<dyn Future<Output = ()> + Send + 'static>>);
}

/// What is being waited for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum WakeKey {
    /// Any change of this enrollment.
    Enrollment(EnrollmentId),
    /// New background work.
    Tasks,
    /// Certificate status changed, a CRL is due.
    Status,
    /// Any proposal was opened or decided.
    Approvals,
    /// An object was published or retired.
    Configuration,
}

/// Something happened to a proposal. Carries ids only: what the proposal is about and who decided stands in the store.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub struct ApprovalHint {
    /// The proposal.
    pub proposal: ProposalId,
    /// The enrollment it is about.
    pub enrollment: EnrollmentId,
    /// What happened.
    pub news: ApprovalNews,
}

/// What happened to a proposal.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum ApprovalNews {
    /// It was opened.
    Opened,
    /// Somebody approved it, and more must.
    Step,
    /// It was approved by as many as must.
    Approved,
    /// Somebody rejected it.
    Rejected,
    /// It ended undecided.
    Expired,
}

/// Hints that something changed. They may be lost, and a waiter may be woken for nothing: it looks into the store each
/// time a wait returns, and waits on while it has time.
pub trait Wakeups: Send + Sync {
    /// Wakes who waits for this now, on every node that can be told. Never blocks, never fails.
    fn wake(&self, key: WakeKey);
    /// Returns when woken, or after `at_most`, or sooner when a hint from another node may have been lost. A wake-up
    /// between registration and polling is not lost: registration happens when this is called, not when the future is
    /// first polled.
    fn wait(&self, key: WakeKey, at_most: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>>;
    /// Tells what happened to a proposal, and wakes who waits for [`WakeKey::Approvals`].
    fn announce(&self, hint: ApprovalHint);
}

/// Whether a request may go on.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Admission {
    /// It may.
    Admitted,
    /// It must come back later.
    RetryAfter(Duration),
}

/// Limits how often something is done (GCRA).
#[async_trait]
pub trait RateLimiter: Send + Sync {
    /// Counts `cost` against `key` under the limit. A cost of 0 counts nothing and says whether one more would be
    /// admitted. Answers soon, if need be by what this node alone has counted.
    async fn admit(&self, key: &str, limit: crate::domain::RateLimit, cost: u32) -> Admission;
}

/// Counters of what the RA decides. Names and labels are few and fixed.
pub trait Metrics: Send + Sync {
    /// A certificate was issued after this long.
    fn issued(&self, endpoint: &str, backend: &str, took: Duration);
    /// A request was refused.
    fn refused(&self, endpoint: &str, refusal: &Refusal);
    /// A rate limit of an endpoint turned somebody away: `address`, `requester`, `registration` or `endpoint`.
    fn limited(&self, _endpoint: &str, _limit: &'static str) {}
    /// A certificate was revoked.
    fn revoked(&self);
    /// An incident was raised.
    fn incident(&self, what: &'static str);
}
