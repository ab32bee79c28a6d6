//! What somebody wants to happen to an enrollment.

use std::sync::Arc;

use super::{
    Application, EnrollmentEvent, ErasedWith, RequestedRevocation, RequestedStatus, Resolution, Submission,
};
use crate::domain::{EnrollmentId, Intent, ProposalId, Refusal, RevocationReason};

/// What somebody wants to happen to an enrollment.
#[derive(Clone, Debug)]
pub enum Command {
    /// Hand it to a worker.
    Submit(Box<Submission>),
    /// Ask a worker to revoke.
    RequestRevocation(RequestedRevocation),
    /// Record it.
    Receive(Arc<Application>),
    /// Let people decide.
    Refer(ProposalId),
    /// Let it be issued.
    Approve(Option<ProposalId>),
    /// Let it be issued by what was granted with this proposal.
    PassBy(ProposalId),
    /// Fix what will be signed.
    Begin(Intent),
    /// Have an older certificate revoked once this one is issued.
    Supersede(EnrollmentId),
    /// Keep what the backend needs to go on.
    Progress(Vec<u8>),
    /// Record the accepted certificate.
    Issue {
        /// The certificate.
        certificate: Vec<u8>,
        /// Its chain.
        chain: Vec<Vec<u8>>,
    },
    /// The client has it.
    Confirm,
    /// End with a no.
    Refuse(Refusal),
    /// End without.
    Fail(String),
    /// End for lack of a decision.
    Expire,
    /// The backend cannot tell.
    Doubt,
    /// Keep a wrong certificate as evidence.
    Quarantine {
        /// The certificate.
        certificate: Vec<u8>,
        /// What differs.
        difference: String,
    },
    /// Revoke.
    Revoke(RevocationReason),
    /// Let an operator end the doubt.
    Resolve(Resolution),
    /// Remove what is known of it.
    Erase(ErasedWith),
    /// Take a certificate off hold.
    Release,
    /// Ask a worker, as an operator, to change where the certificate stands.
    RequestStatus(RequestedStatus),
}

/// A command that the state does not allow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{command} is not possible in state {state}")]
pub struct NotPossible {
    pub(super) command: &'static str,
    pub(super) state: &'static str,
}

impl Command {
    pub(super) const fn name(&self) -> &'static str {
        match self {
            Self::Submit(_) => "submit",
            Self::RequestRevocation(_) => "request revocation",
            Self::Receive(_) => "receive",
            Self::Refer(_) => "refer",
            Self::Approve(_) => "approve",
            Self::PassBy(_) => "pass by a grant",
            Self::Begin(_) => "begin",
            Self::Supersede(_) => "supersede",
            Self::Progress(_) => "progress",
            Self::Issue { .. } => "issue",
            Self::Confirm => "confirm",
            Self::Refuse(_) => "refuse",
            Self::Fail(_) => "fail",
            Self::Expire => "expire",
            Self::Doubt => "doubt",
            Self::Quarantine { .. } => "quarantine",
            Self::Revoke(_) => "revoke",
            Self::Resolve(_) => "resolve",
            Self::Erase(_) => "erase",
            Self::Release => "release",
            Self::RequestStatus(_) => "request status",
        }
    }

    pub(super) fn into_event(self) -> EnrollmentEvent {
        match self {
            Self::Submit(submission) => EnrollmentEvent::Submitted(submission),
            Self::RequestRevocation(wish) => EnrollmentEvent::RevocationRequested(wish),
            Self::Receive(application) => EnrollmentEvent::Received(application),
            Self::Refer(proposal) => EnrollmentEvent::Referred { proposal },
            Self::Approve(proposal) => EnrollmentEvent::Approved { proposal },
            Self::PassBy(granted) => EnrollmentEvent::Approved {
                proposal: Some(granted),
            },
            Self::Begin(intent) => EnrollmentEvent::Issuing { intent },
            Self::Supersede(older) => EnrollmentEvent::Supersedes { older },
            Self::Progress(handle) => EnrollmentEvent::Progressed { handle },
            Self::Issue { certificate, chain } => EnrollmentEvent::Issued { certificate, chain },
            Self::Confirm => EnrollmentEvent::Confirmed,
            Self::Refuse(refusal) => EnrollmentEvent::Refused { refusal },
            Self::Fail(reason) => EnrollmentEvent::Failed { reason },
            Self::Expire => EnrollmentEvent::Expired,
            Self::Doubt => EnrollmentEvent::InDoubt,
            Self::Quarantine {
                certificate,
                difference,
            } => EnrollmentEvent::Quarantined {
                certificate,
                difference,
            },
            Self::Revoke(reason) => EnrollmentEvent::Revoked { reason },
            Self::Resolve(resolution) => EnrollmentEvent::Resolved { resolution },
            Self::Erase(with) => EnrollmentEvent::Erased(with),
            Self::Release => EnrollmentEvent::Released,
            Self::RequestStatus(wish) => EnrollmentEvent::StatusRequested(wish),
        }
    }
}
