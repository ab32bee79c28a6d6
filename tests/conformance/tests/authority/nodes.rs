//! Two nodes over one store: whoever waits on one for what the other does, and news of proposals.

use super::*;
use portreeve_harness::pace::{PATIENCE, within};
use portreeve_harness::redis::Redis;
use portreeve_queue::{LocalWakeups, NodeReport, RedisQueue, RedisServer, RedisTarget};
use portreeve_ra::ports::{ApprovalNews, Wakeups};
use portreeve_ra::{NodeId, RegistrationAuthority};
use std::time::Instant;
use tokio::sync::Semaphore;

/// A CA that takes as long as the test wants.
struct Gated {
    inner: Arc<ScriptedBackend>,
    gate: Semaphore,
}

#[async_trait]
impl CaBackend for Gated {
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
        self.gate.acquire().await.unwrap().forget();
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
        CaHealth::Ready
    }
}

struct TwoNodes {
    authority: TestAuthority,
    backend: Arc<Gated>,
    nodes: [Arc<RegistrationAuthority>; 2],
    account: TestAccount,
}

impl TwoNodes {
    async fn start(wakeups: [Arc<dyn Wakeups>; 2]) -> Self {
        let inner = Odd::new(Vec::new()).inner;
        let backend = Arc::new(Gated {
            inner,
            gate: Semaphore::new(0),
        });
        let (directory, text) = (tempfile::tempdir().unwrap(), "");
        let authority = TestAuthority::start_in(directory, Arc::clone(&backend) as _, text).await;
        let [one, two] = wakeups;
        let nodes = [(one, 2), (two, 3)]
            .map(|(wakeups, number)| authority.node(Arc::clone(&backend) as _, wakeups, number));
        let account = authority.account(&["a.test"]).await;
        Self {
            authority,
            backend,
            nodes,
            account,
        }
    }

    /// One node issues, and the client asks the other one again meanwhile: how much later it has the certificate.
    async fn later(&self, order: &str, waiting: impl Fn() -> usize) -> Duration {
        let request = csr("a.test");
        let enroll = |node: &Arc<RegistrationAuthority>| {
            let (node, request) = (
                Arc::clone(node),
                self.authority.request(&self.account, order, request.clone()),
            );
            tokio::spawn(async move {
                let disposition = node.enroll(request).await.unwrap();
                assert!(matches!(disposition, Disposition::Issued(_)), "{disposition:?}");
                Instant::now()
            })
        };
        let first = enroll(&self.nodes[0]);
        let known = || async {
            self.authority
                .store
                .claim(&claim_key(order))
                .await
                .unwrap()
                .is_some()
        };
        self.authority_has("an intent", known).await;
        let again = enroll(&self.nodes[1]);
        self.authority_has("a second client", || async { waiting() == 1 })
            .await;
        self.backend.gate.add_permits(1);
        let done = first.await.unwrap();
        again.await.unwrap().saturating_duration_since(done)
    }

    async fn authority_has<F: Future<Output = bool>>(&self, what: &str, mut holds: impl FnMut() -> F) {
        let begun = Instant::now();
        while !holds().await {
            assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

pub(super) fn by_redis(redis: &Redis, number: u8) -> RedisQueue {
    let server = RedisServer::new(RedisTarget::parse(&redis.url()).unwrap(), None).unwrap();
    let own = NodeReport {
        node: NodeId::from_bytes([number; 16]),
        version: String::new(),
        roles: Vec::new(),
        configuration: std::collections::BTreeMap::new(),
        keyset: String::new(),
        started_at: 0,
        at: 0,
    };
    RedisQueue::start(server, &[1; 16], own, clock())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_waits_on_another_node_is_woken_by_redis() {
    let redis = Redis::start().unwrap();
    let queues = [by_redis(&redis, 2), by_redis(&redis, 3)];
    let two =
        TwoNodes::start([0, 1].map(|place: usize| Arc::new(queues[place].wakeups()) as Arc<dyn Wakeups>))
            .await;
    two.authority_has("a connection", || async {
        queues.iter().all(RedisQueue::is_connected)
    })
    .await;
    let mut times = Vec::new();
    for number in 0..9 {
        let order = format!("order {number}");
        times.push(two.later(&order, || queues[1].wakeups().waiting()).await);
    }
    times.sort_unstable();
    // Who hears nothing looks by itself after half a second.
    let most = within(Duration::from_millis(20)).min(Duration::from_millis(300));
    assert!(times[4] < most, "{times:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_redis_it_looks_into_the_store_within_a_second() {
    let wakeups = [LocalWakeups::among_nodes(), LocalWakeups::among_nodes()];
    let two = TwoNodes::start(
        wakeups
            .clone()
            .map(|wakeups| Arc::new(wakeups) as Arc<dyn Wakeups>),
    )
    .await;
    for number in 0..5 {
        let order = format!("order {number}");
        let took = two.later(&order, || wakeups[1].waiting()).await;
        // Nothing else would end the wait before its 20 s.
        assert!(
            took < within(Duration::from_secs(1)).min(Duration::from_secs(10)),
            "{took:?}"
        );
    }
}

#[tokio::test]
async fn news_of_a_proposal_are_announced_with_ids_only() {
    let approval = "approval = \"two\"";
    let (authority, backend) = Odd::new(Vec::new()).start(approval).await;
    let wakeups = LocalWakeups::new();
    let mut news = wakeups.news();
    let node = authority.node(backend, Arc::new(wakeups), 2);
    let account = authority.account(&["a.test"]).await;
    let rows = [
        ("approved", true, ApprovalNews::Approved),
        ("rejected", false, ApprovalNews::Rejected),
    ];
    for (name, approves, end) in rows {
        let request = authority.request(&account, name, csr("a.test"));
        let Ok(Disposition::Pending { enrollment, .. }) = node.enroll(request).await else {
            panic!("{name}: not referred");
        };
        let opened = news.recv().await.unwrap();
        assert_eq!(
            (opened.enrollment, opened.news),
            (enrollment, ApprovalNews::Opened),
            "{name}"
        );
        for (by, approves, expected) in [("alice", true, ApprovalNews::Step), ("bob", approves, end)] {
            let decision = authority.vote(by).await;
            let decided = match approves {
                true => node.approve(opened.proposal, decision).await,
                false => node.reject(opened.proposal, decision).await,
            };
            decided.unwrap();
            let heard = news.recv().await.unwrap();
            assert_eq!(
                (heard.proposal, heard.enrollment),
                (opened.proposal, enrollment),
                "{name}"
            );
            assert_eq!(heard.news, expected, "{name}");
        }
    }
    assert!(news.try_recv().is_err());
}

#[tokio::test]
async fn a_proposal_that_expires_is_announced() {
    let approval = "approval = \"brief\"";
    let (authority, backend) = Odd::new(Vec::new()).start(approval).await;
    let wakeups = LocalWakeups::new();
    let mut news = wakeups.news();
    let node = authority.node(backend, Arc::new(wakeups), 2);
    let account = authority.account(&["a.test"]).await;
    let request = authority.request(&account, "order", csr("a.test"));
    node.enroll(request).await.unwrap();
    assert_eq!(news.recv().await.unwrap().news, ApprovalNews::Opened);
    let begun = Instant::now();
    let heard = loop {
        node.work().await.unwrap();
        if let Ok(heard) = news.try_recv() {
            break heard;
        }
        assert!(begun.elapsed() < PATIENCE, "it does not expire");
        tokio::time::sleep(Duration::from_millis(20)).await;
    };
    assert_eq!(heard.news, ApprovalNews::Expired);
}
