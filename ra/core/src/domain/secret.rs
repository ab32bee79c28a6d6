//! Secrets that somebody signs in or authenticates a message with: what is known of them, never what they are.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;
use std::fmt;

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{OperatorName, ProposalId, RegistrationId, SecretId};
use super::principal::Principal;
use super::waiting::WaitingSecret;

/// How often a secret may be used that is good for a number of times, at most: each use of it reads all the earlier.
pub const USES_MAX: u32 = 500;

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
    /// A bearer token of a registration.
    EnrollmentToken = 7,
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
            Self::EnrollmentToken => "enrollment-token",
        }
    }

    /// The number in the signed bytes and in the store.
    pub const fn number(self) -> u8 {
        self as u8
    }

    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        Some(match number {
            1 => Self::Password,
            2 => Self::Token,
            3 => Self::AcmeEab,
            4 => Self::EstPassword,
            5 => Self::ScepChallenge,
            6 => Self::CmpSecret,
            7 => Self::EnrollmentToken,
            _ => return None,
        })
    }

    /// The kind of registrations' secrets with this word.
    pub fn of_registrations(word: &str) -> Option<Self> {
        Self::OF_REGISTRATIONS
            .into_iter()
            .find(|kind| kind.as_str() == word)
    }

    /// The kinds that registrations have.
    pub const OF_REGISTRATIONS: [Self; 5] = [
        Self::AcmeEab,
        Self::EstPassword,
        Self::ScepChallenge,
        Self::CmpSecret,
        Self::EnrollmentToken,
    ];

    /// Whether a protocol computes a MAC with it, so that a hash would not do.
    pub const fn makes_macs(self) -> bool {
        match self {
            Self::AcmeEab | Self::CmpSecret => true,
            Self::Password
            | Self::Token
            | Self::EstPassword
            | Self::ScepChallenge
            | Self::EnrollmentToken => false,
        }
    }
}

impl fmt::Display for SecretOwner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator(name) => write!(f, "operator:{name}"),
            Self::Registration(id) => write!(f, "registration:{id}"),
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

impl fmt::Debug for SecretCheck {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
    /// Too many wrong attempts: it is refused for a time.
    Locked {
        /// Up to here.
        until: Timestamp,
    },
    /// It was made and shown once, and is good once people have agreed.
    Proposed {
        /// As it was made.
        secret: Secret,
        /// Where they decide.
        proposal: ProposalId,
        /// After this they can no longer agree.
        until: Timestamp,
    },
    /// It is good from now on.
    Released {
        /// Where people decided.
        proposal: ProposalId,
        /// Who agreed.
        approved_by: Vec<Principal>,
    },
    /// Somebody said no: it never becomes good.
    Denied {
        /// Where.
        proposal: ProposalId,
    },
}

impl SecretEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Issued(_) => EventKind::SecretIssued,
            Self::Revoked => EventKind::SecretRevoked,
            Self::Used { .. } => EventKind::SecretUsed,
            Self::Locked { .. } => EventKind::SecretLocked,
            Self::Proposed { .. } => EventKind::SecretProposed,
            Self::Released { .. } => EventKind::SecretReleased,
            Self::Denied { .. } => EventKind::SecretDenied,
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
    /// It is locked for a time.
    Locked,
    /// Its time is over.
    Expired,
    /// People have not agreed to it yet.
    Pending,
}

impl SecretState {
    /// The word in lists, the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Live => "live",
            Self::Spent => "spent",
            Self::Revoked => "revoked",
            Self::Locked => "locked",
            Self::Expired => "expired",
            Self::Pending => "pending",
        }
    }
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
    /// By whom: they count as requester of what is issued with it.
    pub issued_by: Actor,
    /// How often it was used.
    pub used: u32,
    /// When last.
    pub used_at: Option<Timestamp>,
    /// Until when it is locked, if it was.
    pub locked_until: Option<Timestamp>,
    /// Whether it was revoked, or denied.
    pub revoked: bool,
    /// Whether it ever was good: not while it waits for people.
    pub released: bool,
    /// What people were asked about last, and have not agreed to. With a password in force, one in its place.
    pub waiting: Option<WaitingSecret>,
}

impl KnownSecret {
    /// Takes an event into account; `None` stands for one not yet issued.
    pub fn apply(this: &mut Option<Self>, id: SecretId, event: &SecretEvent, (at, by): (Timestamp, &Actor)) {
        match (this.as_mut(), event) {
            (None, SecretEvent::Issued(secret)) => {
                *this = Some(Self::new(id, secret, (at, by)));
            }
            (
                None,
                SecretEvent::Proposed {
                    secret,
                    proposal,
                    until,
                },
            ) => {
                *this = Some(Self {
                    released: false,
                    waiting: Some(WaitingSecret {
                        secret: secret.clone(),
                        proposal: *proposal,
                        until: *until,
                        at,
                        by: by.clone(),
                    }),
                    ..Self::new(id, secret, (at, by))
                });
            }
            // A password is one stream, in which each takes the place of the one before.
            (Some(known), SecretEvent::Issued(secret)) if known.is_replaced_by(secret) => {
                *known = Self::new(id, secret, (at, by));
            }
            (
                Some(known),
                SecretEvent::Proposed {
                    secret,
                    proposal,
                    until,
                },
            ) if known.is_replaced_by(secret) => {
                let waiting = Some(WaitingSecret {
                    secret: secret.clone(),
                    proposal: *proposal,
                    until: *until,
                    at,
                    by: by.clone(),
                });
                match known.released {
                    true => known.waiting = waiting,
                    false => {
                        *known = Self {
                            released: false,
                            waiting,
                            ..Self::new(id, secret, (at, by))
                        }
                    }
                }
            }
            (Some(known), SecretEvent::Released { proposal, .. }) => {
                if let Some(waiting) = known.waiting.take_if(|waiting| waiting.proposal == *proposal) {
                    *known = Self::new(id, &waiting.secret, (waiting.at, &waiting.by));
                }
            }
            (Some(known), SecretEvent::Denied { proposal }) => {
                let denied = known.waiting.take_if(|waiting| waiting.proposal == *proposal);
                known.revoked |= denied.is_some() && !known.released;
            }
            (Some(known), SecretEvent::Revoked) => {
                known.waiting = None;
                known.revoked = true;
            }
            (Some(known), SecretEvent::Locked { until }) => known.locked_until = Some(*until),
            (Some(known), SecretEvent::Used { n }) => {
                known.used = known.used.max(*n);
                known.used_at = Some(at);
            }
            (None, _) | (Some(_), SecretEvent::Issued(_) | SecretEvent::Proposed { .. }) => {}
        }
    }

    fn new(id: SecretId, secret: &Secret, (at, by): (Timestamp, &Actor)) -> Self {
        Self {
            id,
            secret: secret.clone(),
            issued_at: at,
            issued_by: by.clone(),
            used: 0,
            used_at: None,
            locked_until: None,
            revoked: false,
            released: true,
            waiting: None,
        }
    }

    fn is_replaced_by(&self, secret: &Secret) -> bool {
        [self.secret.kind, secret.kind] == [SecretKind::Password; 2]
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> SecretState {
        if self.revoked {
            return SecretState::Revoked;
        }
        if !self.released {
            let open = self.waiting.as_ref().is_some_and(|waiting| now < waiting.until);
            return if open {
                SecretState::Pending
            } else {
                SecretState::Expired
            };
        }
        if self.secret.until.is_some_and(|until| now >= until) {
            return SecretState::Expired;
        }
        if self.locked_until.is_some_and(|until| now < until) {
            return SecretState::Locked;
        }
        match self.secret.uses_max {
            Some(max) if self.used >= max => SecretState::Spent,
            _ => SecretState::Live,
        }
    }

    /// The registration whose it is, if it is one's.
    pub const fn registration(&self) -> Option<RegistrationId> {
        match self.secret.owner {
            SecretOwner::Registration(id) => Some(id),
            SecretOwner::Operator(_) => None,
        }
    }
}

#[cfg(test)]
mod tests;
