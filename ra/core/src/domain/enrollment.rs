//! The enrollment: an aggregate with decide and apply. Its events are the audit log.

mod application;
mod command;
mod event;
mod shown;
mod state;
mod status;
mod submission;

use portreeve_pkix::{Certificate, PublicKey, Timestamp};
use std::sync::Arc;
use std::time::Duration;

pub use application::Application;
pub use command::{Command, NotPossible};
pub use event::{EnrollmentEvent, ErasedWith, Resolution};
pub use shown::{Renewal, Shown};
pub use state::EnrollmentState;
pub use status::{RequestedStatus, StatusChange};
pub use submission::{Asked, RequestedRevocation, RevocationRight, Submission};

use super::actor::Requester;
use super::ids::{EnrollmentId, ProposalId, RegistrationId};
use super::intent::Intent;
use super::refusal::Refusal;
use super::revocation::RevocationReason;

/// One enrollment, as its verified events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// Its id.
    pub id: EnrollmentId,
    state: Option<EnrollmentState>,
    submission: Option<Box<Submission>>,
    application: Option<Arc<Application>>,
    proposal: Option<ProposalId>,
    granted_by: Option<ProposalId>,
    intent: Option<Intent>,
    handle: Option<Vec<u8>>,
    certificate: Option<(Vec<u8>, Vec<Vec<u8>>)>,
    quarantined: Option<Vec<u8>>,
    refusal: Option<Refusal>,
    revoked: Option<(RevocationReason, Timestamp)>,
    released: Option<Timestamp>,
    revocation_requested: Option<RequestedRevocation>,
    status_requested: Option<RequestedStatus>,
    supersedes: Option<EnrollmentId>,
    received_at: Option<Timestamp>,
    erased_with: Option<ErasedWith>,
}

impl Enrollment {
    /// An enrollment nothing has happened to.
    pub const fn new(id: EnrollmentId) -> Self {
        Self {
            id,
            state: None,
            submission: None,
            application: None,
            proposal: None,
            granted_by: None,
            intent: None,
            handle: None,
            certificate: None,
            quarantined: None,
            refusal: None,
            revoked: None,
            released: None,
            revocation_requested: None,
            status_requested: None,
            supersedes: None,
            received_at: None,
            erased_with: None,
        }
    }

    /// Where it stands; `None` before it was received.
    pub const fn state(&self) -> Option<EnrollmentState> {
        self.state
    }

    /// What was asked.
    pub fn application(&self) -> Option<&Application> {
        self.application.as_deref()
    }

    /// What an edge handed over, if it did not judge itself.
    pub fn submission(&self) -> Option<&Submission> {
        self.submission.as_deref()
    }

    /// Where it arrived, who asks, for what: in every state.
    pub fn asked(&self) -> Option<Asked<'_>> {
        let judged = self.application().map(Asked::from);
        judged.or_else(|| self.submission().map(Asked::from))
    }

    /// A revocation that an edge asked for and no worker has carried out yet.
    pub fn revocation_due(&self) -> Option<&RequestedRevocation> {
        self.revocation_requested
            .as_ref()
            .filter(|wish| self.decide(Command::Revoke(wish.reason)).is_ok())
    }

    /// The registration on whose behalf it is asked, as far as that is known: of what an edge handed over for an account,
    /// only when it was judged.
    pub fn on_behalf_of(&self) -> Option<RegistrationId> {
        match (self.application(), self.submission().map(|it| &it.requester)) {
            (Some(application), _) => application.registration,
            (None, Some(Requester::Registration(id))) => Some(*id),
            (None, _) => None,
        }
    }

    /// The enrollment whose certificate is revoked when this one is issued.
    pub const fn supersedes(&self) -> Option<EnrollmentId> {
        self.supersedes
    }

    /// The proposal people decide on.
    pub const fn proposal(&self) -> Option<ProposalId> {
        self.proposal
    }

    /// The earlier proposal with which this was granted, if it passed by a grant.
    pub const fn granted_by(&self) -> Option<ProposalId> {
        self.granted_by
    }

    /// What is or was about to be signed.
    pub const fn intent(&self) -> Option<&Intent> {
        self.intent.as_ref()
    }

    /// What the backend needs to go on.
    pub fn handle(&self) -> Option<&[u8]> {
        self.handle.as_deref()
    }

    /// The accepted certificate and its chain, in DER.
    pub fn certificate(&self) -> Option<(&[u8], &[Vec<u8>])> {
        self.certificate
            .as_ref()
            .map(|(certificate, chain)| (certificate.as_slice(), chain.as_slice()))
    }

    /// A certificate that failed the acceptance checks: evidence, never delivered.
    pub fn quarantined(&self) -> Option<&[u8]> {
        self.quarantined.as_deref()
    }

    /// Why it ended without a certificate.
    pub const fn refusal(&self) -> Option<&Refusal> {
        self.refusal.as_ref()
    }

    /// Since when it is revoked, and why.
    pub const fn revoked(&self) -> Option<(RevocationReason, Timestamp)> {
        self.revoked
    }

    /// What is erased with it, once it is.
    pub const fn erased_with(&self) -> Option<ErasedWith> {
        self.erased_with
    }

    /// When it was received.
    pub const fn received_at(&self) -> Option<Timestamp> {
        self.received_at
    }

    /// The events that a command leads to, or why it cannot be.
    pub fn decide(&self, command: Command) -> Result<EnrollmentEvent, NotPossible> {
        use EnrollmentState as S;
        let name = command.name();
        let refuse = || NotPossible {
            command: name,
            state: self.state.map_or("none", S::as_str),
        };
        let possible = match (&command, self.state) {
            (Command::Submit(_), None)
            | (Command::Receive(_), None | Some(S::Submitted))
            | (Command::Refer(_), Some(S::Received))
            | (Command::Begin(_), Some(S::Approved))
            | (Command::Progress(_) | Command::Doubt | Command::Supersede(_), Some(S::Issuing))
            | (Command::Issue { .. } | Command::Quarantine { .. }, Some(S::Issuing | S::InDoubt))
            | (Command::Confirm, Some(S::Issued))
            | (Command::Expire, Some(S::AwaitingApproval))
            | (
                Command::Refuse(_),
                Some(S::Submitted | S::Received | S::AwaitingApproval | S::Approved | S::Issuing),
            )
            | (Command::Fail(_), Some(S::Submitted | S::Received | S::Approved | S::Issuing | S::InDoubt)) => {
                true
            }
            (Command::Resolve(Resolution::Retry), Some(S::InDoubt))
            | (Command::Resolve(Resolution::GiveUp), Some(S::InDoubt | S::Quarantined)) => true,
            (Command::Approve(None) | Command::PassBy(_), Some(S::Received)) => true,
            (Command::Erase(_), Some(state)) => state.is_final() && state != S::Erased,
            (Command::Approve(Some(given)), Some(S::AwaitingApproval)) => self.proposal == Some(*given),
            (Command::RequestRevocation(wish), Some(S::Issued | S::Confirmed)) => {
                self.decide(Command::Revoke(wish.reason)).is_ok()
            }
            (Command::Revoke(reason), Some(S::Issued | S::Confirmed)) => {
                self.may_become(StatusChange::Revoke(*reason))
            }
            (Command::Release, Some(S::Issued | S::Confirmed)) => self.may_become(StatusChange::Release),
            (Command::RequestStatus(wish), Some(S::Issued | S::Confirmed)) => self.may_become(wish.change),
            _ => false,
        };
        if possible {
            Ok(command.into_event())
        } else {
            Err(refuse())
        }
    }

    /// Takes an event into account. Cannot fail: what happened, happened.
    pub fn apply(&mut self, event: &EnrollmentEvent, at: Timestamp) {
        use EnrollmentState as S;
        let next = match event {
            // What an edge may say counts only where an edge has a say: it never leads past a worker's judgement.
            EnrollmentEvent::Submitted(submission) if self.state.is_none() => {
                self.submission = Some(submission.clone());
                self.received_at = Some(at);
                S::Submitted
            }
            EnrollmentEvent::Confirmed if self.state == Some(S::Issued) => S::Confirmed,
            EnrollmentEvent::Submitted(_) | EnrollmentEvent::Confirmed => return,
            EnrollmentEvent::RevocationRequested(wish) => {
                self.revocation_requested = Some(wish.clone());
                return;
            }
            EnrollmentEvent::StatusRequested(wish) => {
                self.status_requested = Some(wish.clone());
                return;
            }
            EnrollmentEvent::Released => {
                self.release(at);
                return;
            }
            EnrollmentEvent::Received(application) => {
                self.application = Some(application.clone());
                self.received_at = self.received_at.or(Some(at));
                S::Received
            }
            EnrollmentEvent::Referred { proposal } => {
                self.proposal = Some(*proposal);
                S::AwaitingApproval
            }
            EnrollmentEvent::Approved { proposal } => {
                if self.proposal.is_none() {
                    self.granted_by = *proposal;
                }
                S::Approved
            }
            EnrollmentEvent::Issuing { intent } => {
                self.intent = Some(intent.clone());
                S::Issuing
            }
            EnrollmentEvent::Supersedes { older } => {
                self.supersedes = Some(*older);
                return;
            }
            EnrollmentEvent::Progressed { handle } => {
                self.handle = Some(handle.clone());
                S::Issuing
            }
            EnrollmentEvent::Issued { certificate, chain } => {
                self.certificate = Some((certificate.clone(), chain.clone()));
                S::Issued
            }
            EnrollmentEvent::Refused { refusal } => {
                self.refusal = Some(refusal.clone());
                S::Refused
            }
            EnrollmentEvent::Failed { .. } => {
                self.refusal = Some(Refusal::NotIssued);
                S::Failed
            }
            EnrollmentEvent::Expired => {
                self.refusal = Some(Refusal::Expired);
                S::Expired
            }
            EnrollmentEvent::InDoubt => S::InDoubt,
            EnrollmentEvent::Quarantined { certificate, .. } => {
                self.quarantined = Some(certificate.clone());
                S::Quarantined
            }
            // The console may say this, so it counts only where an operator has a say: it never leads past an approval.
            EnrollmentEvent::Resolved { resolution } => match (resolution, self.state) {
                (Resolution::Retry, Some(S::InDoubt)) => S::Issuing,
                (Resolution::GiveUp, Some(S::InDoubt | S::Quarantined)) => {
                    self.refusal = Some(Refusal::NotIssued);
                    S::Failed
                }
                _ => return,
            },
            EnrollmentEvent::Revoked { reason } => {
                let since = self.revoked.map_or(at, |(_, since)| since);
                self.revoked = Some((*reason, since));
                return;
            }
            // The console may say this, so it counts only after an end. What was known until then is known no more,
            // whether or not it has been removed yet.
            EnrollmentEvent::Erased(with) if self.state.is_none_or(S::is_final) => {
                *self = Self::new(self.id);
                self.erased_with = Some(*with);
                S::Erased
            }
            EnrollmentEvent::Erased(_) => return,
        };
        self.state = Some(next);
    }

    /// When the claim on a certificate with these times ends: at two thirds of its life, when renewal begins.
    pub fn claim_ends(certificate: &Certificate) -> Timestamp {
        let life = certificate.not_after().since(certificate.not_before());
        certificate.not_before().saturating_add(life / 3 * 2)
    }

    /// How long an operator's denial keeps the claim.
    pub const DENIAL_CLAIM: Duration = Duration::from_secs(24 * 3600);

    /// The key that will be certified.
    pub fn public_key(&self) -> Option<&PublicKey> {
        self.application()
            .map(|application| &application.contents.public_key)
    }
}

#[cfg(test)]
mod tests;
