//! From stored rows to facts: a stream counts only when every record of it verifies.

use portreeve_pkix::Timestamp;
use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use crate::domain::{
    Account, Actor, Deed, Digest, Enrollment, EnrollmentId, Event, Grants, KeyReportEvent, KnownRegistration,
    KnownSecret, ObjectHistory, Place, Proposal, ProposalId, ProvenIdentifier, Record, RegistrationId,
    SecretId, StreamId, StreamKind,
};
use crate::ports::{EventSigner, Head, HeadMemory};

/// Record hashes remembered as verified, at most twice this many.
const SEEN_MAX: usize = 65_536;

/// A stored stream that does not verify, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tampered(pub(crate) &'static str);

/// What is wrong with a stream whose records verify and end before what this node has seen.
const ROLLED_BACK: Tampered = Tampered("stream was brought back to an earlier state");

/// A value that comes from a stream which verified whole. Only this step makes one.
#[derive(Clone, Debug)]
pub struct Verified<T> {
    value: T,
    next: Place,
}

impl<T> Verified<T> {
    /// The value.
    pub const fn value(&self) -> &T {
        &self.value
    }

    /// Gives the value up.
    pub fn into_value(self) -> T {
        self.value
    }

    /// Where the next record of the stream goes.
    pub(crate) const fn next(&self) -> Place {
        self.next
    }

    /// The value after a record that was committed just now.
    pub(crate) fn after(self, record: &Record, value: T) -> Self {
        let place = self.next;
        let next = Place {
            position: place.position.saturating_add(1),
            previous: record.hash(),
            ..place
        };
        Self { value, next }
    }

    fn map<U>(self, change: impl FnOnce(T) -> U) -> Verified<U> {
        Verified {
            value: change(self.value),
            next: self.next,
        }
    }
}

/// One event of a verified stream: what, when, by whom.
#[derive(Clone, Debug)]
pub(crate) struct Told {
    pub(crate) event: Event,
    pub(crate) at: Timestamp,
    pub(crate) by: Actor,
    /// Why. Kept where people look at it: in streams of objects.
    pub(crate) reason: String,
}

/// Events of a verified stream, in order.
pub(crate) type History = Verified<Vec<Told>>;

/// Verifies streams. Remembers the hashes of records it has verified, so that reading one again costs a hash
/// and no signature check: the hash covers every signed octet and the signature itself.
pub(crate) struct Verifier {
    signer: Arc<dyn EventSigner>,
    heads: Arc<dyn HeadMemory>,
    seen: Mutex<(HashSet<Digest>, HashSet<Digest>)>,
}

impl Verifier {
    pub(crate) fn new(signer: Arc<dyn EventSigner>, heads: Arc<dyn HeadMemory>) -> Self {
        Self {
            signer,
            heads,
            seen: Mutex::default(),
        }
    }

    /// The events of a stream, if every record of it verifies and it goes as far as was seen before it was read.
    pub(crate) fn history(
        &self,
        stream: StreamId,
        records: &[Record],
        seen: Option<Head>,
    ) -> Result<History, Tampered> {
        let mut next = Place {
            stream,
            position: 1,
            previous: [0; 32],
        };
        let mut value = Vec::with_capacity(records.len());
        let (mut emptied, mut erased) = (0, 0);
        for record in records {
            let (events, hash) = self.record(next, record)?;
            if events.is_empty() {
                emptied = next.position;
            } else if events
                .iter()
                .any(|event| Some(event.kind()) == stream.kind.erasure())
            {
                erased = next.position;
            }
            if seen.is_some_and(|seen| seen.position == next.position && seen.hash != hash) {
                return Err(ROLLED_BACK);
            }
            let header = record.header();
            let told = |event| Told {
                at: header.at,
                by: header.actor.clone(),
                reason: match event {
                    Event::Object(_) => header.reason.clone(),
                    _ => String::new(),
                },
                event,
            };
            value.extend(events.into_iter().map(told));
            next = Place {
                stream,
                position: next.position.saturating_add(1),
                previous: hash,
            };
        }
        if emptied > erased {
            return Err(Tampered("payload is gone and nobody erased it"));
        }
        self.follow(stream, seen, next)?;
        Ok(Verified { value, next })
    }

    /// How far a stream went when it was read last. To be asked before it is read again: that read sees at least as much,
    /// though others may meanwhile see more. Only configuration is remembered: what else there is grows without bound.
    pub(crate) fn seen(&self, stream: &StreamId) -> Option<Head> {
        match stream.kind {
            StreamKind::Object => self.heads.seen(stream),
            _ => None,
        }
    }

    /// Refuses a stream that ends before what was seen, and remembers one that goes further.
    fn follow(&self, stream: StreamId, seen: Option<Head>, next: Place) -> Result<(), Tampered> {
        let head = Head {
            position: next.position.saturating_sub(1),
            hash: next.previous,
        };
        match seen.map_or(0, |seen| seen.position) {
            furthest if head.position < furthest => Err(ROLLED_BACK),
            furthest if head.position > furthest && stream.kind == StreamKind::Object => {
                self.heads.remember(stream, head);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// The events of a record and its hash. One whose payload is gone has none: the events of its stream must say why.
    fn record(&self, place: Place, record: &Record) -> Result<(Vec<Event>, Digest), Tampered> {
        let header = record.header();
        if header.stream != place.stream {
            return Err(Tampered("record belongs to another stream"));
        }
        if header.position != place.position {
            return Err(Tampered("record is out of place"));
        }
        if header.previous != place.previous {
            return Err(Tampered("chain of records is broken"));
        }
        let hash = record.hash();
        if !self.has_seen(&hash) {
            self.signer
                .verify(
                    header.purpose,
                    record.key(),
                    &record.signed_bytes(),
                    record.signature(),
                )
                .map_err(|_| Tampered("signature does not verify"))?;
            self.remember(hash);
        }
        if record.is_erased() {
            return Ok((Vec::new(), hash));
        }
        let events = record
            .events()
            .map_err(|_| Tampered("payload is not what was signed"))?;
        for event in &events {
            if !header.purpose.may_say(event.kind()) {
                return Err(Tampered("role may not say this event"));
            }
            if !belongs(event, place.stream.kind) {
                return Err(Tampered("event does not belong into this stream"));
            }
        }
        Ok((events, hash))
    }

    fn has_seen(&self, hash: &Digest) -> bool {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.0.contains(hash) || seen.1.contains(hash)
    }

    /// Remembers a record as verified: after checking its signature, or because this node made it just now.
    pub(crate) fn remember(&self, hash: Digest) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        if seen.0.len() >= SEEN_MAX {
            seen.1 = std::mem::take(&mut seen.0);
        }
        seen.0.insert(hash);
    }
}

const fn belongs(event: &Event, kind: StreamKind) -> bool {
    matches!(
        (event, kind),
        (Event::Enrollment(_), StreamKind::Enrollment)
            | (Event::Proposal(_), StreamKind::Proposal)
            | (Event::Account(_), StreamKind::Account)
            | (Event::Proof(_), StreamKind::Proof)
            | (Event::Object(_), StreamKind::Object)
            | (Event::Incident(_), StreamKind::Incident)
            | (Event::Refusal(_), StreamKind::Refusal)
            | (Event::KeyReport(_), StreamKind::KeyReport)
            | (Event::Registration(_), StreamKind::Registration)
            | (Event::Secret(_), StreamKind::Secret)
            | (Event::Access(_), StreamKind::Access)
            | (Event::Grant(_), StreamKind::Grant)
    )
}

/// The enrollment that a verified stream tells of.
pub(crate) fn enrollment(history: History) -> Option<Verified<Enrollment>> {
    let id = EnrollmentId::from_bytes(history.next.stream.id);
    fold(history, Enrollment::new(id), |this, told| {
        if let Event::Enrollment(event) = &told.event {
            this.apply(event, told.at);
        }
    })
}

/// The proposal that a verified stream tells of.
pub(crate) fn proposal(history: History) -> Option<Verified<Proposal>> {
    let id = ProposalId::from_bytes(history.next.stream.id);
    flatten(fold(history, None, |this, told| {
        if let Event::Proposal(event) = &told.event {
            Proposal::apply(this, id, event, (&told.by, told.at));
        }
    }))
}

/// The account that a verified stream tells of.
pub(crate) fn account(history: History) -> Option<Verified<Account>> {
    flatten(fold(history, None, |this, told| {
        if let Event::Account(event) = &told.event {
            Account::apply(this, event, told.at);
        }
    }))
}

/// The proof that a verified stream tells of.
pub(crate) fn proof(history: History) -> Option<Verified<ProvenIdentifier>> {
    flatten(fold(history, None, |this, told| {
        if let Event::Proof(event) = &told.event {
            ProvenIdentifier::apply(this, event, told.at);
        }
    }))
}

/// Whether a verified stream says of this key that it is compromised.
pub(crate) fn is_compromised(history: &History, fingerprint: &Digest) -> bool {
    history.value().iter().any(|told| {
        matches!(&told.event, Event::KeyReport(KeyReportEvent::Compromised { key, .. }) if key == fingerprint)
    })
}

/// The registration that a verified stream tells of.
pub(crate) fn registration(history: History) -> Option<Verified<KnownRegistration>> {
    let id = RegistrationId::from_bytes(history.next.stream.id);
    flatten(fold(history, None, |this, told| {
        if let Event::Registration(event) = &told.event {
            KnownRegistration::apply(this, id, event, &told.by);
        }
    }))
}

/// The secret that a verified stream tells of.
pub(crate) fn secret(history: History) -> Option<Verified<KnownSecret>> {
    let id = SecretId::from_bytes(history.next.stream.id);
    flatten(fold(history, None, |this, told| {
        if let Event::Secret(event) = &told.event {
            KnownSecret::apply(this, id, event, (told.at, &told.by));
        }
    }))
}

/// The grants that a verified stream tells of; none when it is empty.
pub(crate) fn grants(history: History) -> Verified<Grants> {
    let next = history.next;
    let grants = fold(history, Grants::default(), |this, told| {
        if let Event::Grant(event) = &told.event {
            this.apply(event);
        }
    });
    grants.unwrap_or(Verified {
        value: Grants::default(),
        next,
    })
}

/// The versions of the object that a verified stream tells of; empty when there are none.
pub(crate) fn object(history: History) -> Verified<ObjectHistory> {
    let next = history.next;
    fold(history, ObjectHistory::default(), |this, told| {
        if let Event::Object(event) = &told.event {
            let deed = Deed {
                by: told.by.clone(),
                at: told.at,
                reason: told.reason.clone(),
            };
            this.apply(event, &deed);
        }
    })
    .unwrap_or(Verified {
        value: ObjectHistory::default(),
        next,
    })
}

fn fold<T>(history: History, mut value: T, apply: impl Fn(&mut T, &Told)) -> Option<Verified<T>> {
    if history.value.is_empty() {
        return None;
    }
    for told in &history.value {
        apply(&mut value, told);
    }
    Some(history.map(|_| value))
}

fn flatten<T>(verified: Option<Verified<Option<T>>>) -> Option<Verified<T>> {
    verified.and_then(|verified| {
        let next = verified.next;
        verified.value.map(|value| Verified { value, next })
    })
}

#[cfg(test)]
mod tests;
