//! What can happen to an enrollment.

use borsh::{BorshDeserialize, BorshSerialize};
use std::sync::Arc;

use super::{Application, RequestedRevocation, RequestedStatus, Submission};
use crate::domain::event::EventKind;
use crate::domain::ids::{EnrollmentId, ProposalId, RegistrationId, StreamId};
use crate::domain::intent::Intent;
use crate::domain::refusal::Refusal;
use crate::domain::revocation::RevocationReason;

/// How an operator ends the doubt about an enrollment.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Resolution {
    /// The CA is asked once more what it knows. Only for one in doubt.
    Retry,
    /// Nothing is delivered: its client hears that no certificate was issued, and may ask anew.
    GiveUp,
}

/// What can happen to an enrollment.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum EnrollmentEvent {
    /// It arrived and was judged.
    Received(Arc<Application>),
    /// It waits for people.
    Referred {
        /// What they decide on.
        proposal: ProposalId,
    },
    /// It may be issued: by policy alone, because the proposal was approved, or by what was granted with an earlier one.
    Approved {
        /// The proposal, if people were asked, now or earlier.
        proposal: Option<ProposalId>,
    },
    /// The intent stands.
    Issuing {
        /// What is about to be signed or sent.
        intent: Intent,
    },
    /// The backend deferred or asked for a checkpoint.
    Progressed {
        /// What the backend needs to go on.
        handle: Vec<u8>,
    },
    /// The certificate exists and was accepted.
    Issued {
        /// The certificate in DER.
        certificate: Vec<u8>,
        /// From its issuer upwards, without the root, in DER.
        chain: Vec<Vec<u8>>,
    },
    /// The client confirmed it.
    Confirmed,
    /// People or the CA said no.
    Refused {
        /// Why.
        refusal: Refusal,
    },
    /// It could not be done.
    Failed {
        /// Why, for the operator.
        reason: String,
    },
    /// Nobody decided in time.
    Expired,
    /// The backend cannot tell whether it issued.
    InDoubt,
    /// The certificate failed the acceptance checks; it is kept as evidence and never delivered.
    Quarantined {
        /// The certificate in DER as received, at most 64 KiB.
        certificate: Vec<u8>,
        /// What differs.
        difference: String,
    },
    /// The certificate was revoked, or the reason of an earlier revocation was changed to `keyCompromise`.
    Revoked {
        /// Why.
        reason: RevocationReason,
    },
    /// An operator decided on one in doubt or in quarantine. Why stands in the record.
    Resolved {
        /// What follows.
        resolution: Resolution,
    },
    /// It arrived at an edge that does not judge.
    Submitted(Box<Submission>),
    /// An edge that does not revoke was asked to.
    RevocationRequested(RequestedRevocation),
    /// An operator had what the records before this one say removed, and with it what was about nothing else. Who and why
    /// stand in the record.
    Erased(ErasedWith),
    /// The certificate is no longer on hold.
    Released,
    /// A console that does not revoke was asked to change where the certificate stands.
    StatusRequested(RequestedStatus),
    /// The registration has as many certificates as it may have: when this one is issued, that one is revoked.
    Supersedes {
        /// The enrollment of the older certificate.
        older: EnrollmentId,
    },
}

impl EnrollmentEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Received(_) => EventKind::EnrollmentReceived,
            Self::Referred { .. } => EventKind::EnrollmentReferred,
            Self::Approved { .. } => EventKind::EnrollmentApproved,
            Self::Issuing { .. } => EventKind::EnrollmentIssuing,
            Self::Progressed { .. } => EventKind::EnrollmentProgressed,
            Self::Issued { .. } => EventKind::EnrollmentIssued,
            Self::Confirmed => EventKind::EnrollmentConfirmed,
            Self::Refused { .. } => EventKind::EnrollmentRefused,
            Self::Failed { .. } => EventKind::EnrollmentFailed,
            Self::Expired => EventKind::EnrollmentExpired,
            Self::InDoubt => EventKind::EnrollmentInDoubt,
            Self::Quarantined { .. } => EventKind::EnrollmentQuarantined,
            Self::Revoked { .. } => EventKind::EnrollmentRevoked,
            Self::Resolved { .. } => EventKind::EnrollmentResolved,
            Self::Submitted(_) => EventKind::EnrollmentSubmitted,
            Self::RevocationRequested(_) => EventKind::EnrollmentRevocationRequested,
            Self::Erased(_) => EventKind::EnrollmentErased,
            Self::Released => EventKind::EnrollmentReleased,
            Self::StatusRequested(_) => EventKind::EnrollmentStatusRequested,
            Self::Supersedes { .. } => EventKind::EnrollmentSupersedes,
        }
    }
}

/// What is erased with an enrollment: it was about nothing else.
#[derive(Copy, Clone, Debug, Default, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub struct ErasedWith {
    /// The proposal on it.
    pub proposal: Option<ProposalId>,
    /// The registration it was asked for through, which has ended and through which nothing else was asked for.
    pub registration: Option<RegistrationId>,
}

impl ErasedWith {
    /// The streams of these.
    pub fn streams(self) -> Vec<StreamId> {
        let registration = self.registration.map(StreamId::registration);
        let streams = self.proposal.map(StreamId::proposal).into_iter();
        streams.chain(registration).collect()
    }
}
