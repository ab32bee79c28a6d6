//! Proposals: what people decide on.

mod ballot;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};

pub use ballot::{Ballot, Electorate};

use super::actor::Actor;
use super::approval::{ApprovalTerms, Approvers};
use super::enrollment::StatusChange;
use super::event::EventKind;
use super::evidence::Evidence;
use super::grant::{GrantSubject, GrantTerms};
use super::ids::{EnrollmentId, ProposalId, RegistrationId, SecretId};
use super::object::{ObjectKind, ObjectVersion};
use super::principal::Principal;
use super::right::Right;

/// What a person decided.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Decision {
    /// Yes.
    Approve,
    /// No. One is enough.
    Reject,
}

impl Decision {
    /// The word in the API and in evidence.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Approve => "approve",
            Self::Reject => "reject",
        }
    }
}

/// What a proposal is about.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ProposalSubject {
    /// A request for a certificate.
    Enrollment(EnrollmentId),
    /// A version of an object.
    Object {
        /// What kind.
        kind: ObjectKind,
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
    },
    /// The status of certificates, each named by its enrollment; at most [`ProposalSubject::CERTIFICATES_MAX`].
    Certificates {
        /// What is to happen to them.
        change: StatusChange,
        /// Which.
        enrollments: Vec<EnrollmentId>,
    },
    /// What a registration is to be.
    Registration(RegistrationId),
    /// A secret that was made: of a registration, or one that an operator signs in with.
    Secret(SecretId),
}

impl ProposalSubject {
    /// Certificates in one proposal, at most: what was approved is committed at once.
    pub const CERTIFICATES_MAX: usize = 200;

    /// The right without which nobody decides on it.
    pub const fn right(&self) -> Right {
        match self {
            Self::Enrollment(_) | Self::Certificates { .. } => Right::RequestApprove,
            Self::Object { .. } | Self::Registration(_) | Self::Secret(_) => Right::ConfigurationApprove,
        }
    }

    /// The enrollment, if it is about one.
    pub const fn enrollment(&self) -> Option<EnrollmentId> {
        match self {
            Self::Enrollment(id) => Some(*id),
            Self::Object { .. } | Self::Certificates { .. } | Self::Registration(_) | Self::Secret(_) => None,
        }
    }

    /// The word in the API.
    pub const fn as_str(&self) -> &'static str {
        match self {
            Self::Enrollment(_) => "request",
            Self::Object { .. } => "object",
            Self::Certificates { .. } => "certificates",
            Self::Registration(_) => "registration",
            Self::Secret(_) => "secret",
        }
    }
}

/// What people agree to who agree to a version of an object: its text, in place of the version in force then.
pub fn object_digest(proposed: &ObjectVersion, in_force: Option<u32>) -> [u8; 32] {
    let what = (
        proposed.kind,
        &proposed.name,
        proposed.version,
        proposed.digest(),
        in_force,
    );
    let bytes = borsh::to_vec(&(b"portreeve/object/1\0", what));
    bytes.map_or([0; 32], |bytes| sha256(&bytes))
}

/// What people agree to who agree to a change of the status of certificates.
pub fn certificates_digest(change: StatusChange, enrollments: &[EnrollmentId]) -> [u8; 32] {
    let bytes = borsh::to_vec(&(b"portreeve/certificates/1\0", change, enrollments));
    bytes.map_or([0; 32], |bytes| sha256(&bytes))
}

/// What can happen to a proposal.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ProposalEvent {
    /// People are asked.
    Opened {
        /// What for.
        subject: ProposalSubject,
        /// SHA-256 of what exactly is proposed: decisions name it.
        digest: [u8; 32],
        /// Who must agree.
        terms: ApprovalTerms,
        /// After this it expires.
        until: Timestamp,
        /// For what a grant can be given, if one can.
        grantable: Option<GrantSubject>,
        /// What approval grants when nobody grants more: where only the next request can be met.
        granted_anyway: Option<GrantTerms>,
    },
    /// Somebody decided.
    Decided {
        /// The principal.
        by: Principal,
        /// What.
        decision: Decision,
        /// Of which step they are an approver: its place, from 0.
        step: u8,
        /// The digest of what was decided on.
        digest: [u8; 32],
        /// In words.
        comment: String,
        /// Their signature over the decision.
        evidence: Option<Evidence>,
        /// What they grant besides.
        grant: Option<GrantTerms>,
    },
    /// An approval no longer counts: when it was to take effect, who gave it was not entitled any more.
    Discounted {
        /// Who gave it.
        by: Principal,
        /// Why.
        why: String,
    },
    /// What the records before this one say was removed, with the request it was about.
    Erased,
}

impl ProposalEvent {
    /// The kind of this event. Workers ask about requests, operators about everything else.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Opened { subject, .. } => match subject {
                ProposalSubject::Enrollment(_) => EventKind::ProposalOpened,
                ProposalSubject::Object { .. }
                | ProposalSubject::Certificates { .. }
                | ProposalSubject::Registration(_)
                | ProposalSubject::Secret(_) => EventKind::ProposalRaised,
            },
            Self::Decided { .. } => EventKind::ProposalDecided,
            Self::Discounted { .. } => EventKind::ProposalDiscounted,
            Self::Erased => EventKind::ProposalErased,
        }
    }
}

/// Where a proposal stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ProposalState {
    /// Decisions are awaited.
    Open,
    /// Every step is approved.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

impl ProposalState {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
        }
    }
}

/// A decision that was made.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Ruling {
    /// Who.
    pub by: Principal,
    /// What.
    pub decision: Decision,
    /// In which step, from 0.
    pub step: u8,
    /// Why.
    pub comment: String,
    /// When.
    pub at: Timestamp,
    /// Their signature.
    pub evidence: Option<Evidence>,
    /// What they grant besides.
    pub grant: Option<GrantTerms>,
    /// Why it no longer counts, if it does not.
    pub discounted: Option<String>,
}

impl Ruling {
    fn approves(&self) -> bool {
        self.decision == Decision::Approve && self.discounted.is_none()
    }
}

/// A proposal, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// Its id.
    pub id: ProposalId,
    /// What for.
    pub subject: ProposalSubject,
    /// What exactly.
    pub digest: [u8; 32],
    /// Who must agree.
    pub terms: ApprovalTerms,
    /// Who asks.
    pub opened_by: Actor,
    /// Since when.
    pub opened_at: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// For what a grant can be given.
    pub grantable: Option<GrantSubject>,
    /// What approval grants when nobody grants more.
    pub granted_anyway: Option<GrantTerms>,
    /// Who decided what, in order.
    pub rulings: Vec<Ruling>,
}

impl Proposal {
    /// Takes an event into account that this actor caused. What nobody may decide does not count: on another digest, a
    /// second time, in a step that is not open, or too late.
    pub fn apply(
        this: &mut Option<Self>,
        id: ProposalId,
        event: &ProposalEvent,
        (by, at): (&Actor, Timestamp),
    ) {
        match (this.as_mut(), event) {
            (
                None,
                ProposalEvent::Opened {
                    subject,
                    digest,
                    terms,
                    until,
                    grantable,
                    granted_anyway,
                },
            ) => {
                *this = Some(Self {
                    id,
                    subject: subject.clone(),
                    digest: *digest,
                    terms: terms.clone(),
                    opened_by: by.clone(),
                    opened_at: at,
                    until: *until,
                    grantable: *grantable,
                    granted_anyway: *granted_anyway,
                    rulings: Vec::new(),
                });
            }
            (Some(proposal), ProposalEvent::Decided { digest, .. }) if *digest == proposal.digest => {
                proposal.rule(event, at);
            }
            (Some(proposal), ProposalEvent::Discounted { by, why }) => {
                let ruling = proposal.rulings.iter_mut().find(|ruling| ruling.by == *by);
                if let Some(ruling) = ruling {
                    ruling.discounted.get_or_insert_with(|| why.clone());
                }
            }
            (_, ProposalEvent::Erased) => *this = None,
            _ => {}
        }
    }

    fn rule(&mut self, event: &ProposalEvent, at: Timestamp) {
        let ProposalEvent::Decided {
            by,
            decision,
            step,
            comment,
            evidence,
            grant,
            ..
        } = event
        else {
            return;
        };
        let in_turn = *decision == Decision::Reject || self.open_step() == Some(usize::from(*step));
        if self.state(at) != ProposalState::Open || self.ruling_of(by).is_some() || !in_turn {
            return;
        }
        self.rulings.push(Ruling {
            by: by.clone(),
            decision: *decision,
            step: *step,
            comment: comment.clone(),
            at,
            evidence: evidence.clone(),
            grant: *grant,
            discounted: None,
        });
    }

    /// What this principal decided, if they have.
    pub fn ruling_of(&self, by: &Principal) -> Option<&Ruling> {
        self.rulings.iter().find(|ruling| ruling.by == *by)
    }

    /// The approvals that count.
    pub fn approvals(&self) -> impl Iterator<Item = &Ruling> {
        self.rulings.iter().filter(|ruling| ruling.approves())
    }

    /// How many approvals of this step count, from 0.
    pub fn approved_in(&self, step: usize) -> usize {
        self.approvals()
            .filter(|ruling| usize::from(ruling.step) == step)
            .count()
    }

    /// The first step that lacks approvals, from 0; `None` when none does.
    pub fn open_step(&self) -> Option<usize> {
        let steps = self.terms.steps.iter().enumerate();
        let lacking = |(index, step): (usize, &super::approval::Step)| {
            (self.approved_in(index) < step.people()).then_some(index)
        };
        // A proposal without steps is one that nobody can approve.
        match self.terms.steps.is_empty() {
            true => Some(0),
            false => steps.map(lacking).find_map(|found| found),
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> ProposalState {
        let rejected = self
            .rulings
            .iter()
            .any(|ruling| ruling.decision == Decision::Reject);
        if rejected {
            ProposalState::Rejected
        } else if self.open_step().is_none() {
            ProposalState::Approved
        } else if now >= self.until {
            ProposalState::Expired
        } else {
            ProposalState::Open
        }
    }

    /// When the last approval was given that it needed.
    pub fn approved_at(&self) -> Option<Timestamp> {
        self.open_step()
            .is_none()
            .then(|| self.approvals().map(|ruling| ruling.at).max())
            .flatten()
    }

    /// Until when that which was approved may begin; `None` when it is not approved.
    pub fn begins_until(&self) -> Option<Timestamp> {
        self.approved_at()
            .map(|at| at.saturating_add(self.terms.issue_within))
    }

    /// What is granted: the least of what each approval grants, if every one of them does; else what is granted anyway.
    pub fn granted(&self) -> Option<GrantTerms> {
        self.open_step().is_none().then_some(())?;
        self.grantable?;
        let grants: Option<Vec<GrantTerms>> = self.approvals().map(|ruling| ruling.grant).collect();
        let least = grants.and_then(|grants| grants.into_iter().reduce(GrantTerms::least));
        least.or(self.granted_anyway)
    }

    /// As it was decided, whatever no longer counts.
    #[must_use]
    pub fn as_decided(&self) -> Self {
        let mut decided = self.clone();
        for ruling in &mut decided.rulings {
            ruling.discounted = None;
        }
        decided
    }

    /// Whether no further decision can complete it: the one operator whom a step names has acted, and that does not count
    /// there.
    pub fn is_hopeless(&self) -> bool {
        let steps = self.terms.steps.iter().enumerate();
        steps
            .filter(|(index, step)| self.approved_in(*index) < step.people())
            .any(|(_, step)| match &step.who {
                Approvers::Operator(name) => {
                    let one = Principal::Operator(name.clone());
                    step.people() > 1 || self.ruling_of(&one).is_some()
                }
                Approvers::Anyone | Approvers::Role(_) | Approvers::Team(_) | Approvers::Superadmins => false,
            })
    }
}

#[cfg(test)]
mod tests;
