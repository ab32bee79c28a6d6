//! Between the request and the signature: what is judged again, and by which version.

use super::*;

/// A request that waits for one approval.
async fn waiting() -> (TestAuthority, Arc<ScriptedBackend>, TestAccount, ProposalId) {
    let approval = "approval = { approvals = 1, age_max = \"7d\" }";
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
    let decision = DecisionRequest {
        by: "alice".to_owned(),
        digest: None,
        comment: "looked at".to_owned(),
        origin: Origin::node(authority.ra.node()),
    };
    authority.ra.approve(proposal, decision).await.expect("approved");
}

fn publisher(authority: &TestAuthority) -> Publisher {
    Publisher {
        actor: Actor::Operator("test".to_owned()),
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

/// Blocks the key of the one request there is.
async fn block_the_key(authority: &TestAuthority) {
    let page = authority
        .store
        .requests(&RequestFilter::default(), None, 1)
        .await
        .unwrap();
    let id = page.items[0].enrollment;
    let enrollment = authority.ra.enrollment(id).await.unwrap().expect("known");
    let take = portreeve_ra::ports::Reservation::Take {
        space: portreeve_ra::ports::Space::BlockedKey,
        key: enrollment.public_key().expect("key").fingerprint(),
        stream: StreamId::enrollment(id),
    };
    let batch = Batch {
        reservations: vec![take],
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("blocked");
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
                    &account.credential(),
                )
                .await;
            assert!(
                matches!(standing, Ok(Disposition::Issued(_))),
                "{case}: {standing:?}"
            );
        }
    }
}
