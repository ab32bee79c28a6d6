//! What the RA makes of every answer a CA can give. The CA is scripted; everything else is real.
#![cfg(test)]

use portreeve_harness::authority::{TestAccount, TestAuthority, backend_name, clock, csr, endpoint};
use portreeve_harness::scripted::{Answer, Asked, Memory, ScriptedBackend, stray_key};
use portreeve_harness::test_ca::{Fault, TestCa};
use portreeve_pkix::{DnsName, GeneralName, Timestamp};
use portreeve_ra::authority::Vote;
use portreeve_ra::ports::{RequestFilter, Store};
use portreeve_ra::{
    ClaimHandle, DecisionRejection, Disposition, EnrollmentState, Error, Operation, Refusal, StreamKind,
    Waiting,
};
use std::sync::Arc;
use std::time::Duration;

fn ca(days_from: i64, days_to: i64) -> TestCa {
    let day = |days: i64| Timestamp::from_unix_seconds(clock().now().unix_seconds() + days * 86_400);
    TestCa::new("Scripted CA", day(days_from), day(days_to))
}

fn backend_with(ca: TestCa, script: Vec<Answer>, memory: Memory) -> Arc<ScriptedBackend> {
    Arc::new(ScriptedBackend::new(
        backend_name(),
        ca,
        (script, memory),
        clock(),
    ))
}

fn backend(script: Vec<Answer>, memory: Memory) -> Arc<ScriptedBackend> {
    backend_with(ca(-1, 3_650), script, memory)
}

fn issues(backend: &ScriptedBackend) -> usize {
    backend
        .asked()
        .iter()
        .filter(|asked| matches!(asked, Asked::Issue(..)))
        .count()
}

async fn standing(authority: &TestAuthority, account: &TestAccount) -> Disposition {
    let handle = ClaimHandle(b"order".to_vec());
    let credential = account.credential();
    authority
        .ra
        .resume(
            &endpoint(),
            Operation::Enroll,
            &handle,
            (&credential, &authority.origin()),
        )
        .await
        .expect("resume")
}

async fn ask(authority: &TestAuthority, account: &TestAccount, name: &str) -> Result<Disposition, Error> {
    authority
        .ra
        .enroll(authority.request(account, "order", csr(name)))
        .await
}

async fn state(authority: &TestAuthority) -> String {
    let page = authority
        .store
        .requests(&RequestFilter::default(), None, 10)
        .await
        .expect("requests");
    page.items
        .first()
        .map(|row| row.state.clone())
        .unwrap_or_default()
}

async fn reach(authority: &TestAuthority, wanted: &str) {
    authority
        .work_until(wanted, || async { state(authority).await == wanted })
        .await;
}

async fn incidents(authority: &TestAuthority) -> usize {
    authority
        .store
        .streams(StreamKind::Incident, None, 100)
        .await
        .expect("streams")
        .items
        .len()
}

#[tokio::test]
async fn an_issued_certificate_is_delivered_and_a_retry_gets_the_same() {
    let backend = backend(Vec::new(), Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    let request = csr("a.test");
    let mut certificates = Vec::new();
    for _ in 0..3 {
        let enrollment = authority.request(&account, "order", request.clone());
        match authority.ra.enroll(enrollment).await.expect("enroll") {
            Disposition::Issued(issuance) => certificates.push(issuance.certificate.der().to_vec()),
            other => panic!("not issued: {other:?}"),
        }
    }
    certificates.dedup();
    assert_eq!(certificates.len(), 1, "one request, one certificate");
    assert_eq!(issues(&backend), 1);
}

#[tokio::test]
async fn another_request_under_a_live_handle_is_refused_and_a_stranger_learns_nothing() {
    let authority = TestAuthority::start(backend(Vec::new(), Memory::Searchable), "").await;
    let (owner, stranger) = (
        authority.account(&["a.test"]).await,
        authority.account(&["a.test"]).await,
    );
    ask(&authority, &owner, "a.test").await.expect("enroll");
    let other = ask(&authority, &owner, "a.test").await;
    assert!(
        matches!(other, Err(Error::Refused(Refusal::ClaimConflict))),
        "{other:?}"
    );
    let foreign = ask(&authority, &stranger, "a.test").await;
    assert!(
        matches!(foreign, Err(Error::Refused(Refusal::NotAuthorized))),
        "{foreign:?}"
    );
    for handle in ["order", "nothing"] {
        let handle = ClaimHandle(handle.as_bytes().to_vec());
        let credential = stranger.credential();
        let answer = authority
            .ra
            .resume(
                &endpoint(),
                Operation::Enroll,
                &handle,
                (&credential, &authority.origin()),
            )
            .await;
        assert!(
            matches!(answer, Err(Error::Refused(Refusal::UnknownRequest))),
            "{answer:?}"
        );
    }
}

#[tokio::test]
async fn fifty_requests_at_once_under_one_handle_get_one_certificate() {
    let backend = backend(Vec::new(), Memory::Searchable);
    let authority = Arc::new(TestAuthority::start(backend.clone(), "").await);
    let account = Arc::new(authority.account(&["a.test"]).await);
    let request = csr("a.test");
    let mut racing = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let (authority, account, request) = (authority.clone(), account.clone(), request.clone());
        racing.spawn(async move {
            authority
                .ra
                .enroll(authority.request(&account, "order", request))
                .await
                .expect("enroll");
        });
    }
    racing.join_all().await;
    reach(&authority, "issued").await;
    assert_eq!(issues(&backend), 1);
}

#[tokio::test]
async fn a_deferred_order_is_pending_and_finishes_by_its_handle() {
    let deferred = Answer::Deferred(b"ticket".to_vec(), Duration::from_millis(50));
    let backend = backend(vec![deferred.clone(), deferred], Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    let first = ask(&authority, &account, "a.test").await;
    assert!(
        matches!(
            first,
            Ok(Disposition::Pending {
                waiting: Waiting::Issuance,
                ..
            })
        ),
        "{first:?}"
    );
    reach(&authority, "issued").await;
    assert!(matches!(
        standing(&authority, &account).await,
        Disposition::Issued(_)
    ));
    let handles: Vec<_> = backend
        .asked()
        .into_iter()
        .filter_map(|asked| match asked {
            Asked::Issue(_, handle) => Some(handle),
            _ => None,
        })
        .collect();
    let ticket = Some(b"ticket".to_vec());
    assert_eq!(
        handles,
        [None, ticket.clone(), ticket],
        "the handle survives between attempts"
    );
}

#[tokio::test]
async fn a_checkpoint_is_committed_before_the_backend_goes_on() {
    let backend = backend(vec![Answer::Checkpoint(b"url".to_vec())], Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    let Ok(Disposition::Issued(issuance)) = answer else {
        panic!("not issued: {answer:?}")
    };
    let enrollment = authority
        .ra
        .enrollment(issuance.enrollment)
        .await
        .expect("load")
        .expect("known");
    assert_eq!(enrollment.handle(), Some(b"url".as_slice()));
    let last = backend.asked().pop();
    assert_eq!(
        last,
        Some(Asked::Issue(issuance.enrollment, Some(b"url".to_vec())))
    );
}

#[tokio::test]
async fn a_lost_answer_is_reconciled_and_never_ordered_twice() {
    let backend = backend(vec![Answer::LostAfterIssuing], Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    assert!(
        matches!(answer, Ok(Disposition::Pending { .. })),
        "unknown is not a failure: {answer:?}"
    );
    reach(&authority, "issued").await;
    assert!(matches!(
        standing(&authority, &account).await,
        Disposition::Issued(_)
    ));
    assert_eq!(issues(&backend), 1, "reconciled, not ordered again");
}

#[tokio::test]
async fn a_lost_order_is_given_again_only_after_the_ca_proved_that_it_has_nothing() {
    let backend = backend(vec![Answer::LostBefore], Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    ask(&authority, &account, "a.test").await.expect("enroll");
    reach(&authority, "issued").await;
    let asked: Vec<&str> = backend
        .asked()
        .iter()
        .map(|asked| match asked {
            Asked::Issue(..) => "issue",
            Asked::Reconcile => "reconcile",
            Asked::Revoke(_) => "revoke",
        })
        .collect();
    assert_eq!(asked, ["issue", "reconcile", "issue"]);
}

#[tokio::test]
async fn a_ca_that_cannot_tell_leaves_the_enrollment_in_doubt() {
    let backend = backend(vec![Answer::LostAfterIssuing], Memory::None);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    ask(&authority, &account, "a.test").await.expect("enroll");
    reach(&authority, "in_doubt").await;
    let standing = standing(&authority, &account).await;
    assert!(
        matches!(
            standing,
            Disposition::Pending {
                waiting: Waiting::Operator,
                ..
            }
        ),
        "{standing:?}"
    );
    assert_eq!((issues(&backend), incidents(&authority).await), (1, 1));
}

#[tokio::test]
async fn a_refusal_of_the_ca_is_final_and_says_no_more_than_that() {
    let authority = TestAuthority::start(backend(vec![Answer::Rejected], Memory::Searchable), "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    assert!(
        matches!(answer, Ok(Disposition::Refused(Refusal::CaRejected))),
        "{answer:?}"
    );
    assert_eq!(state(&authority).await, "refused");
}

#[tokio::test]
async fn an_unavailable_ca_is_tried_again_and_nothing_is_lost() {
    let script = vec![Answer::Unavailable, Answer::Unavailable];
    let authority = TestAuthority::start(backend(script, Memory::Searchable), "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    assert!(matches!(answer, Ok(Disposition::Pending { .. })), "{answer:?}");
    reach(&authority, "issued").await;
}

#[tokio::test]
async fn a_wrong_certificate_is_quarantined_revoked_and_raised() {
    let other_name = GeneralName::Dns(DnsName::parse("evil.test").expect("name"));
    let cases = [
        ("another key", Fault::OtherKey(Box::new(stray_key()))),
        ("other names", Fault::OtherNames(vec![other_name])),
        ("no names", Fault::OtherNames(Vec::new())),
        ("a CA certificate", Fault::CaCertificate),
        ("too long a life", Fault::TooLong),
        ("expired", Fault::Expired),
        ("a damaged signature", Fault::BadSignature),
    ];
    for (name, fault) in cases {
        let backend = backend(vec![Answer::Issued(fault)], Memory::Searchable);
        let authority = quarantined(name, backend.clone()).await;
        let revoked = || async {
            backend
                .asked()
                .iter()
                .any(|asked| matches!(asked, Asked::Revoke(_)))
        };
        authority.work_until(name, revoked).await;
        assert_eq!(issues(&backend), 1, "{name}: not ordered again");
    }
}

#[tokio::test]
async fn an_expired_chain_and_garbage_are_quarantined() {
    let expired = backend_with(
        ca(-20, -10),
        vec![Answer::Issued(Fault::None)],
        Memory::Searchable,
    );
    quarantined("expired chain", expired).await;
    quarantined("garbage", backend(vec![Answer::Garbage], Memory::Searchable)).await;
}

async fn quarantined(name: &str, backend: Arc<ScriptedBackend>) -> TestAuthority {
    let authority = TestAuthority::start(backend, "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    let waits = matches!(
        answer,
        Ok(Disposition::Pending {
            waiting: Waiting::Operator,
            ..
        })
    );
    assert!(waits, "{name}: {answer:?}");
    assert_eq!(
        state(&authority).await,
        EnrollmentState::Quarantined.as_str(),
        "{name}"
    );
    assert_eq!(incidents(&authority).await, 1, "{name}: one incident");
    authority
}

#[tokio::test]
async fn people_approve_and_only_then_is_it_issued() {
    let backend = backend(Vec::new(), Memory::Searchable);
    let approval = "approval = \"two\"";
    let authority = TestAuthority::start(backend.clone(), approval).await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "a.test").await;
    let Ok(Disposition::Pending {
        enrollment,
        waiting: Waiting::Approval,
        ..
    }) = answer
    else {
        panic!("not referred: {answer:?}")
    };
    let enrollment = authority
        .ra
        .enrollment(enrollment)
        .await
        .expect("load")
        .expect("known");
    let proposal = enrollment.proposal().expect("proposal");
    let wrong = Vote {
        digest: Some([0; 32]),
        ..authority.vote("alice").await
    };
    let refused = authority.ra.approve(proposal, wrong).await;
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::DigestMismatch))),
        "{refused:?}"
    );
    authority
        .ra
        .approve(proposal, authority.vote("alice").await)
        .await
        .expect("first");
    let again = authority
        .ra
        .approve(proposal, authority.vote("alice").await)
        .await;
    assert!(
        matches!(
            again,
            Err(Error::Refused(Refusal::Decision(DecisionRejection::Twice)))
        ),
        "{again:?}"
    );
    authority.ra.work().await.expect("work");
    assert_eq!(issues(&backend), 0, "one of two is not enough");
    authority
        .ra
        .approve(proposal, authority.vote("bob").await)
        .await
        .expect("second");
    reach(&authority, "issued").await;
    assert!(matches!(
        standing(&authority, &account).await,
        Disposition::Issued(_)
    ));
}

#[tokio::test]
async fn a_rejected_and_an_expired_proposal_end_without_a_certificate() {
    for (approval, reject, end, refusal) in [
        ("approval = \"one\"", true, "refused", Refusal::Denied),
        ("approval = \"brief\"", false, "expired", Refusal::Expired),
    ] {
        let backend = backend(Vec::new(), Memory::Searchable);
        let authority = TestAuthority::start(backend.clone(), approval).await;
        let account = authority.account(&["a.test"]).await;
        let answer = ask(&authority, &account, "a.test").await;
        let Ok(Disposition::Pending { enrollment, .. }) = answer else {
            panic!("{answer:?}")
        };
        if reject {
            let enrollment = authority
                .ra
                .enrollment(enrollment)
                .await
                .expect("load")
                .expect("known");
            let proposal = enrollment.proposal().expect("proposal");
            authority
                .ra
                .reject(proposal, authority.vote("alice").await)
                .await
                .expect("reject");
        }
        reach(&authority, end).await;
        let standing = standing(&authority, &account).await;
        assert!(
            matches!(&standing, Disposition::Refused(why) if *why == refusal),
            "{standing:?}"
        );
        assert_eq!(issues(&backend), 0);
    }
}

#[tokio::test]
async fn names_that_were_not_proven_are_refused_and_leave_no_enrollment() {
    let backend = backend(Vec::new(), Memory::Searchable);
    let authority = TestAuthority::start(backend.clone(), "").await;
    let account = authority.account(&["a.test"]).await;
    let answer = ask(&authority, &account, "b.test").await;
    assert!(
        matches!(answer, Err(Error::Refused(Refusal::NamesUnproven(_)))),
        "{answer:?}"
    );
    assert_eq!(state(&authority).await, "", "no aggregate");
    let refusals = authority
        .store
        .streams(StreamKind::Refusal, None, 10)
        .await
        .expect("streams");
    assert_eq!(
        (refusals.items.len(), issues(&backend)),
        (1, 0),
        "audited, not issued"
    );
}
