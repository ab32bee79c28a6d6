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
    pub const OF_REGISTRATIONS: [Self; 4] = [
        Self::AcmeEab,
        Self::EstPassword,
        Self::ScepChallenge,
        Self::CmpSecret,
    ];

    /// Whether a protocol computes a MAC with it, so that a hash would not do.
    pub const fn makes_macs(self) -> bool {
        match self {
            Self::AcmeEab | Self::CmpSecret => true,
            Self::Password | Self::Token | Self::EstPassword | Self::ScepChallenge => false,
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
mod tests {
    use super::*;

    fn known(uses_max: Option<u32>) -> Option<KnownSecret> {
        let secret = Secret {
            owner: SecretOwner::Registration(RegistrationId::from_bytes([1; 16])),
            kind: SecretKind::AcmeEab,
            reference: "r".into(),
            check: SecretCheck::Sealed(vec![1]),
            uses_max,
            scopes: Vec::new(),
            bound_to: None,
            until: Some(Timestamp::from_unix_seconds(100)),
        };
        let mut known = None;
        apply(&mut known, &SecretEvent::Issued(secret), 1);
        known
    }

    fn apply(known: &mut Option<KnownSecret>, event: &SecretEvent, at: i64) {
        let at = Timestamp::from_unix_seconds(at);
        KnownSecret::apply(known, SecretId::from_bytes([2; 16]), event, (at, &Actor::Node));
    }

    #[test]
    fn its_life() {
        let lock = SecretEvent::Locked {
            until: Timestamp::from_unix_seconds(50),
        };
        let rows = [
            ("new", Some(1), vec![], 10, SecretState::Live),
            (
                "used once of once",
                Some(1),
                vec![SecretEvent::Used { n: 1 }],
                10,
                SecretState::Spent,
            ),
            (
                "used once of twice",
                Some(2),
                vec![SecretEvent::Used { n: 1 }],
                10,
                SecretState::Live,
            ),
            (
                "used without limit",
                None,
                vec![SecretEvent::Used { n: 9 }],
                10,
                SecretState::Live,
            ),
            ("locked", Some(1), vec![lock.clone()], 49, SecretState::Locked),
            (
                "no longer locked",
                Some(1),
                vec![lock.clone()],
                50,
                SecretState::Live,
            ),
            ("expired", Some(1), vec![], 100, SecretState::Expired),
            (
                "revoked",
                Some(1),
                vec![SecretEvent::Revoked],
                10,
                SecretState::Revoked,
            ),
            (
                "revoked stays revoked",
                Some(1),
                vec![SecretEvent::Revoked, lock],
                200,
                SecretState::Revoked,
            ),
        ];
        for (case, uses_max, events, now, expected) in rows {
            let mut known = known(uses_max);
            events.iter().for_each(|event| apply(&mut known, event, 5));
            assert_eq!(
                known.unwrap().state(Timestamp::from_unix_seconds(now)),
                expected,
                "{case}"
            );
        }
    }

    fn made(kind: SecretKind, reference: &str) -> Secret {
        Secret {
            owner: SecretOwner::Registration(RegistrationId::from_bytes([1; 16])),
            kind,
            reference: reference.into(),
            check: SecretCheck::Sha256([1; 32]),
            uses_max: None,
            scopes: Vec::new(),
            bound_to: None,
            until: None,
        }
    }

    #[test]
    fn what_waits_for_people_is_good_once_they_agree() {
        use SecretEvent::{Issued, Revoked};
        use SecretKind::{Password, Token};
        let proposal = |number| ProposalId::from_bytes([number; 16]);
        let asked = |kind, reference: &str, number| SecretEvent::Proposed {
            secret: made(kind, reference),
            proposal: proposal(number),
            until: Timestamp::from_unix_seconds(50),
        };
        let agreed = |number| SecretEvent::Released {
            proposal: proposal(number),
            approved_by: Vec::new(),
        };
        let denied = |number| SecretEvent::Denied {
            proposal: proposal(number),
        };
        let own = |reference: &str| Issued(made(Password, reference));
        type Row = (&'static str, Vec<SecretEvent>, i64, SecretState, &'static str);
        let rows: Vec<Row> = vec![
            ("waits", vec![asked(Token, "a", 1)], 49, SecretState::Pending, "a"),
            (
                "for too long",
                vec![asked(Token, "a", 1)],
                50,
                SecretState::Expired,
                "a",
            ),
            (
                "agreed to",
                vec![asked(Token, "a", 1), agreed(1)],
                99,
                SecretState::Live,
                "a",
            ),
            (
                "another one",
                vec![asked(Token, "a", 1), agreed(2)],
                9,
                SecretState::Pending,
                "a",
            ),
            (
                "denied",
                vec![asked(Token, "a", 1), denied(1)],
                9,
                SecretState::Revoked,
                "a",
            ),
            (
                "denied and agreed to",
                vec![asked(Token, "a", 1), denied(1), agreed(1)],
                9,
                SecretState::Revoked,
                "a",
            ),
            (
                "revoked and agreed to",
                vec![asked(Token, "a", 1), Revoked, agreed(1)],
                9,
                SecretState::Revoked,
                "a",
            ),
            (
                "agreed to and revoked",
                vec![asked(Token, "a", 1), agreed(1), Revoked],
                9,
                SecretState::Revoked,
                "a",
            ),
            (
                "a token is not replaced",
                vec![Issued(made(Token, "a")), asked(Token, "b", 1), agreed(1)],
                9,
                SecretState::Live,
                "a",
            ),
            (
                "a first password",
                vec![asked(Password, "a", 1)],
                9,
                SecretState::Pending,
                "a",
            ),
            (
                "another first one",
                vec![asked(Password, "a", 1), asked(Password, "b", 2), agreed(1)],
                9,
                SecretState::Pending,
                "b",
            ),
            (
                "a password in force",
                vec![own("a"), asked(Password, "b", 1)],
                9,
                SecretState::Live,
                "a",
            ),
            (
                "in its place",
                vec![own("a"), asked(Password, "b", 1), agreed(1)],
                9,
                SecretState::Live,
                "b",
            ),
            (
                "denied in its place",
                vec![own("a"), asked(Password, "b", 1), denied(1)],
                9,
                SecretState::Live,
                "a",
            ),
            (
                "one's own since",
                vec![own("a"), asked(Password, "b", 1), own("c"), agreed(1)],
                9,
                SecretState::Live,
                "c",
            ),
            (
                "after a denial",
                vec![asked(Password, "a", 1), denied(1), own("b")],
                9,
                SecretState::Live,
                "b",
            ),
        ];
        for (case, events, now, expected, reference) in rows {
            let mut known = None;
            events.iter().for_each(|event| apply(&mut known, event, 5));
            let known = known.unwrap();
            let state = known.state(Timestamp::from_unix_seconds(now));
            assert_eq!(
                (state, known.secret.reference.as_str()),
                (expected, reference),
                "{case}"
            );
        }
    }

    #[test]
    fn nothing_of_a_secret_is_printed() {
        let printed = format!("{:?}", known(Some(1)).unwrap());
        assert!(
            printed.contains("Sealed(..)") && !printed.contains("[1]"),
            "{printed}"
        );
    }
}
