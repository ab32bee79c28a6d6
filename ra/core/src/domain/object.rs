//! Versioned objects: profiles, endpoints, CAs, approval policies, operators, roles, teams, trust anchors. Their text is
//! signed; a table that shows them decides nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{ProposalId, StreamId, StreamKind};
use super::principal::Principal;

/// What kind of object.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub enum ObjectKind {
    /// A certificate profile (TOML).
    Profile,
    /// An endpoint (TOML).
    Endpoint,
    /// A CA: its certificate, chain and the name of its key (TOML).
    Ca,
    /// Who must agree (TOML).
    ApprovalPolicy,
    /// Certificates that client certificates are trusted by (TOML with PEM).
    TrustAnchors,
    /// A set of rights that operators hold (TOML).
    Role,
    /// A team: what its members own (TOML).
    Team,
    /// An operator: roles, teams, certificates (TOML). No secrets: those are streams of their own.
    Operator,
}

impl ObjectKind {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Profile,
        Self::Endpoint,
        Self::Ca,
        Self::ApprovalPolicy,
        Self::TrustAnchors,
        Self::Role,
        Self::Team,
        Self::Operator,
    ];

    /// Whether it is about those who operate: a role, a team or an operator.
    pub const fn is_of_people(self) -> bool {
        match self {
            Self::Role | Self::Team | Self::Operator => true,
            Self::Profile | Self::Endpoint | Self::Ca | Self::ApprovalPolicy | Self::TrustAnchors => false,
        }
    }

    /// The word used in directories and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Endpoint => "endpoint",
            Self::Ca => "ca",
            Self::ApprovalPolicy => "approval-policy",
            Self::TrustAnchors => "trust-anchors",
            Self::Role => "role",
            Self::Team => "team",
            Self::Operator => "operator",
        }
    }
}

/// One version of an object, as written.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct ObjectVersion {
    /// What kind.
    pub kind: ObjectKind,
    /// Its name, unique within the kind.
    pub name: String,
    /// Counts from 1.
    pub version: u32,
    /// The text, at most 64 KiB.
    pub body: String,
}

impl ObjectVersion {
    /// SHA-256 of the text.
    pub fn digest(&self) -> [u8; 32] {
        sha256(self.body.as_bytes())
    }

    /// The stream of the object with this kind and name.
    pub fn stream(kind: ObjectKind, name: &str) -> StreamId {
        StreamId::derived(StreamKind::Object, &[kind.as_str().as_bytes(), name.as_bytes()])
    }
}

/// What can happen to an object.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum ObjectEvent {
    /// This version is in force.
    Published(ObjectVersion),
    /// The object is no longer in force.
    Retired,
    /// This version exists, and is not in force.
    Drafted(ObjectVersion),
    /// A version that was drafted is in force.
    Released {
        /// Its number.
        version: u32,
        /// Who agreed beforehand.
        approved_by: Vec<Principal>,
    },
    /// Somebody agreed to the version in force, and to all it came from.
    Confirmed {
        /// Its number.
        version: u32,
        /// Who.
        by: Principal,
    },
    /// People are asked whether a version that was drafted may be in force.
    Proposed {
        /// Its number.
        version: u32,
        /// Where they decide.
        proposal: ProposalId,
    },
}

impl ObjectEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Published(_) => EventKind::ObjectPublished,
            Self::Retired => EventKind::ObjectRetired,
            Self::Drafted(_) => EventKind::ObjectDrafted,
            Self::Released { .. } => EventKind::ObjectReleased,
            Self::Confirmed { .. } => EventKind::ObjectConfirmed,
            Self::Proposed { .. } => EventKind::ObjectProposed,
        }
    }
}

/// Who did something with an object, when, and why.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Deed {
    /// Who.
    pub by: Actor,
    /// When.
    pub at: Timestamp,
    /// Why, in words.
    pub reason: String,
}

/// That a version was put in force.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Release {
    /// By whom; with the last approval, where it was approved.
    pub deed: Deed,
    /// Whether others had agreed to it beforehand.
    pub approved: bool,
}

/// That somebody agreed to a version.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Assent {
    /// Who.
    pub by: Principal,
    /// When; with the last approval, where it was approved beforehand.
    pub at: Timestamp,
}

/// One version and what is known of how it came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// The text.
    pub object: ObjectVersion,
    /// Who wrote it.
    pub written: Deed,
    /// Where people are or were asked about it, the last time.
    pub proposal: Option<ProposalId>,
    /// Since when it is, or from when on it was, in force; `None` for a draft.
    pub released: Option<Release>,
    /// Who agreed to it.
    pub agreed: Vec<Assent>,
}

impl Revision {
    /// The principals behind it: who wrote it, and who put it in force unless others had approved that.
    fn authors(&self) -> impl Iterator<Item = &Principal> {
        let alone = self.released.iter().filter(|release| !release.approved);
        let releaser = alone.filter_map(|release| release.deed.by.principal());
        self.written.by.principal().into_iter().chain(releaser)
    }

    /// Whether somebody other than those behind it agreed to it, or no person is behind it.
    fn is_confirmed(&self) -> bool {
        let foreign = |assent: &Assent| self.authors().all(|author| *author != assent.by);
        self.authors().next().is_none() || self.agreed.iter().any(foreign)
    }
}

/// The versions of one object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectHistory {
    revisions: Vec<Revision>,
    in_force: Option<u32>,
    retired: Option<Deed>,
}

impl ObjectHistory {
    /// Takes an event into account, with who caused it and when.
    pub fn apply(&mut self, event: &ObjectEvent, deed: &Deed) {
        match event {
            ObjectEvent::Published(version) => {
                let release = Release {
                    deed: deed.clone(),
                    approved: false,
                };
                self.add(version, deed, Some(release));
                self.enforce(version.version);
            }
            ObjectEvent::Drafted(version) => self.add(version, deed, None),
            ObjectEvent::Proposed { version, proposal } => {
                if let Some(revision) = self.revision_mut(*version) {
                    revision.proposal = Some(*proposal);
                }
            }
            ObjectEvent::Released { version, approved_by } => {
                if let Some(revision) = self.revision_mut(*version) {
                    let assents = approved_by.iter().cloned().map(|by| Assent { by, at: deed.at });
                    revision.agreed.extend(assents);
                    revision.released = Some(Release {
                        deed: deed.clone(),
                        approved: !approved_by.is_empty(),
                    });
                    self.enforce(*version);
                }
            }
            ObjectEvent::Confirmed { version, by } => {
                if let Some(revision) = self.revision_mut(*version) {
                    revision.agreed.push(Assent {
                        by: by.clone(),
                        at: deed.at,
                    });
                }
            }
            ObjectEvent::Retired => {
                self.in_force = None;
                self.retired = Some(deed.clone());
            }
        }
    }

    fn enforce(&mut self, version: u32) {
        self.in_force = Some(version);
        self.retired = None;
    }

    fn add(&mut self, object: &ObjectVersion, deed: &Deed, released: Option<Release>) {
        self.revisions.push(Revision {
            object: object.clone(),
            written: deed.clone(),
            proposal: None,
            released,
            agreed: Vec::new(),
        });
    }

    fn revision_mut(&mut self, number: u32) -> Option<&mut Revision> {
        self.revisions
            .iter_mut()
            .find(|revision| revision.object.version == number)
    }

    /// The version in force.
    pub fn current(&self) -> Option<&ObjectVersion> {
        self.in_force.and_then(|number| self.version(number))
    }

    /// The version that is in force, or was before the object was retired.
    pub fn latest_released(&self) -> Option<&ObjectVersion> {
        let released = self
            .revisions
            .iter()
            .rev()
            .find(|revision| revision.released.is_some());
        self.current().or(released.map(|revision| &revision.object))
    }

    /// Since when it is retired, by whom and why; `None` while a version is in force, or before one was.
    pub const fn retired(&self) -> Option<&Deed> {
        self.retired.as_ref()
    }

    /// Drafts that are newer than what is or was in force: the others have been overtaken.
    pub fn drafts(&self) -> impl Iterator<Item = &Revision> {
        let released = self.latest_released().map_or(0, |object| object.version);
        self.revisions
            .iter()
            .filter(move |revision| revision.released.is_none() && revision.object.version > released)
    }

    /// The version with this number, in force or not: a request is finished by the version it was judged by.
    pub fn version(&self, number: u32) -> Option<&ObjectVersion> {
        self.revision(number).map(|revision| &revision.object)
    }

    /// The version with this number and how it came to be.
    pub fn revision(&self, number: u32) -> Option<&Revision> {
        self.revisions
            .iter()
            .find(|revision| revision.object.version == number)
    }

    /// Every version, in order.
    pub fn revisions(&self) -> &[Revision] {
        &self.revisions
    }

    /// Who wrote this version or one it came from, or put it in force alone, and has not been confirmed by another person
    /// since: they count as requesters of what is issued through it.
    pub fn unconfirmed_authors(&self, number: u32) -> Vec<&Principal> {
        let mut authors: Vec<&Principal> = Vec::new();
        let earlier = self
            .revisions
            .iter()
            .filter(|revision| revision.released.is_some() && revision.object.version <= number);
        for revision in earlier {
            if revision.is_confirmed() {
                authors.clear();
            } else {
                authors.extend(revision.authors());
            }
        }
        authors.sort();
        authors.dedup();
        authors
    }

    /// The number the next version gets.
    pub fn next_version(&self) -> u32 {
        self.revisions
            .last()
            .map_or(1, |revision| revision.object.version.saturating_add(1))
    }
}

#[cfg(test)]
mod tests;
