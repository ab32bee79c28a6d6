//! The moment by which an attempt has ended.

use std::future::Future;
use std::time::Duration;

use tokio::time::{Instant, timeout_at};

/// The end of one attempt; each stage runs inside it and inside its own limit.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Deadline(Instant);

/// The stage did not end in time.
#[derive(Debug)]
pub(crate) struct TimedOut;

impl Deadline {
    /// A deadline `limit` from now.
    pub(crate) fn after(limit: Duration) -> Self {
        Self(Instant::now() + limit)
    }

    /// Runs one stage until it ends, the deadline passes or `limit` is over.
    pub(crate) async fn within<F: Future>(self, limit: Duration, stage: F) -> Result<F::Output, TimedOut> {
        timeout_at(self.0.min(Instant::now() + limit), stage)
            .await
            .map_err(|_| TimedOut)
    }

    /// Runs a stage that has a limit of its own, or none, until it ends or the deadline passes.
    pub(crate) async fn run<F: Future>(self, stage: F) -> Result<F::Output, TimedOut> {
        timeout_at(self.0, stage).await.map_err(|_| TimedOut)
    }
}
