//! How far sealing is behind, as every node that could seal sees it.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::SealProgress;

/// A record that waits longer than this to be sealed is reason for an alarm.
pub const LAG_MAX: Duration = Duration::from_secs(10);

/// What is remembered of when records were first seen, at most.
const SEEN_MAX: usize = 256;

/// How sealing stands.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SealStanding {
    /// Records that are sealed.
    pub size: u64,
    /// For how long the oldest record that is not sealed has been seen.
    pub lag: Duration,
    /// Leaves of the newest checkpoint that this node has signed, if any.
    pub checkpoint: Option<u64>,
    /// What stands in the way, in words.
    pub trouble: Option<String>,
}

#[derive(Default)]
struct Seen {
    standing: SealStanding,
    /// When which record was the newest; the oldest first.
    newest: VecDeque<(Timestamp, u64)>,
    looked_at: Timestamp,
    alarmed: bool,
}

/// Watches how far sealing is behind.
#[derive(Default)]
pub struct SealWatch(Mutex<Seen>);

impl SealWatch {
    /// How sealing stands by now; a lag grows even when nobody looks any more.
    pub fn standing(&self, now: Timestamp) -> SealStanding {
        let seen = self.seen();
        let mut standing = seen.standing.clone();
        standing.lag = lag(&seen.newest, now);
        if seen.looked_at != Timestamp::default() {
            // Nothing is known since the store was read last: new records may wait since then.
            let unknown = now.since(seen.looked_at);
            if unknown > LAG_MAX {
                standing.lag = standing.lag.max(unknown);
            }
        }
        standing
    }

    /// Takes in how far sealing went.
    pub(crate) fn progressed(&self, progress: &SealProgress, now: Timestamp) {
        let mut seen = self.seen();
        seen.looked_at = now;
        seen.standing.size = progress.size;
        while seen
            .newest
            .front()
            .is_some_and(|(_, newest)| *newest <= progress.high)
        {
            seen.newest.pop_front();
        }
        let known = seen.newest.back().map_or(progress.high, |(_, newest)| *newest);
        if progress.newest > known {
            if seen.newest.len() >= SEEN_MAX {
                // Every second one is enough; the oldest stays.
                let mut place = 0_usize;
                seen.newest.retain(|_| {
                    place = place.wrapping_add(1);
                    place % 2 == 1
                });
            }
            seen.newest.push_back((now, progress.newest));
        }
    }

    pub(crate) fn signed(&self, size: u64) {
        self.seen().standing.checkpoint = Some(size);
    }

    pub(crate) fn troubled(&self, trouble: Option<String>) {
        self.seen().standing.trouble = trouble;
    }

    /// Whether to raise an alarm now: the lag has passed its bound, and has not been alarmed about since it last did.
    pub(crate) fn alarm_due(&self, now: Timestamp) -> bool {
        let behind = self.standing(now).lag > LAG_MAX;
        let mut seen = self.seen();
        let due = behind && !seen.alarmed;
        seen.alarmed = behind;
        due
    }

    fn seen(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn lag(newest: &VecDeque<(Timestamp, u64)>, now: Timestamp) -> Duration {
    newest
        .front()
        .map_or(Duration::ZERO, |(since, _)| now.since(*since))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000 + seconds)
    }

    fn progress(high: u64, newest: u64) -> SealProgress {
        SealProgress {
            size: high,
            high,
            watermark: high,
            newest,
            checkpoint: 0,
        }
    }

    #[test]
    fn the_lag_is_the_age_of_the_oldest_record_that_waits() {
        let watch = SealWatch::default();
        // When, how far sealing went, the newest record, the lag in seconds.
        let rows = [
            ("nothing waits", 0, 5, 5, 0),
            ("one has come", 1, 5, 6, 0),
            ("it waits", 4, 5, 9, 3),
            ("it is sealed, and later ones wait", 6, 6, 12, 2),
            ("far behind", 20, 8, 99, 16),
            ("all is sealed", 21, 99, 99, 0),
        ];
        for (name, when, high, newest, lag) in rows {
            watch.progressed(&progress(high, newest), at(when));
            assert_eq!(watch.standing(at(when)).lag.as_secs(), lag, "{name}");
        }
        assert_eq!(
            watch.standing(at(31)).lag.as_secs(),
            0,
            "the store was read just now"
        );
        assert_eq!(
            watch.standing(at(40)).lag.as_secs(),
            19,
            "it was not read for long"
        );
    }

    #[test]
    fn one_alarm_for_each_time() {
        let watch = SealWatch::default();
        watch.progressed(&progress(0, 1), at(0));
        let due: Vec<bool> = [5, 10, 11, 12].map(|when| watch.alarm_due(at(when))).into();
        assert_eq!(due, [false, false, true, false]);
        watch.progressed(&progress(1, 1), at(13));
        assert!(!watch.alarm_due(at(13)));
        watch.progressed(&progress(1, 2), at(14));
        assert!(watch.alarm_due(at(30)), "again");
    }

    #[test]
    fn what_is_remembered_is_bounded() {
        let watch = SealWatch::default();
        for second in 0_i64..2_000 {
            watch.progressed(&progress(0, second.unsigned_abs() + 1), at(second));
        }
        assert!(watch.seen().newest.len() <= SEEN_MAX);
        assert_eq!(watch.standing(at(2_000)).lag.as_secs(), 2_000);
    }
}
