//! What one request needs to know, read in one message as far as it could be foreseen.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use crate::domain::{Claim, ClaimKey, Record, StreamId, StreamKind};
use crate::error::Error;
use crate::ledger::Ledger;
use crate::ports::{Answers, Head, Space, StoreError, Wanted};
use crate::steps::verify::History;

/// Objects that are noted of one request, at most.
const OBJECTS_MAX: usize = 16;

/// Rows as they were when a request arrived: nothing of them is believed before somebody asks for it, by the same verification
/// as whatever is read alone. What is not here is read then. It is of one request and one turn: who looks again reads again.
#[derive(Default)]
pub(crate) struct Reading {
    streams: HashMap<StreamId, (Vec<Record>, Option<Head>)>,
    claims: HashMap<ClaimKey, Option<Claim>>,
    reservations: HashMap<(Space, [u8; 32]), Option<StreamId>>,
    objects: Mutex<Vec<StreamId>>,
}

impl Reading {
    fn of(wanted: Wanted, seen: Vec<Option<Head>>, answers: Answers) -> Self {
        let records = answers.streams.into_iter().zip(seen);
        Self {
            streams: wanted.streams.into_iter().zip(records).collect(),
            claims: wanted.claims.into_iter().zip(answers.claims).collect(),
            reservations: wanted
                .reservations
                .into_iter()
                .zip(answers.reservations)
                .collect(),
            objects: Mutex::default(),
        }
    }

    /// Objects that were asked for, in the order of asking.
    pub(crate) fn objects(&self) -> Vec<StreamId> {
        self.noted().clone()
    }

    fn note(&self, streams: &[StreamId]) {
        let mut objects = self.noted();
        for stream in streams {
            if stream.kind == StreamKind::Object && !objects.contains(stream) && objects.len() < OBJECTS_MAX {
                objects.push(*stream);
            }
        }
    }

    fn noted(&self) -> std::sync::MutexGuard<'_, Vec<StreamId>> {
        self.objects.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ledger {
    /// Reads all of this in one message. Where a row cannot be read, all is left to be read when it is asked for, which then says
    /// what is wrong, if it matters.
    pub(crate) async fn read(&self, wanted: Wanted) -> Result<Reading, Error> {
        let seen = self.seen(&wanted.streams);
        match self.store.read(&wanted).await {
            Ok(answers) => Ok(Reading::of(wanted, seen, answers)),
            Err(StoreError::Broken(_)) => Ok(Reading::default()),
            Err(error) => Err(error.into()),
        }
    }

    /// The histories of these streams, in the order asked, as [`Ledger::histories`] has them.
    pub(crate) async fn histories_in(
        &self,
        reading: &Reading,
        streams: &[StreamId],
    ) -> Result<Vec<History>, Error> {
        reading.note(streams);
        let missing = |stream: &&StreamId| !reading.streams.contains_key(stream);
        let missing: Vec<StreamId> = streams.iter().filter(missing).copied().collect();
        let mut read = self.histories(&missing).await?.into_iter();
        let mut histories = Vec::with_capacity(streams.len());
        for stream in streams {
            match reading.streams.get(stream) {
                Some((records, seen)) => histories.push(self.believe(*stream, records, *seen).await?),
                None => histories.extend(read.next()),
            }
        }
        Ok(histories)
    }

    /// The history of one stream.
    pub(crate) async fn history_in(&self, reading: &Reading, stream: StreamId) -> Result<History, Error> {
        match reading.streams.get(&stream) {
            Some((records, seen)) => self.believe(stream, records, *seen).await,
            None => self.history(stream).await,
        }
    }

    /// The claim with this key, live or not.
    pub(crate) async fn claim_in(&self, reading: &Reading, key: &ClaimKey) -> Result<Option<Claim>, Error> {
        match reading.claims.get(key) {
            Some(claim) => Ok(claim.clone()),
            None => Ok(self.store.claim(key).await?),
        }
    }

    /// Where a reservation leads.
    pub(crate) async fn reserved_in(
        &self,
        reading: &Reading,
        (space, key): (Space, [u8; 32]),
    ) -> Result<Option<StreamId>, Error> {
        match reading.reservations.get(&(space, key)) {
            Some(stream) => Ok(*stream),
            None => Ok(self.store.reserved(space, &key).await?),
        }
    }
}
