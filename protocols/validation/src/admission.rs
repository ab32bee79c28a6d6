//! How many attempts run, and wait, at once.

use std::time::Duration;

use tokio::sync::{Semaphore, SemaphorePermit};
use tokio::time::timeout;

/// Lets a bounded number of attempts run and a bounded number wait their turn.
pub(crate) struct Admission {
    running: Semaphore,
    present: Semaphore,
}

/// The right to run one attempt; given back when dropped.
pub(crate) struct Admitted<'a> {
    _running: SemaphorePermit<'a>,
    _present: SemaphorePermit<'a>,
}

/// No place became free.
#[derive(Debug)]
pub(crate) struct Busy;

impl Admission {
    /// Admits `concurrent_max` attempts at once while `waiting_max` more wait.
    pub(crate) fn new(concurrent_max: usize, waiting_max: usize) -> Self {
        Self {
            running: Semaphore::new(concurrent_max),
            present: Semaphore::new(concurrent_max.saturating_add(waiting_max)),
        }
    }

    /// Waits for a place, at most `limit` and only if the queue has room.
    pub(crate) async fn enter(&self, limit: Duration) -> Result<Admitted<'_>, Busy> {
        let present = self.present.try_acquire().map_err(|_| Busy)?;
        match timeout(limit, self.running.acquire()).await {
            Ok(Ok(running)) => Ok(Admitted {
                _running: running,
                _present: present,
            }),
            Ok(Err(_)) | Err(_) => Err(Busy),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_full_queue_is_refused_at_once_and_a_waiter_gets_the_freed_place() {
        let limit = Duration::from_secs(60);
        let admission = Admission::new(1, 1);
        let first = admission.enter(limit).await.unwrap();
        let (second, _) = tokio::join!(admission.enter(limit), async {
            assert!(
                admission.enter(limit).await.is_err(),
                "one runs, one waits: no room for a third"
            );
            drop(first);
        });
        assert!(second.is_ok());
    }

    #[tokio::test(start_paused = true)]
    async fn waiting_ends_at_the_limit() {
        let admission = Admission::new(1, 1);
        let _first = admission.enter(Duration::from_secs(1)).await.unwrap();
        assert!(admission.enter(Duration::from_secs(1)).await.is_err());
    }
}
