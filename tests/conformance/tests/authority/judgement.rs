//! Between the request and the signature: what is judged again, and by which version.

use portreeve_harness::authority::{keyset, operator};
use portreeve_ra::ports::EventSigner;
use portreeve_ra::{Circumstances, Event, KeyReportEvent, Place, Purpose, Unsigned, key_report_stream};

use super::*;

/// A request that waits for one approval.
async fn waiting() -> (TestAuthority, Arc<ScriptedBackend>, TestAccount, ProposalId) {
    let approval = "approval = \"one\"";
    let (authority, backend) = Odd::new(Vec::new()).start(approval).await;
    let account = authority.account(&["a.test"]).await;
    let answer = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    let Ok(Disposition::Pending { enrollment, .. }) = answer else {
        panic!("{answer:?}")
    };
    let enrollment = authority.ra.enrollment(enrollment).await.unwrap().expect("known");
    let proposal = enrollment.proposal().expect("proposal");
    (authority, backend, account, proposal)
}

async fn approve(authority: &TestAuthority, proposal: ProposalId) {
    let vote = authority.vote("alice").await;
    authority.ra.approve(proposal, vote).await.expect("approved");
}

pub(crate) fn publisher(authority: &TestAuthority) -> Publisher {
    Publisher {
        actor: Actor::Operator(operator("test")),
        origin: Origin::node(authority.ra.node()),
        reason: "test".to_owned(),
    }
}

#[tokio::test]
async fn who_lost_the_right_while_people_decided_gets_nothing() {
    for lost in ["proof", "account", "key"] {
        let (authority, backend, account, proposal) = waiting().await;
        let requester = Requester::Account(account.id);
        let ra = &authority.ra;
        match lost {
            "proof" => {
                let name = name("a.test");
                let withdrawn = ra.proofs().withdraw(&requester, &name, change(&authority));
                withdrawn.await.expect("withdrawn");
            }
            "account" => {
                ra.accounts()
                    .deactivate(&account.credential(), change(&authority))
                    .await
                    .expect("deactivated");
            }
            _ => block_the_key(&authority).await,
        }
        approve(&authority, proposal).await;
        reach(&authority, "refused").await;
        assert_eq!(issues(&backend), 0, "{lost}");
    }
}

/// Reports the key of the one request there is.
async fn block_the_key(authority: &TestAuthority) {
    let page = authority
        .store
        .requests(&RequestFilter::default(), None, 1)
        .await
        .unwrap();
    let id = page.items[0].enrollment;
    let enrollment = authority.ra.enrollment(id).await.unwrap().expect("known");
    let key = enrollment.public_key().expect("key").fingerprint();
    let event = KeyReportEvent::Compromised { key, enrollment: id };
    let record = report(authority, (Purpose::Worker, &key), event);
    put_record(authority, record).await;
}

/// A first record of the report on a key, said by this role.
fn report(authority: &TestAuthority, (purpose, key): (Purpose, &[u8; 32]), event: KeyReportEvent) -> Record {
    let place = Place {
        stream: key_report_stream(key),
        position: 1,
        previous: [0; 32],
    };
    let circumstances = Circumstances {
        purpose,
        at: authority.ra.now(),
        actor: Actor::Node,
        origin: Origin::node(authority.ra.node()),
        reason: String::new(),
    };
    let unsigned = Unsigned::new(place, circumstances, &[Event::KeyReport(event)], [0; 16]).unwrap();
    let (id, signature) = keyset(authority.directory.path())
        .sign(purpose, &unsigned.signed_bytes())
        .unwrap();
    unsigned.sign_with(id, signature)
}

async fn put_record(authority: &TestAuthority, record: Record) {
    let batch = Batch {
        records: vec![record],
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("record");
}

#[tokio::test]
async fn a_report_that_its_role_may_not_say_is_an_incident_and_issues_nothing() {
    let (authority, backend) = Odd::new(Vec::new()).start("").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    let parsed = portreeve_pkix::CertificationRequest::from_der(&request).unwrap();
    let key = parsed.public_key().fingerprint();
    let event = KeyReportEvent::Compromised {
        key,
        enrollment: EnrollmentId::from_bytes([1; 16]),
    };
    put_record(&authority, report(&authority, (Purpose::Edge, &key), event)).await;
    let answer = enroll(&authority, &account, ("order", &request)).await;
    assert!(matches!(answer, Err(Error::Internal(_))), "{answer:?}");
    assert_eq!(issues(&backend), 0);
    assert_eq!(incidents(&authority).await, ["tampered"]);
}

#[tokio::test]
async fn a_request_is_finished_by_the_versions_it_was_judged_by() {
    for (case, retire) in [("edited", false), ("removed", true)] {
        let (authority, backend, account, proposal) = waiting().await;
        let objects = authority.ra.objects();
        for (kind, object) in [
            (ObjectKind::Profile, "dev"),
            (ObjectKind::Endpoint, "acme/default"),
        ] {
            let done = if retire {
                objects.retire(kind, object, publisher(&authority)).await
            } else {
                let body = "no longer what it was".to_owned();
                objects
                    .publish(kind, object, body, publisher(&authority))
                    .await
                    .map(drop)
            };
            done.expect(case);
        }
        approve(&authority, proposal).await;
        reach(&authority, "issued").await;
        assert_eq!(issues(&backend), 1, "{case}");
        if retire {
            let standing = authority
                .ra
                .resume(
                    &endpoint(),
                    Operation::Enroll,
                    &handle("order"),
                    (&account.credential(), &authority.origin()),
                )
                .await;
            assert!(
                matches!(standing, Ok(Disposition::Issued(_))),
                "{case}: {standing:?}"
            );
        }
    }
}

/// Nodes that start at once on an empty store each make a CA: one of them is published, and no later one replaces it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_several_first_texts_of_an_object_one_is_published() {
    let (authority, ..) = waiting().await;
    let racing: Vec<_> = (0..8)
        .map(|number| {
            let (ra, by) = (Arc::clone(&authority.ra), publisher(&authority));
            tokio::spawn(async move {
                let body = format!("body {number}");
                let first = ra.objects().publish_first(ObjectKind::Ca, "first", body, by);
                first.await.unwrap()
            })
        })
        .collect();
    let mut published = Vec::new();
    for one in racing {
        published.extend(one.await.unwrap());
    }
    assert_eq!(published.len(), 1);
    let objects = authority.ra.objects();
    let current = objects.current(ObjectKind::Ca, "first").await.unwrap();
    assert_eq!(current.as_ref(), published.first());
    objects
        .retire(ObjectKind::Ca, "first", publisher(&authority))
        .await
        .unwrap();
    let late = objects
        .publish_first(ObjectKind::Ca, "first", "late".to_owned(), publisher(&authority))
        .await;
    assert_eq!(late.unwrap(), None, "it has had one");
}
