//! What is said between gateway and child, in borsh.
//!
//! No secret passes in the clear: keys are sealed, the keyset is wrapped, and the key encryption key is read by the
//! child from where it is.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_keyset::KekSource;

use crate::soft_key::SoftKeyAlgorithm;

/// Names a key: SHA-256 of its SubjectPublicKeyInfo.
pub(crate) type KeyName = [u8; 32];

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum Request {
    /// The first message, and only the first.
    Configure(Configuration),
    /// Opens a sealed key; again is fine.
    Load { sealed: Vec<u8> },
    /// Makes a key; it is not loaded.
    Generate { algorithm: SoftKeyAlgorithm },
    /// Signs. A job that waits longer than `patience_millis` is dropped.
    Sign {
        key: KeyName,
        patience_millis: u32,
        content: Content,
    },
    /// Answers if the child reads.
    Ping,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) struct Configuration {
    pub(crate) keyset: Vec<u8>,
    pub(crate) shared_kek: WireKekSource,
    pub(crate) ca_kek: Option<WireKekSource>,
    /// The directory of the journal.
    pub(crate) journal: Vec<u8>,
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum WireKekSource {
    File(Vec<u8>),
    Environment(String),
}

#[derive(BorshSerialize, BorshDeserialize)]
pub(crate) enum Content {
    Certificate { enrollment: [u8; 16], tbs: Vec<u8> },
    RevocationList { tbs: Vec<u8> },
}

#[derive(Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Reply {
    /// Configured.
    Ready,
    /// The key can sign now.
    Loaded,
    Generated {
        sealed: Vec<u8>,
    },
    Signature(Vec<u8>),
    Pong,
    Failed(Failure),
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub(crate) enum Failure {
    /// The same request may be sent again.
    Unavailable(String),
    /// The journal knows other bytes under this enrollment.
    SecondContent,
    /// It will not be done.
    Refused(String),
}

impl From<&KekSource> for WireKekSource {
    fn from(source: &KekSource) -> Self {
        match source {
            KekSource::File(path) => Self::File(path.as_os_str().as_bytes().to_vec()),
            KekSource::Environment(name) => Self::Environment(name.clone()),
        }
    }
}

impl From<WireKekSource> for KekSource {
    fn from(source: WireKekSource) -> Self {
        match source {
            WireKekSource::File(path) => Self::File(path_of(path)),
            WireKekSource::Environment(name) => Self::Environment(name),
        }
    }
}

/// A path from its octets.
pub(crate) fn path_of(octets: Vec<u8>) -> PathBuf {
    PathBuf::from(OsString::from_vec(octets))
}
