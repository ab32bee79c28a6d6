//! Wake-ups within one process.

use std::collections::HashMap;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_ra::ports::{WakeKey, Wakeups};
use tokio::sync::oneshot;

/// Waiters at once; who comes later polls instead.
const WAITERS_MAX: usize = 16_384;

/// How long one waits that cannot be woken.
const POLL_INTERVAL: Duration = Duration::from_millis(250);

/// Wake-ups within one process. Cheap to clone; clones share their waiters.
#[derive(Clone, Debug)]
pub struct LocalWakeups {
    waiters: Arc<Mutex<Waiters>>,
    waiters_max: usize,
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
        }
    }

    /// How many wait.
    pub fn waiting(&self) -> usize {
        lock(&self.waiters).count
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
        match self.register(key) {
            Some(mut registration) => Box::pin(async move {
                // Both ends are the same to the waiter: it looks for itself.
                let _ = tokio::time::timeout(at_most, &mut registration.woken).await;
            }),
            None => Box::pin(tokio::time::sleep(at_most.min(POLL_INTERVAL))),
        }
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
    use portreeve_ra::EnrollmentId;
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
