use std::collections::HashMap;
use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Mutex;
use std::sync::atomic::{AtomicI64, AtomicU8, AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use async_trait::async_trait;
use portreeve_pkix::{Certificate, SerialNumber};
use portreeve_ra::ports::{
    ApprovalHint, CaHealth, Capabilities, CertificateRow, Cursor, DocumentId, DocumentKey, Found,
    IssueOutcome, LeaseRow, Page, ReconcileOutcome, RequestFilter, RequestRow, RevocationListSource,
    RevocationPower, RevokeOrder, RevokeOutcome, RevokedRow, Scan, Space, StoredDocument,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{
    CertificateContents, Claim, ClaimKey, EnrollmentId, Incident, IncidentKind, Intent, Record,
    RevocationReason, StreamId, StreamKind,
};

use super::*;

#[path = "turns.rs"]
mod turns;

const START: i64 = 2_000_000;

#[path = "released.rs"]
mod released;

/// A store that knows revocations and documents, a clock, leases, and a CA, all by hand.
#[derive(Default)]
struct World {
    now: AtomicI64,
    revoked: Mutex<Vec<RevokedRow>>,
    documents: Mutex<HashMap<DocumentId, (u64, Vec<u8>)>>,
    /// Documents that do not open.
    damaged: Mutex<Vec<&'static str>>,
    incidents: Mutex<Vec<Incident>>,
    /// Serial numbers that were taken off hold, and when.
    released: Mutex<HashMap<Vec<u8>, Timestamp>>,
    holder: Mutex<Option<NodeId>>,
    signed: AtomicUsize,
    broken: AtomicUsize,
    /// The store's time, in milliseconds, apart from the nodes'.
    store_now: AtomicI64,
    /// When leases end, in seconds after the start; 0: never.
    lease_ends: AtomicI64,
    /// The node that cannot sign.
    lame: AtomicU8,
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

    async fn load(&self, _: &[StreamId]) -> Stored<Vec<Vec<Record>>> {
        unreachable!()
    }

    async fn claim(&self, _: &ClaimKey) -> Stored<Option<Claim>> {
        unreachable!()
    }

    async fn reserved(&self, _: Space, _: &[u8; 32]) -> Stored<Option<StreamId>> {
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

    async fn find_certificates(&self, _: &Scan<'_>) -> Stored<Found<CertificateRow>> {
        unreachable!()
    }

    async fn find_requests(&self, _: &Scan<'_>) -> Stored<Found<RequestRow>> {
        unreachable!()
    }

    /// One row a page, so that every list of more than one has pages.
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

    fn chain(&self) -> Vec<Certificate> {
        Vec::new()
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

/// One node of the installation.
struct Node(CrlPublisher, Arc<Shelf>, Mutex<BTreeMap<BackendName, Memory>>);

impl Node {
    fn new(world: &Arc<World>, number: u8) -> Self {
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
    fn look(&self) -> Option<String> {
        ready(self.0.round(&mut self.2.lock().unwrap()));
        let list = self.1.list("issuing")?;
        Some(String::from_utf8(list.body.to_vec()).unwrap())
    }
}

/// The result of a future that never waits.
fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(value) => value,
        Poll::Pending => panic!("pending"),
    }
}

/// Revokes a certificate that ends so many seconds after the start.
fn revoke(world: &World, serial: u8, ends: i64) {
    world.revoked.lock().unwrap().push(RevokedRow {
        enrollment: EnrollmentId::from_bytes([serial; 16]),
        backend: "issuing".into(),
        serial: SerialNumber::from_bytes(&[serial]).unwrap(),
        reason: RevocationReason::Superseded,
        revoked_at: world.now(),
        not_after: Timestamp::from_unix_seconds(START + ends),
    });
}

fn at(world: &World, seconds: i64) {
    world.now.store(seconds, Ordering::Relaxed);
}

#[test]
fn one_is_signed_at_once_and_then_only_when_it_is_due() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    assert_eq!(node.look().as_deref(), Some("1 @0: "));
    at(&world, 499);
    assert_eq!(node.look().as_deref(), Some("1 @0: "), "before half of its life");
    at(&world, 500);
    assert_eq!(node.look().as_deref(), Some("2 @500: "), "at half of its life");
    revoke(&world, 0x0a, 9_000);
    revoke(&world, 0x0b, 9_000);
    assert_eq!(
        node.look().as_deref(),
        Some("3 @500: 0a 0b"),
        "after a revocation, all pages"
    );
    assert_eq!(node.look().as_deref(), Some("3 @500: 0a 0b"));
    assert_eq!(world.signed.load(Ordering::Relaxed), 3);
}

#[test]
fn an_expired_certificate_appears_once_more() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    revoke(&world, 0x0a, 100);
    assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
    at(&world, 200);
    assert_eq!(
        node.look().as_deref(),
        Some("1 @0: 0a"),
        "its end alone is no reason to sign"
    );
    at(&world, 500);
    assert_eq!(
        node.look().as_deref(),
        Some("2 @500: 0a"),
        "it ended after the last CRL was made"
    );
    at(&world, 1000);
    assert_eq!(node.look().as_deref(), Some("3 @1000: "));
}

#[test]
fn a_restart_goes_on_with_what_is_stored() {
    let world = Arc::new(World::default());
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("1 @0: "));
    let restarted = Node::new(&world, 1);
    assert_eq!(
        restarted.look().as_deref(),
        Some("1 @0: "),
        "served without signing"
    );
    assert_eq!(world.signed.load(Ordering::Relaxed), 1);
    revoke(&world, 0x0a, 9_000);
    assert_eq!(
        Node::new(&world, 1).look().as_deref(),
        Some("2 @0: 0a"),
        "revoked while nobody looked"
    );
}

#[test]
fn one_node_signs_and_the_others_serve() {
    let world = Arc::new(World::default());
    let (one, two) = (Node::new(&world, 1), Node::new(&world, 2));
    assert_eq!(one.look().as_deref(), Some("1 @0: "));
    assert_eq!(two.look().as_deref(), Some("1 @0: "));
    revoke(&world, 0x0a, 9_000);
    assert_eq!(two.look().as_deref(), Some("1 @0: "), "not its turn");
    assert_eq!(one.look().as_deref(), Some("2 @0: 0a"));
    assert_eq!(two.look().as_deref(), Some("2 @0: 0a"));
    *world.holder.lock().unwrap() = None;
    at(&world, 500);
    assert_eq!(
        two.look().as_deref(),
        Some("3 @500: 0a"),
        "the first one has gone"
    );
    assert_eq!(world.signed.load(Ordering::Relaxed), 3);
}

#[test]
fn the_number_never_repeats_even_without_the_lease() {
    let world = Arc::new(World::default());
    let (one, two) = (Node::new(&world, 1), Node::new(&world, 2));
    let ca = BackendName::new("issuing").unwrap();
    let backend = one.0.parts.backends[&ca].clone();
    let none: Known = (None, 0);
    let first = ready(one.0.sign((&ca, backend.as_ref()), none.clone(), world.now())).unwrap();
    let second = ready(two.0.sign((&ca, backend.as_ref()), none, world.now())).unwrap();
    assert_eq!(first, second, "the slower one adopts what was stored");
    assert_eq!(first.0.unwrap().number, u64::try_from(START * 1_000).unwrap());
}

#[test]
fn the_last_good_one_is_served_while_the_store_is_down() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    world.broken.store(1, Ordering::Relaxed);
    at(&world, 900);
    assert_eq!(node.look().as_deref(), Some("1 @0: "));
    let again = ready(node.0.once());
    assert_eq!(again, world.now().saturating_add(AFTER_FAILURE));
}

/// What is wrong, of each incident.
fn incidents(world: &World) -> Vec<String> {
    let incidents = world.incidents.lock().unwrap();
    incidents.iter().map(|incident| incident.detail.clone()).collect()
}

#[test]
fn a_stored_list_that_lost_its_parts_is_replaced() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world
        .documents
        .lock()
        .unwrap()
        .retain(|id, _| id.kind == "status.crl");
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @0: "));
    let detail = "status.crl document leads to parts that are gone or damaged";
    assert_eq!(incidents(&world), [detail]);
}

#[test]
fn parts_that_had_to_be_swept_are_no_incident() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world
        .documents
        .lock()
        .unwrap()
        .retain(|id, _| id.kind == "status.crl");
    at(&world, 1000 + 24 * 3600);
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @87400: "));
    assert!(incidents(&world).is_empty());
}

#[test]
fn a_damaged_part_is_an_incident_and_replaced() {
    let world = Arc::new(World::default());
    Node::new(&world, 1).look();
    world.damaged.lock().unwrap().push("status.crl.part");
    assert_eq!(Node::new(&world, 1).look().as_deref(), Some("2 @0: "));
    assert_eq!(incidents(&world).len(), 1);
}

#[test]
fn a_damaged_head_is_one_incident_and_the_last_good_list_is_served() {
    type Damage = fn(&World);
    let rows: [(&str, Damage); 2] = [
        ("does not open", |world| {
            world.damaged.lock().unwrap().push("status.crl")
        }),
        ("cannot be read", |world| {
            let mut documents = world.documents.lock().unwrap();
            let (_, head) = documents
                .iter_mut()
                .find(|(id, _)| id.kind == "status.crl")
                .unwrap();
            *head = (2, b"nonsense".to_vec());
        }),
    ];
    for (how, damage) in rows {
        let world = Arc::new(World::default());
        let node = Node::new(&world, 1);
        node.look();
        damage(&world);
        for _ in 0..3 {
            assert_eq!(node.look().as_deref(), Some("1 @0: "), "{how}");
        }
        assert_eq!(incidents(&world), [format!("status.crl document {how}")]);
        assert_eq!(Node::new(&world, 1).look(), None, "{how}: nothing good is left");
        assert_eq!(
            world.signed.load(Ordering::Relaxed),
            1,
            "{how}: the number is not known"
        );
    }
}

/// Removes the row of a revocation.
fn remove_row(world: &World, serial: u8) {
    let serial = SerialNumber::from_bytes(&[serial]).unwrap();
    world.revoked.lock().unwrap().retain(|row| row.serial != serial);
}

#[test]
fn a_removed_row_takes_nothing_off_the_list() {
    for restarted in [false, true] {
        let world = Arc::new(World::default());
        let mut node = Node::new(&world, 1);
        revoke(&world, 0x0a, 600);
        revoke(&world, 0x0b, 9_000);
        assert_eq!(node.look().as_deref(), Some("1 @0: 0a 0b"));
        remove_row(&world, 0x0a);
        if restarted {
            node = Node::new(&world, 1);
        }
        for _ in 0..2 {
            assert_eq!(node.look().as_deref(), Some("1 @0: 0a 0b"));
        }
        assert_eq!(world.signed.load(Ordering::Relaxed), 1, "nothing is new");
        revoke(&world, 0x0c, 9_000);
        assert_eq!(node.look().as_deref(), Some("2 @0: 0a 0b 0c"));
        at(&world, 500);
        assert_eq!(node.look().as_deref(), Some("3 @500: 0a 0b 0c"));
        let detail = "the revocation of 0a by issuing was removed; it stays on the CRL";
        assert_eq!(incidents(&world), [detail], "once");
        let kinds: Vec<IncidentKind> = world
            .incidents
            .lock()
            .unwrap()
            .iter()
            .map(|one| one.what)
            .collect();
        assert_eq!(kinds, [IncidentKind::RevocationVanished]);
        at(&world, 1_000);
        assert_eq!(
            node.look().as_deref(),
            Some("4 @1000: 0a 0b 0c"),
            "once after its end"
        );
        at(&world, 1_500);
        assert_eq!(
            node.look().as_deref(),
            Some("5 @1500: 0b 0c"),
            "its certificate has ended"
        );
    }
}

#[test]
fn a_list_whose_entries_are_not_known_is_not_replaced() {
    type Damage = fn(&World);
    let rows: [(&str, Damage); 2] = [
        ("do not open", |world| {
            world.damaged.lock().unwrap().push("status.crl.entries");
        }),
        ("gone", |world| {
            let mut documents = world.documents.lock().unwrap();
            documents.retain(|id, _| id.kind != "status.crl.entries");
        }),
    ];
    for (how, damage) in rows {
        let world = Arc::new(World::default());
        let node = Node::new(&world, 1);
        revoke(&world, 0x0a, 9_000);
        assert_eq!(node.look().as_deref(), Some("1 @0: 0a"));
        damage(&world);
        remove_row(&world, 0x0a);
        for _ in 0..2 {
            assert_eq!(node.look().as_deref(), Some("1 @0: 0a"), "{how}");
        }
        let detail = "status.crl document leads to entries that are gone or damaged";
        assert_eq!(incidents(&world), [detail], "{how}");
    }
}

#[test]
fn a_list_that_was_brought_back_is_noticed_by_who_has_seen_the_newer() {
    let world = Arc::new(World::default());
    let node = Node::new(&world, 1);
    node.look();
    let earlier = world.documents.lock().unwrap().clone();
    revoke(&world, 0x0a, 9_000);
    assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    *world.documents.lock().unwrap() = earlier;
    remove_row(&world, 0x0a);
    for _ in 0..2 {
        assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    }
    let detail = "status.crl document was brought back to an earlier version";
    assert_eq!(incidents(&world), [detail]);
    world.documents.lock().unwrap().clear();
    assert_eq!(node.look().as_deref(), Some("2 @0: 0a"));
    assert_eq!(incidents(&world), [detail, "status.crl document is gone"]);
}
