//! A world by hand around publishers: store, clock, leases and CA of their tests.

use super::*;

/// A store that knows revocations and documents, a clock, leases, and a CA, all by hand.
#[derive(Default)]
pub(super) struct World {
    pub(super) now: AtomicI64,
    pub(super) revoked: Mutex<Vec<RevokedRow>>,
    pub(super) documents: Mutex<HashMap<DocumentId, (u64, Vec<u8>)>>,
    /// Documents that do not open.
    pub(super) damaged: Mutex<Vec<&'static str>>,
    pub(super) incidents: Mutex<Vec<Incident>>,
    /// Serial numbers that were taken off hold, and when.
    pub(super) released: Mutex<HashMap<Vec<u8>, Timestamp>>,
    pub(super) holder: Mutex<Option<NodeId>>,
    pub(super) signed: AtomicUsize,
    pub(super) broken: AtomicUsize,
    /// The store's time, in milliseconds, apart from the nodes'.
    pub(super) store_now: AtomicI64,
    /// When leases end, in seconds after the start; 0: never.
    pub(super) lease_ends: AtomicI64,
    /// The node that cannot sign.
    pub(super) lame: AtomicU8,
}

type Stored<T> = Result<T, StoreError>;

#[async_trait]
impl Store for World {
    async fn commit(&self, batch: Batch) -> Result<(), CommitError> {
        let mut documents = self.documents.lock().unwrap();
        for write in &batch.documents {
            let version = documents.get(&write.id).map_or(0, |(version, _)| *version);
            if write.version != version + 1 {
                return Err(CommitError::Conflict(Conflict::Document(write.id.clone())));
            }
        }
        for write in batch.documents {
            match write.body {
                Some(body) => drop(documents.insert(write.id, (write.version, body))),
                None => drop(documents.remove(&write.id)),
            }
        }
        Ok(())
    }

    async fn read(&self, _: &Wanted) -> Stored<Answers> {
        unreachable!()
    }

    async fn streams(&self, _: StreamKind, _: Option<&Cursor>, _: u32) -> Stored<Page<StreamId>> {
        unreachable!()
    }

    async fn requests(&self, _: &RequestFilter, _: Option<&Cursor>, _: u32) -> Stored<Page<RequestRow>> {
        unreachable!()
    }

    async fn certificates(&self, _: Option<&Cursor>, _: u32) -> Stored<Page<CertificateRow>> {
        unreachable!()
    }

    /// One row a page, so that every list of more than one has pages.
    async fn find_certificates(&self, _: &Scan<'_>) -> Stored<Found<CertificateRow>> {
        unreachable!()
    }

    async fn find_requests(&self, _: &Scan<'_>) -> Stored<Found<RequestRow>> {
        unreachable!()
    }

    async fn revoked(
        &self,
        backend: &str,
        not_after_min: Timestamp,
        after: Option<&Cursor>,
        _: u32,
    ) -> Stored<Page<RevokedRow>> {
        let rows = self.revoked.lock().unwrap();
        let mut rows: Vec<&RevokedRow> = rows
            .iter()
            .filter(|row| row.backend == backend && row.not_after > not_after_min)
            .collect();
        rows.sort_by(|a, b| a.serial.cmp(&b.serial));
        let skip = after.map_or(0, |cursor| usize::from(cursor.0[0]));
        let next = (rows.len() > skip + 1).then(|| Cursor(vec![u8::try_from(skip + 1).unwrap()]));
        Ok(Page {
            items: rows.into_iter().skip(skip).take(1).cloned().collect(),
            next,
        })
    }

    async fn registrations(
        &self,
        _: &RegistrationFilter,
        _: Option<&Cursor>,
        _: u32,
    ) -> Stored<Page<RegistrationRow>> {
        unreachable!()
    }

    async fn secrets(&self, _: &SecretFilter, _: Option<&Cursor>, _: u32) -> Stored<Page<SecretRow>> {
        unreachable!()
    }

    async fn sweep(&self, _: u32) -> Stored<u64> {
        unreachable!()
    }

    async fn probe(&self) -> Stored<Duration> {
        unreachable!()
    }
}

#[async_trait]
impl Documents for World {
    async fn document(&self, id: &DocumentId) -> Stored<Option<StoredDocument>> {
        if self.broken.load(Ordering::Relaxed) > 0 {
            return Err(StoreError::Unavailable {
                retry_after: Duration::from_secs(1),
            });
        }
        if self.damaged.lock().unwrap().contains(&id.kind) {
            return Err(StoreError::Broken("document does not open".to_owned()));
        }
        let documents = self.documents.lock().unwrap();
        let document = documents.get(id);
        Ok(document.map(|(version, body)| StoredDocument {
            id: id.id,
            version: *version,
            body: body.clone(),
        }))
    }

    async fn documents(&self, ids: &[DocumentId]) -> Stored<Vec<Option<StoredDocument>>> {
        let mut found = Vec::new();
        for id in ids {
            found.push(self.document(id).await?);
        }
        Ok(found)
    }

    async fn find(
        &self,
        _: &'static str,
        _: &DocumentKey,
        _: Option<&Cursor>,
        _: u32,
    ) -> Stored<Page<StoredDocument>> {
        unreachable!()
    }
}

#[async_trait]
impl Alarm for World {
    /// The same one again changes nothing.
    async fn raise(&self, incident: Incident) {
        let mut incidents = self.incidents.lock().unwrap();
        if !incidents.contains(&incident) {
            incidents.push(incident);
        }
    }
}

#[async_trait]
impl Releases for World {
    async fn released(
        &self,
        _: &BackendName,
        serial: &SerialNumber,
    ) -> Result<Option<Timestamp>, portreeve_ra::Error> {
        Ok(self.released.lock().unwrap().get(serial.as_bytes()).copied())
    }
}

#[async_trait]
impl Leases for World {
    async fn lease(&self, duty: &str, node: NodeId, term: Duration) -> Stored<Option<LeaseRow>> {
        assert_eq!(duty, "crl/issuing");
        let mut holder = self.holder.lock().unwrap();
        let ends = self.lease_ends.load(Ordering::Relaxed);
        if ends > 0 && self.now.load(Ordering::Relaxed) >= ends {
            *holder = None;
        }
        let mine = *holder.get_or_insert(node) == node;
        let now = Timestamp::from_unix_millis(self.store_now.load(Ordering::Relaxed));
        Ok(mine.then_some(LeaseRow {
            fence: 1,
            until: now.saturating_add(term),
        }))
    }
}

#[async_trait]
impl Clock for World {
    fn now(&self) -> Timestamp {
        Timestamp::from_unix_seconds(START + self.now.load(Ordering::Relaxed))
    }

    async fn sleep(&self, _: Duration) {}
}

impl Wakeups for World {
    fn wake(&self, _: WakeKey) {}

    fn announce(&self, _: ApprovalHint) {}

    fn wait(&self, _: WakeKey, _: Duration) -> Pin<Box<dyn Future<Output = ()> + Send + 'static>> {
        Box::pin(std::future::ready(()))
    }
}

/// Signs by writing down what it was asked to sign.
struct Ca(BackendName, Arc<World>, u8);

#[async_trait]
impl RevocationListSource for Ca {
    async fn sign_list(
        &self,
        number: u64,
        this_update: Timestamp,
        _: Timestamp,
        revoked: &[(SerialNumber, Timestamp, RevocationReason)],
    ) -> Result<Vec<u8>, CaError> {
        if self.1.lame.load(Ordering::Relaxed) == self.2 {
            return Err(CaError::NeedsOperator("no signer".to_owned()));
        }
        self.1.signed.fetch_add(1, Ordering::Relaxed);
        let serials: Vec<String> = revoked.iter().map(|(serial, ..)| serial.to_hex()).collect();
        let at = this_update.unix_seconds() - START;
        Ok(format!("{number} @{at}: {}", serials.join(" ")).into_bytes())
    }
}

#[async_trait]
impl CaBackend for Ca {
    fn name(&self) -> &BackendName {
        &self.0
    }

    fn prepare(&self, _: &CertificateContents, _: EnrollmentId, _: Timestamp) -> Result<Intent, CaError> {
        unreachable!()
    }

    async fn issue(&self, _: &IssuanceOrder, _: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        unreachable!()
    }

    async fn reconcile(&self, _: &Intent, _: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        unreachable!()
    }

    async fn revoke(&self, _: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        unreachable!()
    }

    fn chain(&self) -> Arc<IssuerChain> {
        Arc::default()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            revocation: RevocationPower::FromStore,
            defers: false,
            lifetime_max: None,
        }
    }

    async fn health(&self) -> CaHealth {
        CaHealth::Ready
    }

    fn revocation_list(&self) -> Option<&dyn RevocationListSource> {
        Some(self)
    }
}

/// One node of the installation.
pub(super) struct Node(
    pub(super) CrlPublisher,
    pub(super) Arc<Shelf>,
    Mutex<BTreeMap<BackendName, Memory>>,
);

impl Node {
    pub(super) fn new(world: &Arc<World>, number: u8) -> Self {
        let shelf = Arc::new(Shelf::awaiting("issuing"));
        let ca = BackendName::new("issuing").unwrap();
        let backend: Arc<dyn CaBackend> = Arc::new(Ca(ca.clone(), Arc::clone(world), number));
        let parts = PublisherParts {
            store: world.clone(),
            documents: world.clone(),
            leases: world.clone(),
            wakeups: world.clone(),
            alarm: world.clone(),
            releases: world.clone(),
            clock: world.clone(),
            backends: BTreeMap::from([(ca, backend)]),
            node: NodeId::from_bytes([number; 16]),
            shelf: Arc::clone(&shelf),
            config: StatusConfig {
                next_update: Duration::from_secs(1000),
                ..StatusConfig::default()
            },
        };
        Self(CrlPublisher::new(parts), shelf, Mutex::default())
    }

    /// Lets it look once; what it serves after that.
    pub(super) fn look(&self) -> Option<String> {
        ready(self.0.round(&mut self.2.lock().unwrap()));
        let list = self.1.list("issuing")?;
        Some(String::from_utf8(list.body.to_vec()).unwrap())
    }
}

/// The result of a future that never waits.
pub(super) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("pending"),
    }
}

/// Revokes a certificate that ends so many seconds after the start.
pub(super) fn revoke(world: &World, serial: u8, ends: i64) {
    world.revoked.lock().unwrap().push(RevokedRow {
        enrollment: EnrollmentId::from_bytes([serial; 16]),
        backend: "issuing".into(),
        serial: SerialNumber::from_bytes(&[serial]).unwrap(),
        reason: RevocationReason::Superseded,
        revoked_at: world.now(),
        not_after: Timestamp::from_unix_seconds(START + ends),
    });
}

pub(super) fn at(world: &World, seconds: i64) {
    world.now.store(seconds, Ordering::Relaxed);
}
