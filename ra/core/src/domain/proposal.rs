//! Proposals: what people decide on.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;

use super::event::EventKind;
use super::ids::EnrollmentId;
use super::principal::Principal;

/// What a person decided.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum Decision {
    /// Yes.
    Approve,
    /// No. One is enough.
    Reject,
}

/// What can happen to a proposal.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ProposalEvent {
    /// People are asked.
    Opened {
        /// What for.
        enrollment: EnrollmentId,
        /// SHA-256 of the borsh form of the contents proposed: decisions name it.
        digest: [u8; 32],
        /// How many different principals must approve.
        approvals: u8,
        /// After this it expires.
        until: Timestamp,
    },
    /// Somebody decided.
    Decided {
        /// The principal.
        by: Principal,
        /// What.
        decision: Decision,
        /// The digest of what was decided on.
        digest: [u8; 32],
        /// In words.
        comment: String,
    },
}

impl ProposalEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Opened { .. } => EventKind::ProposalOpened,
            Self::Decided { .. } => EventKind::ProposalDecided,
        }
    }
}

/// Where a proposal stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum ProposalState {
    /// Decisions are awaited.
    Open,
    /// Enough principals approved.
    Approved,
    /// Somebody rejected.
    Rejected,
    /// Nobody decided in time.
    Expired,
}

/// A proposal, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Proposal {
    /// What for.
    pub enrollment: EnrollmentId,
    /// What exactly.
    pub digest: [u8; 32],
    /// How many must approve.
    pub approvals: u8,
    /// Until when.
    pub until: Timestamp,
    /// Who decided what, in order.
    pub decisions: Vec<(Principal, Decision, String)>,
}

impl Proposal {
    /// Takes an event into account. A decision on another digest, and a second one of a principal, do not count.
    pub fn apply(this: &mut Option<Self>, event: &ProposalEvent) {
        match (this.as_mut(), event) {
            (
                None,
                ProposalEvent::Opened {
                    enrollment,
                    digest,
                    approvals,
                    until,
                },
            ) => {
                *this = Some(Self {
                    enrollment: *enrollment,
                    digest: *digest,
                    approvals: *approvals,
                    until: *until,
                    decisions: Vec::new(),
                });
            }
            (
                Some(proposal),
                ProposalEvent::Decided {
                    by,
                    decision,
                    digest,
                    comment,
                },
            ) if *digest == proposal.digest && !proposal.decisions.iter().any(|(who, ..)| who == by) => {
                proposal.decisions.push((by.clone(), *decision, comment.clone()));
            }
            _ => {}
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> ProposalState {
        let count = |wanted| {
            self.decisions
                .iter()
                .filter(|(_, decision, _)| *decision == wanted)
                .count()
        };
        if count(Decision::Reject) > 0 {
            ProposalState::Rejected
        } else if count(Decision::Approve) >= usize::from(self.approvals.max(1)) {
            ProposalState::Approved
        } else if now >= self.until {
            ProposalState::Expired
        } else {
            ProposalState::Open
        }
    }
}
