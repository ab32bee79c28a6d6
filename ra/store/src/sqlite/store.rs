//! The ports of the RA on a database.

use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    Answers, AuditLog, Batch, CertificateRow, Claimed, Clock, CommitError, Cursor, DocumentId, DocumentKey,
    Documents, Found, LeaseRow, Leases, NextDue, Page, RegistrationFilter, RegistrationRow, RequestFilter,
    RequestRow, RevokedRow, Scan, Sealer, SecretFilter, SecretRow, Store, StoreError, StoredDocument, Tasks,
    Wanted,
};
use portreeve_ra::{NodeId, StreamId, StreamKind};
use tokio::task::JoinHandle;

use super::batch;
use super::database::{Database, PUT_VALUE, READ_VALUE, reader};
use super::documents::{self, Search};
use super::gather::Gatherer;
use super::plan::{Expected, Plan};
use super::projections;
use super::read;
use super::readers::Readers;
use super::registrations;
use super::search;
use super::tasks;
use super::writer::{Writer, WriterHandle};
use crate::error::OpenError;
use crate::installation::{Installation, Options};
use crate::row::column;
use crate::rows;
use crate::sealed::Bodies;
use crate::statistics::{Counters, Statistics};

/// The largest number of pages SQLite allows.
const PAGES_MAX: u32 = 0xffff_fffe;

/// The store on SQLite.
///
/// One process has a directory at a time. A commit is acknowledged when it is durable, and every read that starts
/// after that sees it.
pub struct SqliteStore {
    pub(super) writer: WriterHandle,
    readers: Arc<Readers>,
    gatherer: Arc<Gatherer>,
    bodies: Bodies,
    clock: Arc<dyn Clock>,
    installation: Installation,
    counters: Arc<Counters>,
    writing: Mutex<Option<JoinHandle<()>>>,
}

impl SqliteStore {
    /// Opens the store in a directory.
    pub async fn open(
        directory: &Path,
        options: Options,
        sealer: Arc<dyn Sealer>,
    ) -> Result<Arc<Self>, OpenError> {
        Database::open(directory, options).await?.into_store(sealer).await
    }

    /// The store in an open database. Must be called in a tokio runtime: the writer is a task of it.
    pub async fn new(database: Database, sealer: Arc<dyn Sealer>) -> Result<Arc<Self>, OpenError> {
        let Database {
            held,
            connection,
            installation,
            clock,
        } = database;
        let readers = Arc::new(Readers::open(reader(&held)).await?);
        let counters = Arc::new(Counters::default());
        let (writer, writing) = Writer::start(held, connection, Arc::clone(&counters));
        Ok(Arc::new(Self {
            writer,
            gatherer: Gatherer::new(Arc::clone(&readers), Arc::clone(&counters)),
            readers,
            bodies: Bodies::new(sealer),
            clock,
            installation,
            counters,
            writing: Mutex::new(Some(writing)),
        }))
    }

    /// Which installation this is.
    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    /// What is sealed of its records.
    pub fn audit_log(&self) -> Arc<dyn AuditLog> {
        Arc::clone(&self.readers) as _
    }

    /// What the writer has done since the store was opened.
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// A raw value. Not sealed: only for what is sealed already, or no secret.
    pub async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let query = sqlx::query(READ_VALUE).bind(name.to_owned());
        let row = self.readers.row(query).await?;
        row.map(|row| column(&row, 0)).transpose()
    }

    /// Writes a raw value, durable on return.
    pub async fn put_value(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let mut plan = Plan::of(PUT_VALUE);
        plan.text(name).blob(value);
        self.writer.write_plain(plan).await.map(|_| ())
    }

    /// Sweeps as it would at this time: for tests whose clock cannot be moved.
    pub async fn sweep_as_of(&self, now: Timestamp, limit: u32) -> Result<u64, StoreError> {
        Ok(self.writer.write_plain(tasks::sweep(now, limit)).await?.changed)
    }

    /// Lets the database grow to this many pages of 4 KiB and no further, until the writer's connection is opened
    /// again; `None` lifts the limit. What does not fit fails as on a full disk.
    pub async fn limit_pages(&self, pages: Option<u32>) -> Result<(), StoreError> {
        let mut plan = Plan::new();
        let limit = pages.unwrap_or(PAGES_MAX);
        plan.step(&format!("PRAGMA max_page_count = {limit}"), Expected::Whatever);
        self.writer.write_plain(plan).await.map(|_| ())
    }

    /// Returns when nothing is written any more: the store was closed, or its writer has ended early, after which every
    /// commit is turned away.
    pub async fn ended(&self) {
        self.writer.ended().await;
    }

    /// Writes what waits, closes the database and gives up the lock. Commits from now on are turned away.
    pub async fn close(&self) {
        self.writer.close();
        self.readers.close().await;
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(writing) = writing
            && let Err(error) = writing.await
        {
            tracing::error!(%error, "writer of the store ended early");
        }
    }
}

#[async_trait]
impl Store for SqliteStore {
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let plan = batch::plan(batch, &self.bodies, self.clock.now())?;
        if plan.is_empty() {
            return Ok(());
        }
        self.writer.write(plan).await.map(|_| ())
    }

    async fn read(&self, wanted: &Wanted) -> Result<Answers, StoreError> {
        read::read(&self.gatherer, wanted).await
    }

    async fn streams(
        &self,
        kind: StreamKind,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StreamId>, StoreError> {
        read::streams(&self.readers, kind, after, limit).await
    }

    async fn requests(
        &self,
        filter: &RequestFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RequestRow>, StoreError> {
        projections::requests(&self.readers, filter, after, limit).await
    }

    async fn certificates(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        projections::certificates(&self.readers, after, limit).await
    }

    async fn find_certificates(&self, scan: &Scan<'_>) -> Result<Found<CertificateRow>, StoreError> {
        crate::search::certificates(&*self.readers, search::DIALECT, scan).await
    }

    async fn find_requests(&self, scan: &Scan<'_>) -> Result<Found<RequestRow>, StoreError> {
        crate::search::requests(&*self.readers, search::DIALECT, scan).await
    }

    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RevokedRow>, StoreError> {
        projections::all_revoked(&self.readers, (backend, not_after_min), after, limit).await
    }

    async fn registrations(
        &self,
        filter: &RegistrationFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RegistrationRow>, StoreError> {
        registrations::registrations(&self.readers, filter, after, limit).await
    }

    async fn secrets(
        &self,
        filter: &SecretFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SecretRow>, StoreError> {
        registrations::secrets(&self.readers, filter, after, limit).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.sweep_as_of(self.clock.now(), limit).await
    }

    async fn probe(&self) -> Result<Duration, StoreError> {
        let started = Instant::now();
        self.writer.write_plain(tasks::probe(self.clock.now())).await?;
        tasks::probed(&self.readers).await?;
        Ok(started.elapsed())
    }
}

#[async_trait]
impl Tasks for SqliteStore {
    async fn claim_due(&self, node: NodeId, lease: Duration, limit: u32) -> Result<Claimed, StoreError> {
        let now = self.clock.now();
        let next = tasks::next_due(&self.readers, now).await?;
        // Most of the time nothing is due: then no transaction is spent on it.
        if limit == 0 || next.is_none_or(|next| next.at > now) {
            return Ok(Claimed::default());
        }
        let claimed = self
            .writer
            .write_plain(tasks::claim_due(node, lease, limit, now))
            .await?;
        Ok(rows::claimed(&claimed.rows))
    }

    async fn release_of(&self, node: NodeId) -> Result<u64, StoreError> {
        Ok(self.writer.write_plain(tasks::release_of(node)).await?.changed)
    }

    async fn next_due(&self) -> Result<Option<NextDue>, StoreError> {
        tasks::next_due(&self.readers, self.clock.now()).await
    }
}

#[async_trait]
impl Documents for SqliteStore {
    async fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
        let found = read::documents(&self.gatherer, &self.bodies, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn documents(&self, ids: &[DocumentId]) -> Result<Vec<Option<StoredDocument>>, StoreError> {
        read::documents(&self.gatherer, &self.bodies, ids).await
    }

    async fn find(
        &self,
        kind: &'static str,
        key: &DocumentKey,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StoredDocument>, StoreError> {
        documents::find(
            &self.readers,
            &self.bodies,
            Search {
                kind,
                key,
                after,
                limit,
            },
        )
        .await
    }
}

#[async_trait]
impl Leases for SqliteStore {
    async fn lease(&self, duty: &str, node: NodeId, term: Duration) -> Result<Option<LeaseRow>, StoreError> {
        let plan = tasks::take_duty(duty, node, term, self.clock.now());
        rows::duty(&self.writer.write_plain(plan).await?.rows)
    }
}
