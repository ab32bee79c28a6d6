//! Named points at which the process ends at once, for crash tests. Compiled only with the feature `failpoints`.
//!
//! `PORTREEVE_FAILPOINT=name[:count]` aborts the process when the point is reached for the `count`-th time (the first,
//! when no count is given). The points sit in decorators of ports, so nothing below knows of them.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::{Method, Response};
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_pkix::{PublicKey, SignatureAlgorithm, Timestamp};
use portreeve_ra::ports::{
    Answers, Batch, CertificateRow, CommitError, Cursor, Found, Page, RegistrationFilter, RegistrationRow,
    RequestFilter, RequestRow, RevokedRow, Scan, SecretFilter, SecretRow, SignError, Signer, Store,
    StoreError, ToSign, Wanted,
};
use portreeve_ra::{EventKind, StreamId, StreamKind};

/// The variable that arms a point.
pub const VARIABLE: &str = "PORTREEVE_FAILPOINT";

struct Armed {
    name: String,
    left: AtomicU32,
}

fn armed() -> Option<&'static Armed> {
    static ARMED: OnceLock<Option<Armed>> = OnceLock::new();
    let read = || {
        let value = std::env::var(VARIABLE).ok()?;
        let (name, count) = value.split_once(':').unwrap_or((&value, "1"));
        Some(Armed {
            name: name.to_owned(),
            left: AtomicU32::new(count.parse().unwrap_or(1)),
        })
    };
    ARMED.get_or_init(read).as_ref()
}

/// Ends the process if this point is armed and its turn has come.
fn point(name: &str) {
    let Some(armed) = armed() else { return };
    if armed.name == name && armed.left.fetch_sub(1, Ordering::SeqCst) == 1 {
        std::process::abort();
    }
}

/// The store, with `intent-before` and `intent-after` around the commit of an intent.
pub struct FailingStore(pub Arc<dyn Store>);

#[async_trait]
impl Store for FailingStore {
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let kinds = batch.records.iter().flat_map(|record| &record.header().kinds);
        let is_intent = kinds
            .into_iter()
            .any(|kind| *kind == EventKind::EnrollmentIssuing);
        if is_intent {
            point("intent-before");
        }
        let committed = self.0.commit(batch).await;
        if is_intent {
            point("intent-after");
        }
        committed
    }

    async fn read(&self, wanted: &Wanted) -> Result<Answers, StoreError> {
        self.0.read(wanted).await
    }

    async fn streams(
        &self,
        kind: StreamKind,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StreamId>, StoreError> {
        self.0.streams(kind, after, limit).await
    }

    async fn requests(
        &self,
        filter: &RequestFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RequestRow>, StoreError> {
        self.0.requests(filter, after, limit).await
    }

    async fn certificates(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        self.0.certificates(after, limit).await
    }

    async fn find_certificates(&self, scan: &Scan<'_>) -> Result<Found<CertificateRow>, StoreError> {
        self.0.find_certificates(scan).await
    }

    async fn find_requests(&self, scan: &Scan<'_>) -> Result<Found<RequestRow>, StoreError> {
        self.0.find_requests(scan).await
    }

    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RevokedRow>, StoreError> {
        self.0.revoked(backend, not_after_min, after, limit).await
    }

    async fn registrations(
        &self,
        filter: &RegistrationFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RegistrationRow>, StoreError> {
        self.0.registrations(filter, after, limit).await
    }

    async fn secrets(
        &self,
        filter: &SecretFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SecretRow>, StoreError> {
        self.0.secrets(filter, after, limit).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.0.sweep(limit).await
    }

    async fn probe(&self) -> Result<Duration, StoreError> {
        self.0.probe().await
    }
}

/// A CA key, with `signature-before` and `signature-after` around the signature of a certificate.
pub struct FailingSigner(pub Arc<dyn Signer>);

#[async_trait]
impl Signer for FailingSigner {
    fn algorithm(&self) -> SignatureAlgorithm {
        self.0.algorithm()
    }

    fn public_key(&self) -> &PublicKey {
        self.0.public_key()
    }

    async fn sign(&self, what: ToSign) -> Result<Vec<u8>, SignError> {
        let is_certificate = matches!(what, ToSign::Certificate { .. });
        if is_certificate {
            point("signature-before");
        }
        let signed = self.0.sign(what).await;
        if is_certificate {
            point("signature-after");
        }
        signed
    }
}

/// An edge, with `response-before` after the answer to an order's finalization is known and before it is sent.
pub struct FailingEdge(pub Arc<dyn Edge>);

#[async_trait]
impl Edge for FailingEdge {
    fn mounts(&self) -> Vec<Mount> {
        self.0.mounts()
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let finalizes = call.method == Method::POST && call.path.ends_with("/finalize");
        let response = self.0.handle(call).await;
        if finalizes && response.status().is_success() {
            point("response-before");
        }
        response
    }

    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes> {
        self.0.refuse(why, path)
    }
}
