//! The ledger: reads streams verified, makes signed records, raises incidents.

use portreeve_pkix::Timestamp;
use std::sync::Arc;

use crate::domain::{
    Actor, Circumstances, Event, Incident, IncidentEvent, IncidentKind, NodeId, Origin, Place, Purpose,
    Record, StreamId, Unsigned,
};
use crate::error::{Error, InternalError};
use crate::objects::Damaged;
use crate::ports::{
    Batch, Clock, CommitError, Conflict, EventSigner, Head, HeadMemory, Metrics, Random, Store, StoreError,
};
use crate::steps::verify::{History, Tampered, Verifier};

/// What is wrong with rows that are no records.
const UNREADABLE: &str = "record cannot be read";

/// Who says something, in which role, from where, and why.
#[derive(Clone, Debug)]
pub(crate) struct Saying {
    pub(crate) purpose: Purpose,
    pub(crate) actor: Actor,
    pub(crate) origin: Origin,
    pub(crate) reason: String,
}

impl Saying {
    pub(crate) fn new(purpose: Purpose, actor: Actor, origin: Origin, reason: &str) -> Self {
        Self {
            purpose,
            actor,
            origin,
            reason: reason.to_owned(),
        }
    }
}

/// Reads and writes streams.
pub(crate) struct Ledger {
    pub(crate) store: Arc<dyn Store>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) metrics: Arc<dyn Metrics>,
    pub(crate) node: NodeId,
    /// Under which purpose this node raises incidents.
    voice: Purpose,
    signer: Arc<dyn EventSigner>,
    verifier: Verifier,
}

impl Ledger {
    pub(crate) fn new(
        store: Arc<dyn Store>,
        (signer, heads): (Arc<dyn EventSigner>, Arc<dyn HeadMemory>),
        (clock, random): (Arc<dyn Clock>, Arc<dyn Random>),
        (metrics, node, voice): (Arc<dyn Metrics>, NodeId, Purpose),
    ) -> Self {
        let verifier = Verifier::new(Arc::clone(&signer), heads);
        Self {
            store,
            clock,
            random,
            metrics,
            node,
            voice,
            signer,
            verifier,
        }
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The purpose under which this node speaks of itself.
    pub(crate) const fn voice(&self) -> Purpose {
        self.voice
    }

    /// The histories of these streams, in the order asked. One that does not verify raises an incident and
    /// ends the whole operation.
    pub(crate) async fn histories(&self, streams: &[StreamId]) -> Result<Vec<History>, Error> {
        let seen = self.seen(streams);
        let loaded = match self.store.load(streams).await {
            Ok(loaded) => loaded,
            Err(StoreError::Broken(reason)) => return Err(self.unreadable(streams, reason).await),
            Err(error) => return Err(error.into()),
        };
        let mut histories = Vec::with_capacity(streams.len());
        for ((stream, records), seen) in streams.iter().zip(&loaded).zip(seen) {
            histories.push(self.believe(*stream, records, seen).await?);
        }
        Ok(histories)
    }

    /// How far each of these streams went when it was read last. To be asked before they are read again.
    pub(crate) fn seen(&self, streams: &[StreamId]) -> Vec<Option<Head>> {
        streams.iter().map(|stream| self.verifier.seen(stream)).collect()
    }

    /// What these records tell of a stream. One that does not verify raises an incident and is an error.
    pub(crate) async fn believe(
        &self,
        stream: StreamId,
        records: &[Record],
        seen: Option<Head>,
    ) -> Result<History, Error> {
        match self.verifier.history(stream, records, seen) {
            Ok(history) => Ok(history),
            Err(tampered) => Err(self.tampered(stream, tampered).await),
        }
    }

    /// The histories of these streams, in the order asked, each for itself: one that does not verify raises an incident, and
    /// the others are read all the same.
    pub(crate) async fn each(&self, streams: &[StreamId]) -> Result<Vec<Result<History, Damaged>>, Error> {
        let seen = self.seen(streams);
        let mut found = Vec::with_capacity(streams.len());
        match self.store.load(streams).await {
            Ok(loaded) => {
                for ((stream, records), seen) in streams.iter().zip(&loaded).zip(seen) {
                    found.push(self.believed(*stream, records, seen).await);
                }
            }
            Err(StoreError::Broken(_)) => {
                for stream in streams {
                    found.push(self.alone(*stream).await?);
                }
            }
            Err(error) => return Err(error.into()),
        }
        Ok(found)
    }

    /// One stream among others that cannot be read together.
    async fn alone(&self, stream: StreamId) -> Result<Result<History, Damaged>, Error> {
        let seen = self.verifier.seen(&stream);
        match self.store.load(&[stream]).await {
            Ok(loaded) => {
                let records = loaded.first().map_or(&[] as &[Record], Vec::as_slice);
                Ok(self.believed(stream, records, seen).await)
            }
            Err(StoreError::Broken(_)) => {
                self.tampered(stream, Tampered(UNREADABLE)).await;
                Ok(Err(Damaged::of(stream, &[], UNREADABLE)))
            }
            Err(error) => Err(error.into()),
        }
    }

    async fn believed(
        &self,
        stream: StreamId,
        records: &[Record],
        seen: Option<Head>,
    ) -> Result<History, Damaged> {
        match self.verifier.history(stream, records, seen) {
            Ok(history) => Ok(history),
            Err(tampered) => {
                let Tampered(reason) = tampered;
                self.tampered(stream, tampered).await;
                Err(Damaged::of(stream, records, reason))
            }
        }
    }

    /// The history of one stream.
    pub(crate) async fn history(&self, stream: StreamId) -> Result<History, Error> {
        let reason = || Error::Internal(InternalError::Store("store answered for no stream".to_owned()));
        self.histories(&[stream]).await?.pop().ok_or_else(reason)
    }

    /// Verifies a record that was just made, so that what follows from it is `Verified` by the same code as
    /// what is read back.
    pub(crate) fn verified(&self, stream: StreamId, records: &[Record]) -> Result<History, Error> {
        let tampered = |Tampered(reason)| Error::Internal(InternalError::Tampered { stream, reason });
        let seen = self.verifier.seen(&stream);
        self.verifier.history(stream, records, seen).map_err(tampered)
    }

    /// Makes a signed record.
    pub(crate) fn record(&self, place: Place, saying: Saying, events: &[Event]) -> Result<Record, Error> {
        let mut salt = [0u8; 16];
        self.random.fill(&mut salt);
        let circumstances = Circumstances {
            purpose: saying.purpose,
            at: self.now(),
            actor: saying.actor,
            origin: saying.origin,
            reason: saying.reason,
        };
        let unsigned = Unsigned::new(place, circumstances, events, salt)?;
        let (key, signature) = self.signer.sign(saying.purpose, &unsigned.signed_bytes())?;
        let record = unsigned.sign_with(key, signature);
        self.verifier.remember(record.hash());
        Ok(record)
    }

    /// Records an incident, once: the same one again changes nothing. Never fails: what cannot be recorded is logged.
    pub(crate) async fn raise(&self, incident: Incident) {
        tracing::error!(incident = incident.what.as_str(), subject = %incident.subject,
                        detail = incident.detail, "incident");
        let record = match self.incident_record(&incident) {
            Ok(record) => record,
            Err(error) => return tracing::error!(%error, "incident could not be signed"),
        };
        let batch = Batch {
            records: vec![record],
            ..Batch::default()
        };
        match self.store.commit(batch).await {
            Ok(()) => self.metrics.incident(incident.what.as_str()),
            Err(CommitError::Conflict(Conflict::Stream(_))) => {}
            Err(error) => tracing::error!(%error, "incident could not be stored"),
        }
    }

    /// The first record of an incident's stream, to be committed with what caused it.
    pub(crate) fn incident_record(&self, incident: &Incident) -> Result<Record, Error> {
        let place = first(incident.stream());
        let saying = Saying::new(
            self.voice,
            Actor::Node,
            Origin::node(self.node),
            incident.what.as_str(),
        );
        let event = Event::Incident(IncidentEvent::Raised(incident.clone()));
        self.record(place, saying, &[event])
    }

    /// Raises the incident of a stream that does not verify, and makes the error to end with.
    pub(crate) async fn tampered(&self, stream: StreamId, Tampered(reason): Tampered) -> Error {
        let what = IncidentKind::Tampered;
        self.raise(Incident {
            what,
            subject: stream,
            detail: reason.to_owned(),
        })
        .await;
        Error::Internal(InternalError::Tampered { stream, reason })
    }

    /// Rows that cannot be read at all are looked at one stream at a time, so that the incident names the right one.
    async fn unreadable(&self, streams: &[StreamId], reason: String) -> Error {
        for stream in streams {
            if let Err(StoreError::Broken(_)) = self.store.load(&[*stream]).await {
                return self.tampered(*stream, Tampered(UNREADABLE)).await;
            }
        }
        Error::Internal(InternalError::Store(reason))
    }
}

/// The place of the first record of a stream.
pub(crate) const fn first(stream: StreamId) -> Place {
    Place {
        stream,
        position: 1,
        previous: [0; 32],
    }
}
