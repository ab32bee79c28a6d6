//! What is read from the store in one message.

use super::store::Space;
use crate::domain::{Claim, ClaimKey, Record, StreamId};

/// What is read together, by its keys.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Wanted {
    /// Streams, for their records.
    pub streams: Vec<StreamId>,
    /// Claims, live or not.
    pub claims: Vec<ClaimKey>,
    /// Reservations, for where they lead.
    pub reservations: Vec<(Space, [u8; 32])>,
}

impl Wanted {
    /// How many things it asks for.
    pub const fn len(&self) -> usize {
        self.streams
            .len()
            .saturating_add(self.claims.len())
            .saturating_add(self.reservations.len())
    }

    /// Whether it asks for nothing.
    pub const fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// What was read together: one answer to each thing, in the order asked.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Answers {
    /// The records of each stream, in order; none where there are none.
    pub streams: Vec<Vec<Record>>,
    /// Each claim.
    pub claims: Vec<Option<Claim>>,
    /// Where each reservation leads.
    pub reservations: Vec<Option<StreamId>>,
}

impl Answers {
    /// As many answers of nothing as there are things wanted.
    pub fn to(wanted: &Wanted) -> Self {
        Self {
            streams: vec![Vec::new(); wanted.streams.len()],
            claims: vec![None; wanted.claims.len()],
            reservations: vec![None; wanted.reservations.len()],
        }
    }
}
