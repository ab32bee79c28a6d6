//! Versioned objects: profiles, endpoints, CAs. Their text is signed; a table that shows them decides nothing.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::sha256;

use super::event::EventKind;
use super::ids::{StreamId, StreamKind};

/// What kind of object.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub enum ObjectKind {
    /// A certificate profile (TOML).
    Profile,
    /// An endpoint (TOML).
    Endpoint,
    /// A CA: its certificate, chain and the name of its key (TOML).
    Ca,
}

impl ObjectKind {
    /// The word used in directories and commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Profile => "profile",
            Self::Endpoint => "endpoint",
            Self::Ca => "ca",
        }
    }
}

/// One version of an object, as published.
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
}

impl ObjectEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Published(_) => EventKind::ObjectPublished,
            Self::Retired => EventKind::ObjectRetired,
        }
    }
}

/// The versions of one object.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct ObjectHistory {
    versions: Vec<ObjectVersion>,
    retired: bool,
}

impl ObjectHistory {
    /// Takes an event into account.
    pub fn apply(&mut self, event: &ObjectEvent) {
        match event {
            ObjectEvent::Published(version) => {
                self.versions.push(version.clone());
                self.retired = false;
            }
            ObjectEvent::Retired => self.retired = true,
        }
    }

    /// The version in force.
    pub fn current(&self) -> Option<&ObjectVersion> {
        if self.retired { None } else { self.versions.last() }
    }

    /// The version with this number, in force or not: a request is finished by the version it was judged by.
    pub fn version(&self, number: u32) -> Option<&ObjectVersion> {
        self.versions.iter().find(|version| version.version == number)
    }

    /// The number the next version gets.
    pub fn next_version(&self) -> u32 {
        self.versions
            .last()
            .map_or(1, |version| version.version.saturating_add(1))
    }
}
