//! Key purposes: which role of a node may say which event.

use borsh::{BorshDeserialize, BorshSerialize};
use std::fmt;

use super::event::EventKind;

/// What a key of the keyset is for. A node has private keys only for the roles it plays.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum Purpose {
    /// Terminates protocols: accounts, proven identifiers, requests received.
    Edge = 1,
    /// Judges and issues.
    Worker = 2,
    /// Publishes certificate status.
    Status = 3,
    /// Lets operators decide and configure.
    Console = 4,
    /// Opens CA keys; only the signer child has it.
    Ca = 5,
    /// Seals the audit log.
    Audit = 6,
}

impl Purpose {
    /// Every purpose, in the order of their numbers.
    pub const ALL: [Self; 6] = [
        Self::Edge,
        Self::Worker,
        Self::Status,
        Self::Console,
        Self::Ca,
        Self::Audit,
    ];

    /// The word used in configuration and in the keyset.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Worker => "worker",
            Self::Status => "status",
            Self::Console => "console",
            Self::Ca => "ca",
            Self::Audit => "audit",
        }
    }

    /// Whether a record signed for this purpose may contain this event. Everything not listed is refused.
    pub const fn may_say(self, kind: EventKind) -> bool {
        use EventKind as K;
        match kind {
            K::EnrollmentSubmitted | K::EnrollmentRevocationRequested => matches!(self, Self::Edge),
            K::EnrollmentConfirmed | K::RequestRefused => matches!(self, Self::Edge | Self::Worker),
            K::EnrollmentReceived
            | K::EnrollmentReferred
            | K::EnrollmentApproved
            | K::EnrollmentIssuing
            | K::EnrollmentProgressed
            | K::EnrollmentIssued
            | K::EnrollmentRefused
            | K::EnrollmentFailed
            | K::EnrollmentExpired
            | K::EnrollmentInDoubt
            | K::EnrollmentQuarantined
            | K::EnrollmentRevoked
            | K::EnrollmentSupersedes
            | K::EnrollmentReleased
            | K::ProposalOpened
            | K::GrantSpent
            | K::KeyCompromised => matches!(self, Self::Worker),
            K::ProposalDiscounted => matches!(self, Self::Worker | Self::Console),
            K::ProposalDecided
            | K::ProposalRaised
            | K::ProposalErased
            | K::GrantGiven
            | K::GrantWithdrawn
            | K::OperatorTurnedAway
            | K::EnrollmentResolved
            | K::EnrollmentErased
            | K::EnrollmentStatusRequested => matches!(self, Self::Console),
            K::AccountOpened
            | K::AccountKeyChanged
            | K::AccountContactsChanged
            | K::AccountAgreed
            | K::AccountDeactivated
            | K::AccountBound
            | K::IdentifierProven
            | K::IdentifierWithdrawn => matches!(self, Self::Edge),
            K::ObjectPublished
            | K::ObjectRetired
            | K::ObjectDrafted
            | K::ObjectReleased
            | K::ObjectConfirmed
            | K::ObjectProposed
            | K::RegistrationDefined
            | K::RegistrationConfirmed
            | K::RegistrationSuspended
            | K::RegistrationResumed
            | K::RegistrationEnded
            | K::RegistrationProposed
            | K::RegistrationReleased
            | K::RegistrationErased
            | K::SecretIssued
            | K::SecretRevoked
            | K::SecretProposed
            | K::SecretReleased
            | K::SecretDenied
            | K::OperatorRefused
            | K::SignInLocked
            | K::OperatorBootstrapped => matches!(self, Self::Console),
            K::SecretUsed | K::SecretLocked => matches!(self, Self::Edge | Self::Worker | Self::Console),
            K::IncidentRaised | K::IncidentClosed => {
                matches!(self, Self::Edge | Self::Worker | Self::Status | Self::Console)
            }
        }
    }
}

impl fmt::Display for Purpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names one key of the keyset: the first 8 octets of the SHA-256 of its public or secret part.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub struct KeyId(pub [u8; 8]);

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|octet| write!(f, "{octet:02x}"))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
