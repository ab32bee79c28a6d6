//! Accounts: who is known by a key. Every change is a signed event; the index from key to account decides nothing.

use portreeve_pkix::{PublicKey, sha256};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{
    Account, AccountBinding, AccountEvent, AccountId, AccountStatus, Actor, Alongside, Credential,
    EndpointName, Event, KeyRejection, Origin, Place, Purpose, Refusal, Requester, StreamId, StreamKind,
    key_report_stream,
};
use crate::error::{Error, InternalError};
use crate::ledger::{Ledger, Saying, first};
use crate::ports::{Batch, CommitError, Conflict, Reservation, Space};
use crate::secrets::Use;
use crate::steps::Verified;
use crate::steps::verify;

/// How often a lost race is run again. Each turn one of those who race wins, and may not be seen before the next.
const RACES_MAX: u32 = 32;

/// Records of a stream that its requester makes grow, at most: each use of it reads them all.
const RECORDS_MAX: u64 = 1_000;

/// When a requester that made a stream grow too long may ask again.
const GROWN_RETRY: Duration = Duration::from_secs(24 * 3600);

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

/// On whose behalf a new account will ask, and what is committed with it.
pub(crate) struct Bound {
    pub(crate) binding: AccountBinding,
    pub(crate) used: Use,
}

/// What came of an attempt to open an account.
pub(crate) enum Opened {
    /// It is there.
    As(Box<(AccountId, Account, Found)>),
    /// Somebody was faster with the same key, or the same secret: look again.
    Raced(StreamId),
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
    pub(crate) async fn open(&self, request: OpenAccount) -> Result<(AccountId, Account, Found), Error> {
        let mut turn = 0;
        loop {
            if let Some((id, account)) = self.by_key(&request.endpoint, &request.key).await? {
                return Ok((id, account, Found::Existing));
            }
            match self.try_open(self.new_id(), &request, None).await? {
                Opened::As(opened) => return Ok(*opened),
                Opened::Raced(_) if may_race(turn) => turn += 1,
                Opened::Raced(stream) => return Err(Error::Internal(InternalError::Contended(stream))),
            }
        }
    }

    /// The id of an account that is about to be opened.
    pub(crate) fn new_id(&self) -> AccountId {
        AccountId::new(self.ledger.now(), self.ledger.random.as_ref())
    }

    /// Opens an account with this id, unless somebody is faster.
    pub(crate) async fn try_open(
        &self,
        id: AccountId,
        request: &OpenAccount,
        bound: Option<Bound>,
    ) -> Result<Opened, Error> {
        self.refuse_blocked(&request.key).await?;
        let (account, batch) = self.opening(id, request, bound)?;
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok(Opened::As(Box::new((id, account, Found::New)))),
            // Somebody opened it first; it may take a moment until that can be read.
            Err(CommitError::Conflict(Conflict::Reservation(Space::AccountKey))) => {
                Ok(Opened::Raced(StreamId::account(id)))
            }
            Err(CommitError::Conflict(Conflict::Stream(stream))) if stream.kind == StreamKind::Secret => {
                Ok(Opened::Raced(stream))
            }
            Err(error) => Err(commit_error(error, StreamId::account(id))),
        }
    }

    /// A new account, and what makes it one.
    fn opening(
        &self,
        id: AccountId,
        request: &OpenAccount,
        bound: Option<Bound>,
    ) -> Result<(Account, Batch), Error> {
        let stream = StreamId::account(id);
        let opened = AccountEvent::Opened {
            endpoint: request.endpoint.clone(),
            key: request.key.clone(),
            contacts: request.contacts.clone(),
            agreed: request.agreed,
        };
        let (binding, used) = match bound {
            Some(Bound { binding, used }) => (Some(AccountEvent::Bound(binding)), used),
            None => (None, Use::default()),
        };
        let events: Vec<Event> = std::iter::once(opened)
            .chain(binding)
            .map(Event::Account)
            .collect();
        let Change { origin, alongside } = &request.change;
        let saying = edge(id, origin.clone(), "account opened");
        let record = self.ledger.record(first(stream), saying, &events)?;
        let history = self.ledger.verified(stream, std::slice::from_ref(&record))?;
        let account = verify::account(history).ok_or_else(|| broken(stream))?;
        let take = Reservation::Take {
            space: Space::AccountKey,
            key: index_key(&request.endpoint, &request.key),
            stream,
        };
        let batch = Batch {
            records: std::iter::once(record).chain(used.records).collect(),
            reservations: std::iter::once(take).chain(used.reservations).collect(),
            documents: alongside.documents.clone(),
            spends: alongside.spends.clone(),
            ..Batch::default()
        };
        Ok((account.into_value(), batch))
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
        let mut turn = 0;
        loop {
            let Some(stream) = self.ledger.store.reserved(Space::AccountKey, &index).await? else {
                return Ok(None);
            };
            let id = AccountId::from_bytes(stream.id);
            let account = match stream.kind {
                StreamKind::Account => self.load(id).await?.map(Verified::into_value),
                _ => None,
            };
            if let Some(account) = account.filter(|it| it.key == *key && it.endpoint == *endpoint) {
                return Ok(Some((id, account)));
            }
            // The key may have been changed between the two reads, and back again before the next ones.
            if !may_race(turn) {
                let tampered = verify::Tampered("index leads to an account with another key");
                return Err(self.ledger.tampered(stream, tampered).await);
            }
            turn += 1;
        }
    }

    /// Replaces the key. The edge has checked that old and new key both signed; that the old one is still the account's
    /// is checked here, as for every change.
    pub async fn change_key(
        &self,
        by: &Credential,
        key: PublicKey,
        change: Change,
    ) -> Result<Account, Error> {
        let (id, _) = signed_by(by)?;
        self.refuse_blocked(&key).await?;
        let endpoint = self.by_id(id).await?.ok_or(Refusal::AccountUnknown)?.endpoint;
        if let Some((other, _)) = self.by_key(&endpoint, &key).await? {
            return Err(Refusal::KeyInUse(other).into());
        }
        let event = AccountEvent::KeyChanged { key: key.clone() };
        match self.change(by, event, change).await {
            Err(contended @ Error::Internal(InternalError::Contended(_))) => {
                match self.by_key(&endpoint, &key).await? {
                    Some((other, _)) => Err(Refusal::KeyInUse(other).into()),
                    None => Err(contended),
                }
            }
            changed => changed,
        }
    }

    /// Replaces the contacts.
    pub async fn update_contacts(
        &self,
        by: &Credential,
        contacts: Vec<String>,
        change: Change,
    ) -> Result<Account, Error> {
        self.change(by, AccountEvent::ContactsChanged { contacts }, change)
            .await
    }

    /// Records that the terms of service were agreed to.
    pub async fn agree(&self, by: &Credential, change: Change) -> Result<Account, Error> {
        self.change(by, AccountEvent::Agreed, change).await
    }

    /// Closes the account for good. Doing so twice is one event.
    pub async fn deactivate(&self, by: &Credential, change: Change) -> Result<Account, Error> {
        self.change(by, AccountEvent::Deactivated, change).await
    }

    /// Refuses a key that was reported as compromised.
    pub async fn refuse_blocked(&self, key: &PublicKey) -> Result<(), Error> {
        let fingerprint = key.fingerprint();
        let report = self.ledger.history(key_report_stream(&fingerprint)).await?;
        if verify::is_compromised(&report, &fingerprint) {
            return Err(Refusal::Key(KeyRejection::Blocked).into());
        }
        Ok(())
    }

    pub(crate) async fn load(&self, id: AccountId) -> Result<Option<Verified<Account>>, Error> {
        Ok(verify::account(self.ledger.history(StreamId::account(id)).await?))
    }

    /// Appends one event to an account that is valid. The key that signed for it must be the account's at the position
    /// where the event goes: since the edge verified the signature, the key may have been changed.
    async fn change(&self, by: &Credential, event: AccountEvent, change: Change) -> Result<Account, Error> {
        let (id, key) = signed_by(by)?;
        let stream = StreamId::account(id);
        let mut turn = 0;
        loop {
            let account = self.load(id).await?.ok_or(Refusal::AccountUnknown)?;
            if account.value().key != *key {
                return Err(Refusal::NotAuthorized.into());
            }
            if account.value().status == AccountStatus::Deactivated {
                return Err(Refusal::AccountDeactivated.into());
            }
            if event != AccountEvent::Deactivated {
                may_grow(account.next())?;
            }
            let saying = edge(id, change.origin.clone(), "account changed");
            let events = [Event::Account(event.clone())];
            let record = self.ledger.record(account.next(), saying, &events)?;
            let at = record.header().at;
            let batch = Batch {
                records: vec![record],
                reservations: key_moves(stream, account.value(), &event),
                documents: change.alongside.documents.clone(),
                spends: change.alongside.spends.clone(),
                ..Batch::default()
            };
            match self.ledger.store.commit(batch).await {
                Ok(()) => {
                    let mut changed = Some(account.into_value());
                    Account::apply(&mut changed, &event, at);
                    return changed.ok_or_else(|| broken(stream));
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, stream)),
            }
        }
    }
}

/// The account that a request claims to come from, and the key that signed it. Only an account changes itself.
const fn signed_by(by: &Credential) -> Result<(AccountId, &PublicKey), Refusal> {
    match by {
        Credential::Account { account, key } => Ok((*account, key)),
        Credential::Key(_)
        | Credential::Secret { .. }
        | Credential::Certificate { .. }
        | Credential::Several(_) => Err(Refusal::NotAuthorized),
    }
}

/// What a change of key changes in the index.
fn key_moves(stream: StreamId, account: &Account, event: &AccountEvent) -> Vec<Reservation> {
    let AccountEvent::KeyChanged { key } = event else {
        return Vec::new();
    };
    let space = Space::AccountKey;
    vec![
        Reservation::Release {
            space,
            key: index_key(&account.endpoint, &account.key),
        },
        Reservation::Take {
            space,
            key: index_key(&account.endpoint, key),
            stream,
        },
    ]
}

/// Refuses to make a stream longer than one that is read at every use may be.
pub(crate) const fn may_grow(next: Place) -> Result<(), Refusal> {
    if next.position > RECORDS_MAX {
        Err(Refusal::RateLimited(GROWN_RETRY))
    } else {
        Ok(())
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

pub(crate) fn edge(id: AccountId, origin: Origin, reason: &str) -> Saying {
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
