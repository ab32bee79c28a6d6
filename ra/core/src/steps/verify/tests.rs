use super::*;
use crate::domain::{
    Actor, Circumstances, EnrollmentEvent, ErasedWith, Incident, IncidentEvent, IncidentKind, KeyId, NodeId,
    Origin, Purpose, StoredRecord, Unsigned,
};
use crate::ports::KeyError;
use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};

struct OneKey(Ed25519KeyPair);

struct NothingSeen;

impl HeadMemory for NothingSeen {
    fn seen(&self, _: &StreamId) -> Option<Head> {
        None
    }

    fn remember(&self, _: StreamId, _: Head) {}
}

impl EventSigner for OneKey {
    fn sign(&self, _: Purpose, message: &[u8]) -> Result<(KeyId, [u8; 64]), KeyError> {
        Ok((KeyId([1; 8]), self.0.sign(message).as_ref().try_into().unwrap()))
    }

    fn verify(
        &self,
        purpose: Purpose,
        key: KeyId,
        message: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), KeyError> {
        if purpose != Purpose::Worker || key != KeyId([1; 8]) {
            return Err(KeyError::Invalid);
        }
        let public = UnparsedPublicKey::new(&ED25519, self.0.public_key().as_ref());
        public.verify(message, signature).map_err(|_| KeyError::Invalid)
    }
}

fn signer() -> Arc<OneKey> {
    Arc::new(OneKey(Ed25519KeyPair::from_seed_unchecked(&[3; 32]).unwrap()))
}

fn stream() -> StreamId {
    incident("a").stream()
}

fn incident(detail: &str) -> Incident {
    let subject = StreamId {
        kind: StreamKind::Account,
        id: [1; 16],
    };
    Incident {
        what: IncidentKind::Tampered,
        subject,
        detail: detail.to_owned(),
    }
}

fn record(signer: &OneKey, place: Place, purpose: Purpose, event: Event) -> Record {
    let circumstances = Circumstances {
        purpose,
        at: Timestamp::from_unix_seconds(1_000),
        actor: Actor::Node,
        origin: Origin::node(NodeId::from_bytes([2; 16])),
        reason: "test".to_owned(),
    };
    let unsigned = Unsigned::new(place, circumstances, &[event], [4; 16]).unwrap();
    let (key, signature) = signer.sign(purpose, &unsigned.signed_bytes()).unwrap();
    unsigned.sign_with(key, signature)
}

fn two_records(signer: &OneKey) -> [Record; 2] {
    let place = Place {
        stream: stream(),
        position: 1,
        previous: [0; 32],
    };
    let first = record(signer, place, Purpose::Worker, raised());
    let place = Place {
        stream: stream(),
        position: 2,
        previous: first.hash(),
    };
    let closed = Event::Incident(IncidentEvent::Closed {
        comment: "looked".to_owned(),
    });
    let second = record(signer, place, Purpose::Worker, closed);
    [first, second]
}

fn raised() -> Event {
    Event::Incident(IncidentEvent::Raised(incident("a")))
}

/// The record without what it says.
fn emptied(record: &Record) -> Record {
    Record::from_stored(StoredRecord {
        salt: None,
        payload: None,
        ..record.to_stored()
    })
    .unwrap()
}

#[test]
fn what_is_gone_must_have_been_erased() {
    let signer = signer();
    let place = |position, previous| Place {
        stream: StreamId::enrollment(EnrollmentId::from_bytes([5; 16])),
        position,
        previous,
    };
    let says = |place, event| record(&signer, place, Purpose::Worker, Event::Enrollment(event));
    let first = says(place(1, [0; 32]), EnrollmentEvent::InDoubt);
    let second = says(place(2, first.hash()), EnrollmentEvent::Expired);
    // Only a console may say so.
    let erased = says(
        place(3, second.hash()),
        EnrollmentEvent::Erased(ErasedWith::default()),
    );
    let verifier = Verifier::new(Arc::clone(&signer) as _, Arc::new(NothingSeen));
    let stream = place(1, [0; 32]).stream;
    let history = |records: &[Record]| verifier.history(stream, records, None).map(Verified::into_value);
    assert_eq!(history(&[first.clone(), second.clone()]).unwrap().len(), 2);
    for (name, records) in [
        ("the last", vec![first.clone(), emptied(&second)]),
        ("the first", vec![emptied(&first), second.clone()]),
        ("all", vec![emptied(&first), emptied(&second)]),
        (
            "by whom who may not",
            vec![emptied(&first), emptied(&second), erased],
        ),
    ] {
        assert!(history(&records).is_err(), "{name}");
    }
}

#[test]
fn a_whole_stream_verifies_and_a_cut_one_is_a_prefix() {
    let signer = signer();
    let records = two_records(&signer);
    let verifier = Verifier::new(signer, Arc::new(NothingSeen));
    assert_eq!(
        verifier.history(stream(), &records, None).unwrap().value().len(),
        2
    );
    assert_eq!(
        verifier
            .history(stream(), &records[..1], None)
            .unwrap()
            .value()
            .len(),
        1
    );
}

#[test]
fn a_stream_goes_as_far_as_was_seen_before_it_was_read() {
    let signer = signer();
    let records = two_records(&signer);
    let verifier = Verifier::new(signer, Arc::new(NothingSeen));
    let seen = |position, record: &Record| {
        let hash = record.hash();
        Some(Head { position, hash })
    };
    let rows = [
        ("never seen", None, 1, true),
        ("as far", seen(1, &records[0]), 1, true),
        ("further", seen(1, &records[0]), 2, true),
        ("cut off", seen(2, &records[1]), 1, false),
        ("removed", seen(1, &records[0]), 0, false),
        ("another record in its place", seen(1, &records[1]), 2, false),
    ];
    for (name, seen, length, whole) in rows {
        let history = verifier.history(stream(), &records[..length], seen);
        assert_eq!(history.is_ok(), whole, "{name}");
    }
}

/// Another read was faster and saw more: this one began before that, and is not blamed for it.
#[test]
fn what_others_see_after_a_read_began_does_not_count() {
    struct Further(Mutex<Option<Head>>);
    impl HeadMemory for Further {
        fn seen(&self, _: &StreamId) -> Option<Head> {
            *self.0.lock().unwrap()
        }
        fn remember(&self, _: StreamId, head: Head) {
            *self.0.lock().unwrap() = Some(head);
        }
    }
    let signer = signer();
    let records = two_records(&signer);
    let memory = Arc::new(Further(Mutex::default()));
    let verifier = Verifier::new(signer, Arc::clone(&memory) as _);
    let object = StreamId {
        kind: StreamKind::Object,
        ..stream()
    };
    let before = verifier.seen(&object);
    let head = Head {
        position: 2,
        hash: records[1].hash(),
    };
    memory.remember(object, head);
    assert_eq!(before, None);
    assert!(verifier.history(stream(), &records[..1], before).is_ok());
    assert!(
        verifier
            .history(stream(), &records[..1], verifier.seen(&object))
            .is_err()
    );
}

#[test]
fn the_bytes_of_a_record_are_fixed() {
    let [first, _] = two_records(&signer());
    let hash = hex::encode(first.hash());
    assert_eq!(
        hash,
        "bd8f1be329c9846c443de28fdb4745732553984974570e5a057250f7d0d3d36e"
    );
}

#[test]
fn every_edit_of_a_stored_record_is_noticed() {
    type Edit = fn(&mut StoredRecord);
    let edits: [(&str, Edit); 8] = [
        ("header", |row| *row.header.last_mut().unwrap() ^= 1),
        ("position", |row| row.header[18] ^= 1),
        ("payload digest", |row| row.payload_digest[0] ^= 1),
        ("salt", |row| row.salt.as_mut().unwrap()[0] ^= 1),
        ("payload", |row| {
            *row.payload.as_mut().unwrap().last_mut().unwrap() ^= 1
        }),
        ("payload removed", |row| row.payload = None),
        ("key", |row| row.key[0] ^= 1),
        ("signature", |row| row.signature[63] ^= 1),
    ];
    for (name, edit) in edits {
        for warm in [false, true] {
            let signer = signer();
            let records = two_records(&signer);
            let verifier = Verifier::new(signer, Arc::new(NothingSeen));
            if warm {
                verifier.history(stream(), &records, None).unwrap();
            }
            let mut stored = records[0].to_stored();
            edit(&mut stored);
            let edited = Record::from_stored(stored).map(|first| {
                verifier
                    .history(stream(), &[first, records[1].clone()], None)
                    .is_ok()
            });
            assert_ne!(edited, Ok(true), "{name}, warm cache: {warm}");
        }
    }
}

#[test]
fn streams_cannot_be_mixed_reordered_or_said_by_the_wrong_role() {
    let signer = signer();
    let [first, second] = two_records(&signer);
    let elsewhere = StreamId {
        id: [9; 16],
        ..stream()
    };
    let place = Place {
        stream: stream(),
        position: 1,
        previous: [0; 32],
    };
    let wrong_role = record(&signer, place, Purpose::Ca, raised());
    let account = Place {
        stream: StreamId {
            kind: StreamKind::Account,
            id: [1; 16],
        },
        ..place
    };
    let wrong_stream = record(&signer, account, Purpose::Worker, raised());
    let verifier = Verifier::new(signer, Arc::new(NothingSeen));
    let cases: [(&str, StreamId, Vec<Record>); 5] = [
        ("other stream", elsewhere, vec![first.clone()]),
        ("first missing", stream(), vec![second.clone()]),
        ("reordered", stream(), vec![second, first]),
        ("wrong role", stream(), vec![wrong_role]),
        ("wrong kind of stream", account.stream, vec![wrong_stream]),
    ];
    for (name, stream, records) in cases {
        assert!(verifier.history(stream, &records, None).is_err(), "{name}");
    }
}
