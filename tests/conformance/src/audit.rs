//! Records that are signed and chained as the RA makes them, and sealers over a store under test.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use portreeve_audit::sealer::Alarm;
use portreeve_audit::{Outside, Scope, SealConfig, SealWatch, Sealer, SealerParts, SignedNote, VerifierKey};
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::ports::{Clock, EventSigner, KeyError};
use portreeve_ra::{
    Actor, Circumstances, Event, Incident, IncidentEvent, KeyId, NodeId, Origin, Place, Purpose, Record,
    StreamId, Unsigned,
};

use crate::store::StoreUnderTest;

/// The name of the log in tests.
pub const ORIGIN: &str = "portreeve/test";

/// One Ed25519 key for each purpose, made from its number.
pub struct PurposeKeys(BTreeMap<Purpose, (KeyId, Ed25519KeyPair)>);

impl Default for PurposeKeys {
    fn default() -> Self {
        let make = |purpose: Purpose| {
            let pair = Ed25519KeyPair::from_seed_unchecked(&[purpose as u8; 32]).unwrap();
            let id = sha256(pair.public_key().as_ref()).first_chunk().copied().unwrap();
            (purpose, (KeyId(id), pair))
        };
        Self(Purpose::ALL.map(make).into())
    }
}

impl PurposeKeys {
    /// The public keys, with purpose and id.
    pub fn public(&self) -> Vec<(Purpose, KeyId, [u8; 32])> {
        let one = |(purpose, (id, pair)): (&Purpose, &(KeyId, Ed25519KeyPair))| {
            (*purpose, *id, pair.public_key().as_ref().try_into().unwrap())
        };
        self.0.iter().map(one).collect()
    }

    /// The keys that sign checkpoints.
    pub fn of_log(&self) -> BTreeMap<KeyId, VerifierKey> {
        let public = self.public().into_iter();
        public
            .filter(|(purpose, ..)| *purpose == Purpose::Audit)
            .map(|(_, id, key)| (id, VerifierKey::new(ORIGIN, key).unwrap()))
            .collect()
    }
}

impl EventSigner for PurposeKeys {
    fn sign(&self, purpose: Purpose, message: &[u8]) -> Result<(KeyId, [u8; 64]), KeyError> {
        let (id, pair) = self.0.get(&purpose).ok_or(KeyError::Absent(purpose))?;
        Ok((*id, pair.sign(message).as_ref().try_into().unwrap()))
    }

    fn verify(
        &self,
        purpose: Purpose,
        key: KeyId,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), KeyError> {
        let (id, pair) = self.0.get(&purpose).ok_or(KeyError::Absent(purpose))?;
        let public =
            aws_lc_rs::signature::UnparsedPublicKey::new(&aws_lc_rs::signature::ED25519, pair.public_key());
        match public.verify(message, signature) {
            Ok(()) if *id == key => Ok(()),
            _ => Err(KeyError::Invalid),
        }
    }
}

/// Writes records that follow each other in their streams.
pub struct Writer {
    keys: PurposeKeys,
    streams: BTreeMap<StreamId, Place>,
    now: Timestamp,
    /// Records made so far.
    pub made: u64,
}

impl Default for Writer {
    fn default() -> Self {
        Self {
            keys: PurposeKeys::default(),
            streams: BTreeMap::new(),
            now: Timestamp::from_unix_seconds(1_800_000_000),
            made: 0,
        }
    }
}

impl Writer {
    /// The next record of this stream, said by a worker: an incident was closed with these words.
    pub fn says(&mut self, stream: StreamId, words: &str) -> Record {
        let event = Event::Incident(IncidentEvent::Closed {
            comment: words.to_owned(),
        });
        self.record(Purpose::Worker, stream, event)
    }

    /// The next record of this stream.
    pub fn record(&mut self, purpose: Purpose, stream: StreamId, event: Event) -> Record {
        let first = Place {
            stream,
            position: 1,
            previous: [0; 32],
        };
        let place = self.streams.get(&stream).copied().unwrap_or(first);
        let circumstances = Circumstances {
            purpose,
            at: self.now,
            actor: Actor::Node,
            origin: Origin::node(NodeId::from_bytes([1; 16])),
            reason: String::new(),
        };
        let unsigned = Unsigned::new(place, circumstances, &[event], [7; 16]).unwrap();
        let (key, signature) = self.keys.sign(purpose, &unsigned.signed_bytes()).unwrap();
        let record = unsigned.sign_with(key, signature);
        let next = Place {
            position: place.position + 1,
            previous: record.hash(),
            ..place
        };
        self.streams.insert(stream, next);
        self.made += 1;
        record
    }
}

/// Keeps what it gets.
#[derive(Default)]
pub struct Kept(pub Mutex<Vec<SignedNote>>);

#[async_trait]
impl Outside for Kept {
    fn name(&self) -> &str {
        "the file of a test"
    }
    async fn last(&self, _: &str) -> Result<Option<SignedNote>, String> {
        Ok(self.0.lock().unwrap().last().cloned())
    }
    async fn publish(&self, note: &SignedNote) -> Result<(), String> {
        self.0.lock().unwrap().push(note.clone());
        Ok(())
    }
}

/// Counts incidents.
#[derive(Default)]
pub struct Alarms(pub Mutex<Vec<Incident>>);

#[async_trait]
impl Alarm for Alarms {
    async fn raise(&self, incident: Incident) {
        self.0.lock().unwrap().push(incident);
    }
}

/// A sealer of this node over a store.
pub fn sealer(subject: &dyn StoreUnderTest, node: NodeId, outside: &Arc<Kept>) -> Sealer {
    let keys = PurposeKeys::default();
    Sealer::new(SealerParts {
        log: subject.audit_log(),
        sealing: subject.sealing(),
        leases: subject.leases(),
        keys: keys.of_log(),
        signer: Arc::new(keys),
        outside: vec![Arc::clone(outside) as _],
        alarm: Arc::new(Alarms::default()),
        watch: Arc::new(SealWatch::default()),
        clock: Arc::new(subject.clock()) as Arc<dyn Clock>,
        node,
        origin: ORIGIN.to_owned(),
        config: SealConfig {
            checkpoint_every: Duration::ZERO,
            ..SealConfig::default()
        },
    })
}

/// The whole log, with signatures.
pub fn scope() -> Scope {
    let keys = PurposeKeys::default();
    Scope {
        origin: ORIGIN.to_owned(),
        keys: keys.of_log().into_values().collect(),
        signer: Some(Arc::new(keys)),
        ..Scope::default()
    }
}
