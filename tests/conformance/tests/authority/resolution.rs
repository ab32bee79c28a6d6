//! What an operator may do with an enrollment for which the RA does nothing more by itself.

use portreeve_harness::authority::operator;
use portreeve_ra::{EnrollmentState, EventKind, Purpose, Resolution};

use super::*;

/// One request that is in doubt: its CA returned a handle that cannot be kept.
async fn in_doubt() -> (TestAuthority, Arc<ScriptedBackend>, TestAccount, EnrollmentId) {
    let (authority, backend) = Odd::new(vec![Answer::Checkpoint(vec![1; 64 * 1024 + 1])])
        .start("")
        .await;
    let account = authority.account(&["a.test"]).await;
    let id = pending(&authority, &account).await;
    reach(&authority, "in_doubt").await;
    (authority, backend, account, id)
}

async fn pending(authority: &TestAuthority, account: &TestAccount) -> EnrollmentId {
    let answer = enroll(authority, account, ("order", &csr("a.test"))).await;
    match answer {
        Ok(Disposition::Pending { enrollment, .. }) => enrollment,
        other => panic!("{other:?}"),
    }
}

fn says(authority: &TestAuthority, comment: &str) -> DecisionRequest {
    DecisionRequest {
        by: operator("alice"),
        digest: None,
        comment: comment.to_owned(),
        origin: Origin::node(authority.ra.node()),
    }
}

#[tokio::test]
async fn a_retry_asks_the_ca_what_it_knows_and_goes_on() {
    let (authority, backend, _, id) = in_doubt().await;
    let state = authority
        .ra
        .resolve(id, Resolution::Retry, says(&authority, "the CA works again"))
        .await
        .expect("resolved");
    assert_eq!(state, EnrollmentState::Issuing);
    reach(&authority, "issued").await;
    let asked = backend.asked();
    assert!(
        matches!(
            asked.as_slice(),
            [Asked::Issue(..), Asked::Reconcile, Asked::Issue(..)]
        ),
        "{asked:?}"
    );
    let records = authority
        .store
        .load(&[StreamId::enrollment(id)])
        .await
        .unwrap()
        .remove(0);
    let resolved = records.iter().map(Record::header);
    let resolved: Vec<_> = resolved
        .filter(|header| header.kinds == [EventKind::EnrollmentResolved])
        .collect();
    assert_eq!(resolved.len(), 1);
    assert_eq!(resolved[0].actor, Actor::Operator(operator("alice")));
    assert_eq!(
        (resolved[0].purpose, resolved[0].reason.as_str()),
        (Purpose::Console, "the CA works again")
    );
}

#[tokio::test]
async fn giving_up_ends_it_and_frees_the_handle() {
    let (authority, backend, account, id) = in_doubt().await;
    let gave_up = authority
        .ra
        .resolve(id, Resolution::GiveUp, says(&authority, "nothing was issued"));
    assert_eq!(gave_up.await.expect("resolved"), EnrollmentState::Failed);
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
        matches!(standing, Ok(Disposition::Refused(Refusal::NotIssued))),
        "{standing:?}"
    );
    let again = issued(&authority, &account, ("order", &csr("a.test"))).await;
    assert_ne!(again.enrollment, id, "a new request under the same handle");
    assert_eq!(issues(&backend), 2);
    for resolution in [Resolution::Retry, Resolution::GiveUp] {
        for (what, id) in [("ended", id), ("issued", again.enrollment)] {
            let late = authority
                .ra
                .resolve(id, resolution, says(&authority, "again"))
                .await;
            refused(what, late, &Refusal::AlreadyDecided);
        }
    }
    let unknown = EnrollmentId::from_bytes([7; 16]);
    let unknown = authority
        .ra
        .resolve(unknown, Resolution::Retry, says(&authority, "x"))
        .await;
    refused("unknown", unknown, &Refusal::UnknownRequest);
}

#[tokio::test]
async fn one_in_quarantine_is_closed_and_its_certificate_is_revoked_all_the_same() {
    let (authority, backend) = Odd::new(vec![Answer::Issued(Fault::TooLong)]).start("").await;
    let account = authority.account(&["a.test"]).await;
    let id = pending(&authority, &account).await;
    assert_eq!(state(&authority).await, "quarantined");
    let retry = authority
        .ra
        .resolve(id, Resolution::Retry, says(&authority, "again"))
        .await;
    refused("it is known to be wrong", retry, &Refusal::AlreadyDecided);
    let closed = authority
        .ra
        .resolve(id, Resolution::GiveUp, says(&authority, "told the CA"));
    assert_eq!(closed.await.expect("closed"), EnrollmentState::Failed);
    finish_work(&authority).await;
    assert_eq!(revoked_serials(&backend).len(), 1);
}

#[tokio::test]
async fn an_incident_is_closed_once_with_a_comment() {
    let (authority, ..) = in_doubt().await;
    let open = authority.ra.incidents(None, 10).await.unwrap().items.remove(0);
    assert_eq!(open.closed_at, None);
    let closed = authority
        .ra
        .close_incident(open.id, says(&authority, "looked into"))
        .await;
    assert!(closed.expect("closed").closed_at.is_some());
    let shown = authority.ra.incidents(None, 10).await.unwrap().items.remove(0);
    assert!(shown.closed_at.is_some());
    let twice = authority
        .ra
        .close_incident(open.id, says(&authority, "again"))
        .await;
    refused("twice", twice, &Refusal::AlreadyDecided);
    let unknown = authority.ra.close_incident([7; 16], says(&authority, "x")).await;
    refused("unknown", unknown, &Refusal::UnknownRequest);
}
