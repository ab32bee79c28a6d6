//! What a node does all the time. A duty goes on until the node is told to stop; one that ends before that, by itself or
//! by a panic, is a failure of the whole node: a gateway without its worker or its store's writer would only look alive.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;

use tokio::task::{Id, JoinSet};
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// A duty ended although nobody asked for it.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{duty} {how}, and a gateway without it is only half alive")]
pub struct DutyEnded {
    /// Which.
    pub duty: String,
    /// In which way.
    pub how: EarlyEnd,
}

/// How a duty ended early.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum EarlyEnd {
    /// It returned.
    Returned,
    /// It panicked; the panic's own message is on the standard error stream.
    Panicked,
}

impl fmt::Display for EarlyEnd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Returned => "has ended by itself",
            Self::Panicked => "has panicked",
        })
    }
}

/// The duties of one node.
#[derive(Default)]
pub(super) struct Duties {
    tasks: JoinSet<()>,
    names: HashMap<Id, String>,
}

impl Duties {
    /// Begins a duty under a name for people.
    pub(super) fn begin(&mut self, name: impl Into<String>, duty: impl Future<Output = ()> + Send + 'static) {
        let task = self.tasks.spawn(duty);
        self.names.insert(task.id(), name.into());
    }

    /// Begins a duty that knows no end; it is dropped when the node is told to stop.
    pub(super) fn begin_until(
        &mut self,
        stop: &CancellationToken,
        name: impl Into<String>,
        duty: impl Future<Output = ()> + Send + 'static,
    ) {
        let stop = stop.clone();
        self.begin(name, async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = duty => {}
            }
        });
    }

    /// Returns when a duty has ended; to be asked only while none should. Without any duty it never returns.
    pub(super) async fn ended(&mut self) -> DutyEnded {
        let (id, how) = match self.tasks.join_next_with_id().await {
            Some(Ok((id, ()))) => (id, EarlyEnd::Returned),
            Some(Err(error)) => (error.id(), EarlyEnd::Panicked),
            None => std::future::pending().await,
        };
        let duty = self.names.remove(&id).unwrap_or_default();
        DutyEnded { duty, how }
    }

    /// Waits for the end of all; those that have not ended by then are dropped. Says whether all ended.
    pub(super) async fn finish(mut self, by: Instant) -> bool {
        let all = async {
            while let Some(ended) = self.tasks.join_next_with_id().await {
                let id = ended.map_or_else(|error| error.id(), |(id, ())| id);
                self.names.remove(&id);
            }
        };
        let finished = timeout_at(by, all).await.is_ok();
        for name in self.names.values() {
            tracing::warn!(duty = name, "has not ended in time and is cut off");
        }
        finished
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn first_end(name: &str, duty: impl Future<Output = ()> + Send + 'static) -> DutyEnded {
        let mut duties = Duties::default();
        duties.begin("another", std::future::pending());
        duties.begin(name, duty);
        duties.ended().await
    }

    #[tokio::test]
    async fn one_that_ends_early_is_named() {
        let returned = first_end("worker", async {}).await;
        assert_eq!(
            (returned.duty.as_str(), returned.how),
            ("worker", EarlyEnd::Returned)
        );
        let panicked = first_end("sweeper", async { panic!("on purpose") }).await;
        assert_eq!(
            panicked.to_string(),
            "sweeper has panicked, and a gateway without it is only half alive"
        );
    }

    #[tokio::test]
    async fn those_that_hear_the_stop_are_waited_for_and_others_are_not() {
        let stop = CancellationToken::new();
        let mut obedient = Duties::default();
        obedient.begin_until(&stop, "obedient", std::future::pending());
        let mut deaf = Duties::default();
        let (ended, end) = tokio::sync::oneshot::channel::<()>();
        deaf.begin("deaf", async move {
            let _held = ended;
            std::future::pending::<()>().await;
        });
        stop.cancel();
        let far = Instant::now() + std::time::Duration::from_secs(60);
        assert!(obedient.finish(far).await);
        assert!(!deaf.finish(Instant::now()).await);
        assert!(end.await.is_err(), "it was dropped");
    }
}
