//! The store: durable, not trusted. What decides is signed; what only finds or shows is not.

use async_trait::async_trait;
use portreeve_pkix::{SerialNumber, Timestamp};
use std::time::Duration;

use super::conflict::{CommitError, StoreError};
use super::listed::{RegistrationFilter, RegistrationRow, SecretFilter, SecretRow};
use super::search::{CertificateRow, Found, RequestRow, Scan};
use super::together::{Answers, Wanted};
use crate::domain::{
    Claim, ClaimKey, EnrollmentId, NodeId, Record, RevocationReason, StreamId, StreamKind, TaskId,
};

/// What a reservation keeps unique.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Space {
    /// Issuer and serial number: leads to the enrollment.
    Serial,
    /// Endpoint and account key: leads to the account.
    AccountKey,
    /// Kind and reference of a secret: leads to the secret.
    SecretReference,
    /// Name of a registration: leads to the registration.
    RegistrationName,
    /// A secret and the number of one of its uses: leads to what it was used for.
    SecretUse,
}

impl Space {
    /// The number in the store.
    pub const fn number(self) -> u8 {
        match self {
            Self::Serial => 1,
            Self::AccountKey => 2,
            Self::SecretReference => 3,
            Self::RegistrationName => 4,
            Self::SecretUse => 5,
        }
    }
}

/// A unique key that leads to a stream. An index: the stream's own events decide.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reservation {
    /// Take the key; a conflict if it is taken by another stream.
    Take {
        /// Among what it is unique.
        space: Space,
        /// The key: a SHA-256.
        key: [u8; 32],
        /// Where it leads.
        stream: StreamId,
    },
    /// Give the key up.
    Release {
        /// Among what it was unique.
        space: Space,
        /// The key.
        key: [u8; 32],
    },
}

/// A value that is good once.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Spend {
    /// SHA-256 of the value.
    pub key: [u8; 32],
    /// After this the row may be forgotten, since the value is refused for its age.
    pub until: Timestamp,
}

/// Names a document.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct DocumentId {
    /// The kind, for example `acme.order`.
    pub kind: &'static str,
    /// Its id within the kind.
    pub id: [u8; 16],
}

/// A secondary key of a document.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentKey {
    /// The index, for example `account`.
    pub index: &'static str,
    /// The value, at most 128 octets.
    pub value: Vec<u8>,
    /// Whether no other document of the kind may have it.
    pub unique: bool,
}

/// A document to write. The store seals the body with (kind, id, version) as associated data.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DocumentWrite {
    /// Which.
    pub id: DocumentId,
    /// The version this write makes: 1 creates, n replaces n-1.
    pub version: u64,
    /// The body, at most 256 KiB; `None` deletes.
    pub body: Option<Vec<u8>>,
    /// All its secondary keys; they replace the earlier ones.
    pub keys: Vec<DocumentKey>,
    /// When it may be removed.
    pub expires_at: Option<Timestamp>,
}

/// A document as read, opened.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct StoredDocument {
    /// Its id within the kind.
    pub id: [u8; 16],
    /// Its version.
    pub version: u64,
    /// The body.
    pub body: Vec<u8>,
}

/// What background work is about.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum TaskKind {
    /// Bring an enrollment forward.
    Enrollment,
    /// Tell a CA to revoke.
    Revoke,
}

impl TaskKind {
    /// The number in the store.
    pub const fn number(self) -> u8 {
        match self {
            Self::Enrollment => 1,
            Self::Revoke => 2,
        }
    }

    /// The kind with this number.
    pub const fn from_number(number: u8) -> Option<Self> {
        match number {
            1 => Some(Self::Enrollment),
            2 => Some(Self::Revoke),
            _ => None,
        }
    }
}

/// Work to be done.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NewTask {
    /// Its id.
    pub id: TaskId,
    /// What it is about.
    pub kind: TaskKind,
    /// On what.
    pub subject: StreamId,
    /// How long after the commit it is due, by the store's clock; zero: at once.
    pub wait: Duration,
    /// Leased from the start to this node for this long, with fence 1.
    pub lease: Option<(NodeId, Duration)>,
}

/// A task somebody holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TaskLease {
    /// Its id.
    pub id: TaskId,
    /// What it is about.
    pub kind: TaskKind,
    /// On what.
    pub subject: StreamId,
    /// How often it was claimed, this time included.
    pub attempts: u32,
    /// Grows with every claim; a commit with an older one is refused.
    pub fence: u64,
}

/// What a claim of due tasks came to.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Claimed {
    /// What may be worked on, the longest due first.
    pub leases: Vec<TaskLease>,
    /// Rows that were leased as well and cannot be worked on.
    pub damaged: Vec<DamagedTask>,
}

/// A row of the task table that says nothing that can be done. Its lease keeps it from being claimed all the time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DamagedTask {
    /// Its id as stored, at most the first 16 octets.
    pub id: Vec<u8>,
    /// What is wrong with it.
    pub reason: String,
}

/// A fence of a task never gets here: a row that has it was written by somebody else.
pub const FENCE_MAX: u64 = 1 << 53;

/// When the next task may be claimed, and what time it is, both by the store's clock.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct NextDue {
    /// From when on it may be claimed.
    pub at: Timestamp,
    /// The store's time.
    pub now: Timestamp,
}

impl NextDue {
    /// How long until it may be claimed; zero when it may be already.
    pub fn wait(&self) -> Duration {
        self.at.since(self.now)
    }

    /// How long it could have been claimed already.
    pub fn delay(&self) -> Duration {
        self.now.since(self.at)
    }
}

/// What becomes of a task that is held. Refused when the fence is old.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum TaskChange {
    /// It is done.
    Complete {
        /// Which.
        id: TaskId,
        /// The fence under which it was held.
        fence: u64,
    },
    /// It is to be done again.
    RetryAfter {
        /// Which.
        id: TaskId,
        /// The fence under which it was held.
        fence: u64,
        /// How long after the commit, by the store's clock.
        wait: Duration,
    },
}

/// A row a CRL is built from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RevokedRow {
    /// The enrollment.
    pub enrollment: EnrollmentId,
    /// The backend that signed the certificate.
    pub backend: String,
    /// The serial number.
    pub serial: SerialNumber,
    /// Why.
    pub reason: RevocationReason,
    /// Since when.
    pub revoked_at: Timestamp,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

/// Rows that help to find and to show. They decide nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Projection {
    /// Insert or replace by enrollment.
    Request(RequestRow),
    /// Insert by enrollment.
    Certificate(CertificateRow),
    /// Insert or replace by enrollment; the row of the certificate says so as well.
    Revoked(RevokedRow),
    /// Neither revoked nor on hold any more.
    Released(EnrollmentId),
    /// Insert or replace by registration.
    Registration(RegistrationRow),
    /// Insert or replace by secret.
    Secret(SecretRow),
}

/// Everything one step changes, in one transaction. Nothing else writes.
#[derive(Clone, Debug, Default)]
pub struct Batch {
    /// Records to append; each names its stream and position.
    pub records: Vec<Record>,
    /// Tasks to create. Only a commit creates tasks.
    pub tasks: Vec<NewTask>,
    /// What becomes of tasks that are held.
    pub task_changes: Vec<TaskChange>,
    /// Documents to write.
    pub documents: Vec<DocumentWrite>,
    /// Claims to take: inserted, or replacing one whose `until` has passed or that leads to the same enrollment, or to
    /// the one that gives way.
    pub claims: Vec<Claim>,
    /// The enrollment whose claim is replaced though its time is not over. Who files without knowing of it is in conflict
    /// with it.
    pub gives_way: Option<EnrollmentId>,
    /// Values to spend.
    pub spends: Vec<Spend>,
    /// Unique keys to take or to give up.
    pub reservations: Vec<Reservation>,
    /// Rows to show.
    pub projections: Vec<Projection>,
}

/// Where a list goes on; opaque.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Cursor(pub Vec<u8>);

/// One page of a list.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Page<T> {
    /// The rows.
    pub items: Vec<T>,
    /// Where the list goes on, if it does.
    pub next: Option<Cursor>,
}

/// Which requests to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RequestFilter {
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those at this endpoint.
    pub endpoint: Option<String>,
}

/// How long spent values and documents are kept past their time: nodes whose clocks differ by less agree on what is over.
pub const CLOCKS_APART_MAX: Duration = Duration::from_secs(60);

/// How long an ended claim still leads its requester to the certificate, so that a late client can fetch it.
pub const CLAIM_KEPT: Duration = Duration::from_secs(35 * 86_400);

/// The truth. A commit is acknowledged only when it is durable.
#[async_trait]
pub trait Store: Send + Sync {
    /// Writes all of the batch or nothing.
    async fn commit(&self, batch: Batch) -> Result<(), CommitError>;
    /// Reads all of this in one message. The answers see every commit that was acknowledged before, and never half a batch of
    /// one stream; `Broken` when a row of any of it cannot be read.
    async fn read(&self, wanted: &Wanted) -> Result<Answers, StoreError>;
    /// The records of these streams, each in order; a stream that has none gives an empty list.
    /// Answers in the order asked. Never shows half a batch.
    async fn load(&self, streams: &[StreamId]) -> Result<Vec<Vec<Record>>, StoreError> {
        let streams = streams.to_vec();
        let wanted = Wanted {
            streams,
            ..Wanted::default()
        };
        Ok(self.read(&wanted).await?.streams)
    }
    /// The claim with this key, live or not.
    async fn claim(&self, key: &ClaimKey) -> Result<Option<Claim>, StoreError> {
        let wanted = Wanted {
            claims: vec![*key],
            ..Wanted::default()
        };
        Ok(self.read(&wanted).await?.claims.pop().flatten())
    }
    /// Where a reservation leads.
    async fn reserved(&self, space: Space, key: &[u8; 32]) -> Result<Option<StreamId>, StoreError> {
        let wanted = Wanted {
            reservations: vec![(space, *key)],
            ..Wanted::default()
        };
        Ok(self.read(&wanted).await?.reservations.pop().flatten())
    }
    /// Streams of a kind, newest first (by id).
    async fn streams(
        &self,
        kind: StreamKind,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StreamId>, StoreError>;
    /// Requests, newest first.
    async fn requests(
        &self,
        filter: &RequestFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RequestRow>, StoreError>;
    /// Certificates, newest first.
    async fn certificates(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError>;
    /// Certificates of which an expression is true. Looks at a bounded number of rows: see [`Found`].
    async fn find_certificates(&self, scan: &Scan<'_>) -> Result<Found<CertificateRow>, StoreError>;
    /// Requests of which an expression is true. Looks at a bounded number of rows: see [`Found`].
    async fn find_requests(&self, scan: &Scan<'_>) -> Result<Found<RequestRow>, StoreError>;
    /// Revoked certificates of a backend that end after `not_after_min`, by serial.
    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RevokedRow>, StoreError>;
    /// Registrations, newest first.
    async fn registrations(
        &self,
        filter: &RegistrationFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RegistrationRow>, StoreError>;
    /// Secrets, newest first.
    async fn secrets(
        &self,
        filter: &SecretFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SecretRow>, StoreError>;
    /// Removes spent values and documents whose time was over [`CLOCKS_APART_MAX`] ago, claims whose time was over
    /// [`CLAIM_KEPT`] ago, and secrets from their list whose time was over [`SECRET_LISTED`] ago, by the store's clock, at
    /// most `limit` of each; says how many.
    ///
    /// [`SECRET_LISTED`]: super::SECRET_LISTED
    async fn sweep(&self, limit: u32) -> Result<u64, StoreError>;
    /// Reads and writes one row; says how long that took.
    async fn probe(&self) -> Result<Duration, StoreError>;
}

/// Background work. Only [`Store::commit`] creates and finishes it. Time comes from the store.
#[async_trait]
pub trait Tasks: Send + Sync {
    /// Leases up to `limit` due tasks that nobody holds. A row that cannot be read does not keep back the others.
    async fn claim_due(&self, node: NodeId, lease: Duration, limit: u32) -> Result<Claimed, StoreError>;
    /// Voids what this node held before it was restarted; says how many.
    async fn release_of(&self, node: NodeId) -> Result<u64, StoreError>;
    /// When the next task is due.
    async fn next_due(&self) -> Result<Option<NextDue>, StoreError>;
}

/// A protocol's private state. Writing goes through [`Store::commit`].
#[async_trait]
pub trait Documents: Send + Sync {
    /// The document, if it is there. A body that does not open counts as tampered and is `Broken`.
    async fn document(&self, id: &DocumentId) -> Result<Option<StoredDocument>, StoreError>;
    /// These documents, in the order asked.
    async fn documents(&self, ids: &[DocumentId]) -> Result<Vec<Option<StoredDocument>>, StoreError>;
    /// Documents of a kind with this value in this index, newest first.
    async fn find(
        &self,
        kind: &'static str,
        key: &DocumentKey,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StoredDocument>, StoreError>;
}

/// A duty that one node does at a time.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LeaseRow {
    /// Grows with every change of holder.
    pub fence: u64,
    /// Until when.
    pub until: Timestamp,
}

/// Leases of singleton duties: CRL signing, sealing, sweeping.
#[async_trait]
pub trait Leases: Send + Sync {
    /// Takes or extends the duty for this node; `None` when another holds it. A duty that is held for more than twice the
    /// term from now was not taken by a node that works, and is free.
    async fn lease(&self, duty: &str, node: NodeId, term: Duration) -> Result<Option<LeaseRow>, StoreError>;
}
