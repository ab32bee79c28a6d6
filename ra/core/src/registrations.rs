//! Registrations: defined and ended as signed events, found by name.

use std::sync::Arc;

use portreeve_pkix::sha256;

use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Event, KnownRegistration, Record, RegistrationEvent, RegistrationId, RegistrationState, StreamId,
};
use crate::error::Error;
use crate::ledger::{Ledger, Saying, first};
use crate::objects::Publisher;
use crate::ports::{Batch, CommitError, Conflict, Projection, RegistrationRow, Reservation, Space};
use crate::steps::{Verified, verify};

/// Records of one registration after which it can only be ended: each use of it reads them all.
const RECORDS_MAX: u64 = 1_000;

/// End entities that are known beforehand.
pub struct Registrations {
    ledger: Arc<Ledger>,
}

/// What came of a change.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) enum Changed {
    /// It is so now.
    To(Box<KnownRegistration>),
    /// There is no such registration.
    Absent,
    /// It has another version than was expected.
    Stale,
    /// It has been changed too often.
    TooOften,
}

pub(crate) fn name_key(name: &str) -> [u8; 32] {
    sha256(name.as_bytes())
}

impl Registrations {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// Records the first event of a registration, which was checked, and what belongs to it. `None` when its name is taken.
    pub(crate) async fn create(
        &self,
        (id, name): (RegistrationId, &str),
        (event, besides): (RegistrationEvent, Option<Record>),
        by: &Publisher,
    ) -> Result<Option<KnownRegistration>, Error> {
        let stream = StreamId::registration(id);
        let taken = Reservation::Take {
            space: Space::RegistrationName,
            key: name_key(name),
            stream,
        };
        let mut known = None;
        KnownRegistration::apply(&mut known, id, &event, &by.actor);
        let record = self
            .ledger
            .record(first(stream), by.saying(), &[Event::Registration(event)])?;
        let batch = Batch {
            records: std::iter::once(record).chain(besides).collect(),
            reservations: vec![taken],
            projections: known.iter().map(row).map(Projection::Registration).collect(),
            ..Batch::default()
        };
        match self.ledger.store.commit(batch).await {
            Ok(()) => Ok(known),
            Err(CommitError::Conflict(Conflict::Reservation(_))) => Ok(None),
            Err(error) => Err(commit_error(error, stream)),
        }
    }

    /// A new id.
    pub(crate) fn new_id(&self) -> RegistrationId {
        RegistrationId::new(self.ledger.now(), &*self.ledger.random)
    }

    /// The registration with this id.
    pub async fn registration(
        &self,
        id: RegistrationId,
    ) -> Result<Option<Verified<KnownRegistration>>, Error> {
        let history = self.ledger.history(StreamId::registration(id)).await?;
        Ok(verify::registration(history))
    }

    /// The registrations with these ids, in the order asked.
    pub async fn all(&self, ids: &[RegistrationId]) -> Result<Vec<Option<KnownRegistration>>, Error> {
        let streams: Vec<StreamId> = ids.iter().copied().map(StreamId::registration).collect();
        let histories = self.ledger.histories(&streams).await?;
        Ok(histories
            .into_iter()
            .map(|history| verify::registration(history).map(Verified::into_value))
            .collect())
    }

    /// The registration with this name.
    pub async fn find(&self, name: &str) -> Result<Option<Verified<KnownRegistration>>, Error> {
        let key = name_key(name);
        let Some(stream) = self.ledger.store.reserved(Space::RegistrationName, &key).await? else {
            return Ok(None);
        };
        let found = verify::registration(self.ledger.history(stream).await?);
        // The row only led here: the registration itself says what it is called.
        Ok(found.filter(|found| found.value().registration.name == name))
    }

    /// Records what happened to a registration, unless it makes no difference. With an expected version, only if it has
    /// that. Its name cannot be changed; what was ended stays so.
    pub(crate) async fn record(
        &self,
        id: RegistrationId,
        (event, expected): (RegistrationEvent, Option<u32>),
        by: &Publisher,
    ) -> Result<Changed, Error> {
        let mut turn = 0;
        loop {
            let Some(known) = self.registration(id).await? else {
                return Ok(Changed::Absent);
            };
            let before = known.value();
            if expected.is_some_and(|expected| expected != before.version) {
                return Ok(Changed::Stale);
            }
            let mut event = event.clone();
            if let RegistrationEvent::Defined(registration) = &mut event {
                registration.name.clone_from(&before.registration.name);
                if *registration == before.registration {
                    return Ok(Changed::To(Box::new(before.clone())));
                }
            }
            let mut after = Some(before.clone());
            KnownRegistration::apply(&mut after, id, &event, &by.actor);
            let ended = before.lasting_state() == RegistrationState::Ended;
            if ended || after.as_ref() == Some(before) {
                return Ok(Changed::To(Box::new(before.clone())));
            }
            if event != RegistrationEvent::Ended && known.has_grown() {
                return Ok(Changed::TooOften);
            }
            match self.append(&known, (event, None), by).await? {
                Ok(after) => return Ok(Changed::To(Box::new(after))),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::registration(id))),
            }
        }
    }

    /// Records what happened to a registration as it is known, and what belongs to it.
    pub(crate) async fn append(
        &self,
        known: &Verified<KnownRegistration>,
        (event, besides): (RegistrationEvent, Option<Record>),
        by: &Publisher,
    ) -> Result<Result<KnownRegistration, CommitError>, Error> {
        let (record, row, after) = self.appending(known, event, by.saying())?;
        let batch = Batch {
            records: std::iter::once(record).chain(besides).collect(),
            projections: vec![row],
            ..Batch::default()
        };
        Ok(self.ledger.store.commit(batch).await.map(|()| after))
    }

    /// What to commit for what happened to a registration, and what it is then.
    pub(crate) fn appending(
        &self,
        known: &Verified<KnownRegistration>,
        event: RegistrationEvent,
        saying: Saying,
    ) -> Result<(Record, Projection, KnownRegistration), Error> {
        let before = known.value();
        let mut after = Some(before.clone());
        KnownRegistration::apply(&mut after, before.id, &event, &saying.actor);
        let after = after.unwrap_or_else(|| before.clone());
        let record = self
            .ledger
            .record(known.next(), saying, &[Event::Registration(event)])?;
        Ok((record, Projection::Registration(row(&after)), after))
    }
}

impl Verified<KnownRegistration> {
    /// Whether it has been changed so often that it can only be ended.
    pub(crate) fn has_grown(&self) -> bool {
        self.next().position > RECORDS_MAX
    }
}

/// What lists show of a registration.
fn row(known: &KnownRegistration) -> RegistrationRow {
    let registration = &known.registration;
    RegistrationRow {
        registration: known.id,
        name: registration.name.clone(),
        team: registration.team.as_ref().map(ToString::to_string),
        state: known.lasting_state().as_str().to_owned(),
        vouched: registration.vouched,
        until: registration.until,
    }
}
