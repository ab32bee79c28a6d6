//! Ports: what the RA needs from the world. Each is implemented in a crate of its own and wired by the gateway.

mod audit;
mod backend;
mod conflict;
mod heads;
mod key_maker;
mod keys;
mod listed;
mod policy;
mod runtime;
mod search;
mod store;
mod together;

pub use audit::{
    AuditLog, CheckpointRow, RecordPlace, Seal, SealError, SealHolder, SealProgress, SealedRecord, Sealing,
    TILE, TreeNode, UnsealedRecord,
};
pub use backend::{
    CaBackend, CaError, CaHealth, Capabilities, IssueOutcome, IssuedCertificate, ReconcileOutcome,
    RevocationListSource, RevocationPower, RevokeOrder, RevokeOutcome,
};
pub use conflict::{CommitError, Conflict, StoreError};
pub use heads::{Head, HeadMemory};
pub use key_maker::KeyMaker;
pub use keys::{EventSigner, KeyError, Sealer, SignError, Signer, ToSign};
pub use listed::{RegistrationFilter, RegistrationRow, SECRET_LISTED, SecretFilter, SecretRow};
pub use policy::{Policy, PolicyError};
pub use runtime::{
    Admission, ApprovalHint, ApprovalNews, Clock, Metrics, Random, RateLimiter, Spawn, WakeKey, Wakeups,
};
pub use search::{CertificateRow, Found, Ownership, RequestRow, Scan, SearchedNames};
pub use store::{
    Batch, CLAIM_KEPT, CLOCKS_APART_MAX, Claimed, Cursor, DamagedTask, DocumentId, DocumentKey,
    DocumentWrite, Documents, FENCE_MAX, LeaseRow, Leases, NewTask, NextDue, Page, Projection, RequestFilter,
    Reservation, RevokedRow, Space, Spend, Store, StoredDocument, TaskChange, TaskKind, TaskLease, Tasks,
};
pub use together::{Answers, Wanted};
