//! What principals tried and may not.

use borsh::{BorshDeserialize, BorshSerialize};

use super::event::EventKind;
use super::ids::StreamId;
use super::refusal::Refusal;

/// What can happen when somebody signs in or acts. Each is a stream of one record.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum AccessEvent {
    /// A principal lacked a right. Who stands in the record.
    Refused {
        /// The right's word.
        right: String,
        /// On what, in words.
        on: String,
    },
    /// There were so many wrong passwords for one name that it is locked for a while.
    Locked {
        /// The name that was given; there need be no such operator.
        name: String,
    },
    /// A one-time credential for the first operator, or for one who can no longer sign in, was made on the host.
    Bootstrapped {
        /// For whom.
        name: String,
    },
    /// A decision of a principal was refused. Who stands in the record.
    TurnedAway {
        /// What they decided, as a word.
        decision: String,
        /// On what.
        subject: StreamId,
        /// Why it does not count.
        refusal: Refusal,
    },
}

impl AccessEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Refused { .. } => EventKind::OperatorRefused,
            Self::Locked { .. } => EventKind::SignInLocked,
            Self::Bootstrapped { .. } => EventKind::OperatorBootstrapped,
            Self::TurnedAway { .. } => EventKind::OperatorTurnedAway,
        }
    }

    /// What happened, for people who read the log: the reason in the record's header. It stays when a payload is erased, so
    /// it repeats nothing that strangers typed.
    pub fn in_words(&self) -> String {
        match self {
            Self::Refused { right, on } => format!("lacks {right} on {on}"),
            Self::Locked { .. } => "too many wrong passwords for one name".to_owned(),
            Self::Bootstrapped { name } => format!("one-time credential for {name}"),
            Self::TurnedAway {
                decision,
                subject,
                refusal,
            } => format!("{decision} of {subject} refused: {}", refusal.code()),
        }
    }
}
