//! Wake-ups between nodes.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::ports::{ApprovalHint, WakeKey, Wakeups};
use tokio::sync::watch;

use super::entry::Hint;
use super::link::Link;
use super::sender::Outbox;
use crate::polling::Hints;
use crate::wakeups::LocalWakeups;

/// Wake-ups between nodes: waiters of this node are woken at once, those of others through Redis.
#[derive(Clone)]
pub struct RedisWakeups {
    local: LocalWakeups,
    outbox: Outbox,
    link: Arc<Link>,
    hears: watch::Receiver<bool>,
}

impl RedisWakeups {
    pub(crate) fn new(
        local: LocalWakeups,
        outbox: Outbox,
        (link, hears): (Arc<Link>, watch::Receiver<bool>),
    ) -> Self {
        Self {
            local,
            outbox,
            link,
            hears,
        }
    }

    pub(crate) const fn local(&self) -> &LocalWakeups {
        &self.local
    }

    /// Whether hints go both ways at the moment.
    pub fn is_connected(&self) -> bool {
        *self.hears.borrow() && self.link.is_up()
    }

    /// How many wait on this node.
    pub fn waiting(&self) -> usize {
        self.local.waiting()
    }
}

impl Wakeups for RedisWakeups {
    fn wake(&self, key: WakeKey) {
        self.local.wake(key);
        self.outbox.leave(Hint::Wake(key));
    }

    fn wait(&self, key: WakeKey, at_most: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let hints = if self.is_connected() {
            Hints::Carried
        } else {
            Hints::Missing
        };
        self.local.wait(key, hints.bound(key, at_most))
    }

    fn announce(&self, hint: ApprovalHint) {
        self.local.announce(hint);
        self.outbox.leave(Hint::News(hint));
    }
}
