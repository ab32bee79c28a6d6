//! What a person must look at.

use borsh::{BorshDeserialize, BorshSerialize};

use super::event::EventKind;
use super::ids::{EndpointName, StreamId, StreamKind};
use super::refusal::Refusal;

/// What is wrong.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum IncidentKind {
    /// A stored stream does not verify: somebody wrote to the database.
    Tampered,
    /// The signer was asked for a second content under one enrollment.
    SecondContent,
    /// A CA returned a certificate that was not ordered.
    WrongCertificate,
    /// A CA cannot tell whether it issued, or does not come to an end.
    InDoubt,
    /// A serial number came up that is in use: chance is broken, a CA used it twice, or somebody wrote to the
    /// database.
    SerialTaken,
    /// A revocation that was published is missing in the store: somebody wrote to the database.
    RevocationVanished,
    /// A CRL is due, and no node has signed it for minutes.
    CrlOverdue,
    /// Records are not sealed in time: nobody seals, or the sealer does not trust what it finds.
    SealingBehind,
}

impl IncidentKind {
    /// The word in lists, logs and metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tampered => "tampered",
            Self::SecondContent => "second_content",
            Self::WrongCertificate => "wrong_certificate",
            Self::InDoubt => "in_doubt",
            Self::SerialTaken => "serial_taken",
            Self::RevocationVanished => "revocation_vanished",
            Self::CrlOverdue => "crl_overdue",
            Self::SealingBehind => "sealing_behind",
        }
    }
}

/// What can happen to an incident.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum IncidentEvent {
    /// It was raised.
    Raised(Incident),
    /// A person has dealt with it.
    Closed {
        /// What was done.
        comment: String,
    },
}

impl IncidentEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Raised(_) => EventKind::IncidentRaised,
            Self::Closed { .. } => EventKind::IncidentClosed,
        }
    }
}

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Incident {
    /// What is wrong.
    pub what: IncidentKind,
    /// Where.
    pub subject: StreamId,
    /// In words, for the operator.
    pub detail: String,
}

impl Incident {
    /// The stream of this incident: the same thing seen twice is one incident.
    pub fn stream(&self) -> StreamId {
        let kind = [self.subject.kind.number()];
        StreamId::derived(
            StreamKind::Incident,
            &[
                self.what.as_str().as_bytes(),
                &kind,
                &self.subject.id,
                self.detail.as_bytes(),
            ],
        )
    }
}

/// A request that policy refused after its requester had been admitted.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct RequestRefused {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// SHA-256 of the request.
    pub digest: [u8; 32],
    /// Why.
    pub refusal: Refusal,
    /// What each rule said.
    pub findings: Vec<String>,
}
