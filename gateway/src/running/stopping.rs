//! Stopping a node, in bounded time whatever hangs.

use std::future::Future;
use std::time::Duration;

use portreeve_queue::TokioSpawn;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::DrainOutcome;
use super::duties::Duties;
use crate::listener::Drain;

/// This part of the time is kept for closing the store, or a request that hangs would take all of it.
const CLOSING_SHARE: u32 = 10;

/// Everything that has to end, the store excepted.
pub(super) struct Stopping {
    /// Connections with their requests.
    pub(super) drain: Drain,
    /// Tells the duties to end.
    pub(super) background: CancellationToken,
    /// Work that goes on without its client.
    pub(super) spawn: TokioSpawn,
    /// Background work.
    pub(super) duties: Duties,
    /// Time for all of it together, the store included.
    pub(super) at_most: Duration,
}

impl Stopping {
    /// Begins no request, finishes those under way and their work, ends the duties, then closes the store. What has not
    /// ended in time is cut off; the store finds it as after a crash.
    pub(super) async fn finish(self, close: impl Future<Output = ()>) -> DrainOutcome {
        info!("stopping");
        let begun = Instant::now();
        let for_work = self.at_most.saturating_sub(self.at_most / CLOSING_SHARE);
        let (work_end, end) = (begun + for_work, begun + self.at_most);
        let requests = self.drain.finish(for_work).await;
        self.background.cancel();
        let work = timeout_at(work_end, self.spawn.drain()).await.is_ok();
        let duties = self.duties.finish(work_end).await;
        let store = timeout_at(end, close).await.is_ok();
        if requests && work && duties && store {
            info!("stopped");
            return DrainOutcome::Clean;
        }
        warn!(
            requests,
            work,
            duties,
            store,
            "stopped with something under way (what is false here); it is finished after the next start"
        );
        DrainOutcome::Cut
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::ports::Spawn;

    /// Far more than the time given, far less than the patience of whoever runs the tests.
    const GENEROUS: Duration = Duration::from_secs(30);

    fn stopping(at_most: Duration) -> Stopping {
        Stopping {
            drain: Drain::default(),
            background: CancellationToken::new(),
            spawn: TokioSpawn::new(),
            duties: Duties::default(),
            at_most,
        }
    }

    #[tokio::test]
    async fn whatever_hangs_does_not_hold_the_process() {
        let hang = || std::future::pending::<()>();
        for hanging in ["nothing", "a request", "its work", "a duty", "the store"] {
            let quick = hanging != "nothing";
            let at_most = if quick {
                Duration::from_millis(50)
            } else {
                GENEROUS
            };
            let mut parts = stopping(at_most);
            match hanging {
                "a request" => drop(parts.drain.open.spawn(hang())),
                "its work" => parts.spawn.spawn(Box::pin(hang())),
                "a duty" => parts.duties.begin("hanging", hang()),
                _ => {}
            }
            let mut closed = false;
            let close = async {
                if hanging == "the store" {
                    hang().await;
                }
                closed = true;
            };
            let ended = tokio::time::timeout(GENEROUS, parts.finish(close)).await;
            let expected = if quick {
                DrainOutcome::Cut
            } else {
                DrainOutcome::Clean
            };
            assert_eq!(ended, Ok(expected), "{hanging}");
            assert_eq!(closed, hanging != "the store", "{hanging}: the store is closed");
        }
    }

    #[tokio::test]
    async fn no_time_is_little_time() {
        let close = std::future::pending();
        assert_eq!(stopping(Duration::ZERO).finish(close).await, DrainOutcome::Cut);
    }
}
