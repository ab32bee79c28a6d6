//! Registrations: defined and ended as signed events, found by name.

use std::sync::Arc;

use portreeve_pkix::sha256;

use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Event, KnownRegistration, Place, Registration, RegistrationEvent, RegistrationId, StreamId,
};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::objects::Publisher;
use crate::ports::{Batch, CommitError, Conflict, Reservation, Space};
use crate::steps::{Verified, verify};

/// End entities that are known beforehand.
pub struct Registrations {
    ledger: Arc<Ledger>,
}

fn name_key(name: &str) -> [u8; 32] {
    sha256(name.as_bytes())
}

impl Registrations {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// Records a new registration. `None` when its name is taken.
    pub async fn create(
        &self,
        registration: Registration,
        by: &Publisher,
    ) -> Result<Option<RegistrationId>, Error> {
        let id = RegistrationId::new(self.ledger.now(), &*self.ledger.random);
        let stream = StreamId::registration(id);
        let place = Place {
            stream,
            position: 1,
            previous: [0; 32],
        };
        let taken = Reservation::Take {
            space: Space::RegistrationName,
            key: name_key(&registration.name),
            stream,
        };
        let event = Event::Registration(RegistrationEvent::Defined(registration));
        let record = self.ledger.record(place, by.saying(), &[event])?;
        let batch = Batch {
            records: vec![record],
            reservations: vec![taken],
            ..Batch::default()
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok(Some(id)),
            Err(CommitError::Conflict(Conflict::Reservation(_))) => Ok(None),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// The registration with this id.
    pub async fn registration(
        &self,
        id: RegistrationId,
    ) -> Result<Option<Verified<KnownRegistration>>, Error> {
        let history = self.ledger.history(StreamId::registration(id)).await?;
        Ok(verify::registration(history))
    }

    /// The registration with this name.
    pub async fn find(&self, name: &str) -> Result<Option<Verified<KnownRegistration>>, Error> {
        let key = name_key(name);
        let Some(stream) = self.ledger.store.reserved(Space::RegistrationName, &key).await? else {
            return Ok(None);
        };
        let found = verify::registration(self.ledger.history(stream).await?);
        Ok(found.filter(|found| found.value().registration.name == name))
    }

    /// Records what happened to a registration, unless it makes no difference. `None` when there is no such
    /// registration. The name of one that exists cannot be changed.
    pub async fn record(
        &self,
        id: RegistrationId,
        event: RegistrationEvent,
        by: &Publisher,
    ) -> Result<Option<KnownRegistration>, Error> {
        let mut turn = 0;
        loop {
            let Some(known) = self.registration(id).await? else {
                return Ok(None);
            };
            let mut event = event.clone();
            if let RegistrationEvent::Defined(registration) = &mut event {
                registration.name.clone_from(&known.value().registration.name);
            }
            let mut after = Some(known.value().clone());
            KnownRegistration::apply(&mut after, id, &event, &by.actor);
            if after.as_ref() == Some(known.value()) {
                return Ok(after);
            }
            let record = self
                .ledger
                .record(known.next(), by.saying(), &[Event::Registration(event)])?;
            let batch = Batch {
                records: vec![record],
                ..Batch::default()
            };
            match self.ledger.store.commit(batch).await {
                Ok(()) => return Ok(after),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::registration(id))),
            }
        }
    }
}
