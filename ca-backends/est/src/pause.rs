//! Leaving a server alone that does not answer.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Shortest and longest pause.
const PAUSE: (Duration, Duration) = (Duration::from_secs(2), Duration::from_secs(60));

/// How long a server is left alone after it failed: doubling from two seconds to a minute, until it answers.
#[derive(Debug, Default)]
pub(crate) struct Pause(Mutex<Failures>);

#[derive(Debug, Default)]
struct Failures {
    count: u32,
    until: Option<Instant>,
}

impl Pause {
    /// How much longer the server is to be left alone.
    pub(crate) fn left(&self, now: Instant) -> Option<Duration> {
        let failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = failures.until?.saturating_duration_since(now);
        (!left.is_zero()).then_some(left)
    }

    /// It did not answer.
    pub(crate) fn failed(&self, now: Instant) {
        let mut failures = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let pause = PAUSE.0.saturating_mul(1 << failures.count.min(5)).min(PAUSE.1);
        failures.count = failures.count.saturating_add(1);
        failures.until = Some(now + pause);
    }

    /// It answered.
    pub(crate) fn answered(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Failures::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_and_end() {
        let pause = Pause::default();
        let start = Instant::now();
        assert_eq!(pause.left(start), None);
        for seconds in [2, 4, 8, 16, 32, 60, 60] {
            pause.failed(start);
            assert_eq!(pause.left(start), Some(Duration::from_secs(seconds)));
            assert_eq!(pause.left(start + Duration::from_secs(seconds)), None);
        }
        pause.answered();
        assert_eq!(pause.left(start), None);
        pause.failed(start);
        assert_eq!(pause.left(start), Some(Duration::from_secs(2)));
    }
}
