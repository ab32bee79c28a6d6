//! Accounts of requesters that are known by a key.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{PublicKey, Timestamp};

use super::event::EventKind;
use super::ids::{EndpointName, RegistrationId, SecretId};

/// Whether an account may act.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum AccountStatus {
    /// It may.
    Valid,
    /// It was deactivated, for good.
    Deactivated,
}

/// What can happen to an account.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum AccountEvent {
    /// Opened at an endpoint with a key.
    Opened {
        /// The endpoint it belongs to.
        endpoint: EndpointName,
        /// Its key.
        key: PublicKey,
        /// Contact URLs, at most 10.
        contacts: Vec<String>,
        /// Whether the terms of service were agreed to.
        agreed: bool,
    },
    /// The key was replaced; the old key vouched for the new one.
    KeyChanged {
        /// The new key.
        key: PublicKey,
    },
    /// The contacts were replaced.
    ContactsChanged {
        /// The new contacts.
        contacts: Vec<String>,
    },
    /// The terms of service were agreed to.
    Agreed,
    /// The account is closed.
    Deactivated,
    /// It asks on behalf of a registration, whose key vouched for the account's (RFC 8555 section 7.3.4). Stands in the
    /// record that opens it.
    Bound(AccountBinding),
}

/// On whose behalf an account asks.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct AccountBinding {
    /// For which end entity.
    pub registration: RegistrationId,
    /// The key that vouched for it.
    pub secret: SecretId,
    /// What the client sent as proof, as the edge received it: at most 4 KiB.
    pub evidence: Vec<u8>,
}

impl AccountEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Opened { .. } => EventKind::AccountOpened,
            Self::KeyChanged { .. } => EventKind::AccountKeyChanged,
            Self::ContactsChanged { .. } => EventKind::AccountContactsChanged,
            Self::Agreed => EventKind::AccountAgreed,
            Self::Deactivated => EventKind::AccountDeactivated,
            Self::Bound(_) => EventKind::AccountBound,
        }
    }
}

/// An account, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Account {
    /// The endpoint it belongs to.
    pub endpoint: EndpointName,
    /// Its key.
    pub key: PublicKey,
    /// Contact URLs.
    pub contacts: Vec<String>,
    /// When the terms of service were agreed to.
    pub agreed_at: Option<Timestamp>,
    /// When it was opened.
    pub opened_at: Timestamp,
    /// Whether it may act.
    pub status: AccountStatus,
    /// On whose behalf it asks, if it does.
    pub binding: Option<AccountBinding>,
}

impl Account {
    /// Takes an event into account; `None` stands for an account not yet opened.
    pub fn apply(this: &mut Option<Self>, event: &AccountEvent, at: Timestamp) {
        match (this.as_mut(), event) {
            (
                None,
                AccountEvent::Opened {
                    endpoint,
                    key,
                    contacts,
                    agreed,
                },
            ) => {
                *this = Some(Self {
                    endpoint: endpoint.clone(),
                    key: key.clone(),
                    contacts: contacts.clone(),
                    agreed_at: agreed.then_some(at),
                    opened_at: at,
                    status: AccountStatus::Valid,
                    binding: None,
                });
            }
            (Some(account), AccountEvent::KeyChanged { key }) => account.key = key.clone(),
            (Some(account), AccountEvent::ContactsChanged { contacts }) => {
                account.contacts.clone_from(contacts);
            }
            (Some(account), AccountEvent::Agreed) => account.agreed_at = Some(at),
            (Some(account), AccountEvent::Deactivated) => account.status = AccountStatus::Deactivated,
            // The first binding holds: an account never changes on whose behalf it asks.
            (Some(account), AccountEvent::Bound(binding)) => {
                account.binding.get_or_insert_with(|| binding.clone());
            }
            (None, _) | (Some(_), AccountEvent::Opened { .. }) => {}
        }
    }
}
