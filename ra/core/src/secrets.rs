//! Secrets: issued and revoked as signed events, found by the name their holder gives them.

use std::sync::Arc;

use portreeve_pkix::sha256;

use crate::accounts::{commit_error, from, may_race};
use crate::domain::{
    Alongside, Event, KnownSecret, Place, Secret, SecretEvent, SecretId, SecretKind, StreamId,
};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::objects::Publisher;
use crate::ports::{Batch, CommitError, Conflict, Reservation, Space};
use crate::steps::{Verified, verify};

/// Passwords, tokens, challenges, references and external account keys.
pub struct Secrets {
    ledger: Arc<Ledger>,
}

/// The key of the reservation that leads from a reference to its secret.
fn reference_key(kind: SecretKind, reference: &str) -> [u8; 32] {
    sha256(&[&[kind as u8], reference.as_bytes()].concat())
}

impl Secrets {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// Records a secret. `None` when its reference is taken.
    pub async fn issue(&self, secret: Secret, by: &Publisher) -> Result<Option<SecretId>, Error> {
        self.issue_listed(secret, by, |_| Alongside::default()).await
    }

    /// Records a secret, with documents that help to find it by its id. `None` when its reference is taken.
    pub(crate) async fn issue_listed(
        &self,
        secret: Secret,
        by: &Publisher,
        listed: impl FnOnce(SecretId) -> Alongside,
    ) -> Result<Option<SecretId>, Error> {
        let id = SecretId::new(self.ledger.now(), &*self.ledger.random);
        let stream = StreamId::secret(id);
        let place = Place {
            stream,
            position: 1,
            previous: [0; 32],
        };
        let taken = Reservation::Take {
            space: Space::SecretReference,
            key: reference_key(secret.kind, &secret.reference),
            stream,
        };
        let event = Event::Secret(SecretEvent::Issued(secret));
        let record = self.ledger.record(place, by.saying(), &[event])?;
        let batch = Batch {
            records: vec![record],
            reservations: vec![taken],
            ..from(listed(id))
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok(Some(id)),
            Err(CommitError::Conflict(Conflict::Reservation(_))) => Ok(None),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// The secret with this id.
    pub async fn secret(&self, id: SecretId) -> Result<Option<Verified<KnownSecret>>, Error> {
        Ok(verify::secret(self.ledger.history(StreamId::secret(id)).await?))
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
            if known.value().ended.is_some() {
                return Ok(Some(()));
            }
            let event = Event::Secret(SecretEvent::Revoked);
            let record = self.ledger.record(known.next(), by.saying(), &[event])?;
            let batch = Batch {
                records: vec![record],
                ..Batch::default()
            };
            match self.ledger.store.commit(batch).await {
                Ok(()) => return Ok(Some(())),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::secret(id))),
            }
        }
    }
}
