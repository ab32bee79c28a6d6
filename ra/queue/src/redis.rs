//! Redis carries what may be lost: wake-ups of tasks and waiting clients, news of proposals, counters of rate limits,
//! heartbeats. With it gone everything works by looking into the store, more slowly.

mod entry;
mod error;
mod examination;
mod heartbeat;
mod keys;
mod limiter;
mod link;
mod listener;
mod metered;
mod sender;
mod server;
mod statistics;
mod target;
mod tls;
mod wakeups;

use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::NodeId;
use portreeve_ra::ports::{ApprovalHint, Clock};
use tokio::sync::{broadcast, watch};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use error::RedisError;
pub use examination::{REDIS_VERSION_MIN, RedisDetails, RedisExamination};
pub use heartbeat::RedisNodes;
pub use limiter::RedisRateLimiter;
pub use link::LinkState;
pub use server::{RedisServer, RedisSetupError};
pub use statistics::RedisStatistics;
pub use target::{RedisTarget, RedisUrlError};
pub use tls::{RedisTlsError, RedisTlsFiles};
pub use wakeups::RedisWakeups;

use crate::nodes::NodeReport;
use crate::wakeups::LocalWakeups;
use keys::Keys;
use link::Link;
use listener::Listener;
use sender::{Outbox, Sender};
use statistics::Counters;

/// How long a node that stops may take to say so.
const LEAVE_TIMEOUT: Duration = Duration::from_millis(500);

/// One node's use of Redis.
pub struct RedisQueue {
    link: Arc<Link>,
    wakeups: RedisWakeups,
    limiter: RedisRateLimiter,
    nodes: RedisNodes,
    counters: Arc<Counters>,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl RedisQueue {
    /// Begins to use a server, in tasks of the tokio runtime this is called in. Returns at once, whether or not the
    /// server can be reached.
    pub fn start(
        server: RedisServer,
        installation: &[u8; 16],
        own: NodeReport,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let (keys, counters, node) = (Keys::new(installation), Arc::<Counters>::default(), own.node);
        let link = Arc::new(Link::new(server));
        let (outbox, waiting) = Outbox::new(Arc::clone(&counters));
        let (local, hears) = (LocalWakeups::new(), watch::Sender::new(false));
        let queue = Self {
            wakeups: RedisWakeups::new(local.clone(), outbox, (Arc::clone(&link), hears.subscribe())),
            limiter: RedisRateLimiter::new(
                Arc::clone(&link),
                keys.clone(),
                (Arc::clone(&clock), Arc::clone(&counters)),
            ),
            nodes: RedisNodes {
                link: Arc::clone(&link),
                keys: keys.clone(),
                own,
                clock,
            },
            link,
            counters,
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
        };
        let listener = Listener {
            link: Arc::clone(&queue.link),
            keys: keys.clone(),
            node,
            local,
            counters: Arc::clone(&queue.counters),
            hears,
        };
        queue.spawn(listener, (keys, node), waiting);
        queue
    }

    fn spawn(
        &self,
        listener: Listener,
        (keys, node): (Keys, NodeId),
        waiting: tokio::sync::mpsc::Receiver<entry::Hint>,
    ) {
        let (link, stop) = (Arc::clone(&self.link), self.stop.clone());
        self.tasks.spawn(async move { link.keep(&stop).await });
        self.tasks.spawn(listener.run(self.stop.clone()));
        self.tasks.spawn(self.nodes.clone().run(self.stop.clone()));
        let sender = Sender {
            link: Arc::clone(&self.link),
            keys,
            node,
            counters: Arc::clone(&self.counters),
        };
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                () = sender.run(waiting) => {}
            }
        });
    }

    /// Hints between nodes.
    pub fn wakeups(&self) -> RedisWakeups {
        self.wakeups.clone()
    }

    /// Limits that all nodes count together.
    pub fn limiter(&self) -> RedisRateLimiter {
        self.limiter.clone()
    }

    /// The nodes of the installation.
    pub fn nodes(&self) -> RedisNodes {
        self.nodes.clone()
    }

    /// News of proposals from all nodes, from now on; who is slow misses the oldest.
    pub fn news(&self) -> broadcast::Receiver<ApprovalHint> {
        self.wakeups.local().news()
    }

    /// The server.
    pub fn server(&self) -> &RedisServer {
        self.link.server()
    }

    /// Whether the server answers.
    pub fn state(&self) -> LinkState {
        self.link.state()
    }

    /// What a server that answers refuses, for want of rights or memory for example.
    pub fn refusal(&self) -> Option<RedisError> {
        self.link.refusal()
    }

    /// How long the server took to answer when it was last looked after, at most a second or two ago while it is up.
    pub fn ping_time(&self) -> Duration {
        self.link.ping_time()
    }

    /// Whether hints go both ways at the moment.
    pub fn is_connected(&self) -> bool {
        self.wakeups.is_connected()
    }

    /// What was done so far.
    pub fn statistics(&self) -> RedisStatistics {
        self.counters.read(self.is_connected())
    }

    /// Says that this node has gone, and ends every task. Waits no longer than half a second for Redis.
    pub async fn stop(&self) {
        let _ = tokio::time::timeout(LEAVE_TIMEOUT, self.nodes.leave()).await;
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Drop for RedisQueue {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}
