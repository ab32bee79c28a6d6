//! Roles are walls: an edge receives and cannot judge, a worker judges what edges hand over.

use std::sync::Arc;
use std::time::Duration;

use portreeve_harness::authority::{TestAccount, TestAuthority, csr, endpoint};
use portreeve_queue::LocalWakeups;
use portreeve_ra::authority::Vote;
use portreeve_ra::ports::{Batch, CaBackend, EventSigner, KeyError, Wakeups};
use portreeve_ra::{
    Actor, Alongside, Circumstances, ClaimHandle, Disposition, EnrollmentEvent, EnrollmentId,
    EnrollmentState, Error, Event, EventKind, IncidentKind, InternalError, Operation, Origin, Place,
    ProposalState, Purpose, Refusal, RegistrationAuthority, RevocationReason, RevocationRequest,
    RevocationTarget, Role, Roles, Standing, StreamId, Unsigned,
};

use crate::Odd;

/// The wait of a client for what does not come.
const BRIEF: &str = "inline_wait = \"500ms\"";

/// A store, an edge, a worker and a console, each with the keys of its role alone.
struct Installation {
    authority: TestAuthority,
    edge: Arc<RegistrationAuthority>,
    worker: Arc<RegistrationAuthority>,
    console: Arc<RegistrationAuthority>,
    account: TestAccount,
}

impl Installation {
    async fn start(endpoint_text: &str) -> Self {
        let (authority, backend) = Odd::new(Vec::new()).start(endpoint_text).await;
        let backend: Arc<dyn CaBackend> = backend;
        let wakeups = || Arc::new(LocalWakeups::among_nodes()) as Arc<dyn Wakeups>;
        let node =
            |role, backend, number| authority.node_with(Roles::NONE.with(role), backend, wakeups(), number);
        let edge = node(Role::Edge, None, 2);
        let worker = node(Role::Worker, Some(backend), 3);
        let console = node(Role::Console, None, 4);
        let account = authority.account(&["a.test"]).await;
        Self {
            authority,
            edge,
            worker,
            console,
            account,
        }
    }

    /// Lets the worker look for work until it is told to stop.
    fn working(&self) -> tokio::task::JoinHandle<()> {
        let worker = Arc::clone(&self.worker);
        tokio::spawn(async move {
            loop {
                worker.work().await.unwrap();
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        })
    }

    async fn enroll(&self, handle: &str, csr: Vec<u8>) -> Result<Disposition, Error> {
        self.edge
            .enroll(self.authority.request(&self.account, handle, csr))
            .await
    }

    async fn resume(&self, handle: &str) -> Disposition {
        let handle = ClaimHandle(handle.as_bytes().to_vec());
        let credential = self.account.credential();
        self.edge
            .resume(
                &endpoint(),
                Operation::Enroll,
                &handle,
                (&credential, &Origin::node(self.edge.node())),
            )
            .await
            .unwrap()
    }

    /// What stands in a stream: under which purpose, which events.
    async fn told(&self, id: EnrollmentId) -> Vec<(Purpose, Vec<EventKind>)> {
        use portreeve_ra::ports::Store;
        let records = self
            .authority
            .store
            .load(&[StreamId::enrollment(id)])
            .await
            .unwrap();
        let told = records[0].iter().map(|record| {
            let events = record.events().unwrap();
            (record.header().purpose, events.iter().map(Event::kind).collect())
        });
        told.collect()
    }
}

fn issued(disposition: Disposition) -> portreeve_ra::Issuance {
    match disposition {
        Disposition::Issued(issuance) => *issuance,
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_hands_over_and_a_worker_issues_in_three_records() {
    let these = Installation::start("").await;
    let working = these.working();
    let request = csr("a.test");
    let issuance = issued(these.enroll("order", request.clone()).await.unwrap());
    use EventKind as K;
    let expected = [
        (Purpose::Edge, vec![K::EnrollmentSubmitted]),
        (
            Purpose::Worker,
            vec![K::EnrollmentReceived, K::EnrollmentApproved, K::EnrollmentIssuing],
        ),
        (Purpose::Worker, vec![K::EnrollmentIssued]),
    ];
    assert_eq!(these.told(issuance.enrollment).await, expected);
    let again = issued(these.enroll("order", request).await.unwrap());
    assert_eq!(again.certificate.der(), issuance.certificate.der(), "a retry");
    working.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_a_worker_it_waits_and_nothing_is_lost() {
    let these = Installation::start(BRIEF).await;
    let pending = these.enroll("order", csr("a.test")).await.unwrap();
    assert!(matches!(pending, Disposition::Pending { .. }), "{pending:?}");
    let working = these.working();
    these
        .authority
        .work_until("issued", || async {
            matches!(these.resume("order").await, Disposition::Issued(_))
        })
        .await;
    working.abort();
}

#[tokio::test]
async fn what_the_edge_can_see_to_be_wrong_is_not_handed_over() {
    let these = Installation::start("").await;
    let refused = these.enroll("order", csr("unproven.test")).await;
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::NamesUnproven(_)))),
        "{refused:?}"
    );
    assert_eq!(these.worker.work().await.unwrap(), None, "no work for anybody");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_judges_anew_what_was_handed_over() {
    let these = Installation::start(BRIEF).await;
    these.enroll("order", csr("a.test")).await.unwrap();
    let change = portreeve_ra::accounts::Change {
        origin: Origin::node(these.edge.node()),
        alongside: Alongside::default(),
    };
    let requester = portreeve_ra::Requester::Account(these.account.id);
    let name = portreeve_pkix::DnsName::parse("a.test").unwrap();
    let identifier = portreeve_pkix::Identifier::Dns(name);
    these
        .edge
        .proofs()
        .withdraw(&requester, &identifier, change)
        .await
        .unwrap();
    let working = these.working();
    let mut end = None;
    these
        .authority
        .work_until("refused", || async {
            matches!(these.resume("order").await, Disposition::Refused(_))
        })
        .await;
    if let Disposition::Refused(refusal) = these.resume("order").await {
        end = Some(refusal);
    }
    assert!(matches!(end, Some(Refusal::NamesUnproven(_))), "{end:?}");
    working.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_decide_at_a_console_on_what_a_worker_referred() {
    let these = Installation::start("approval = \"one\"").await;
    let working = these.working();
    let Disposition::Pending { enrollment, .. } = these.enroll("order", csr("a.test")).await.unwrap() else {
        panic!("not referred");
    };
    let proposal = these
        .console
        .enrollment(enrollment)
        .await
        .unwrap()
        .unwrap()
        .proposal()
        .unwrap();
    let decision = || Vote {
        standing: Standing::superadmin(portreeve_ra::Principal::Host),
        digest: None,
        comment: String::new(),
        evidence: None,
        grant: None,
        origin: Origin::node(these.console.node()),
    };
    let by_edge = these.edge.approve(proposal, decision()).await;
    assert!(
        matches!(by_edge, Err(Error::Internal(_))),
        "an edge has no key to approve with"
    );
    let by_worker = these.worker.approve(proposal, decision()).await;
    assert!(matches!(by_worker, Err(Error::Internal(_))), "nor has a worker");
    let state = these.console.approve(proposal, decision()).await.unwrap();
    assert_eq!(state, ProposalState::Approved);
    these
        .authority
        .work_until("issued", || async {
            matches!(these.resume("order").await, Disposition::Issued(_))
        })
        .await;
    working.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_revocation_is_handed_over_and_said_only_when_it_is_done() {
    let these = Installation::start("").await;
    let working = these.working();
    let issuance = issued(these.enroll("order", csr("a.test")).await.unwrap());
    let revocation = || RevocationRequest {
        endpoint: endpoint(),
        credential: these.account.credential(),
        target: RevocationTarget::Certificate(issuance.certificate.der().to_vec()),
        reason: RevocationReason::Superseded,
        alongside: Alongside::default(),
        origin: Origin::node(these.edge.node()),
    };
    these.edge.revoke(revocation()).await.unwrap();
    let enrollment = these.edge.enrollment(issuance.enrollment).await.unwrap().unwrap();
    assert_eq!(
        enrollment.revoked().map(|(reason, _)| reason),
        Some(RevocationReason::Superseded)
    );
    let again = these.edge.revoke(revocation()).await;
    assert!(
        matches!(again, Err(Error::Refused(Refusal::AlreadyRevoked))),
        "{again:?}"
    );
    use EventKind as K;
    let told = these.told(issuance.enrollment).await;
    let last: Vec<_> = told.iter().skip(3).cloned().collect();
    assert_eq!(
        last,
        [
            (Purpose::Edge, vec![K::EnrollmentRevocationRequested]),
            (Purpose::Worker, vec![K::EnrollmentRevoked]),
        ]
    );
    working.abort();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_revocations_that_are_handed_over_at_once_one_is_carried_out() {
    let these = Installation::start("").await;
    let working = these.working();
    let issuance = issued(these.enroll("order", csr("a.test")).await.unwrap());
    working.abort();
    let reasons = [
        RevocationReason::Superseded,
        RevocationReason::CessationOfOperation,
    ];
    let asking = reasons.map(|reason| {
        let edge = Arc::clone(&these.edge);
        let revocation = RevocationRequest {
            endpoint: endpoint(),
            credential: these.account.credential(),
            target: RevocationTarget::Certificate(issuance.certificate.der().to_vec()),
            reason,
            alongside: Alongside::default(),
            origin: Origin::node(these.edge.node()),
        };
        tokio::spawn(async move { edge.revoke(revocation).await })
    });
    let both = |told: &[(Purpose, Vec<EventKind>)]| {
        let asked = vec![EventKind::EnrollmentRevocationRequested];
        told.iter().filter(|(_, kinds)| *kinds == asked).count() == reasons.len()
    };
    while !both(&these.told(issuance.enrollment).await) {
        tokio::task::yield_now().await;
    }
    let working = these.working();
    let mut answers = Vec::new();
    for asked in asking {
        answers.push(asked.await.unwrap());
    }
    working.abort();
    let done = answers.iter().filter(|answer| answer.is_ok()).count();
    let late = answers
        .iter()
        .filter(|answer| matches!(answer, Err(Error::Refused(Refusal::AlreadyRevoked))))
        .count();
    assert_eq!((done, late), (1, 1), "{answers:?}");
}

/// An edge whose process was taken over has the key of purpose `edge` and nothing else.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_says_approved_is_not_believed() {
    let these = Installation::start(&format!("{BRIEF}\napproval = \"one\"")).await;
    let Disposition::Pending { enrollment, .. } = these.enroll("order", csr("a.test")).await.unwrap() else {
        panic!("not handed over");
    };
    let keys = portreeve_harness::authority::keyset_of(these.authority.directory.path(), &[Purpose::Edge]);
    assert_eq!(
        keys.sign(Purpose::Worker, b"anything").err(),
        Some(KeyError::Absent(Purpose::Worker))
    );

    use portreeve_ra::ports::Store;
    let store = &these.authority.store;
    let stream = StreamId::enrollment(enrollment);
    let first = store.load(&[stream]).await.unwrap()[0][0].clone();
    let place = Place {
        stream,
        position: 2,
        previous: first.hash(),
    };
    let circumstances = Circumstances {
        purpose: Purpose::Edge,
        at: these.edge.now(),
        actor: Actor::Node,
        origin: Origin::node(these.edge.node()),
        reason: String::new(),
    };
    let events = [Event::Enrollment(EnrollmentEvent::Approved { proposal: None })];
    let unsigned = Unsigned::new(place, circumstances, &events, [7; 16]).unwrap();
    let (key, signature) = keys.sign(Purpose::Edge, &unsigned.signed_bytes()).unwrap();
    let batch = Batch {
        records: vec![unsigned.sign_with(key, signature)],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();

    let seen = these.worker.enrollment(enrollment).await;
    assert!(
        matches!(seen, Err(Error::Internal(InternalError::Tampered { .. }))),
        "{seen:?}"
    );
    these.worker.work().await.unwrap();
    these
        .authority
        .work_until("an incident", || async {
            let found = these.console.incidents(None, 10).await.unwrap();
            found
                .items
                .iter()
                .any(|one| one.incident.what == IncidentKind::Tampered)
        })
        .await;
}

/// What an edge may say never leads past a worker's judgement, wherever it stands in a stream.
#[test]
fn what_an_edge_may_say_counts_only_where_an_edge_has_a_say() {
    use portreeve_pkix::Timestamp;
    let mut enrollment = portreeve_ra::Enrollment::new(EnrollmentId::from_bytes([1; 16]));
    enrollment.apply(&EnrollmentEvent::Confirmed, Timestamp::default());
    assert_eq!(enrollment.state(), None);
    enrollment.apply(
        &EnrollmentEvent::Referred {
            proposal: portreeve_ra::ProposalId::from_bytes([2; 16]),
        },
        Timestamp::default(),
    );
    enrollment.apply(&EnrollmentEvent::Confirmed, Timestamp::default());
    assert_eq!(enrollment.state(), Some(EnrollmentState::AwaitingApproval));
}
