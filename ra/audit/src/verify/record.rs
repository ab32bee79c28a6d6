//! What is checked of one record.

use portreeve_ra::ports::{EventSigner, RecordPlace, SealedRecord};
use portreeve_ra::{Header, Record, RecordError, StoredRecord, StreamKind};

use super::{Auditor, Fault, FaultKind, Last};
use crate::tree::Hash;

impl Auditor {
    /// Checks the record of a leaf, and takes its place in its stream into account.
    pub(super) fn record(&mut self, leaf: &SealedRecord) {
        let (at, place) = (leaf.index, leaf.place);
        let Some(stored) = &leaf.record else {
            self.fault_at(FaultKind::Removed, at, place, "the record is gone".to_owned());
            return self.follow(place, leaf.hash);
        };
        if stored.leaf_hash() != leaf.hash {
            self.fault_at(
                FaultKind::Changed,
                at,
                place,
                "it is not the record that was sealed".to_owned(),
            );
            return self.follow(place, leaf.hash);
        }
        let record = match read(stored) {
            Ok(record) => record,
            Err(reason) => {
                self.fault_at(FaultKind::Changed, at, place, reason);
                return self.follow(place, leaf.hash);
            }
        };
        let header = record.header();
        if RecordPlace::of(header.stream, header.position) != place {
            let detail = format!("it says that it is {} {}", header.stream, header.position);
            self.fault_at(FaultKind::Reordered, at, place, detail);
        }
        self.chain(at, header, leaf.hash);
        let signed = self.signature(at, place, &record);
        self.content(at, place, &record, signed);
    }

    fn chain(&mut self, at: u64, header: &Header, hash: Hash) {
        let place = RecordPlace::of(header.stream, header.position);
        let last = self.streams.get(&(place.kind, place.stream)).copied();
        let follows = match last {
            Some(last) => {
                last.position.checked_add(1) == Some(place.position)
                    && header.previous.first_chunk::<16>() == Some(&last.hash)
            }
            None => self.partial || (place.position == 1 && header.previous == [0; 32]),
        };
        if !follows {
            let detail = match last {
                Some(last) if last.position.checked_add(1) != Some(place.position) => {
                    format!(
                        "the record before it in its stream has position {}",
                        last.position
                    )
                }
                Some(_) => "it names another record as the one before it in its stream".to_owned(),
                None => "the records before it in its stream are not there".to_owned(),
            };
            self.fault_at(FaultKind::Chain, at, place, detail);
        }
        self.follow(place, hash);
    }

    /// The next record of the stream must follow this one.
    fn follow(&mut self, place: RecordPlace, hash: Hash) {
        let last = Last {
            position: place.position,
            hash: hash.first_chunk().copied().unwrap_or_default(),
        };
        self.streams.insert((place.kind, place.stream), last);
    }

    /// Whether its role signed it and may say what it says; `true` as well when signatures are not looked at.
    fn signature(&mut self, at: u64, place: RecordPlace, record: &Record) -> bool {
        let header = record.header();
        let verifies = |signer: &dyn EventSigner| {
            let (key, signed) = (record.key(), record.signed_bytes());
            signer
                .verify(header.purpose, key, &signed, record.signature())
                .is_ok()
        };
        if let Some(signer) = &self.signer
            && !verifies(signer.as_ref())
        {
            let detail = format!(
                "its signature by a key of purpose {} does not verify",
                header.purpose
            );
            self.fault_at(FaultKind::Signature, at, place, detail);
            return false;
        }
        if let Some(kind) = header.kinds.iter().find(|kind| !header.purpose.may_say(**kind)) {
            let detail = format!(
                "a node with purpose {} may not say {}",
                header.purpose,
                kind.as_str()
            );
            self.fault_at(FaultKind::Signature, at, place, detail);
            return false;
        }
        true
    }

    /// Whether what it says is what was signed. A record of some kinds of streams may be empty, if a later one says so.
    fn content(&mut self, at: u64, place: RecordPlace, record: &Record, signed: bool) {
        let header = record.header();
        let (erasure, stream) = (header.stream.kind.erasure(), (place.kind, place.stream));
        if signed && erasure.is_some_and(|kind| header.kinds.contains(&kind)) {
            self.emptied.remove(&stream);
        }
        match record.events() {
            Ok(_) => {}
            Err(RecordError::Erased) => {
                self.report.erased = self.report.erased.saturating_add(1);
                if erasure.is_some() {
                    self.emptied.insert(stream, (at, place));
                } else {
                    let detail = "what it said is gone, and records of its kind are not erased".to_owned();
                    self.fault_at(FaultKind::Emptied, at, place, detail);
                }
            }
            Err(error) => self.fault_at(FaultKind::Payload, at, place, error.to_string()),
        }
    }

    pub(super) fn fault_at(&mut self, what: FaultKind, at: u64, place: RecordPlace, detail: String) {
        self.report.fault(Fault {
            what,
            first: at,
            last: at,
            record: Some(words(place)),
            detail,
        });
    }
}

fn read(stored: &StoredRecord) -> Result<Record, String> {
    Record::from_stored(stored.clone()).map_err(|error| error.to_string())
}

/// A place in words: `Enrollment/0192… 3`.
pub(super) fn words(place: RecordPlace) -> String {
    let kind = u8::try_from(place.kind).ok().and_then(StreamKind::from_number);
    match kind {
        Some(kind) => {
            let stream = portreeve_ra::StreamId {
                kind,
                id: place.stream,
            };
            format!("{stream} {}", place.position)
        }
        None => format!("{}/{} {}", place.kind, hex::encode(place.stream), place.position),
    }
}
