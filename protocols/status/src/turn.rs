//! Whose turn it is to sign the list of a CA, and since when nobody has.

use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{LeaseRow, Leases, StoreError};
use portreeve_ra::{BackendName, NodeId};

use crate::publisher::Known;

/// How long a node that was interrupted keeps others from signing.
const LEASE: Duration = Duration::from_secs(60);

/// A node that has not signed in its turn leaves the next one to others for this long, if there are any.
const STEP_BACK: Duration = Duration::from_secs(15);

/// A list that is due is signed within this time, unless something is wrong: three nodes have had their turn.
pub(crate) const LATE: Duration = Duration::from_secs(180);

/// What a node remembers of the list of one CA from one look to the next.
#[derive(Clone, Default)]
pub(crate) struct Memory {
    /// The head that was read last.
    pub(crate) known: Known,
    turn: Option<Turn>,
    due_since: Option<Timestamp>,
    told: bool,
}

/// This node has the duty. It is not extended, so that another node gets it when this one cannot sign.
#[derive(Clone)]
struct Turn {
    ends: Timestamp,
    moment: Timestamp,
}

impl Memory {
    /// The store's time when this node's turn began; `None` when it is another's turn.
    pub(crate) async fn turn(
        &mut self,
        leases: &dyn Leases,
        (ca, node): (&BackendName, NodeId),
        now: Timestamp,
    ) -> Result<Option<Timestamp>, StoreError> {
        match &self.turn {
            Some(turn) if now < turn.ends => return Ok(Some(turn.moment)),
            Some(turn) if now < turn.ends.saturating_add(STEP_BACK) => return Ok(None),
            Some(_) | None => {}
        }
        let lease = leases.lease(&format!("crl/{ca}"), node, LEASE).await?;
        self.turn = lease.map(|LeaseRow { until, .. }| Turn {
            ends: now.saturating_add(LEASE),
            moment: until.saturating_sub(LEASE),
        });
        Ok(self.turn.as_ref().map(|turn| turn.moment))
    }

    /// The list is as it should be.
    pub(crate) fn settled(&mut self) {
        (self.turn, self.due_since, self.told) = (None, None, false);
    }

    /// A new list is due, or it is not known whether one is.
    pub(crate) fn waits(&mut self, now: Timestamp) {
        self.due_since.get_or_insert(now);
    }

    /// Somebody has signed since the last look.
    pub(crate) fn somebody_signed(&mut self) {
        (self.due_since, self.told) = (None, false);
    }

    /// Whether a list has been due, as far as this node has seen.
    pub(crate) const fn is_waiting(&self) -> bool {
        self.due_since.is_some()
    }

    /// Since when the list is due, once that is too long.
    pub(crate) fn late(&self, now: Timestamp) -> Option<Timestamp> {
        self.due_since.filter(|since| now.since(*since) >= LATE)
    }

    /// Whether this is the first time that is told.
    pub(crate) fn tell(&mut self) -> bool {
        !std::mem::replace(&mut self.told, true)
    }
}
