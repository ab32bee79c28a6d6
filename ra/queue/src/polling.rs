//! How long a waiter relies on hints before it looks into the store by itself.

use std::time::Duration;

use portreeve_ra::ports::WakeKey;

/// A client that waits must see its result within a second although a hint was lost, and so must a worker that takes
/// up what it waits for: both look this often.
const CLIENT_WAITS: Duration = Duration::from_millis(500);

/// The same where no hint comes from other nodes: worker and client look one after the other.
const CLIENT_WAITS_BLIND: Duration = Duration::from_millis(250);

/// For what nobody waits for at a connection: CRLs, badges.
const NOBODY_WAITS: Duration = Duration::from_secs(5);

/// Where hints come from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Hints {
    /// There is one node, and no hint is lost.
    Complete,
    /// Hints of other nodes come, and may be lost.
    Carried,
    /// There are other nodes, and none of their hints come.
    Missing,
}

impl Hints {
    /// The longest that a wait for this may last.
    pub(crate) fn bound(self, key: WakeKey, at_most: Duration) -> Duration {
        let look = match (self, key) {
            (Self::Complete, _) => return at_most,
            (Self::Carried, WakeKey::Enrollment(_) | WakeKey::Tasks) => CLIENT_WAITS,
            (Self::Missing, WakeKey::Enrollment(_) | WakeKey::Tasks) => CLIENT_WAITS_BLIND,
            (_, WakeKey::Status | WakeKey::Approvals | WakeKey::Configuration) => NOBODY_WAITS,
        };
        at_most.min(look)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::EnrollmentId;

    #[test]
    fn a_lost_hint_costs_less_than_a_second() {
        let long = Duration::from_secs(3600);
        let enrollment = WakeKey::Enrollment(EnrollmentId::from_bytes([1; 16]));
        for hints in [Hints::Carried, Hints::Missing] {
            // A worker that missed a task, then a client that missed its end.
            let both = hints.bound(WakeKey::Tasks, long) + hints.bound(enrollment, long);
            assert!(both <= Duration::from_secs(1), "{hints:?}");
            assert_eq!(hints.bound(WakeKey::Status, long), NOBODY_WAITS, "{hints:?}");
            let short = Duration::from_millis(1);
            assert_eq!(hints.bound(enrollment, short), short, "{hints:?}");
        }
        assert_eq!(Hints::Complete.bound(enrollment, long), long);
    }
}
