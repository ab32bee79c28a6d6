//! The ports of the RA on a PostgreSQL database.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    Answers, AuditLog, Batch, CertificateRow, Claimed, CommitError, Cursor, DocumentId, DocumentKey,
    Documents, Found, LeaseRow, Leases, NextDue, Page, RegistrationFilter, RegistrationRow, RequestFilter,
    RequestRow, RevokedRow, Scan, Sealer, SecretFilter, SecretRow, Store, StoreError, StoredDocument, Tasks,
    Wanted,
};
use portreeve_ra::{NodeId, StreamId, StreamKind};
use sqlx::postgres::PgRow;

use super::commits::Committer;
use super::database::{PUT_VALUE, PostgresDatabase, READ_VALUE, StoreTime};
use super::documents::{self, Search};
use super::examine::{self, ServerFacts};
use super::gather::Gatherer;
use super::pool::{Pool, Question};
use super::read::{self, Thing};
use super::registrations;
use super::search;
use super::tasks;
use crate::installation::Installation;
use crate::row::{column, number, time};
use crate::rows;
use crate::sealed::Bodies;
use crate::statistics::{Counters, Statistics};

const READ_KEY: &str = "SELECT value FROM sealed_key WHERE name = $1";

const PUT_KEY: &str = "INSERT INTO sealed_key (name, value) VALUES ($1, $2) \
                       ON CONFLICT (name) DO UPDATE SET value = excluded.value RETURNING name";

/// The store on PostgreSQL.
///
/// Any number of nodes share a database. A commit is one statement and acknowledged when it is durable, and every read
/// that starts after that sees it. Nothing here waits longer than about five seconds, a commit that is refused
/// in company ten.
pub struct PostgresStore {
    pub(super) pool: Arc<Pool>,
    gathered: Arc<Gatherer<Thing>>,
    gathered_documents: Arc<Gatherer<DocumentId>>,
    committer: Arc<Committer>,
    bodies: Bodies,
    time: StoreTime,
    installation: Installation,
    counters: Arc<Counters>,
}

impl PostgresStore {
    /// The store in an open database.
    pub(crate) fn new(database: PostgresDatabase, sealer: Arc<dyn Sealer>) -> Arc<Self> {
        let counters = Arc::new(Counters::default());
        let pool = Pool::new(database.server, database.connections_max, Arc::clone(&counters));
        let pool = Arc::new(pool);
        pool.keep(database.connection);
        let bodies = Bodies::new(sealer);
        let by = (database.time.clone(), Arc::clone(&counters));
        Arc::new(Self {
            committer: Committer::new(Arc::clone(&pool), bodies.clone(), by),
            gathered: Gatherer::new(Arc::clone(&pool), read::question),
            gathered_documents: Gatherer::new(Arc::clone(&pool), documents::question),
            pool,
            bodies,
            time: database.time,
            installation: database.installation,
            counters,
        })
    }

    /// Which installation this is.
    pub const fn installation(&self) -> &Installation {
        &self.installation
    }

    /// What is sealed of its records.
    pub fn audit_log(&self) -> Arc<dyn AuditLog> {
        Arc::clone(&self.pool) as _
    }

    /// What this node has written since the store was opened.
    pub fn statistics(&self) -> Statistics {
        self.counters.read()
    }

    /// A raw value. Not sealed: only for what is sealed already, or no secret.
    pub async fn value(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.named(READ_VALUE, name).await
    }

    /// Writes a raw value, durable on return.
    pub async fn put_value(&self, name: &str, value: &[u8]) -> Result<(), StoreError> {
        let question = Question::new(PUT_VALUE)
            .bind(name.to_owned())
            .bind(value.to_vec());
        self.write(&question).await.map(|_| ())
    }

    /// The sealed key of a CA.
    pub async fn sealed_key(&self, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        self.named(READ_KEY, name).await
    }

    /// Keeps the sealed key of a CA, durable on return.
    pub async fn put_sealed_key(&self, name: &str, sealed: &[u8]) -> Result<(), StoreError> {
        let question = Question::new(PUT_KEY).bind(name.to_owned()).bind(sealed.to_vec());
        self.write(&question).await.map(|_| ())
    }

    /// What the server says of itself; `now` is this node's time, taken when it is called.
    pub async fn server(&self, now: impl Fn() -> Timestamp) -> Result<ServerFacts, StoreError> {
        let question = Question::new(examine::FACTS);
        // The first question may have to connect; the second shows how long an answer takes.
        self.pool.read(&question).await?;
        let (asked, started) = (now(), Instant::now());
        let found = self.pool.read(&question).await?;
        let row = found.first().ok_or_else(no_row)?;
        examine::facts(row, asked, started.elapsed())
    }

    /// Lets statements under way finish and closes the connections. Whatever comes from now on is turned away.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    async fn named(&self, sql: &'static str, name: &str) -> Result<Option<Vec<u8>>, StoreError> {
        let found = self.pool.read(&Question::new(sql).bind(name.to_owned())).await?;
        found.first().map(|row| column(row, 0)).transpose()
    }

    /// Runs a statement that writes and has no conflicts.
    async fn write(&self, question: &Question) -> Result<Vec<PgRow>, StoreError> {
        Ok(self.pool.persevere(question).await?)
    }

    /// The number in the only row.
    pub(super) async fn count(&self, question: &Question) -> Result<u64, StoreError> {
        let found = self.write(question).await?;
        number(found.first().ok_or_else(no_row)?, 0)
    }
}

fn no_row() -> StoreError {
    StoreError::Broken("the database gave no row".to_owned())
}

#[async_trait]
impl Store for PostgresStore {
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        self.committer.commit(batch).await
    }

    async fn read(&self, wanted: &Wanted) -> Result<Answers, StoreError> {
        read::read(&self.gathered, wanted).await
    }

    async fn streams(
        &self,
        kind: StreamKind,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StreamId>, StoreError> {
        read::streams(&self.pool, kind, after, limit).await
    }

    async fn requests(
        &self,
        filter: &RequestFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RequestRow>, StoreError> {
        read::requests(&self.pool, filter, after, limit).await
    }

    async fn certificates(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        read::certificates(&self.pool, after, limit).await
    }

    async fn find_certificates(&self, scan: &Scan<'_>) -> Result<Found<CertificateRow>, StoreError> {
        crate::search::certificates(&*self.pool, search::DIALECT, scan).await
    }

    async fn find_requests(&self, scan: &Scan<'_>) -> Result<Found<RequestRow>, StoreError> {
        crate::search::requests(&*self.pool, search::DIALECT, scan).await
    }

    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RevokedRow>, StoreError> {
        read::all_revoked(&self.pool, (backend, not_after_min), after, limit).await
    }

    async fn registrations(
        &self,
        filter: &RegistrationFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RegistrationRow>, StoreError> {
        registrations::registrations(&self.pool, filter, after, limit).await
    }

    async fn secrets(
        &self,
        filter: &SecretFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SecretRow>, StoreError> {
        registrations::secrets(&self.pool, filter, after, limit).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        // Partitions are made long before they are needed; one that cannot be made does not keep back the sweeping.
        match self.count(&tasks::make_partitions()).await {
            Ok(0) => {}
            Ok(made) => tracing::info!(made, "made partitions for the time to come"),
            Err(error) => tracing::warn!(%error, "partitions were not made"),
        }
        self.count(&tasks::sweep(limit, self.time.given())).await
    }

    async fn probe(&self) -> Result<Duration, StoreError> {
        let started = Instant::now();
        self.write(&tasks::probe(self.time.given())).await?;
        Ok(started.elapsed())
    }
}

#[async_trait]
impl Tasks for PostgresStore {
    async fn claim_due(&self, node: NodeId, lease: Duration, limit: u32) -> Result<Claimed, StoreError> {
        if limit == 0 {
            return Ok(Claimed::default());
        }
        let question = tasks::claim_due(node, lease, limit, self.time.given());
        Ok(rows::claimed(&self.write(&question).await?))
    }

    async fn release_of(&self, node: NodeId) -> Result<u64, StoreError> {
        self.count(&tasks::release_of(node)).await
    }

    async fn next_due(&self) -> Result<Option<NextDue>, StoreError> {
        let found = self.pool.read(&tasks::next_due(self.time.given())).await?;
        let next = |row| {
            Ok(NextDue {
                at: time(row, 0)?,
                now: time(row, 1)?,
            })
        };
        found.first().map(next).transpose()
    }
}

#[async_trait]
impl Documents for PostgresStore {
    async fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError> {
        let found = documents::read(&self.gathered_documents, &self.bodies, std::slice::from_ref(id)).await?;
        Ok(found.into_iter().next().flatten())
    }

    async fn documents(&self, ids: &[DocumentId]) -> Result<Vec<Option<StoredDocument>>, StoreError> {
        documents::read(&self.gathered_documents, &self.bodies, ids).await
    }

    async fn find(
        &self,
        kind: &'static str,
        key: &DocumentKey,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StoredDocument>, StoreError> {
        let search = Search {
            kind,
            key,
            after,
            limit,
        };
        documents::find(&self.pool, &self.bodies, search).await
    }
}

#[async_trait]
impl Leases for PostgresStore {
    async fn lease(&self, duty: &str, node: NodeId, term: Duration) -> Result<Option<LeaseRow>, StoreError> {
        let question = tasks::take_duty(duty, node, term, self.time.given());
        rows::duty(&self.write(&question).await?)
    }
}
