//! The enrollment: an aggregate with decide and apply. Its events are the audit log.

mod command;
mod status;
mod submission;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Certificate, PublicKey, Timestamp, sha256};
use std::time::Duration;

pub use command::{Command, NotPossible};
pub use status::{RequestedStatus, StatusChange};
pub use submission::{Asked, RequestedRevocation, RevocationRight, Submission};

use super::actor::Requester;
use super::claim::ClaimKey;
use super::contents::CertificateContents;
use super::event::EventKind;
use super::ids::{
    BackendName, EndpointName, EnrollmentId, ProfileName, ProposalId, RegistrationId, SecretId,
};
use super::intent::Intent;
use super::refusal::Refusal;
use super::request::Operation;
use super::revocation::RevocationReason;

/// What was asked, by whom, and what policy made of it: fixed when the enrollment is received.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Application {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// The version of the endpoint it was judged by.
    pub endpoint_version: u32,
    /// What is asked for.
    pub operation: Operation,
    /// Who asks.
    pub requester: Requester,
    /// The claim that leads here.
    pub claim: ClaimKey,
    /// The request as received.
    pub request: Vec<u8>,
    /// The profile it was judged by.
    pub profile: ProfileName,
    /// The version of the profile.
    pub profile_version: u32,
    /// The CA backend.
    pub backend: BackendName,
    /// What will be certified.
    pub contents: CertificateContents,
    /// What each rule said, as `rule: text`.
    pub findings: Vec<String>,
    /// The registration on whose behalf it is asked, if it is on one's.
    pub registration: Option<RegistrationId>,
    /// The secret of that registration that let the requester in: whoever issued it counts as requester.
    pub secret: Option<SecretId>,
}

impl Application {
    /// What people agree to: SHA-256 over who asks where, by which versions it was judged, who would sign, and exactly what
    /// would be certified.
    pub fn digest(&self) -> [u8; 32] {
        let asked = (
            &self.requester,
            (&self.endpoint, self.endpoint_version, self.operation),
            (&self.profile, self.profile_version),
            &self.backend,
        );
        let bytes = borsh::to_vec(&(b"portreeve/request/1\0", asked, &self.contents));
        bytes.map_or([0; 32], |bytes| sha256(&bytes))
    }
}

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
    Received(Box<Application>),
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
    /// An operator had what the records before this one say removed. Who and why stand in the record.
    Erased,
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
            Self::Erased => EventKind::EnrollmentErased,
            Self::Released => EventKind::EnrollmentReleased,
            Self::StatusRequested(_) => EventKind::EnrollmentStatusRequested,
            Self::Supersedes { .. } => EventKind::EnrollmentSupersedes,
        }
    }
}

/// Where an enrollment stands.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum EnrollmentState {
    /// An edge has handed it to the workers.
    Submitted,
    /// It arrived and was judged.
    Received,
    /// It waits for people.
    AwaitingApproval,
    /// It may be issued.
    Approved,
    /// The intent stands; a signature may or may not exist.
    Issuing,
    /// The certificate exists.
    Issued,
    /// The client has it.
    Confirmed,
    /// End: no.
    Refused,
    /// End: could not.
    Failed,
    /// End: too late.
    Expired,
    /// For an operator: the backend cannot tell.
    InDoubt,
    /// For an operator: another certificate came back.
    Quarantined,
    /// End, and what there was is erased.
    Erased,
}

impl EnrollmentState {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::Submitted,
        Self::Received,
        Self::AwaitingApproval,
        Self::Approved,
        Self::Issuing,
        Self::Issued,
        Self::Confirmed,
        Self::Refused,
        Self::Failed,
        Self::Expired,
        Self::InDoubt,
        Self::Quarantined,
        Self::Erased,
    ];

    /// The word in lists, logs and the operator API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Submitted => "submitted",
            Self::Received => "received",
            Self::AwaitingApproval => "awaiting_approval",
            Self::Approved => "approved",
            Self::Issuing => "issuing",
            Self::Issued => "issued",
            Self::Confirmed => "confirmed",
            Self::Refused => "refused",
            Self::Failed => "failed",
            Self::Expired => "expired",
            Self::InDoubt => "in_doubt",
            Self::Quarantined => "quarantined",
            Self::Erased => "erased",
        }
    }

    /// Whether nothing but a revocation can follow.
    pub const fn is_final(self) -> bool {
        matches!(
            self,
            Self::Issued | Self::Confirmed | Self::Refused | Self::Failed | Self::Expired | Self::Erased
        )
    }
}

/// One enrollment, as its verified events tell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Enrollment {
    /// Its id.
    pub id: EnrollmentId,
    state: Option<EnrollmentState>,
    submission: Option<Box<Submission>>,
    application: Option<Box<Application>>,
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
            (Command::Erase, Some(state)) => state.is_final() && state != S::Erased,
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
            EnrollmentEvent::Erased if self.state.is_none_or(S::is_final) => {
                *self = Self::new(self.id);
                S::Erased
            }
            EnrollmentEvent::Erased => return,
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
