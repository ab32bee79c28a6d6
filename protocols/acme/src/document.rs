//! Orders and authorizations: the protocol's private state, kept as documents.
//!
//! They say where a client stands in the protocol. They give no right: whether a name is proven is a signed event,
//! and whether a certificate may be issued is decided by the RA (RFC 8555 section 7.1.3 and 7.1.4).

use std::fmt;
use std::str::FromStr;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{DnsName, Identifier, Timestamp};
use portreeve_ra::ports::{DocumentId, DocumentKey, DocumentWrite, Random, StoredDocument};
use portreeve_ra::{AccountId, EndpointName, RegistrationId, Requester};
use uuid::Uuid;

use crate::config::AcmeConfig;
use crate::error::AcmeError;
use crate::problem::Failure;
use crate::validator::ChallengeKind;

/// Stands before every body; a body with another one is not read.
const FORMAT: u8 = 1;

/// Text that is not an id.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("not an id")]
pub(crate) struct BadId;

macro_rules! document_id {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, BorshSerialize, BorshDeserialize)]
        pub(crate) struct $name([u8; 16]);

        impl $name {
            /// A new one: sorts by the time it was made.
            pub(crate) fn new(now: Timestamp, random: &dyn Random) -> Self {
                let mut tail = [0u8; 10];
                random.fill(&mut tail);
                let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().into_bytes())
            }

            pub(crate) const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            pub(crate) const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = BadId;
            fn from_str(text: &str) -> Result<Self, BadId> {
                Uuid::try_parse(text).map(|id| Self(id.into_bytes())).map_err(|_| BadId)
            }
        }
    };
}

document_id!(
    /// One order; its octets are the handle under which the RA knows the enrollment.
    OrderId);
document_id!(
    /// One authorization.
    AuthorizationId);

/// How far an order has come, as far as the RA does not know better.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Progress {
    /// Not finalized.
    Open,
    /// Given to the RA, which knows how it stands. Written in the same transaction as the enrollment's first step.
    Finalized {
        /// SHA-256 of the CSR: the same one may be sent again.
        csr: [u8; 32],
    },
    /// Ended without a certificate.
    Failed(Failure),
}

/// One order.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Order {
    pub(crate) account: AccountId,
    pub(crate) endpoint: EndpointName,
    pub(crate) created_at: Timestamp,
    /// Until when it may be finalized.
    pub(crate) expires_at: Timestamp,
    /// The names as ordered, wildcards included; sorted, each once.
    pub(crate) names: Vec<DnsName>,
    /// One per name, in the same order.
    pub(crate) authorizations: Vec<AuthorizationId>,
    pub(crate) not_before: Option<Timestamp>,
    pub(crate) not_after: Option<Timestamp>,
    pub(crate) progress: Progress,
}

/// Where an authorization stands; that it has expired is seen from its times.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Standing {
    Pending,
    Valid,
    Invalid,
    Deactivated,
}

/// Where a challenge stands.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum ChallengeState {
    Pending,
    /// A node began to validate and had no result at the time of writing.
    Processing {
        since: Timestamp,
    },
    Valid {
        at: Timestamp,
    },
    Invalid {
        at: Timestamp,
        failure: Failure,
    },
}

/// One way to prove a name.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Challenge {
    pub(crate) kind: ChallengeKind,
    /// At least 128 bits of chance (RFC 8555 section 8.1).
    pub(crate) token: [u8; 24],
    pub(crate) state: ChallengeState,
}

/// Why an authorization was valid when its order was made.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) enum Reason {
    /// An earlier proof still counted.
    Proven,
    /// The endpoint asks for no proof.
    Unasked,
    /// The registration on whose behalf the account asks is vouched for.
    Vouched {
        registration: RegistrationId,
        version: u32,
    },
}

/// The right of one account to one name of one order, as far as the protocol is concerned.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub(crate) struct Authorization {
    pub(crate) account: AccountId,
    pub(crate) endpoint: EndpointName,
    pub(crate) order: OrderId,
    /// The name as ordered, with `*.` if it is a wildcard.
    pub(crate) name: DnsName,
    pub(crate) created_at: Timestamp,
    /// Until when it may be answered; once it is valid, until when it counts.
    pub(crate) expires_at: Timestamp,
    pub(crate) standing: Standing,
    /// Why it was valid from the beginning, if it was.
    pub(crate) reason: Option<Reason>,
    /// Only the one that was validated when an earlier proof made it valid.
    pub(crate) challenges: Vec<Challenge>,
}

impl Authorization {
    /// Whether it counts at `now`.
    pub(crate) fn is_valid_at(&self, now: Timestamp) -> bool {
        self.standing == Standing::Valid && now < self.expires_at
    }

    /// Whether it may still be answered at `now`.
    pub(crate) fn is_pending_at(&self, now: Timestamp) -> bool {
        self.standing == Standing::Pending && now < self.expires_at
    }

    pub(crate) fn challenge(&self, kind: ChallengeKind) -> Option<&Challenge> {
        self.challenges.iter().find(|challenge| challenge.kind == kind)
    }

    /// The same with this challenge in another state.
    #[must_use]
    pub(crate) fn with(mut self, kind: ChallengeKind, state: ChallengeState) -> Self {
        if let Some(challenge) = self
            .challenges
            .iter_mut()
            .find(|challenge| challenge.kind == kind)
        {
            challenge.state = state;
        }
        self
    }

    /// What a proof for it proves. A wildcard name is an identifier of its own.
    pub(crate) fn identifier(&self) -> Identifier {
        Identifier::Dns(self.name.clone())
    }

    pub(crate) const fn requester(&self) -> Requester {
        Requester::Account(self.account)
    }
}

/// What is stored as a document of this edge.
pub(crate) trait Document: BorshSerialize + BorshDeserialize {
    /// The kind in the store.
    const KIND: &'static str;
    /// By what it is found.
    fn keys(&self) -> Vec<DocumentKey>;
    /// Until when it can be read.
    fn kept_until(&self, config: &AcmeConfig) -> Timestamp;
}

/// The index of all orders of an account.
pub(crate) fn by_account(account: AccountId) -> DocumentKey {
    DocumentKey {
        index: "account",
        value: account.as_bytes().to_vec(),
        unique: false,
    }
}

/// The index of the orders of an account that are open.
pub(crate) fn open_by_account(account: AccountId) -> DocumentKey {
    DocumentKey {
        index: "open",
        value: account.as_bytes().to_vec(),
        unique: false,
    }
}

impl Document for Order {
    const KIND: &'static str = "acme.order";

    fn keys(&self) -> Vec<DocumentKey> {
        let mut keys = vec![by_account(self.account)];
        if self.progress == Progress::Open {
            keys.push(open_by_account(self.account));
        }
        keys
    }

    fn kept_until(&self, config: &AcmeConfig) -> Timestamp {
        self.expires_at.saturating_add(config.retention)
    }
}

impl Document for Authorization {
    const KIND: &'static str = "acme.authz";

    fn keys(&self) -> Vec<DocumentKey> {
        Vec::new()
    }

    /// As long as its order, which was made at the same time, even when the proof behind it ends earlier.
    fn kept_until(&self, config: &AcmeConfig) -> Timestamp {
        let order_ends = self.created_at.saturating_add(config.order_lifetime);
        self.expires_at.max(order_ends).saturating_add(config.retention)
    }
}

/// A document with the version it was read in.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct Stored<T> {
    pub(crate) id: [u8; 16],
    pub(crate) version: u64,
    pub(crate) value: T,
}

impl<T: Document> Stored<T> {
    /// One that is not stored yet.
    pub(crate) const fn new(id: [u8; 16], value: T) -> Self {
        Self {
            id,
            version: 0,
            value,
        }
    }

    /// Reads a stored document.
    pub(crate) fn read(document: &StoredDocument) -> Result<Self, AcmeError> {
        let value = decode(&document.body).ok_or(AcmeError::Document(T::KIND))?;
        Ok(Self {
            id: document.id,
            version: document.version,
            value,
        })
    }

    /// The write that makes the next version of it, with the value it has now.
    pub(crate) fn write(&self, config: &AcmeConfig) -> Result<DocumentWrite, AcmeError> {
        Ok(DocumentWrite {
            id: document_id::<T>(self.id),
            version: self.version.saturating_add(1),
            body: Some(encode(&self.value).ok_or(AcmeError::Document(T::KIND))?),
            keys: self.value.keys(),
            expires_at: Some(self.value.kept_until(config)),
        })
    }

    /// The same document with another value.
    pub(crate) fn with(&self, value: T) -> Self {
        Self {
            id: self.id,
            version: self.version,
            value,
        }
    }
}

/// The name of a document in the store.
pub(crate) const fn document_id<T: Document>(id: [u8; 16]) -> DocumentId {
    DocumentId { kind: T::KIND, id }
}

fn encode<T: BorshSerialize>(value: &T) -> Option<Vec<u8>> {
    let mut body = vec![FORMAT];
    value.serialize(&mut body).ok()?;
    Some(body)
}

fn decode<T: BorshDeserialize>(body: &[u8]) -> Option<T> {
    match body.split_first() {
        Some((&FORMAT, rest)) => T::try_from_slice(rest).ok(),
        _ => None,
    }
}

#[cfg(test)]
#[path = "document/tests.rs"]
mod tests;
