//! Identifiers: newtypes over UUIDv7 and over checked names.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};
use std::fmt;
use std::str::FromStr;
use uuid::Uuid;

use super::event::EventKind;
use crate::ports::Random;

/// Text that is not an identifier or a name of the kind that was asked for.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("not a valid {0}")]
pub struct BadName(pub &'static str);

macro_rules! uuid_id {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
        pub struct $name([u8; 16]);

        impl $name {
            /// A new UUIDv7: sorts by the time it was made.
            pub fn new(now: Timestamp, random: &dyn Random) -> Self {
                let mut tail = [0u8; 10];
                random.fill(&mut tail);
                let millis = u64::try_from(now.unix_millis()).unwrap_or(0);
                Self(uuid::Builder::from_unix_timestamp_millis(millis, &tail).into_uuid().into_bytes())
            }

            /// The identifier with these 16 octets.
            pub const fn from_bytes(bytes: [u8; 16]) -> Self {
                Self(bytes)
            }

            /// The 16 octets.
            pub const fn as_bytes(&self) -> &[u8; 16] {
                &self.0
            }

            /// The time in the first 48 bits.
            pub fn made_at(&self) -> Timestamp {
                let [a, b, c, d, e, f, ..] = self.0;
                Timestamp::from_unix_millis(i64::from_be_bytes([0, 0, a, b, c, d, e, f]))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                Uuid::from_bytes(self.0).hyphenated().fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                fmt::Display::fmt(self, f)
            }
        }

        impl FromStr for $name {
            type Err = BadName;
            fn from_str(text: &str) -> Result<Self, BadName> {
                Uuid::try_parse(text).map(|id| Self(id.into_bytes())).map_err(|_| BadName($what))
            }
        }
    };
}

uuid_id!(
    /// One enrollment: from the request to the certificate or its end.
    EnrollmentId, "enrollment id");
uuid_id!(
    /// One proposal that people decide on.
    ProposalId, "proposal id");
uuid_id!(
    /// One account of a requester.
    AccountId, "account id");
uuid_id!(
    /// One registration: an end entity known beforehand.
    RegistrationId, "registration id");
uuid_id!(
    /// One secret: a password, a token, a challenge, an external account key.
    SecretId, "secret id");
uuid_id!(
    /// One unit of background work.
    TaskId, "task id");
uuid_id!(
    /// One running process of an installation.
    NodeId, "node id");

macro_rules! text_name {
    ($(#[$doc:meta])* $name:ident, $what:literal, $extra:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize,
                 serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// Checks the name: 1 to 64 of `a-z A-Z 0-9 - _ .` (and `/` between the two parts of an endpoint).
            pub fn new(text: &str) -> Result<Self, BadName> {
                let legal = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b) || $extra.contains(&b);
                if text.is_empty() || text.len() > 64 || !text.bytes().all(legal) || text.starts_with('.') {
                    return Err(BadName($what));
                }
                Ok(Self(text.to_owned()))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = BadName;
            fn try_from(text: String) -> Result<Self, BadName> {
                Self::new(&text)
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> String {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text_name!(
    /// Where requests arrive, as `protocol/name`, for example `acme/default`.
    EndpointName, "endpoint name", b"/");
text_name!(
    /// The name of a certificate profile.
    ProfileName, "profile name", b"");
text_name!(
    /// The name of a CA backend.
    BackendName, "backend name", b"");
text_name!(
    /// The name of an approval policy.
    ApprovalPolicyName, "approval policy name", b"");
text_name!(
    /// The name of a set of trust anchors.
    TrustAnchorsName, "name of trust anchors", b"");
text_name!(
    /// The name of an operator.
    OperatorName, "operator name", b"@");
text_name!(
    /// The name of a role that operators hold.
    RoleName, "role name", b"");
impl RoleName {
    /// The role that has every right and needs no text.
    pub fn superadmin() -> Self {
        Self("superadmin".to_owned())
    }
}

text_name!(
    /// The name of a team.
    TeamName, "team name", b"");

/// What a stream of events is about. The numbers are part of the signed bytes and never change.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum StreamKind {
    /// One enrollment and what became of its certificate.
    Enrollment = 1,
    /// One proposal and the decisions on it.
    Proposal = 2,
    /// One account.
    Account = 3,
    /// One identifier that one requester has proven.
    Proof = 4,
    /// One versioned object: a profile, an endpoint, a CA.
    Object = 5,
    /// One incident.
    Incident = 6,
    /// One request that policy refused.
    Refusal = 7,
    /// One document of a protocol. It has no stream; an incident about it names it so.
    Document = 8,
    /// One key that was reported as compromised.
    KeyReport = 9,
    /// One registration.
    Registration = 10,
    /// One secret.
    Secret = 11,
    /// What one requester was granted beforehand.
    Grant = 12,
    /// Something that somebody tried to do as an operator.
    Access = 13,
}

impl StreamKind {
    /// The event behind which records of such streams may say nothing any more; `None` where none may.
    pub const fn erasure(self) -> Option<EventKind> {
        match self {
            Self::Enrollment => Some(EventKind::EnrollmentErased),
            Self::Proposal => Some(EventKind::ProposalErased),
            Self::Registration => Some(EventKind::RegistrationErased),
            _ => None,
        }
    }

    /// The number in the signed bytes and in the store.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Enrollment,
            2 => Self::Proposal,
            3 => Self::Account,
            4 => Self::Proof,
            5 => Self::Object,
            6 => Self::Incident,
            7 => Self::Refusal,
            8 => Self::Document,
            9 => Self::KeyReport,
            10 => Self::Registration,
            11 => Self::Secret,
            12 => Self::Grant,
            13 => Self::Access,
            _ => return None,
        })
    }
}

/// A stream of events: what it is about, and which one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct StreamId {
    /// What the stream is about.
    pub kind: StreamKind,
    /// A UUIDv7, or for streams that are found by their subject the first 16 octets of a SHA-256.
    pub id: [u8; 16],
}

impl StreamId {
    /// The stream of an enrollment.
    pub const fn enrollment(id: EnrollmentId) -> Self {
        Self {
            kind: StreamKind::Enrollment,
            id: id.0,
        }
    }

    /// The stream of a proposal.
    pub const fn proposal(id: ProposalId) -> Self {
        Self {
            kind: StreamKind::Proposal,
            id: id.0,
        }
    }

    /// The stream of an account.
    pub const fn account(id: AccountId) -> Self {
        Self {
            kind: StreamKind::Account,
            id: id.0,
        }
    }

    /// The stream of a registration.
    pub const fn registration(id: RegistrationId) -> Self {
        Self {
            kind: StreamKind::Registration,
            id: id.0,
        }
    }

    /// The stream of a secret.
    pub const fn secret(id: SecretId) -> Self {
        Self {
            kind: StreamKind::Secret,
            id: id.0,
        }
    }

    /// The stream of an operator's password, whichever it is at the time.
    pub fn password(operator: &OperatorName) -> Self {
        Self::derived(StreamKind::Secret, &[b"password", operator.as_str().as_bytes()])
    }

    /// The stream whose id is derived from its subject, so that it needs no index.
    pub fn derived(kind: StreamKind, subject: &[&[u8]]) -> Self {
        let mut input = vec![kind.number()];
        for part in subject {
            input.extend_from_slice(&u64::try_from(part.len()).unwrap_or(u64::MAX).to_be_bytes());
            input.extend_from_slice(part);
        }
        let digest = sha256(&input);
        let mut id = [0u8; 16];
        id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
        Self { kind, id }
    }
}

impl fmt::Display for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}/{}", self.kind, Uuid::from_bytes(self.id).hyphenated())
    }
}

impl fmt::Debug for StreamId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
