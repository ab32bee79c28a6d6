//! Secrets: issued and revoked as signed events, found by the name their holder gives them.
//!
//! What is kept of a secret is a hash, or the secret sealed where a protocol computes a MAC with it. It is shown once,
//! to whoever has it made. Whether somebody knows it is checked in `check`, which also stands against guessing.

mod check;
mod generate;

use std::sync::Arc;

use portreeve_pkix::{Timestamp, sha256};

use crate::accounts::{commit_error, from, may_race};
use crate::domain::{
    Alongside, Event, KnownSecret, ProposalId, Purpose, Record, Secret, SecretCheck, SecretEvent, SecretId,
    SecretKind, SecretOwner, SecretState, StreamId,
};
use crate::error::{Error, InternalError};
use crate::ledger::{Ledger, Saying, first};
use crate::objects::Publisher;
use crate::ports::{
    Batch, CommitError, Conflict, Projection, RateLimiter, Reservation, Sealer, SecretRow, Space,
};
use crate::steps::{Verified, verify};

pub use generate::{REFERENCE_MAX, ShownSecret};

/// Passwords, tokens, challenges, references and external account keys.
pub struct Secrets {
    ledger: Arc<Ledger>,
    sealer: Arc<dyn Sealer>,
    limiter: Arc<dyn RateLimiter>,
}

/// A secret that is to be made.
#[derive(Clone, Debug)]
pub struct NewSecret {
    /// Whose.
    pub owner: SecretOwner,
    /// What for.
    pub kind: SecretKind,
    /// What its holder names it by, at most [`REFERENCE_MAX`] characters; `None` makes one up that nobody can guess.
    pub reference: Option<String>,
    /// How often it may be used, at most [`USES_MAX`](crate::USES_MAX); `None` is any number of times.
    pub uses_max: Option<u32>,
    /// After this it is refused.
    pub until: Option<Timestamp>,
}

/// A secret that was made and is not recorded yet.
pub(crate) struct Drawn {
    pub(crate) id: SecretId,
    pub(crate) secret: Secret,
}

/// What belongs to a secret that is recorded.
#[derive(Default)]
pub(crate) struct Besides {
    /// Documents by which it is found.
    pub(crate) alongside: Alongside,
    /// What people are asked first, if they are.
    pub(crate) waits: Option<Waits>,
}

/// That people are asked about a secret.
pub(crate) struct Waits {
    /// Where.
    pub(crate) proposal: ProposalId,
    /// For how long.
    pub(crate) until: Timestamp,
    /// The first record of the proposal.
    pub(crate) opened: Record,
}

/// The event by which a secret comes to be, and what else is recorded with it.
pub(crate) fn issuing(secret: Secret, waits: Option<Waits>) -> (SecretEvent, Option<Record>) {
    match waits {
        None => (SecretEvent::Issued(secret), None),
        Some(Waits {
            proposal,
            until,
            opened,
        }) => {
            let event = SecretEvent::Proposed {
                secret,
                proposal,
                until,
            };
            (event, Some(opened))
        }
    }
}

/// What is committed with whatever a secret was used for. Empty for one that is good any number of times: what it was
/// used for names it.
#[derive(Default)]
pub(crate) struct Use {
    pub(crate) records: Vec<Record>,
    pub(crate) reservations: Vec<Reservation>,
}

/// The key of the reservation that leads from a reference to its secret.
fn reference_key(kind: SecretKind, reference: &str) -> [u8; 32] {
    sha256(&[&[kind as u8], reference.as_bytes()].concat())
}

/// To what a sealed secret is bound.
fn associated(id: SecretId) -> Vec<u8> {
    [b"secret".as_slice(), id.as_bytes()].concat()
}

/// Who opens secrets that MACs are made with: whoever terminates the protocols.
const SEALED_FOR: Purpose = Purpose::Edge;

impl Secrets {
    pub(crate) fn new(
        ledger: Arc<Ledger>,
        (sealer, limiter): (Arc<dyn Sealer>, Arc<dyn RateLimiter>),
    ) -> Self {
        Self {
            ledger,
            sealer,
            limiter,
        }
    }

    /// Makes a secret by chance. Nothing is recorded.
    pub(crate) fn draw(&self, new: NewSecret) -> Result<(Drawn, ShownSecret), Error> {
        let (reference, value) = generate::secret(&*self.ledger.random, new.kind, new.reference.clone());
        self.keeping(new, (reference, value))
    }

    /// Records what is kept of a secret that is known already. Only for `dev`, whose secrets are the same on every node.
    pub async fn make_known(
        &self,
        new: NewSecret,
        value: portreeve_pkix::Secret,
        by: &Publisher,
    ) -> Result<Option<ShownSecret>, Error> {
        let reference = new.reference.clone().unwrap_or_default();
        let (drawn, shown) = self.keeping(new, (reference, value))?;
        let recorded = self.record(drawn, by, Besides::default()).await?;
        Ok(recorded.then_some(shown))
    }

    /// What is kept of a secret, and what is shown of it.
    fn keeping(
        &self,
        new: NewSecret,
        (reference, value): (String, portreeve_pkix::Secret),
    ) -> Result<(Drawn, ShownSecret), Error> {
        let id = SecretId::new(self.ledger.now(), &*self.ledger.random);
        let check = if new.kind.makes_macs() {
            let sealed = self.sealer.seal(SEALED_FOR, &associated(id), value.expose());
            SecretCheck::Sealed(sealed.map_err(InternalError::from)?)
        } else {
            SecretCheck::Sha256(sha256(value.expose()))
        };
        let kind = new.kind;
        let secret = Secret {
            owner: new.owner,
            kind,
            reference: reference.clone(),
            check,
            uses_max: new.uses_max,
            scopes: Vec::new(),
            bound_to: None,
            until: new.until,
        };
        let shown = ShownSecret {
            id,
            kind,
            reference,
            value,
            proposal: None,
        };
        Ok((Drawn { id, secret }, shown))
    }

    /// Records a secret that was made, with what belongs to it. Says whether it did: not when its reference is taken.
    pub(crate) async fn record(
        &self,
        Drawn { id, secret }: Drawn,
        by: &Publisher,
        besides: Besides,
    ) -> Result<bool, Error> {
        let stream = StreamId::secret(id);
        let taken = Reservation::Take {
            space: Space::SecretReference,
            key: reference_key(secret.kind, &secret.reference),
            stream,
        };
        let state = match besides.waits {
            Some(_) => SecretState::Pending,
            None => SecretState::Live,
        };
        let row = row(id, &secret, (self.ledger.now(), state));
        let (event, opened) = issuing(secret, besides.waits);
        let record = self
            .ledger
            .record(first(stream), by.saying(), &[Event::Secret(event)])?;
        let batch = Batch {
            records: std::iter::once(record).chain(opened).collect(),
            reservations: vec![taken],
            projections: vec![Projection::Secret(row)],
            ..from(besides.alongside)
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok(true),
            Err(CommitError::Conflict(Conflict::Reservation(_))) => Ok(false),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// What to commit when people have decided on a secret.
    pub(crate) fn settling(
        &self,
        known: &Verified<KnownSecret>,
        event: SecretEvent,
        saying: Saying,
    ) -> Result<(Record, Option<Projection>), Error> {
        let mut after = Some(known.value().clone());
        let at = self.ledger.now();
        KnownSecret::apply(&mut after, known.value().id, &event, (at, &saying.actor));
        let record = self
            .ledger
            .record(known.next(), saying, &[Event::Secret(event)])?;
        // Passwords are in no list.
        let listed = after.filter(|known| known.secret.kind != SecretKind::Password);
        let row = listed.map(|known| row(known.id, &known.secret, (known.issued_at, known.state(at))));
        Ok((record, row.map(Projection::Secret)))
    }

    /// The secret with this id.
    pub async fn secret(&self, id: SecretId) -> Result<Option<Verified<KnownSecret>>, Error> {
        Ok(verify::secret(self.ledger.history(StreamId::secret(id)).await?))
    }

    /// The secrets with these ids, in the order asked.
    pub async fn all(&self, ids: &[SecretId]) -> Result<Vec<Option<KnownSecret>>, Error> {
        let streams: Vec<StreamId> = ids.iter().copied().map(StreamId::secret).collect();
        let histories = self.ledger.histories(&streams).await?;
        Ok(histories
            .into_iter()
            .map(|history| verify::secret(history).map(Verified::into_value))
            .collect())
    }

    /// The secret of this kind with this reference, live or not.
    pub async fn find(
        &self,
        kind: SecretKind,
        reference: &str,
    ) -> Result<Option<Verified<KnownSecret>>, Error> {
        let key = reference_key(kind, reference);
        let Some(stream) = self.ledger.store.reserved(Space::SecretReference, &key).await? else {
            return Ok(None);
        };
        let found = verify::secret(self.ledger.history(stream).await?);
        // The row only led here: the secret itself says what it is called.
        Ok(found.filter(|found| {
            let secret = &found.value().secret;
            secret.kind == kind && secret.reference == reference
        }))
    }

    /// Refuses a secret from now on. Doing so twice is one event. `None` when there is no such secret.
    pub async fn revoke(&self, id: SecretId, by: &Publisher) -> Result<Option<()>, Error> {
        let mut turn = 0;
        loop {
            let Some(known) = self.secret(id).await? else {
                return Ok(None);
            };
            if known.value().revoked {
                return Ok(Some(()));
            }
            let event = Event::Secret(SecretEvent::Revoked);
            let record = self.ledger.record(known.next(), by.saying(), &[event])?;
            let value = known.value();
            let row = row(id, &value.secret, (value.issued_at, SecretState::Revoked));
            let batch = Batch {
                records: vec![record],
                projections: vec![Projection::Secret(row)],
                ..Batch::default()
            };
            match self.ledger.store.commit(batch).await {
                Ok(()) => return Ok(Some(())),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::secret(id))),
            }
        }
    }

    /// What to commit with what a secret is used for, which `subject` is. Of several that use it at once one commits,
    /// and the others find its stream moved on.
    pub(crate) fn used_for(
        &self,
        secret: &Verified<KnownSecret>,
        subject: StreamId,
        saying: Saying,
    ) -> Result<Use, Error> {
        let known = secret.value();
        if known.secret.uses_max.is_none() {
            return Ok(Use::default());
        }
        let n = known.used.saturating_add(1);
        let event = Event::Secret(SecretEvent::Used { n });
        let record = self.ledger.record(secret.next(), saying, &[event])?;
        let once = Reservation::Take {
            space: Space::SecretUse,
            key: sha256(&[known.id.as_bytes().as_slice(), &n.to_be_bytes()].concat()),
            stream: subject,
        };
        Ok(Use {
            records: vec![record],
            reservations: vec![once],
        })
    }
}

/// What lists show of a secret.
fn row(id: SecretId, secret: &Secret, (issued_at, state): (Timestamp, SecretState)) -> SecretRow {
    SecretRow {
        secret: id,
        owner: secret.owner.to_string(),
        kind: secret.kind,
        reference: secret.reference.clone(),
        state: state.as_str().to_owned(),
        until: secret.until,
        created_at: issued_at,
    }
}
