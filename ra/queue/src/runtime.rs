//! Time, chance and tasks of a real process.

use std::future::Future;
use std::pin::Pin;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Clock, Random, Spawn};
use tokio_util::task::TaskTracker;

/// The clock of the machine.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemClock;

#[async_trait]
impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let millis = match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => i64::try_from(since.as_millis()).unwrap_or(i64::MAX),
            Err(before) => i64::try_from(before.duration().as_millis()).map_or(i64::MIN, |millis| -millis),
        };
        Timestamp::from_unix_millis(millis)
    }

    async fn sleep(&self, duration: Duration) {
        tokio::time::sleep(duration).await;
    }
}

/// The generator of the cryptographic library. Ends the process if it fails: nothing may be made without it.
#[derive(Copy, Clone, Debug, Default)]
pub struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        if aws_lc_rs::rand::fill(octets).is_err() {
            std::process::abort();
        }
    }
}

/// Tasks of the tokio runtime it is used in.
#[derive(Clone, Debug, Default)]
pub struct TokioSpawn {
    tasks: TaskTracker,
}

impl TokioSpawn {
    /// Without a task yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// How many tasks have not ended.
    pub fn running(&self) -> usize {
        self.tasks.len()
    }

    /// Returns when all tasks have ended, those included that are started meanwhile.
    pub async fn drain(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Spawn for TokioSpawn {
    fn spawn(&self, work: Pin<Box<dyn Future<Output = ()> + Send + 'static>>) {
        self.tasks.spawn(work);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    #[test]
    fn the_clock_is_the_machines() {
        let before = UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
        let now = u128::try_from(SystemClock.now().unix_millis()).expect("after 1970");
        let after = UNIX_EPOCH.elapsed().expect("after 1970").as_millis();
        assert!((before..=after).contains(&now));
    }

    #[test]
    fn chance_fills_every_octet() {
        let mut seen = [false; 32];
        for _ in 0..64 {
            let mut octets = [0; 32];
            SystemRandom.fill(&mut octets);
            seen.iter_mut()
                .zip(octets)
                .for_each(|(seen, octet)| *seen |= octet != 0);
        }
        assert_eq!(seen, [true; 32]);
    }

    #[tokio::test]
    async fn drain_waits_for_what_runs() {
        let spawn = TokioSpawn::new();
        let (release, released) = tokio::sync::oneshot::channel::<()>();
        let ended = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&ended);
        spawn.spawn(Box::pin(async move {
            released.await.ok();
            flag.store(true, Ordering::SeqCst);
        }));
        assert_eq!(spawn.running(), 1);
        release.send(()).expect("the task waits");
        spawn.drain().await;
        assert!(ended.load(Ordering::SeqCst));
        assert_eq!(spawn.running(), 0);
    }
}
