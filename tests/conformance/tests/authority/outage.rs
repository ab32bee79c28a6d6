//! The store goes away in the middle of an issuance, and comes back.

use portreeve_ra::EventKind;
use portreeve_ra::ports::{
    Answers, CertificateRow, CommitError, Cursor, Found, Page, RegistrationFilter, RegistrationRow,
    RequestRow, RevokedRow, Scan, SecretFilter, SecretRow, StoreError, Wanted,
};
use portreeve_store::SqliteStore;
use std::sync::atomic::{AtomicU32, Ordering};

use super::*;

/// What becomes of the commit at which the store goes away.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Lost {
    /// It does not take effect.
    Commit,
    /// It takes effect, and nobody is told.
    Answer,
}

/// A store that goes away with the first commit of an event, for some commits.
struct Away {
    inner: Arc<SqliteStore>,
    at: EventKind,
    lost: Lost,
    /// Commits until it is back; before it went away one more than [`AWAY_FOR`].
    left: AtomicU32,
}

const AWAY_FOR: u32 = 3;

const GONE: StoreError = StoreError::Unavailable {
    retry_after: Duration::from_millis(200),
};

#[async_trait]
impl Store for Away {
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let left = self.left.load(Ordering::SeqCst);
        let mut kinds = batch.records.iter().flat_map(|record| &record.header().kinds);
        let goes = left > AWAY_FOR && kinds.any(|kind| *kind == self.at);
        if !goes && (left == 0 || left > AWAY_FOR) {
            return self.inner.commit(batch).await;
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        if goes && self.lost == Lost::Answer {
            self.inner.commit(batch).await?;
        }
        Err(GONE.into())
    }

    async fn read(&self, wanted: &Wanted) -> Result<Answers, StoreError> {
        self.inner.read(wanted).await
    }

    async fn streams(
        &self,
        kind: StreamKind,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<StreamId>, StoreError> {
        self.inner.streams(kind, after, limit).await
    }

    async fn requests(
        &self,
        filter: &RequestFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RequestRow>, StoreError> {
        self.inner.requests(filter, after, limit).await
    }

    async fn certificates(
        &self,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<CertificateRow>, StoreError> {
        self.inner.certificates(after, limit).await
    }

    async fn find_certificates(&self, scan: &Scan<'_>) -> Result<Found<CertificateRow>, StoreError> {
        self.inner.find_certificates(scan).await
    }

    async fn find_requests(&self, scan: &Scan<'_>) -> Result<Found<RequestRow>, StoreError> {
        self.inner.find_requests(scan).await
    }

    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RevokedRow>, StoreError> {
        self.inner.revoked(backend, not_after_min, after, limit).await
    }

    async fn registrations(
        &self,
        filter: &RegistrationFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<RegistrationRow>, StoreError> {
        self.inner.registrations(filter, after, limit).await
    }

    async fn secrets(
        &self,
        filter: &SecretFilter,
        after: Option<&Cursor>,
        limit: u32,
    ) -> Result<Page<SecretRow>, StoreError> {
        self.inner.secrets(filter, after, limit).await
    }

    async fn sweep(&self, limit: u32) -> Result<u64, StoreError> {
        self.inner.sweep(limit).await
    }

    async fn probe(&self) -> Result<Duration, StoreError> {
        self.inner.probe().await
    }
}

/// The task of an issuance that was interrupted is free again soon after the store is back, not only when its lease
/// of two minutes ends; and there is one certificate.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_interrupted_issuance_goes_on_when_the_store_is_back() {
    let rows = [
        (
            "the intent was written, unknown to the node",
            EventKind::EnrollmentIssuing,
            Lost::Answer,
        ),
        (
            "the result was not written",
            EventKind::EnrollmentIssued,
            Lost::Commit,
        ),
        (
            "the result was written, unknown to the node",
            EventKind::EnrollmentIssued,
            Lost::Answer,
        ),
    ];
    for (name, at, lost) in rows {
        let day = |days: i64| Timestamp::from_unix_seconds(clock().now().unix_seconds() + days * 86_400);
        let ca = TestCa::new("CA", day(-1), day(3_650));
        let script = (0..4).map(|_| Answer::Issued(Fault::None)).collect();
        let backend = ScriptedBackend::new(backend_name(), ca, (script, Memory::Searchable), clock());
        let backend: Arc<dyn CaBackend> = Arc::new(backend);
        let mut authority = TestAuthority::start(Arc::clone(&backend), "").await;
        let account = authority.account(&["away.example"]).await;
        let away = Away {
            inner: Arc::clone(&authority.store),
            at,
            lost,
            left: AtomicU32::new(AWAY_FOR + 1),
        };
        authority.ra = authority.node_through(Arc::new(away), backend, 2);
        let request = csr("away.example");
        let first = enroll(&authority, &account, ("order", &request)).await;
        let told_to_wait = matches!(
            &first,
            Err(Error::Unavailable { .. }) | Ok(Disposition::Pending { .. })
        );
        // What was written can be read, whoever was not told of it.
        let found = at == EventKind::EnrollmentIssued && lost == Lost::Answer;
        assert!(told_to_wait || (found && first.is_ok()), "{name}: {first:?}");
        reach(&authority, "issued").await;
        finish_work(&authority).await;
        let issuance = issued(&authority, &account, ("order", &request)).await;
        let page = authority.store.certificates(None, 5).await.unwrap();
        assert_eq!(page.items.len(), 1, "{name}");
        assert_eq!(&page.items[0].serial, issuance.certificate.serial(), "{name}");
    }
}
