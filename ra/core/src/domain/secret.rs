//! Secrets that somebody signs in or authenticates a message with: what is known of them, never what they are.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;

use super::event::EventKind;
use super::ids::{OperatorName, RegistrationId, SecretId};

/// Whose secret it is.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum SecretOwner {
    /// An operator's.
    Operator(OperatorName),
    /// A registration's.
    Registration(RegistrationId),
}

/// What a secret is for.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum SecretKind {
    /// An operator's password.
    Password = 1,
    /// An operator's API token.
    Token = 2,
    /// An ACME external account key (RFC 8555 section 7.3.4).
    AcmeEab = 3,
    /// An EST password for HTTP Basic.
    EstPassword = 4,
    /// A SCEP challenge password.
    ScepChallenge = 5,
    /// A CMP reference and secret.
    CmpSecret = 6,
}

impl SecretKind {
    /// The word in the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Password => "password",
            Self::Token => "token",
            Self::AcmeEab => "acme-eab",
            Self::EstPassword => "est-password",
            Self::ScepChallenge => "scep-challenge",
            Self::CmpSecret => "cmp-secret",
        }
    }
}

/// What is kept to check a secret by.
#[derive(Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum SecretCheck {
    /// SHA-256 of a secret of at least 128 random bits.
    Sha256([u8; 32]),
    /// An Argon2id hash in PHC form, of what a person chose.
    Argon2id(String),
    /// The secret itself, sealed by the keyset: where a protocol computes a MAC with it.
    Sealed(Vec<u8>),
}

impl std::fmt::Debug for SecretCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Sha256(_) => "Sha256(..)",
            Self::Argon2id(_) => "Argon2id(..)",
            Self::Sealed(_) => "Sealed(..)",
        })
    }
}

/// A secret as issued.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Secret {
    /// Whose.
    pub owner: SecretOwner,
    /// What for.
    pub kind: SecretKind,
    /// What its holder names it by: user name, key identifier, reference. Unique within the kind.
    pub reference: String,
    /// What it is checked by.
    pub check: SecretCheck,
    /// How often it may be used; `None` is any number of times.
    pub uses_max: Option<u32>,
    /// To what rights a token is limited, as words; empty for what is no token.
    pub scopes: Vec<String>,
    /// The certificate a token is bound to, by the SHA-256 of its SubjectPublicKeyInfo.
    pub bound_to: Option<[u8; 32]>,
    /// After this it is refused.
    pub until: Option<Timestamp>,
}

/// What can happen to a secret.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum SecretEvent {
    /// It was made and shown once.
    Issued(Secret),
    /// It is refused from now on.
    Revoked,
    /// It was used for something that counts, for the `n`th time.
    Used {
        /// Counts from 1.
        n: u32,
    },
    /// Too many wrong attempts: it is refused from now on.
    Locked,
}

impl SecretEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Issued(_) => EventKind::SecretIssued,
            Self::Revoked => EventKind::SecretRevoked,
            Self::Used { .. } => EventKind::SecretUsed,
            Self::Locked => EventKind::SecretLocked,
        }
    }
}

/// Where a secret stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SecretState {
    /// It is good.
    Live,
    /// It was used as often as it may be.
    Spent,
    /// It was revoked.
    Revoked,
    /// It was locked.
    Locked,
    /// Its time is over.
    Expired,
}

/// A secret, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownSecret {
    /// Its id.
    pub id: SecretId,
    /// As issued.
    pub secret: Secret,
    /// When.
    pub issued_at: Timestamp,
    /// How often it was used.
    pub used: u32,
    /// Whether it was revoked or locked.
    pub ended: Option<SecretState>,
}

impl KnownSecret {
    /// Takes an event into account; `None` stands for one not yet issued.
    pub fn apply(this: &mut Option<Self>, id: SecretId, event: &SecretEvent, at: Timestamp) {
        match (this.as_mut(), event) {
            (None, SecretEvent::Issued(secret)) => {
                *this = Some(Self {
                    id,
                    secret: secret.clone(),
                    issued_at: at,
                    used: 0,
                    ended: None,
                });
            }
            // A password is one stream, in which each takes the place of the one before.
            (Some(known), SecretEvent::Issued(secret))
                if [known.secret.kind, secret.kind] == [SecretKind::Password; 2] =>
            {
                known.secret = secret.clone();
                known.issued_at = at;
                known.ended = None;
            }
            (Some(known), SecretEvent::Revoked) => known.ended = Some(SecretState::Revoked),
            (Some(known), SecretEvent::Locked) => {
                known.ended.get_or_insert(SecretState::Locked);
            }
            (Some(known), SecretEvent::Used { n }) => known.used = known.used.max(*n),
            (None, _) | (Some(_), SecretEvent::Issued(_)) => {}
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> SecretState {
        if let Some(ended) = self.ended {
            return ended;
        }
        if self.secret.until.is_some_and(|until| now >= until) {
            return SecretState::Expired;
        }
        match self.secret.uses_max {
            Some(max) if self.used >= max => SecretState::Spent,
            _ => SecretState::Live,
        }
    }
}
