//! Taking work: only while this node's clock can be trusted, and in the sight of `/readyz`.

mod clock_watch;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::NodeId;
use portreeve_ra::ports::{Claimed, Clock, LeaseRow, Leases, NextDue, StoreError, Tasks};
use portreeve_store::OpenStore;

pub use clock_watch::{ClockWatch, Reference};

/// How long a damaged row is told of: it comes up again each time its lease ends.
const DAMAGE_SHOWN: Duration = Duration::from_secs(300);

/// Tasks and duties as one node takes them: none while its clock is wrong. What it holds already it goes on with.
pub struct Intake {
    tasks: Arc<dyn Tasks>,
    leases: Arc<dyn Leases>,
    clock: Arc<dyn Clock>,
    watch: ClockWatch,
    seen: Mutex<Seen>,
}

#[derive(Default)]
struct Seen {
    /// Since when tasks cannot be claimed, and why.
    failing: Option<(Timestamp, String)>,
    /// When damaged rows came up last, and how many.
    damaged: Option<(Instant, usize)>,
}

impl Intake {
    /// What a node takes from this store.
    pub fn new(store: &OpenStore, clock: Arc<dyn Clock>) -> Self {
        Self::of(
            (Arc::clone(&store.tasks), Arc::clone(&store.leases)),
            clock,
            Arc::new(store.clone()),
        )
    }

    fn of(
        (tasks, leases): (Arc<dyn Tasks>, Arc<dyn Leases>),
        clock: Arc<dyn Clock>,
        reference: Arc<dyn Reference>,
    ) -> Self {
        Self {
            tasks,
            leases,
            watch: ClockWatch::new(Arc::clone(&clock), reference),
            clock,
            seen: Mutex::default(),
        }
    }

    /// What is wrong with the clock, as far as it shows without asking anybody.
    pub fn clock(&self) -> Result<String, String> {
        self.watch.own()
    }

    /// Whether tasks can be claimed; if not, what to do.
    pub fn claims(&self) -> Result<String, String> {
        let seen = self.seen();
        if let Some((since, reason)) = &seen.failing {
            return Err(format!(
                "cannot be claimed since {since} ({reason}), so what waits is not done by this node: look at the rights of \
                 its database role (`portreeve migrate roles`) and at the table task"
            ));
        }
        match seen.damaged {
            Some((at, count)) if at.elapsed() < DAMAGE_SHOWN => Err(format!(
                "{count} of the rows of the table task cannot be used and are left alone: the incidents name them; remove them"
            )),
            _ => Ok("claimed as they become due".to_owned()),
        }
    }

    fn note<T>(&self, outcome: Result<T, StoreError>) -> Result<T, StoreError> {
        let mut seen = self.seen();
        match &outcome {
            Ok(_) => seen.failing = None,
            Err(error) => {
                let since = seen
                    .failing
                    .take()
                    .map_or_else(|| self.clock.now(), |(since, _)| since);
                seen.failing = Some((since, error.to_string()));
            }
        }
        drop(seen);
        outcome
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl Tasks for Intake {
    async fn claim_due(&self, node: NodeId, lease: Duration, limit: u32) -> Result<Claimed, StoreError> {
        if !self.watch.may_be_trusted().await {
            return Ok(Claimed::default());
        }
        let claimed = self.note(self.tasks.claim_due(node, lease, limit).await)?;
        if !claimed.damaged.is_empty() {
            self.seen().damaged = Some((Instant::now(), claimed.damaged.len()));
        }
        Ok(claimed)
    }

    async fn release_of(&self, node: NodeId) -> Result<u64, StoreError> {
        self.tasks.release_of(node).await
    }

    /// Nothing is due for a node that may not take it.
    async fn next_due(&self) -> Result<Option<NextDue>, StoreError> {
        if !self.watch.may_be_trusted().await {
            return Ok(None);
        }
        self.tasks.next_due().await
    }
}

#[async_trait]
impl Leases for Intake {
    async fn lease(&self, duty: &str, node: NodeId, term: Duration) -> Result<Option<LeaseRow>, StoreError> {
        if !self.watch.may_be_trusted().await {
            return Ok(None);
        }
        self.leases.lease(duty, node, term).await
    }
}

#[cfg(test)]
#[path = "intake/tests.rs"]
mod tests;
