//! Grants: what a requester was allowed beforehand, so that it need not wait for people again.
//!
//! A client may have given up before people decided. When every one of them grants it, the same requester may come back
//! within days with another key and pass. The right stands in the decisions on the proposal; the stream of a grant only
//! counts how often it was used.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};
use std::time::Duration;

use super::actor::Requester;
use super::approval::ApprovalTerms;
use super::contents::CertificateContents;
use super::enrollment::Application;
use super::event::EventKind;
use super::ids::{EnrollmentId, ProposalId, StreamId, StreamKind};
use super::seconds;

/// What an approval grants.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct GrantTerms {
    /// How often; at least 1, at most [`GrantTerms::USES_MAX`].
    pub uses: u16,
    /// For how many days from the last approval on; at least 1, at most [`GrantTerms::DAYS_MAX`].
    pub days: u8,
}

impl GrantTerms {
    /// Uses, at most.
    pub const USES_MAX: u16 = 100;
    /// Days, at most.
    pub const DAYS_MAX: u8 = 7;

    /// What the approval of a request grants that can be met only when it is made again: once, for as long as it can be.
    pub const AGAIN: Self = Self {
        uses: 1,
        days: Self::DAYS_MAX,
    };

    /// These terms, if they are within bounds.
    pub fn new(uses: u16, days: u8) -> Option<Self> {
        let within = (1..=Self::USES_MAX).contains(&uses) && (1..=Self::DAYS_MAX).contains(&days);
        within.then_some(Self { uses, days })
    }

    /// What both of two allow.
    #[must_use]
    pub fn least(self, other: Self) -> Self {
        Self {
            uses: self.uses.min(other.uses),
            days: self.days.min(other.days),
        }
    }

    /// When it ends that begins at `from`.
    pub fn ends(self, from: Timestamp) -> Timestamp {
        let days = self.days.min(Self::DAYS_MAX);
        from.saturating_add(Duration::from_secs(u64::from(days) * 86_400))
    }
}

/// For what a grant is good: a requester and all that people agreed to, except the key, the serial number and the times.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct GrantSubject {
    /// SHA-256 over the requester, the endpoint, the profile, the approval policy (each with its version) and the contents
    /// without the key and the lifetime.
    pub digest: [u8; 32],
    /// The lifetime that was agreed to: a shorter one is covered, a longer one is not.
    #[borsh(serialize_with = "seconds::write", deserialize_with = "seconds::read")]
    pub lifetime_max: Duration,
}

impl GrantSubject {
    /// The subject of a grant for this application under these terms. `None` when its requester is only known by a key:
    /// that of the next request is another one.
    pub fn of(application: &Application, terms: &ApprovalTerms) -> Option<Self> {
        match application.requester {
            Requester::Account(_) | Requester::Registration(_) | Requester::Certificate(_) => {}
            Requester::Key(_) => return None,
        }
        let CertificateContents {
            subject,
            names,
            public_key: _,
            validity,
            key_usage,
            extended_key_usage,
            policies,
            basic_constraints,
            publication,
        } = &application.contents;
        let asked = (
            &application.requester,
            (&application.endpoint, application.operation),
            (&application.profile, application.profile_version),
            (&terms.policy, terms.version),
            &application.backend,
        );
        let contents = (
            (subject, names),
            (key_usage, extended_key_usage, policies),
            (basic_constraints, publication),
        );
        let bytes = borsh::to_vec(&(b"portreeve/grant/1\0", asked, contents)).ok()?;
        Some(Self {
            digest: sha256(&bytes),
            lifetime_max: validity.lifetime,
        })
    }

    /// The stream of grants with this subject.
    pub fn stream(&self) -> StreamId {
        StreamId::derived(StreamKind::Grant, &[&self.digest])
    }

    /// Whether a grant for this subject covers that one.
    pub fn covers(&self, other: &Self) -> bool {
        self.digest == other.digest && other.lifetime_max <= self.lifetime_max
    }
}

/// What can happen to the grants of one subject.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum GrantEvent {
    /// People gave one: their decisions on this proposal say how much.
    Given {
        /// The proposal.
        proposal: ProposalId,
    },
    /// It was used once.
    Spent {
        /// The proposal it came from.
        proposal: ProposalId,
        /// For this enrollment.
        enrollment: EnrollmentId,
    },
    /// It is void from now on.
    Withdrawn {
        /// The proposal it came from.
        proposal: ProposalId,
    },
}

impl GrantEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Given { .. } => EventKind::GrantGiven,
            Self::Spent { .. } => EventKind::GrantSpent,
            Self::Withdrawn { .. } => EventKind::GrantWithdrawn,
        }
    }
}

/// The grants of one subject, as their verified events tell.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Grants {
    given: Vec<Given>,
}

/// One grant.
#[derive(Clone, PartialEq, Eq, Debug)]
struct Given {
    proposal: ProposalId,
    spent: u16,
    withdrawn: bool,
}

impl Grants {
    /// Takes an event into account.
    pub fn apply(&mut self, event: &GrantEvent) {
        match event {
            GrantEvent::Given { proposal } => {
                if self.find(*proposal).is_none() {
                    self.given.push(Given {
                        proposal: *proposal,
                        spent: 0,
                        withdrawn: false,
                    });
                }
            }
            GrantEvent::Spent { proposal, .. } => {
                if let Some(given) = self.find(*proposal) {
                    given.spent = given.spent.saturating_add(1);
                }
            }
            GrantEvent::Withdrawn { proposal } => {
                if let Some(given) = self.find(*proposal) {
                    given.withdrawn = true;
                }
            }
        }
    }

    fn find(&mut self, proposal: ProposalId) -> Option<&mut Given> {
        self.given.iter_mut().find(|given| given.proposal == proposal)
    }

    /// The proposals whose grants may not be used up, the newest first.
    pub fn candidates(&self) -> impl Iterator<Item = ProposalId> {
        let live = self.given.iter().rev().filter(|given| !given.withdrawn);
        live.map(|given| given.proposal)
    }

    /// Whether the grant of this proposal was given, and is void.
    pub fn is_withdrawn(&self, proposal: ProposalId) -> bool {
        let withdrawn = |given: &Given| given.proposal == proposal && given.withdrawn;
        self.given.iter().any(withdrawn)
    }

    /// How often the grant of this proposal was used, void or not; `None` when there is none.
    pub fn used(&self, proposal: ProposalId) -> Option<u16> {
        let given = self.given.iter().find(|given| given.proposal == proposal);
        given.map(|given| given.spent)
    }

    /// How often the grant of this proposal was used; `None` when there is none or it is void.
    pub fn spent(&self, proposal: ProposalId) -> Option<u16> {
        self.given
            .iter()
            .find(|given| given.proposal == proposal && !given.withdrawn)
            .map(|given| given.spent)
    }
}

#[cfg(test)]
mod tests;
