//! Accounts: who is known by a key. Every change is a signed event; the index from key to account decides nothing.

use portreeve_pkix::{PublicKey, sha256};
use std::sync::Arc;

use crate::domain::{
    Account, AccountEvent, AccountId, AccountStatus, Actor, Alongside, EndpointName, Event, Origin, Purpose,
    Refusal, Requester, StreamId, StreamKind,
};
use crate::error::{Error, InternalError};
use crate::ledger::{Ledger, Saying, first};
use crate::ports::{Batch, CommitError, Conflict, Reservation, Space};
use crate::steps::Verified;
use crate::steps::verify;

/// How often a lost race is run again.
const RACES_MAX: u32 = 8;

/// Where a change comes from, and what an edge commits with it.
#[derive(Debug)]
pub struct Change {
    /// From where.
    pub origin: Origin,
    /// What to commit in the same transaction.
    pub alongside: Alongside,
}

/// A request for an account.
#[derive(Debug)]
pub struct OpenAccount {
    /// The endpoint it will belong to.
    pub endpoint: EndpointName,
    /// Its key. Possession was shown by the signature on the request.
    pub key: PublicKey,
    /// Contact URLs, already checked by the edge.
    pub contacts: Vec<String>,
    /// Whether the terms of service were agreed to.
    pub agreed: bool,
    /// From where, and what to commit with it.
    pub change: Change,
}

/// Whether an account was there before.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Found {
    /// It was opened now.
    New,
    /// It was there; nothing changed.
    Existing,
}

/// Accounts of requesters.
pub struct Accounts {
    ledger: Arc<Ledger>,
}

impl Accounts {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// Opens an account, or finds the one that has the key. A key known to be compromised is refused.
    pub async fn open(&self, request: OpenAccount) -> Result<(AccountId, Account, Found), Error> {
        if let Some((id, account)) = self.by_key(&request.endpoint, &request.key).await? {
            return Ok((id, account, Found::Existing));
        }
        self.refuse_blocked(&request.key).await?;
        let id = AccountId::new(self.ledger.now(), self.ledger.random.as_ref());
        let stream = StreamId::account(id);
        let event = AccountEvent::Opened {
            endpoint: request.endpoint.clone(),
            key: request.key.clone(),
            contacts: request.contacts,
            agreed: request.agreed,
        };
        let saying = edge(id, request.change.origin, "account opened");
        let record = self
            .ledger
            .record(first(stream), saying, &[Event::Account(event)])?;
        let account = self.ledger.verified(stream, std::slice::from_ref(&record))?;
        let account = verify::account(account)
            .ok_or_else(|| broken(stream))?
            .into_value();
        let take = Reservation::Take {
            space: Space::AccountKey,
            key: index_key(&request.endpoint, &request.key),
            stream,
        };
        let batch = Batch {
            records: vec![record],
            reservations: vec![take],
            ..from(request.change.alongside)
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok((id, account, Found::New)),
            Err(CommitError::Conflict(Conflict::Reservation(_))) => self
                .by_key(&request.endpoint, &request.key)
                .await?
                .map(|(id, account)| (id, account, Found::Existing))
                .ok_or(Error::Internal(InternalError::Contended(stream))),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// The account with this id.
    pub async fn by_id(&self, id: AccountId) -> Result<Option<Account>, Error> {
        Ok(self.load(id).await?.map(Verified::into_value))
    }

    /// The account of this endpoint that has this key. The account's own events must agree with the index.
    pub async fn by_key(
        &self,
        endpoint: &EndpointName,
        key: &PublicKey,
    ) -> Result<Option<(AccountId, Account)>, Error> {
        let index = index_key(endpoint, key);
        let Some(stream) = self.ledger.store.reserved(Space::AccountKey, &index).await? else {
            return Ok(None);
        };
        let tampered = verify::Tampered("index leads to an account with another key");
        if stream.kind != StreamKind::Account {
            return Err(self.ledger.tampered(stream, tampered).await);
        }
        let id = AccountId::from_bytes(stream.id);
        match self.load(id).await? {
            Some(account) if account.value().key == *key && account.value().endpoint == *endpoint => {
                Ok(Some((id, account.into_value())))
            }
            _ => Err(self.ledger.tampered(stream, tampered).await),
        }
    }

    /// Replaces the key. The edge has checked that old and new key both signed.
    pub async fn change_key(&self, id: AccountId, key: PublicKey, change: Change) -> Result<Account, Error> {
        self.refuse_blocked(&key).await?;
        let account = self.load(id).await?.ok_or(Refusal::AccountUnknown)?;
        let endpoint = account.value().endpoint.clone();
        let old_key = account.value().key.clone();
        if let Some((other, _)) = self.by_key(&endpoint, &key).await? {
            return Err(Refusal::KeyInUse(other).into());
        }
        let stream = StreamId::account(id);
        let reservations = vec![
            Reservation::Release {
                space: Space::AccountKey,
                key: index_key(&endpoint, &old_key),
            },
            Reservation::Take {
                space: Space::AccountKey,
                key: index_key(&endpoint, &key),
                stream,
            },
        ];
        let batch = Batch {
            reservations,
            ..Batch::default()
        };
        let event = AccountEvent::KeyChanged { key: key.clone() };
        match self.append(&account, id, event, (change, batch)).await {
            Err(CommitError::Conflict(Conflict::Reservation(_))) => {
                match self.by_key(&endpoint, &key).await? {
                    Some((other, _)) => Err(Refusal::KeyInUse(other).into()),
                    None => Err(Error::Internal(InternalError::Contended(stream))),
                }
            }
            Err(error) => Err(commit_error(error, stream)),
            Ok(account) => account,
        }
    }

    /// Replaces the contacts.
    pub async fn update_contacts(
        &self,
        id: AccountId,
        contacts: Vec<String>,
        change: Change,
    ) -> Result<Account, Error> {
        self.change(id, AccountEvent::ContactsChanged { contacts }, change)
            .await
    }

    /// Records that the terms of service were agreed to.
    pub async fn agree(&self, id: AccountId, change: Change) -> Result<Account, Error> {
        self.change(id, AccountEvent::Agreed, change).await
    }

    /// Closes the account for good. Doing so twice is one event.
    pub async fn deactivate(&self, id: AccountId, change: Change) -> Result<Account, Error> {
        self.change(id, AccountEvent::Deactivated, change).await
    }

    /// Refuses a key that was reported as compromised.
    pub async fn refuse_blocked(&self, key: &PublicKey) -> Result<(), Error> {
        match self
            .ledger
            .store
            .reserved(Space::BlockedKey, &key.fingerprint())
            .await?
        {
            Some(_) => Err(Refusal::Key(crate::domain::KeyRejection::Blocked).into()),
            None => Ok(()),
        }
    }

    pub(crate) async fn load(&self, id: AccountId) -> Result<Option<Verified<Account>>, Error> {
        Ok(verify::account(self.ledger.history(StreamId::account(id)).await?))
    }

    async fn change(&self, id: AccountId, event: AccountEvent, change: Change) -> Result<Account, Error> {
        let account = self.load(id).await?.ok_or(Refusal::AccountUnknown)?;
        if account.value().status == AccountStatus::Deactivated {
            return Err(Refusal::AccountDeactivated.into());
        }
        match self.append(&account, id, event, (change, Batch::default())).await {
            Ok(account) => account,
            Err(error) => Err(commit_error(error, StreamId::account(id))),
        }
    }

    async fn append(
        &self,
        account: &Verified<Account>,
        id: AccountId,
        event: AccountEvent,
        (change, batch): (Change, Batch),
    ) -> Result<Result<Account, Error>, CommitError> {
        let saying = edge(id, change.origin, "account changed");
        let record = match self
            .ledger
            .record(account.next(), saying, &[Event::Account(event.clone())])
        {
            Ok(record) => record,
            Err(error) => return Ok(Err(error)),
        };
        let at = record.header().at;
        let batch = Batch {
            records: vec![record],
            documents: change.alongside.documents,
            spends: change.alongside.spends,
            ..batch
        };
        self.ledger.store.commit(batch).await?;
        let mut changed = Some(account.value().clone());
        Account::apply(&mut changed, &event, at);
        Ok(changed.ok_or_else(|| broken(StreamId::account(id))))
    }
}

/// A batch with only what an edge gave along.
pub(crate) fn from(alongside: Alongside) -> Batch {
    Batch {
        documents: alongside.documents,
        spends: alongside.spends,
        ..Batch::default()
    }
}

/// What a failed commit means when nothing better is known.
pub(crate) fn commit_error(error: CommitError, stream: StreamId) -> Error {
    match error {
        CommitError::Conflict(Conflict::Spent) => Error::Refused(Refusal::AlreadySpent),
        CommitError::Conflict(_) => Error::Internal(InternalError::Contended(stream)),
        CommitError::Store(error) => error.into(),
    }
}

/// Runs something again while it loses races, a bounded number of times.
pub(crate) const fn may_race(turn: u32) -> bool {
    turn < RACES_MAX
}

fn edge(id: AccountId, origin: Origin, reason: &str) -> Saying {
    Saying::new(
        Purpose::Edge,
        Actor::Requester(Requester::Account(id)),
        origin,
        reason,
    )
}

fn broken(stream: StreamId) -> Error {
    Error::Internal(InternalError::Tampered {
        stream,
        reason: "stream tells of no account",
    })
}

fn index_key(endpoint: &EndpointName, key: &PublicKey) -> [u8; 32] {
    let mut input = endpoint.as_str().as_bytes().to_vec();
    input.push(0);
    input.extend_from_slice(&key.fingerprint());
    sha256(&input)
}
