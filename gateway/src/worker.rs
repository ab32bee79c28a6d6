//! Background work: due tasks, and duties that one node does at a time.

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::RegistrationAuthority;
use portreeve_ra::ports::{Leases, Store, WakeKey, Wakeups};
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use crate::edges::Refresh;

/// Due tasks are looked for at least this often: wake-ups may be lost.
const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// Pause after background work failed.
const PAUSE: Duration = Duration::from_secs(2);

/// How often what has expired is removed.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// Rows of each kind removed at once.
const SWEEP_ROWS: u32 = 1_000;

/// The duty of removing what has expired.
const SWEEP_DUTY: &str = "sweep";

/// Brings due tasks forward until told to stop.
pub async fn run_tasks(ra: Arc<RegistrationAuthority>, wakeups: Arc<dyn Wakeups>, stop: CancellationToken) {
    loop {
        let wait = match ra.work().await {
            Ok(next) => next.unwrap_or(LOOK_AGAIN).min(LOOK_AGAIN),
            Err(failure) => {
                warn!(error = %failure, "background work failed");
                PAUSE
            }
        };
        // A task that is due and could not be taken is somebody else's for now: no busy waiting for it.
        let wait = wait.max(Duration::from_millis(20));
        tokio::select! {
            () = stop.cancelled() => break,
            () = wakeups.wait(WakeKey::Tasks, wait) => {}
        }
    }
}

/// How often an edge looks for endpoints that were published or retired by way of another node.
const ENDPOINTS_EVERY: Duration = Duration::from_secs(5);

/// Serves endpoints that other nodes publish, until told to stop.
pub async fn watch_endpoints(
    published: Vec<Arc<dyn Refresh>>,
    wakeups: Arc<dyn Wakeups>,
    stop: CancellationToken,
) {
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            () = wakeups.wait(WakeKey::Configuration, ENDPOINTS_EVERY) => {}
        }
        for edge in &published {
            if let Err(failure) = edge.refresh().await {
                warn!(error = %failure, "published endpoints are not known");
            }
        }
    }
}

/// What the sweeper works with.
pub struct Sweeper {
    /// What is swept.
    pub store: Arc<dyn Store>,
    /// Who sweeps.
    pub leases: Arc<dyn Leases>,
    /// This node.
    pub node: portreeve_ra::NodeId,
}

impl Sweeper {
    /// Removes what has expired, on one node at a time, until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => break,
                () = tokio::time::sleep(SWEEP_EVERY) => {}
            }
            if let Err(failure) = self.sweep(&stop).await {
                error!(error = %failure, "what has expired could not be removed");
            }
        }
    }

    async fn sweep(&self, stop: &CancellationToken) -> Result<(), portreeve_ra::ports::StoreError> {
        while !stop.is_cancelled() {
            let held = self.leases.lease(SWEEP_DUTY, self.node, SWEEP_EVERY * 2).await?;
            if held.is_none() || self.store.sweep(SWEEP_ROWS).await? == 0 {
                break;
            }
        }
        Ok(())
    }
}
