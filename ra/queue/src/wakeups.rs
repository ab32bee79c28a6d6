//! Wake-ups within one process.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_ra::ports::{ApprovalHint, WakeKey, Wakeups};
use tokio::sync::{broadcast, oneshot};

use crate::polling::Hints;

/// Waiters at once; who comes later polls instead.
const WAITERS_MAX: usize = 16_384;

/// How long one waits that cannot be woken.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// News of proposals kept for a listener that is slow; older ones are lost for it.
const NEWS_MAX: usize = 256;

/// Wake-ups within one process. Cheap to clone; clones share their waiters.
#[derive(Clone, Debug)]
pub struct LocalWakeups {
    waiters: Arc<Mutex<Waiters>>,
    waiters_max: usize,
    news: broadcast::Sender<ApprovalHint>,
    hints: Hints,
}

#[derive(Debug, Default)]
struct Waiters {
    by_key: HashMap<WakeKey, Vec<(u64, oneshot::Sender<()>)>>,
    count: usize,
    next_number: u64,
}

impl Default for LocalWakeups {
    fn default() -> Self {
        Self::new()
    }
}

impl LocalWakeups {
    /// Without a waiter yet.
    pub fn new() -> Self {
        Self::with_limit(WAITERS_MAX)
    }

    /// For at most this many waiters at once; those beyond are not woken and come back soon instead.
    pub fn with_limit(waiters_max: usize) -> Self {
        Self {
            waiters: Arc::default(),
            waiters_max,
            news: broadcast::Sender::new(NEWS_MAX),
            hints: Hints::Complete,
        }
    }

    /// For one of several nodes that cannot wake each other: waits are short, so that waiters look into the store.
    pub fn among_nodes() -> Self {
        Self {
            hints: Hints::Missing,
            ..Self::new()
        }
    }

    /// News of proposals from now on; who is slow misses the oldest.
    pub fn news(&self) -> broadcast::Receiver<ApprovalHint> {
        self.news.subscribe()
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        lock(&self.waiters).count
    }

    /// Wakes everybody: hints may have been lost.
    pub(crate) fn wake_all(&self) {
        let woken = {
            let mut waiters = lock(&self.waiters);
            waiters.count = 0;
            std::mem::take(&mut waiters.by_key)
        };
        for (_, sender) in woken.into_values().flatten() {
            let _ = sender.send(());
        }
    }

    fn register(&self, key: WakeKey) -> Option<Registration> {
        let mut waiters = lock(&self.waiters);
        if waiters.count >= self.waiters_max {
            return None;
        }
        let (sender, woken) = oneshot::channel();
        let number = waiters.next_number;
        waiters.next_number += 1;
        waiters.count += 1;
        waiters.by_key.entry(key).or_default().push((number, sender));
        Some(Registration {
            waiters: Arc::clone(&self.waiters),
            key,
            number,
            woken,
        })
    }
}

impl Wakeups for LocalWakeups {
    fn wake(&self, key: WakeKey) {
        let woken = {
            let mut waiters = lock(&self.waiters);
            let woken = waiters.by_key.remove(&key).unwrap_or_default();
            waiters.count -= woken.len();
            woken
        };
        for (_, sender) in woken {
            // A waiter that has just left needs no wake-up.
            let _ = sender.send(());
        }
    }

    fn wait(&self, key: WakeKey, at_most: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        let at_most = self.hints.bound(key, at_most);
        match self.register(key) {
            Some(mut registration) => Box::pin(async move {
                // Both ends are the same to the waiter: it looks for itself.
                let _ = tokio::time::timeout(at_most, &mut registration.woken).await;
            }),
            None => Box::pin(tokio::time::sleep(at_most.min(POLL_INTERVAL))),
        }
    }

    fn announce(&self, hint: ApprovalHint) {
        // Nobody listening is no failure.
        let _ = self.news.send(hint);
        self.wake(WakeKey::Approvals);
    }
}

/// One waiter; leaves the list when dropped.
#[derive(Debug)]
struct Registration {
    waiters: Arc<Mutex<Waiters>>,
    key: WakeKey,
    number: u64,
    woken: oneshot::Receiver<()>,
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut waiters = lock(&self.waiters);
        let Some(list) = waiters.by_key.get_mut(&self.key) else {
            return;
        };
        let Some(place) = list.iter().position(|(number, _)| *number == self.number) else {
            return;
        };
        list.swap_remove(place);
        if list.is_empty() {
            waiters.by_key.remove(&self.key);
        }
        waiters.count -= 1;
    }
}

fn lock(waiters: &Mutex<Waiters>) -> MutexGuard<'_, Waiters> {
    waiters.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::ports::ApprovalNews;
    use portreeve_ra::{EnrollmentId, ProposalId};
    use tokio::time::Instant;

    const LONG: Duration = Duration::from_secs(3600);

    fn enrollment(number: u8) -> WakeKey {
        WakeKey::Enrollment(EnrollmentId::from_bytes([number; 16]))
    }

    #[tokio::test(start_paused = true)]
    async fn a_wake_up_before_the_first_poll_is_not_lost() {
        let wakeups = LocalWakeups::new();
        let started = Instant::now();
        let waiting = wakeups.wait(enrollment(1), LONG);
        wakeups.wake(enrollment(1));
        waiting.await;
        assert_eq!(started.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn wakes_everybody_with_the_key_and_nobody_else() {
        let wakeups = LocalWakeups::new();
        let started = Instant::now();
        let first = wakeups.wait(enrollment(1), LONG);
        let second = wakeups.wait(enrollment(1), LONG);
        let other = wakeups.wait(enrollment(2), LONG);
        let tasks = wakeups.wait(WakeKey::Tasks, LONG);
        wakeups.wake(enrollment(1));
        first.await;
        second.await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(wakeups.waiting(), 2);
        wakeups.wake(WakeKey::Tasks);
        tasks.await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        other.await;
        assert_eq!(started.elapsed(), LONG);
    }

    #[tokio::test(start_paused = true)]
    async fn who_leaves_is_forgotten() {
        let wakeups = LocalWakeups::new();
        let dropped = wakeups.wait(WakeKey::Status, LONG);
        let expires = wakeups.wait(WakeKey::Status, Duration::from_secs(1));
        assert_eq!(wakeups.waiting(), 2);
        drop(dropped);
        assert_eq!(wakeups.waiting(), 1);
        expires.await;
        assert_eq!(wakeups.waiting(), 0);
        assert!(lock(&wakeups.waiters).by_key.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn everybody_can_be_woken() {
        let wakeups = LocalWakeups::new();
        let started = Instant::now();
        let waits = [enrollment(1), enrollment(2), WakeKey::Tasks].map(|key| wakeups.wait(key, LONG));
        wakeups.wake_all();
        for wait in waits {
            wait.await;
        }
        assert_eq!((started.elapsed(), wakeups.waiting()), (Duration::ZERO, 0));
    }

    #[tokio::test(start_paused = true)]
    async fn among_nodes_that_cannot_wake_each_other_waits_are_short() {
        let wakeups = LocalWakeups::among_nodes();
        let started = Instant::now();
        wakeups.wait(enrollment(1), LONG).await;
        assert!(started.elapsed() <= Duration::from_millis(500));
        wakeups.wake(enrollment(1));
        let woken = wakeups.wait(enrollment(1), LONG);
        wakeups.wake(enrollment(1));
        let started = Instant::now();
        woken.await;
        assert_eq!(
            started.elapsed(),
            Duration::ZERO,
            "wake-ups of its own work at once"
        );
    }

    #[tokio::test(start_paused = true)]
    async fn news_of_a_proposal_reach_listeners_and_waiters() {
        let wakeups = LocalWakeups::new();
        let mut news = wakeups.news();
        let waiting = wakeups.wait(WakeKey::Approvals, LONG);
        let hint = ApprovalHint {
            proposal: ProposalId::from_bytes([1; 16]),
            enrollment: EnrollmentId::from_bytes([2; 16]),
            news: ApprovalNews::Opened,
        };
        let started = Instant::now();
        wakeups.announce(hint);
        waiting.await;
        assert_eq!(started.elapsed(), Duration::ZERO);
        assert_eq!(news.recv().await, Ok(hint));
    }

    #[tokio::test(start_paused = true)]
    async fn beyond_the_limit_waiters_poll() {
        let wakeups = LocalWakeups::with_limit(1);
        let started = Instant::now();
        let first = wakeups.wait(enrollment(1), LONG);
        wakeups.wait(enrollment(1), LONG).await;
        assert_eq!(started.elapsed(), POLL_INTERVAL);
        wakeups.wait(enrollment(1), Duration::from_millis(1)).await;
        assert_eq!(started.elapsed(), POLL_INTERVAL + Duration::from_millis(1));
        wakeups.wake(enrollment(1));
        first.await;
        assert_eq!(wakeups.waiting(), 0);
    }
}
