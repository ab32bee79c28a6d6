//! Counts wrong attempts to sign in, and locks for a while what had too many.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use portreeve_pkix::Timestamp;

/// For how long wrong attempts are counted, and so how long something stays locked.
pub(super) const WINDOW: Duration = Duration::from_secs(15 * 60);
/// Names and addresses counted at once.
const KEYS_MAX: usize = 20_000;

/// What wrong attempts are counted against.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub(super) enum Key {
    /// A name, whether or not there is such an operator.
    Name(String),
    /// An address; of IPv6 its /64.
    Address(IpAddr),
}

impl Key {
    pub(super) fn of(address: IpAddr) -> Self {
        Self::Address(match address {
            IpAddr::V4(_) => address,
            IpAddr::V6(six) => {
                let [a, b, c, d, ..] = six.segments();
                IpAddr::V6(std::net::Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
            }
        })
    }

    /// Wrong attempts after which it is locked.
    const fn allowed(&self) -> u32 {
        match self {
            Self::Name(_) => 10,
            Self::Address(_) => 50,
        }
    }
}

#[derive(Copy, Clone, Debug)]
struct Count {
    wrong: u32,
    since: Timestamp,
}

/// Whether somebody may try.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Trial {
    /// They may.
    Open,
    /// They may not, for this long.
    Locked(Duration),
}

/// Wrong attempts on this node. A name that had too many is refused without a look at the password until its time is over,
/// so guessing costs time on every node anew and a name cannot be locked for good by strangers.
#[derive(Debug, Default)]
pub(super) struct Attempts(Mutex<HashMap<Key, Count>>);

impl Attempts {
    /// Whether an attempt may be made.
    pub(super) fn trial(&self, key: &Key, now: Timestamp) -> Trial {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        match counts.get(key) {
            Some(count) if count.wrong >= key.allowed() => match left(count, now) {
                Duration::ZERO => Trial::Open,
                wait => Trial::Locked(wait),
            },
            _ => Trial::Open,
        }
    }

    /// Counts a wrong attempt; whether it is the one that locks.
    pub(super) fn wrong(&self, key: Key, now: Timestamp) -> bool {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if counts.len() >= KEYS_MAX && !counts.contains_key(&key) {
            counts.retain(|_, count| !left(count, now).is_zero());
            let weakest = counts.iter().take(64).min_by_key(|(_, count)| count.wrong);
            if counts.len() >= KEYS_MAX
                && let Some(weakest) = weakest.map(|(key, _)| key.clone())
            {
                counts.remove(&weakest);
            }
        }
        let allowed = key.allowed();
        let fresh = Count { wrong: 0, since: now };
        let count = counts.entry(key).or_insert(fresh);
        if left(count, now).is_zero() {
            *count = fresh;
        }
        count.wrong = count.wrong.saturating_add(1);
        if count.wrong == allowed {
            // Locked from now on for a whole window.
            count.since = now;
        }
        count.wrong == allowed
    }

    /// Forgets wrong attempts: the right one came.
    pub(super) fn right(&self, key: &Key) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        counts.remove(key);
    }
}

fn left(count: &Count, now: Timestamp) -> Duration {
    count.since.saturating_add(WINDOW).since(now)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_unix_seconds(1_000_000 + seconds)
    }

    #[test]
    fn too_many_wrong_ones_lock_for_a_while() {
        let attempts = Attempts::default();
        let key = Key::Name("alice".to_owned());
        for n in 1..=10 {
            assert_eq!(attempts.trial(&key, at(n)), Trial::Open, "{n}");
            assert_eq!(attempts.wrong(key.clone(), at(n)), n == 10, "{n}");
        }
        assert_eq!(attempts.trial(&key, at(10)), Trial::Locked(WINDOW));
        assert_eq!(attempts.trial(&Key::Name("bob".to_owned()), at(10)), Trial::Open);
        assert_eq!(
            attempts.trial(&key, at(10 + 900)),
            Trial::Open,
            "its time is over"
        );
        assert!(
            !attempts.wrong(key.clone(), at(10 + 900)),
            "and it is counted anew"
        );
        assert_eq!(attempts.trial(&key, at(10 + 901)), Trial::Open);
    }

    #[test]
    fn the_right_one_forgets_the_wrong_ones() {
        let attempts = Attempts::default();
        let key = Key::Name("alice".to_owned());
        for _ in 0..9 {
            attempts.wrong(key.clone(), at(0));
        }
        attempts.right(&key);
        assert!(!attempts.wrong(key, at(1)));
    }

    #[test]
    fn addresses_of_one_network_are_one() {
        let key = |text: &str| Key::of(text.parse().unwrap());
        assert_eq!(key("2001:db8::1"), key("2001:db8::ffff:1"));
        assert_ne!(key("2001:db8::1"), key("2001:db8:0:1::1"));
        assert_ne!(key("192.0.2.1"), key("192.0.2.2"));
    }

    #[test]
    fn memory_is_bounded() {
        let attempts = Attempts::default();
        for n in 0..KEYS_MAX + 100 {
            attempts.wrong(Key::Name(n.to_string()), at(0));
        }
        assert!(attempts.0.lock().unwrap().len() <= KEYS_MAX);
    }
}
