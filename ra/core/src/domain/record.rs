//! Records: one append to a stream, signed. The byte form is fixed here; `docs/event-format.md` describes it.
//!
//! ```text
//! payload_digest = SHA-256(salt || payload)                     payload = borsh(Vec<Event>)
//! signed         = "portreeve/record/1\0" || borsh(Header) || payload_digest
//! leaf           = borsh(Header) || payload_digest || key id (8) || signature (64)
//! hash           = SHA-256(0x00 || leaf)                        (RFC 6962 leaf hash)
//! ```
//!
//! `previous` of a record is the `hash` of the one before it in the stream, and the same value is its leaf in
//! the audit tree. Erasing salt and payload leaves all of these intact.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};

use super::actor::{Actor, Origin};
use super::event::{Event, EventKind};
use super::ids::StreamId;
use super::purpose::{KeyId, Purpose};

/// A SHA-256 value.
pub type Digest = [u8; 32];

/// Events in one record, at most.
pub const MAX_EVENTS: usize = 16;

/// Octets of one payload, at most: 1 MiB.
pub const MAX_PAYLOAD: usize = 1 << 20;

const DOMAIN: &[u8] = b"portreeve/record/1\0";

/// The format version in every header.
const VERSION: u8 = 1;

/// Why stored bytes are not a record.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The bytes do not decode.
    #[error("record does not decode: {0}")]
    Malformed(&'static str),
    /// The payload is not the one that was signed.
    #[error("payload does not match its digest")]
    Payload,
    /// The payload has been erased.
    #[error("payload has been erased")]
    Erased,
    /// The kinds in the header are not those of the payload.
    #[error("header and payload disagree")]
    Kinds,
    /// Too many or no events, or too many octets.
    #[error("record is empty or too large")]
    Size,
}

/// The part of a record that is never erased.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Header {
    version: u8,
    /// The stream.
    pub stream: StreamId,
    /// Position in the stream, from 1.
    pub position: u64,
    /// `hash` of the record before, or zeros.
    pub previous: Digest,
    /// The role that says this.
    pub purpose: Purpose,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Why, in words; at most 1,024 characters.
    pub reason: String,
    /// What, as kinds.
    pub kinds: Vec<EventKind>,
}

/// A record before it is signed.
#[derive(Clone, Debug)]
pub struct Unsigned {
    header: Header,
    header_bytes: Vec<u8>,
    salt: [u8; 16],
    payload: Vec<u8>,
    payload_digest: Digest,
}

/// Where a new record goes: stream, position, and the hash of the record before it.
#[derive(Copy, Clone, Debug)]
pub struct Place {
    /// The stream.
    pub stream: StreamId,
    /// Position, from 1.
    pub position: u64,
    /// Hash of the record before, or zeros.
    pub previous: Digest,
}

/// The circumstances of a new record: role, time, who, from where, why.
#[derive(Clone, Debug)]
pub struct Circumstances {
    /// The role that says this.
    pub purpose: Purpose,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: Actor,
    /// From where.
    pub origin: Origin,
    /// Why.
    pub reason: String,
}

impl Unsigned {
    /// A record of these events, to be signed.
    pub fn new(
        place: Place,
        circumstances: Circumstances,
        events: &[Event],
        salt: [u8; 16],
    ) -> Result<Self, RecordError> {
        if events.is_empty() || events.len() > MAX_EVENTS {
            return Err(RecordError::Size);
        }
        let payload = borsh::to_vec(events).map_err(|_| RecordError::Malformed("payload"))?;
        if payload.len() > MAX_PAYLOAD {
            return Err(RecordError::Size);
        }
        let mut reason = circumstances.reason;
        if let Some((end, _)) = reason.char_indices().nth(1024) {
            reason.truncate(end);
        }
        let header = Header {
            version: VERSION,
            stream: place.stream,
            position: place.position,
            previous: place.previous,
            purpose: circumstances.purpose,
            at: circumstances.at,
            actor: circumstances.actor,
            origin: circumstances.origin,
            reason,
            kinds: events.iter().map(Event::kind).collect(),
        };
        let header_bytes = borsh::to_vec(&header).map_err(|_| RecordError::Malformed("header"))?;
        let payload_digest = digest_of(&salt, &payload);
        Ok(Self {
            header,
            header_bytes,
            salt,
            payload,
            payload_digest,
        })
    }

    /// The bytes to sign.
    pub fn signed_bytes(&self) -> Vec<u8> {
        [DOMAIN, &self.header_bytes, &self.payload_digest].concat()
    }

    /// The record with its signature.
    pub fn sign_with(self, key: KeyId, signature: [u8; 64]) -> Record {
        Record {
            header: self.header,
            header_bytes: self.header_bytes,
            payload_digest: self.payload_digest,
            content: Some((self.salt, self.payload)),
            key,
            signature,
        }
    }
}

/// One append to a stream, as stored. That it decodes says nothing about whether it is genuine:
/// `steps::verify` does.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Record {
    header: Header,
    header_bytes: Vec<u8>,
    payload_digest: Digest,
    content: Option<([u8; 16], Vec<u8>)>,
    key: KeyId,
    signature: [u8; 64],
}

/// The columns of a stored record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredRecord {
    /// The header's bytes.
    pub header: Vec<u8>,
    /// The digest of salt and payload.
    pub payload_digest: Vec<u8>,
    /// The salt; `None` once erased.
    pub salt: Option<Vec<u8>>,
    /// The payload; `None` once erased.
    pub payload: Option<Vec<u8>>,
    /// The key id.
    pub key: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl StoredRecord {
    /// The leaf hash of a record with these columns, whether or not it is one.
    pub fn leaf_hash(&self) -> Digest {
        leaf_hash([&self.header, &self.payload_digest, &self.key, &self.signature])
    }
}

impl Record {
    /// Reads a stored record.
    pub fn from_stored(stored: StoredRecord) -> Result<Self, RecordError> {
        let header = Header::try_from_slice(&stored.header).map_err(|_| RecordError::Malformed("header"))?;
        if header.version != VERSION {
            return Err(RecordError::Malformed("version"));
        }
        let content = match (stored.salt, stored.payload) {
            (Some(salt), Some(payload)) => Some((fixed(&salt, "salt")?, payload)),
            _ => None,
        };
        Ok(Self {
            header,
            header_bytes: stored.header,
            payload_digest: fixed(&stored.payload_digest, "payload digest")?,
            content,
            key: KeyId(fixed(&stored.key, "key")?),
            signature: fixed(&stored.signature, "signature")?,
        })
    }

    /// The columns to store.
    pub fn to_stored(&self) -> StoredRecord {
        StoredRecord {
            header: self.header_bytes.clone(),
            payload_digest: self.payload_digest.to_vec(),
            salt: self.content.as_ref().map(|(salt, _)| salt.to_vec()),
            payload: self.content.as_ref().map(|(_, payload)| payload.clone()),
            key: self.key.0.to_vec(),
            signature: self.signature.to_vec(),
        }
    }

    /// The header.
    pub const fn header(&self) -> &Header {
        &self.header
    }

    /// The key that signed.
    pub const fn key(&self) -> KeyId {
        self.key
    }

    /// The signature.
    pub const fn signature(&self) -> &[u8; 64] {
        &self.signature
    }

    /// The bytes that were signed.
    pub fn signed_bytes(&self) -> Vec<u8> {
        [DOMAIN, &self.header_bytes, &self.payload_digest].concat()
    }

    /// The leaf of the audit tree.
    pub fn leaf(&self) -> Vec<u8> {
        [
            self.header_bytes.as_slice(),
            &self.payload_digest,
            &self.key.0,
            &self.signature,
        ]
        .concat()
    }

    /// The hash of the leaf, which the next record names as `previous`.
    pub fn hash(&self) -> Digest {
        leaf_hash([
            &self.header_bytes,
            &self.payload_digest,
            &self.key.0,
            &self.signature,
        ])
    }

    /// Whether salt and payload are gone.
    pub const fn is_erased(&self) -> bool {
        self.content.is_none()
    }

    /// The events, after checking that they are the ones the signature covers.
    pub fn events(&self) -> Result<Vec<Event>, RecordError> {
        let (salt, payload) = self.content.as_ref().ok_or(RecordError::Erased)?;
        if digest_of(salt, payload) != self.payload_digest {
            return Err(RecordError::Payload);
        }
        let events = Vec::<Event>::try_from_slice(payload).map_err(|_| RecordError::Malformed("payload"))?;
        if events.is_empty() || events.len() > MAX_EVENTS {
            return Err(RecordError::Size);
        }
        if !events
            .iter()
            .map(Event::kind)
            .eq(self.header.kinds.iter().copied())
        {
            return Err(RecordError::Kinds);
        }
        Ok(events)
    }
}

/// The RFC 6962 hash of a leaf of these parts.
fn leaf_hash(parts: [&[u8]; 4]) -> Digest {
    let length = parts.iter().map(|part| part.len()).sum::<usize>();
    let mut input = Vec::with_capacity(length.saturating_add(1));
    input.push(0);
    parts.iter().for_each(|part| input.extend_from_slice(part));
    sha256(&input)
}

fn digest_of(salt: &[u8; 16], payload: &[u8]) -> Digest {
    sha256(&[salt.as_slice(), payload].concat())
}

fn fixed<const N: usize>(bytes: &[u8], what: &'static str) -> Result<[u8; N], RecordError> {
    bytes.try_into().map_err(|_| RecordError::Malformed(what))
}
