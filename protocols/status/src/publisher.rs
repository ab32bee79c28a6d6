//! Keeps the CRL of each CA fresh.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::ports::{
    Batch, CaBackend, CaError, Clock, CommitError, Conflict, Documents, Leases, Store, StoreError, WakeKey,
    Wakeups,
};
use portreeve_ra::{BackendName, NodeId, RevocationReason};

use crate::alarm::{Alarm, Releases, overdue, tampered, vanished};
use crate::config::StatusConfig;
use crate::list::{self, Head, Signed};
use crate::revoked::{Entries, Entry};
use crate::shelf::{Published, Shelf};
use crate::turn::Memory;

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(5);

/// Revocations that vanished at once, of which each has an incident of its own.
const INCIDENTS_MAX: usize = 16;

/// Signing may take this part of the time, at most: after a CRL that took 1 s to make, the next one waits for 4 s.
const PAUSE_PER_WORK: u32 = 4;

/// What a publisher is made of.
pub struct PublisherParts {
    /// Where revocations are read and CRLs are written.
    pub store: Arc<dyn Store>,
    /// Where CRLs are read.
    pub documents: Arc<dyn Documents>,
    /// Lets one node sign at a time.
    pub leases: Arc<dyn Leases>,
    /// Hints that something was revoked.
    pub wakeups: Arc<dyn Wakeups>,
    /// Where it is told that a stored CRL was damaged.
    pub alarm: Arc<dyn Alarm>,
    /// Who knows which certificates were taken off hold.
    pub releases: Arc<dyn Releases>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The CAs; those that sign no CRL from our store are left alone.
    pub backends: BTreeMap<BackendName, Arc<dyn CaBackend>>,
    /// This node.
    pub node: NodeId,
    /// What is served.
    pub shelf: Arc<Shelf>,
    /// The knobs.
    pub config: StatusConfig,
}

/// Signs CRLs when it is this node's turn, and puts the last good one of each CA on the shelf.
pub struct CrlPublisher {
    parts: PublisherParts,
}

/// Why a CRL could not be made or read.
#[derive(Debug, thiserror::Error)]
enum PublishError {
    #[error("store: {0}")]
    Store(#[from] StoreError),
    #[error("signing: {0}")]
    Ca(#[from] CaError),
    #[error("reading what was released: {0}")]
    Releases(#[from] portreeve_ra::Error),
    #[error("the stored CRL cannot be read")]
    Unreadable,
    #[error("the CRL is too large to be stored")]
    TooLarge,
}

/// The head that was read last, with its version; version 0 stands for none.
pub(crate) type Known = (Option<Head>, u64);

impl CrlPublisher {
    /// A publisher of these parts.
    pub fn new(parts: PublisherParts) -> Self {
        Self { parts }
    }

    /// Works until it is dropped. Nothing is lost by dropping it at any point.
    pub async fn run(&self) {
        let mut known = BTreeMap::new();
        loop {
            // Registered before the work, so that what is revoked during it is not missed.
            let woken = self
                .parts
                .wakeups
                .wait(WakeKey::Status, self.parts.config.look_every);
            let begun = self.parts.clock.now();
            let next = self.round(&mut known).await;
            let work = self.parts.clock.now().since(begun);
            let pause = self.parts.config.gather.max(work.saturating_mul(PAUSE_PER_WORK));
            let wait = next
                .since(self.parts.clock.now())
                .min(self.parts.config.look_every);
            if let Either::Left(_) = select(woken, self.parts.clock.sleep(wait)).await {
                self.parts.clock.sleep(pause).await;
            }
        }
    }

    /// Looks at every CA once: reads what others signed, signs what is due. The moment to look again.
    pub async fn once(&self) -> Timestamp {
        self.round(&mut BTreeMap::new()).await
    }

    async fn round(&self, memories: &mut BTreeMap<BackendName, Memory>) -> Timestamp {
        let now = self.parts.clock.now();
        let mut next = now.saturating_add(self.parts.config.look_every);
        for (ca, backend) in &self.parts.backends {
            if backend.revocation_list().is_none() {
                continue;
            }
            let memory = memories.entry(ca.clone()).or_default();
            let soon = now.saturating_add(AFTER_FAILURE);
            let looked = self.look((ca, backend.as_ref()), memory).await;
            if let Err(error) = &looked {
                // The last good one goes on being served.
                tracing::error!(%ca, %error, "CRL not published");
                memory.waits(now);
            }
            let is_reachable = !matches!(looked, Err(PublishError::Store(_)));
            self.tell_if_late(ca, memory, is_reachable).await;
            // One that is overdue is another node's to sign, or will be this node's when that one has gone.
            let due = match &memory.known.0 {
                Some(head) if !memory.is_waiting() => head.renew_at(),
                Some(_) | None => soon,
            };
            next = next.min(due.max(soon));
        }
        next
    }

    /// Reads what others signed, and signs what is due in this node's turn.
    async fn look(
        &self,
        (ca, backend): (&BackendName, &dyn CaBackend),
        memory: &mut Memory,
    ) -> Result<(), PublishError> {
        let now = self.parts.clock.now();
        let current = self.take_over(ca, memory.known.clone()).await?;
        if current.1 != memory.known.1 {
            memory.somebody_signed();
        }
        memory.known = current;
        if !self.is_due(ca, memory.known.0.as_ref()).await? {
            memory.settled();
            return Ok(());
        }
        memory.waits(now);
        let who = (ca, self.parts.node);
        if let Some(moment) = memory.turn(self.parts.leases.as_ref(), who, now).await? {
            memory.known = self.sign((ca, backend), memory.known.clone(), moment).await?;
            memory.settled();
        }
        Ok(())
    }

    /// A list that has been due for minutes is told of, whoever should have signed it: once, and in `/readyz`.
    async fn tell_if_late(&self, ca: &BackendName, memory: &mut Memory, is_reachable: bool) {
        let late = memory.late(self.parts.clock.now());
        self.parts.shelf.note_late(ca, late);
        if late.is_some() && is_reachable && memory.tell() {
            let number = memory.known.0.as_ref().map(|head| head.number);
            self.parts.alarm.raise(overdue(ca, number)).await;
        }
    }

    /// Reads the head, and puts the CRL on the shelf when it is another one than before.
    async fn take_over(&self, ca: &BackendName, last: Known) -> Result<Known, PublishError> {
        let id = list::head_id(ca);
        let document = match self.parts.documents.document(&id).await {
            Ok(Some(document)) => document,
            Ok(None) if last.1 == 0 => return Ok((None, 0)),
            Ok(None) => {
                self.parts.alarm.raise(tampered(&id, "is gone")).await;
                return Err(PublishError::Unreadable);
            }
            Err(error) => {
                if matches!(error, StoreError::Broken(_)) {
                    self.parts.alarm.raise(tampered(&id, "does not open")).await;
                }
                return Err(error.into());
            }
        };
        if document.version == last.1 {
            return Ok(last);
        }
        if document.version < last.1 {
            let incident = tampered(&id, "was brought back to an earlier version");
            self.parts.alarm.raise(incident).await;
            return Err(PublishError::Unreadable);
        }
        let Some(head) = Head::read(&document.body) else {
            self.parts.alarm.raise(tampered(&id, "cannot be read")).await;
            return Err(PublishError::Unreadable);
        };
        let Some(body) = self.body(ca, &head).await? else {
            // The number still counts; a new CRL is made, since this one cannot be served.
            let over = Head {
                next_update: head.this_update,
                ..head
            };
            return Ok((Some(over), document.version));
        };
        let published = Published::new(body, head.this_update, head.next_update);
        self.parts.shelf.put_list(ca, published);
        Ok((Some(head), document.version))
    }

    /// The CRL under this head, if all of it is there and whole. Only one whose parts had to be swept may be gone.
    async fn body(&self, ca: &BackendName, head: &Head) -> Result<Option<Vec<u8>>, PublishError> {
        let parts = match self.parts.documents.documents(&head.part_ids(ca)).await {
            Ok(parts) => parts,
            Err(StoreError::Broken(_)) => Vec::new(),
            Err(error) => return Err(error.into()),
        };
        let octets = parts
            .iter()
            .map(|part| part.as_ref().map(|part| part.body.as_slice()));
        let body = head.assemble(octets);
        if body.is_none() && self.parts.clock.now() < head.parts_until() {
            let incident = tampered(&list::head_id(ca), "leads to parts that are gone or damaged");
            self.parts.alarm.raise(incident).await;
        }
        Ok(body)
    }

    /// Whether half of the CRL's life is over, or something was revoked since.
    async fn is_due(&self, ca: &BackendName, head: Option<&Head>) -> Result<bool, PublishError> {
        let Some(head) = head else { return Ok(true) };
        if self.parts.clock.now() >= head.renew_at() {
            return Ok(true);
        }
        let entries = Entries::gather(self.parts.store.as_ref(), ca, head.horizon).await?;
        if entries.digest() == head.entries {
            return Ok(false);
        }
        let entries = self.complete(ca, entries, (head, head.horizon)).await?;
        Ok(entries.digest() != head.entries)
    }

    /// Entries from the store with those of the last list that are missing there and were not released: somebody has
    /// removed their rows. They stay on the list, and an incident names them.
    async fn complete(
        &self,
        ca: &BackendName,
        entries: Entries,
        (head, horizon): (&Head, Timestamp),
    ) -> Result<Entries, PublishError> {
        let earlier = match self.parts.documents.documents(&head.entry_ids(ca)).await {
            Ok(parts) => {
                let octets = parts
                    .iter()
                    .map(|part| part.as_ref().map(|part| part.body.as_slice()));
                head.assemble_entries(octets)
            }
            Err(StoreError::Broken(_)) => None,
            Err(error) => return Err(error.into()),
        };
        let earlier = match earlier {
            Some(earlier) => earlier,
            // The list was made before its entries were kept.
            None if head.entry_parts == 0 => Entries::default(),
            None => {
                let incident = tampered(&list::head_id(ca), "leads to entries that are gone or damaged");
                self.parts.alarm.raise(incident).await;
                return Err(PublishError::Unreadable);
            }
        };
        let (mut complete, vanished_rows) = entries.keeping(earlier, horizon);
        let mut missing = Vec::new();
        for entry in vanished_rows {
            if self.was_released(ca, &entry).await? {
                complete = complete.without(&entry.serial);
            } else {
                missing.push(entry.serial);
            }
        }
        if !missing.is_empty() {
            tracing::error!(%ca, rows = missing.len(), "revocations were removed from the store; they stay on the CRL");
        }
        for serial in missing.iter().take(INCIDENTS_MAX) {
            self.parts.alarm.raise(vanished(ca, serial)).await;
        }
        Ok(complete)
    }

    /// Whether a certificate that was on hold is good since: RFC 5280 section 5.3.1 lets such an entry go. A full CRL just
    /// leaves it out, `removeFromCRL` is for delta CRLs.
    async fn was_released(&self, ca: &BackendName, entry: &Entry) -> Result<bool, PublishError> {
        if entry.reason != RevocationReason::CertificateHold {
            return Ok(false);
        }
        let released = self.parts.releases.released(ca, &entry.serial).await?;
        Ok(released.is_some_and(|released| released >= entry.revoked_at))
    }

    /// `moment` is the store's time when this node's turn began.
    async fn sign(
        &self,
        (ca, backend): (&BackendName, &dyn CaBackend),
        (head, version): Known,
        moment: Timestamp,
    ) -> Result<Known, PublishError> {
        let Some(source) = backend.revocation_list() else {
            return Ok((head, version));
        };
        let number = Head::next_number(head.as_ref(), moment);
        // Certificates that ended before the last CRL was made have been on it, if they were revoked.
        let horizon = head
            .as_ref()
            .map_or(Timestamp::default(), |head| head.this_update);
        let mut entries = Entries::gather(self.parts.store.as_ref(), ca, horizon).await?;
        if let Some(head) = &head {
            entries = self.complete(ca, entries, (head, horizon)).await?;
        }
        let this_update = self.parts.clock.now().floor_to_second();
        let next_update = this_update.saturating_add(self.parts.config.next_update);
        let body = source
            .sign_list(number, this_update, next_update, &entries.to_list())
            .await?;
        let signed = Head {
            number,
            this_update,
            next_update,
            horizon,
            entries: entries.digest(),
            digest: sha256(&body),
            parts: list::parts_of(&body),
            entry_parts: list::parts_of(&entries.encode()),
        };
        let written = Signed {
            head: &signed,
            list: &body,
            entries: &entries,
        };
        let documents = list::writes(ca, &written, (head.as_ref(), version)).ok_or(PublishError::TooLarge)?;
        match self
            .parts
            .store
            .commit(Batch {
                documents,
                ..Batch::default()
            })
            .await
        {
            Ok(()) => {}
            // Another node was faster, in spite of the lease: its CRL is the one with this number.
            Err(CommitError::Conflict(Conflict::Document(_))) => {
                return self.take_over(ca, (head, version)).await;
            }
            Err(CommitError::Conflict(_)) => return Err(PublishError::Unreadable),
            Err(CommitError::Store(error)) => return Err(error.into()),
        }
        self.parts
            .shelf
            .put_list(ca, Published::new(body, this_update, next_update));
        tracing::info!(%ca, number, entries = entries.len(), %next_update, "CRL published");
        Ok((Some(signed), version.saturating_add(1)))
    }
}

#[cfg(test)]
#[path = "publisher/tests.rs"]
mod tests;
