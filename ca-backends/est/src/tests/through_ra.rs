//! The backend under a real Registration Authority: what clients and operators see.

use std::sync::{Arc, Mutex};

use super::peer::{Peer, Step, answer, certificates};
use super::*;
use portreeve_harness::authority::{TestAccount, TestAuthority, backend_name, csr};
use portreeve_pkix::IssuerChain;
use portreeve_ra::ports::{
    CaHealth, Capabilities, ReconcileOutcome, RequestFilter, RevokeOrder, RevokeOutcome, Store,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{Disposition, Error};

/// The backend, and what it was last ordered, which the server behind it certifies.
struct Ordered {
    inner: EstCa,
    contents: Arc<Mutex<Option<CertificateContents>>>,
}

#[async_trait]
impl CaBackend for Ordered {
    fn name(&self) -> &BackendName {
        self.inner.name()
    }

    fn prepare(
        &self,
        contents: &CertificateContents,
        enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError> {
        self.inner.prepare(contents, enrollment, now)
    }

    async fn issue(&self, order: &IssuanceOrder, handle: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        *self.contents.lock().expect("contents") = Some(order.contents().clone());
        self.inner.issue(order, handle).await
    }

    async fn reconcile(&self, intent: &Intent, handle: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        self.inner.reconcile(intent, handle).await
    }

    async fn revoke(&self, order: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        self.inner.revoke(order).await
    }

    fn chain(&self) -> Arc<IssuerChain> {
        self.inner.chain()
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    async fn health(&self) -> CaHealth {
        self.inner.health().await
    }
}

struct World {
    authority: TestAuthority,
    account: TestAccount,
    peer: Peer,
    ca: Arc<TestCa>,
    contents: Arc<Mutex<Option<CertificateContents>>>,
}

impl World {
    async fn start(repeats: Repeats) -> Self {
        let ca = Arc::new(ca());
        let peer = Peer::start(Vec::new()).await;
        let mut settings = config(&peer, pinned(&ca));
        settings.name = backend_name();
        settings.repeats = repeats;
        let contents = Arc::default();
        let ordered = Ordered {
            inner: backend(settings),
            contents: Arc::clone(&contents),
        };
        let authority = TestAuthority::start(Arc::new(ordered), "").await;
        let account = authority.account(&["a.test"]).await;
        Self {
            authority,
            account,
            peer,
            ca,
            contents,
        }
    }

    /// The server will certify what was ordered, with this fault.
    fn will_issue(&self, fault: Fault) {
        let (ca, contents) = (Arc::clone(&self.ca), Arc::clone(&self.contents));
        self.peer.then(Step::Made(Box::new(move || {
            let contents = contents.lock().expect("contents").clone().expect("ordered");
            match certificates(&[&ca.issue(&contents, now(), &fault)]) {
                Step::Answer(bytes) => bytes,
                _ => unreachable!("an answer"),
            }
        })));
    }

    /// The server has issued once, and answers each of so many requests with that certificate; the first answers are lost on
    /// their way.
    fn has_issued(&self, lost: usize, times: usize) {
        let issued = Arc::<Mutex<Option<Vec<u8>>>>::default();
        for number in 0..times {
            let (ca, contents, issued) = (
                Arc::clone(&self.ca),
                Arc::clone(&self.contents),
                Arc::clone(&issued),
            );
            self.peer.then(Step::Made(Box::new(move || {
                let contents = contents.lock().expect("contents").clone().expect("ordered");
                let mut issued = issued.lock().expect("issued");
                let certificate = issued.get_or_insert_with(|| ca.issue(&contents, now(), &Fault::None));
                let Step::Answer(mut bytes) = certificates(&[certificate]) else {
                    unreachable!("an answer")
                };
                if number < lost {
                    bytes.truncate(bytes.len() / 2);
                }
                bytes
            })));
        }
    }

    async fn ask(&self) -> Result<Disposition, Error> {
        let request = self.authority.request(&self.account, "order", csr("a.test"));
        self.authority.ra.enroll(request).await
    }

    async fn state(&self) -> String {
        let page = self
            .authority
            .store
            .requests(&RequestFilter::default(), None, 10)
            .await;
        let rows = page.expect("requests").items;
        rows.first().map(|row| row.state.clone()).unwrap_or_default()
    }

    async fn reach(&self, wanted: &str) {
        self.authority
            .work_until(wanted, || async { self.state().await == wanted })
            .await;
    }
}

#[tokio::test]
async fn a_certificate_comes_back_and_is_accepted() {
    for repeats in [Repeats::AreRecognised, Repeats::MayIssueAgain] {
        let world = World::start(repeats).await;
        world.will_issue(Fault::None);
        let answer = world.ask().await;
        assert!(
            matches!(answer, Ok(Disposition::Issued(_))),
            "{repeats:?}: {answer:?}"
        );
        assert_eq!(world.peer.seen().len(), 1, "{repeats:?}");
    }
}

#[tokio::test]
async fn a_pending_answer_is_pending_here() {
    for repeats in [Repeats::AreRecognised, Repeats::MayIssueAgain] {
        let world = World::start(repeats).await;
        world.peer.then(answer("202 Accepted", &["Retry-After: 1"], ""));
        world.peer.then(answer("202 Accepted", &["Retry-After: 1"], ""));
        world.will_issue(Fault::None);
        let answer = world.ask().await;
        assert!(
            matches!(answer, Ok(Disposition::Pending { .. })),
            "{repeats:?}: {answer:?}"
        );
        world.reach("issued").await;
        assert_eq!(world.peer.seen().len(), 3, "{repeats:?}");
    }
}

#[tokio::test]
async fn who_asked_is_not_refused_since_this_node_has_no_right() {
    let world = World::start(Repeats::AreRecognised).await;
    world.peer.then(answer("403 Forbidden", &[], ""));
    world.will_issue(Fault::None);
    let answer = world.ask().await;
    assert!(matches!(answer, Ok(Disposition::Pending { .. })), "{answer:?}");
    world.reach("issued").await;
    assert_eq!(world.peer.seen().len(), 2);
}

#[tokio::test]
async fn a_denial_of_what_was_admitted_is_final() {
    let world = World::start(Repeats::AreRecognised).await;
    world.peer.then(answer("202 Accepted", &["Retry-After: 1"], ""));
    world
        .peer
        .then(answer("403 Forbidden", &["Content-Type: text/plain"], "denied"));
    let _ = world.ask().await;
    world.reach("refused").await;
}

#[tokio::test]
async fn a_lost_answer_is_asked_for_again_or_left_to_an_operator() {
    let world = World::start(Repeats::AreRecognised).await;
    world.peer.then(Step::CloseAfterRequest);
    world.will_issue(Fault::None);
    let _ = world.ask().await;
    world.reach("issued").await;
    let world = World::start(Repeats::MayIssueAgain).await;
    world.peer.then(Step::CloseAfterRequest);
    world.will_issue(Fault::None);
    let _ = world.ask().await;
    world.reach("in_doubt").await;
    assert_eq!(world.peer.seen().len(), 1, "never sent twice");
}

#[tokio::test]
async fn a_lost_certificate_that_was_polled_for_is_polled_for_again_or_left_to_an_operator() {
    let waits = || answer("202 Accepted", &["Retry-After: 1"], "");
    let world = World::start(Repeats::AreRecognised).await;
    world.peer.then(waits());
    world.has_issued(2, 3);
    let _ = world.ask().await;
    world.reach("issued").await;
    let seen = world.peer.seen();
    assert_eq!(seen.len(), 4);
    let bodies: Vec<&str> = seen
        .iter()
        .filter_map(|one| one.split_once("\r\n\r\n"))
        .map(|one| one.1)
        .collect();
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "the same request"
    );

    let world = World::start(Repeats::MayIssueAgain).await;
    world.peer.then(waits());
    world.peer.then(waits());
    world.has_issued(1, 2);
    let _ = world.ask().await;
    world.reach("in_doubt").await;
    assert_eq!(
        world.peer.seen().len(),
        3,
        "not sent again to who may issue again"
    );
}

#[tokio::test]
async fn a_server_that_is_away_keeps_nobody_in_doubt() {
    let world = World::start(Repeats::MayIssueAgain).await;
    world.peer.then(Step::CloseAtOnce);
    world
        .peer
        .then(answer("503 Service Unavailable", &["Retry-After: 1"], ""));
    world.will_issue(Fault::None);
    let _ = world.ask().await;
    world.reach("issued").await;
    assert_eq!(
        world.peer.seen().len(),
        2,
        "the one it refused for now, and the one it answered"
    );
}

#[tokio::test]
async fn what_was_not_ordered_is_quarantined() {
    let other = wanted(&[]).contents.public_key;
    for fault in [
        Fault::OtherKey(Box::new(other)),
        Fault::BadSignature,
        Fault::CaCertificate,
    ] {
        let world = World::start(Repeats::AreRecognised).await;
        world.will_issue(fault.clone());
        let _ = world.ask().await;
        world.reach("quarantined").await;
    }
}
