//! Keys that were reported as compromised. A report is for good: nothing takes it back.

use borsh::{BorshDeserialize, BorshSerialize};

use super::event::EventKind;
use super::ids::{EnrollmentId, StreamId, StreamKind};
use super::record::Digest;

/// What can happen to a key.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum KeyReportEvent {
    /// Its holder, or who had it certified, said that others have it. Who, when and from where stand in the record.
    Compromised {
        /// SHA-256 of its SubjectPublicKeyInfo.
        key: Digest,
        /// Whose certificate was revoked for it.
        enrollment: EnrollmentId,
    },
}

impl KeyReportEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Compromised { .. } => EventKind::KeyCompromised,
        }
    }
}

/// The stream of the report on a key, by its fingerprint. It is found by the key alone and needs no index.
pub fn key_report_stream(fingerprint: &Digest) -> StreamId {
    StreamId::derived(StreamKind::KeyReport, &[fingerprint])
}
