//! Versioned objects: profiles, endpoints, CAs, approval policies, operators, roles, teams, trust anchors. Their text is
//! signed; a table that shows them decides nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::sha256;

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{StreamId, StreamKind};
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
        }
    }
}

/// One version and what is known of how it came to be.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Revision {
    /// The text.
    pub object: ObjectVersion,
    /// Who wrote it.
    pub author: Actor,
    /// Whether it is or was in force.
    pub released: bool,
    /// Who agreed to it.
    pub agreed: Vec<Principal>,
}

impl Revision {
    /// Whether somebody other than its author agreed to it, or no person wrote it.
    fn is_confirmed(&self) -> bool {
        match self.author.principal() {
            Some(author) => self.agreed.iter().any(|by| by != author),
            None => true,
        }
    }
}

/// The versions of one object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectHistory {
    revisions: Vec<Revision>,
    in_force: Option<u32>,
}

impl ObjectHistory {
    /// Takes an event into account, which this actor caused.
    pub fn apply(&mut self, event: &ObjectEvent, by: &Actor) {
        match event {
            ObjectEvent::Published(version) => {
                self.add(version, by, true);
                self.in_force = Some(version.version);
            }
            ObjectEvent::Drafted(version) => self.add(version, by, false),
            ObjectEvent::Released { version, approved_by } => {
                if let Some(revision) = self.revision_mut(*version) {
                    revision.released = true;
                    revision.agreed.extend_from_slice(approved_by);
                    self.in_force = Some(*version);
                }
            }
            ObjectEvent::Confirmed { version, by } => {
                if let Some(revision) = self.revision_mut(*version) {
                    revision.agreed.push(by.clone());
                }
            }
            ObjectEvent::Retired => self.in_force = None,
        }
    }

    fn add(&mut self, object: &ObjectVersion, author: &Actor, released: bool) {
        self.revisions.push(Revision {
            object: object.clone(),
            author: author.clone(),
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
        let released = self.revisions.iter().rev().find(|revision| revision.released);
        self.current().or(released.map(|revision| &revision.object))
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

    /// Who wrote this version, or one it came from, and has not been confirmed by another person since: they count as
    /// requesters of what is issued through it.
    pub fn unconfirmed_authors(&self, number: u32) -> Vec<&Principal> {
        let mut authors: Vec<&Principal> = Vec::new();
        let earlier = self
            .revisions
            .iter()
            .filter(|revision| revision.released && revision.object.version <= number);
        for revision in earlier {
            if revision.is_confirmed() {
                authors.clear();
            } else {
                authors.extend(revision.author.principal());
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
