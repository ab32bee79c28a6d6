//! Rate limits within one process, by the generic cell rate algorithm (GCRA).
//!
//! For each key one time is kept: when its allowance will be whole again. A request moves that time on by one
//! emission interval, and is admitted if the time then lies no further ahead than a full burst.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portreeve_ra::RateLimit;
use portreeve_ra::ports::{Admission, Clock, RateLimiter};

/// Keys at once.
const KEYS_MAX: usize = 100_000;

/// Keys looked at to find one to forget, when all are in use.
const SAMPLE: usize = 16;

const NANOS_PER_MILLI: i128 = 1_000_000;

/// Rate limits within one process.
///
/// Keys whose allowance is whole are forgotten when room is needed. If none is, one that is nearly whole goes: a
/// flood of keys makes limits looser, never refuses somebody else.
pub struct LocalRateLimiter {
    clock: Arc<dyn Clock>,
    keys: Mutex<Keys>,
    keys_max: usize,
}

#[derive(Debug, Default)]
struct Keys {
    /// When the allowance of a key is whole again, in nanoseconds since 1970.
    whole_at: HashMap<Box<str>, i128>,
    /// No key is whole before this.
    none_whole_until: i128,
}

impl LocalRateLimiter {
    /// By this clock.
    pub fn new(clock: Arc<dyn Clock>) -> Self {
        Self::with_limit(clock, KEYS_MAX)
    }

    /// By this clock, for at most this many keys at once.
    pub fn with_limit(clock: Arc<dyn Clock>, keys_max: usize) -> Self {
        Self {
            clock,
            keys: Mutex::default(),
            keys_max: keys_max.max(1),
        }
    }

    /// How many keys are remembered.
    pub fn remembered(&self) -> usize {
        self.keys
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .whole_at
            .len()
    }
}

#[async_trait]
impl RateLimiter for LocalRateLimiter {
    async fn admit(&self, key: &str, limit: RateLimit, cost: u32) -> Admission {
        self.count(key, limit, cost)
    }
}

impl LocalRateLimiter {
    /// Counts `cost` against `key` under the limit; with a cost of 0 only says whether one more would be admitted.
    pub(crate) fn count(&self, key: &str, limit: RateLimit, cost: u32) -> Admission {
        let now = i128::from(self.clock.now().unix_millis()) * NANOS_PER_MILLI;
        let Some(interval) = emission_interval(limit) else {
            return Admission::RetryAfter(limit.period);
        };
        let burst = interval * i128::from(limit.burst.max(1));
        let mut keys = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        // A time beyond a full burst is left by a larger limit, or by a clock that was set back.
        let whole_at = keys
            .whole_at
            .get(key)
            .map_or(now, |at| (*at).clamp(now, now + burst));
        let then = whole_at + interval * i128::from(cost.max(1));
        if then > now + burst {
            return Admission::RetryAfter(duration((then - now - burst).min(burst)));
        }
        if cost > 0 {
            keys.remember(key, then, (now, self.keys_max));
        }
        Admission::Admitted
    }
}

impl Keys {
    fn remember(&mut self, key: &str, whole_at: i128, (now, keys_max): (i128, usize)) {
        if let Some(known) = self.whole_at.get_mut(key) {
            *known = whole_at;
            return;
        }
        if self.whole_at.len() >= keys_max {
            self.make_room(now);
        }
        self.none_whole_until = self.none_whole_until.min(whole_at);
        self.whole_at.insert(key.into(), whole_at);
    }

    /// Looking at every key is worth it only when one of them can have become whole.
    fn make_room(&mut self, now: i128) {
        if self.none_whole_until <= now {
            let before = self.whole_at.len();
            self.whole_at.retain(|_, whole_at| *whole_at > now);
            self.none_whole_until = self.whole_at.values().copied().min().unwrap_or(i128::MAX);
            if self.whole_at.len() < before {
                return;
            }
        }
        let sample = self.whole_at.iter().take(SAMPLE);
        if let Some(key) = sample
            .min_by_key(|(_, whole_at)| **whole_at)
            .map(|(key, _)| key.clone())
        {
            self.whole_at.remove(&key);
        }
    }
}

/// Nanoseconds that one request uses up; `None` when the limit admits none.
fn emission_interval(limit: RateLimit) -> Option<i128> {
    let period = i128::try_from(limit.period.as_nanos()).unwrap_or(i128::from(i64::MAX));
    period.checked_div(i128::from(limit.requests))
}

fn duration(nanos: i128) -> Duration {
    Duration::from_nanos(u64::try_from(nanos.max(0)).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;
    use async_trait::async_trait;
    use portreeve_pkix::Timestamp;
    use proptest::prelude::*;
    use std::sync::atomic::{AtomicI64, Ordering};

    #[derive(Default)]
    struct HandClock(AtomicI64);

    impl HandClock {
        fn advance(&self, millis: i64) {
            self.0.fetch_add(millis, Ordering::SeqCst);
        }
    }

    #[async_trait]
    impl Clock for HandClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_unix_millis(self.0.load(Ordering::SeqCst))
        }
        async fn sleep(&self, _: Duration) {}
    }

    const fn limit(requests: u32, period_secs: u64, burst: u32) -> RateLimit {
        RateLimit {
            requests,
            period: Duration::from_secs(period_secs),
            burst,
        }
    }

    fn limiter(keys_max: usize) -> (Arc<HandClock>, LocalRateLimiter) {
        let clock = Arc::new(HandClock::default());
        (Arc::clone(&clock), LocalRateLimiter::with_limit(clock, keys_max))
    }

    #[test]
    fn a_burst_then_the_rate() {
        let (clock, limiter) = limiter(10);
        let limit = limit(10, 10, 3);
        for _ in 0..3 {
            assert_eq!(limiter.count("a", limit, 1), Admission::Admitted);
        }
        assert_eq!(
            limiter.count("a", limit, 1),
            Admission::RetryAfter(Duration::from_secs(1))
        );
        assert_eq!(
            limiter.count("b", limit, 1),
            Admission::Admitted,
            "keys are apart"
        );
        clock.advance(999);
        assert_eq!(
            limiter.count("a", limit, 1),
            Admission::RetryAfter(Duration::from_millis(1))
        );
        clock.advance(1);
        assert_eq!(limiter.count("a", limit, 1), Admission::Admitted);
        assert_eq!(
            limiter.count("a", limit, 1),
            Admission::RetryAfter(Duration::from_secs(1))
        );
    }

    #[test]
    fn odd_limits() {
        let rows = [
            (
                "no requests at all",
                limit(0, 60, 5),
                1,
                Admission::RetryAfter(Duration::from_secs(60)),
            ),
            ("no burst counts as one", limit(1, 60, 0), 1, Admission::Admitted),
            (
                "a cost beyond the burst",
                limit(1, 60, 2),
                3,
                Admission::RetryAfter(Duration::from_secs(60)),
            ),
            (
                "a cost of the whole burst",
                limit(1, 60, 2),
                2,
                Admission::Admitted,
            ),
            ("only asks", limit(1, 60, 1), 0, Admission::Admitted),
        ];
        for (name, limit, cost, expected) in rows {
            assert_eq!(limiter(10).1.count("key", limit, cost), expected, "{name}");
        }
    }

    #[test]
    fn asking_counts_nothing_and_says_what_counting_would() {
        let (clock, limiter) = limiter(10);
        let limit = limit(1, 10, 1);
        for _ in 0..3 {
            assert_eq!(limiter.count("a", limit, 0), Admission::Admitted);
        }
        assert_eq!(limiter.count("a", limit, 1), Admission::Admitted);
        let wait = Admission::RetryAfter(Duration::from_secs(10));
        assert_eq!(limiter.count("a", limit, 0), wait);
        assert_eq!(limiter.count("a", limit, 1), wait);
        clock.advance(10_000);
        assert_eq!(limiter.count("a", limit, 0), Admission::Admitted);
    }

    #[test]
    fn a_clock_set_back_does_not_lock_out() {
        let (clock, limiter) = limiter(10);
        let limit = limit(1, 1, 1);
        assert_eq!(limiter.count("a", limit, 1), Admission::Admitted);
        clock.advance(-3_600_000);
        assert_eq!(
            limiter.count("a", limit, 1),
            Admission::RetryAfter(Duration::from_secs(1))
        );
        clock.advance(3_600_000 + 1_000);
        assert_eq!(limiter.count("a", limit, 1), Admission::Admitted);
    }

    #[test]
    fn a_flood_of_keys_is_bounded_and_refuses_nobody() {
        let (clock, limiter) = limiter(50);
        let limit = limit(1, 60, 1);
        for number in 0..1_000 {
            assert_eq!(
                limiter.count(&number.to_string(), limit, 1),
                Admission::Admitted,
                "{number}"
            );
        }
        assert_eq!(limiter.remembered(), 50);
        clock.advance(60_000);
        assert_eq!(limiter.count("later", limit, 1), Admission::Admitted);
        assert_eq!(limiter.remembered(), 1, "whole keys are forgotten");
    }

    proptest! {
        /// Whatever the pattern: in any run of requests no more are admitted than the burst and the rate allow, and
        /// a client that waits as long as it was told is admitted.
        #[test]
        fn never_more_than_burst_and_rate(
            steps in proptest::collection::vec(0_i64..3_000, 1..200),
            requests in 1_u32..20,
            burst in 1_u32..10,
        ) {
            let (clock, limiter) = limiter(10);
            let limit = limit(requests, 10, burst);
            let mut admitted = 0_i64;
            for step in steps {
                clock.advance(step);
                match limiter.count("key", limit, 1) {
                    Admission::Admitted => admitted += 1,
                    Admission::RetryAfter(wait) => {
                        clock.advance(i64::try_from(wait.as_millis()).expect("short") + 1);
                        prop_assert_eq!(limiter.count("key", limit, 1), Admission::Admitted);
                        admitted += 1;
                    }
                }
            }
            let elapsed = clock.now().unix_millis();
            prop_assert!(admitted <= i64::from(burst) + elapsed * i64::from(requests) / 10_000 + 1);
        }
    }
}
