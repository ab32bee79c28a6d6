//! Identifiers whose control a requester has shown.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Identifier, Timestamp};

use super::actor::Requester;
use super::event::EventKind;
use super::ids::{StreamId, StreamKind};

/// What can happen to a proof.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ProofEvent {
    /// Control was shown.
    Proven {
        /// Who showed it.
        requester: Requester,
        /// Of what; a wildcard name is an identifier of its own.
        identifier: Identifier,
        /// How: the name of the method, for example `http-01`.
        method: String,
        /// What was seen: addresses, owner names.
        evidence: String,
        /// The proof counts up to here.
        until: Timestamp,
    },
    /// It no longer counts.
    Withdrawn,
}

impl ProofEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Proven { .. } => EventKind::IdentifierProven,
            Self::Withdrawn => EventKind::IdentifierWithdrawn,
        }
    }
}

/// A proof, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ProvenIdentifier {
    /// Who showed control.
    pub requester: Requester,
    /// Of what.
    pub identifier: Identifier,
    /// How.
    pub method: String,
    /// When.
    pub proven_at: Timestamp,
    /// The proof counts up to here; `None` once withdrawn.
    pub until: Option<Timestamp>,
}

impl ProvenIdentifier {
    /// Takes an event into account.
    pub fn apply(this: &mut Option<Self>, event: &ProofEvent, at: Timestamp) {
        match event {
            ProofEvent::Proven {
                requester,
                identifier,
                method,
                until,
                ..
            } => {
                *this = Some(Self {
                    requester: requester.clone(),
                    identifier: identifier.clone(),
                    method: method.clone(),
                    proven_at: at,
                    until: Some(*until),
                });
            }
            ProofEvent::Withdrawn => {
                if let Some(proof) = this {
                    proof.until = None;
                }
            }
        }
    }

    /// Whether the proof counts at `now` for this requester and identifier.
    pub fn holds(&self, requester: &Requester, identifier: &Identifier, now: Timestamp) -> bool {
        self.requester == *requester
            && self.identifier == *identifier
            && self.until.is_some_and(|until| now < until)
    }
}

/// The stream of the proofs of one identifier by one requester.
pub fn proof_stream(requester: &Requester, identifier: &Identifier) -> StreamId {
    let requester = requester.to_string();
    let identifier = match identifier {
        Identifier::Dns(name) => format!("dns:{name}"),
        Identifier::Ip(address) => format!("ip:{address}"),
    };
    StreamId::derived(StreamKind::Proof, &[requester.as_bytes(), identifier.as_bytes()])
}
