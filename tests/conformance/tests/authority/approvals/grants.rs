//! Grants: who passes again, how often, and when no more.

use super::*;
use portreeve_ra::EventKind;
use portreeve_ra::access::Acting;

/// Two approvals, each granting this.
async fn approve_granting(authority: &TestAuthority, id: ProposalId, grant: [Option<GrantTerms>; 2]) {
    for (name, grant) in ["alice", "bob"].into_iter().zip(grant) {
        let vote = Vote {
            grant,
            ..authority.vote(name).await
        };
        authority.ra.approve(id, vote).await.expect("approved");
    }
}

#[tokio::test]
async fn a_grant_lets_the_same_requester_pass_as_often_as_it_says() {
    let (authority, backend) = Odd::new(Vec::new()).start(TWO).await;
    let account = authority.account(&["a.test", "b.test"]).await;
    let stranger = authority.account(&["a.test"]).await;
    let (abandoned, id) = refer(&authority, &account, "abandoned").await;
    approve_granting(&authority, id, [GrantTerms::new(1, 7), GrantTerms::new(5, 7)]).await;

    // Another order, another key: at once, and before any worker has looked at the first.
    let passed = issued(&authority, &account, ("again", &csr("a.test"))).await;
    let known = authority.ra.enrollment(passed.enrollment).await.unwrap().unwrap();
    assert_eq!((known.proposal(), known.granted_by()), (None, Some(id)));
    let rows = [
        ("used up", &account, "a.test"),
        ("another name", &account, "b.test"),
        ("another account", &stranger, "a.test"),
    ];
    for (name, who, dns) in rows {
        refer_for(&authority, who, (name, dns)).await;
    }
    authority
        .work_until("the first order is issued too", || async {
            let first = authority.ra.enrollment(abandoned).await.unwrap().unwrap();
            first.certificate().is_some()
        })
        .await;
    assert_eq!(issues(&backend), 2);
}

#[tokio::test]
async fn a_grant_needs_everybody_and_ends_with_the_profile_and_with_its_givers() {
    let (authority, _) = Odd::new(Vec::new()).start(TWO).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "one of two grants").await;
    approve_granting(&authority, id, [GrantTerms::new(9, 7), None]).await;
    let (_, id) = refer(&authority, &account, "both grant").await;
    approve_granting(&authority, id, [GrantTerms::new(9, 7); 2]).await;
    issued(&authority, &account, ("passes", &csr("a.test"))).await;

    authority.put(ObjectKind::Operator, "bob", "roles = []").await;
    refer(&authority, &account, "who gave it may not any more").await;
    authority
        .put(ObjectKind::Operator, "bob", "roles = [\"approver\"]")
        .await;
    issued(&authority, &account, ("passes again", &csr("a.test"))).await;

    let profile = authority
        .ra
        .objects()
        .current(ObjectKind::Profile, "dev")
        .await
        .unwrap()
        .unwrap();
    authority
        .put(
            ObjectKind::Profile,
            "dev",
            &format!("{}\n# another version\n", profile.body),
        )
        .await;
    refer(&authority, &account, "another version of the profile").await;
}

#[tokio::test]
async fn a_grant_that_was_withdrawn_lets_nobody_pass() {
    let (authority, _) = Odd::new(Vec::new()).start(ONE).await;
    let ra = &authority.ra;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "first").await;
    let acting = |standing| Acting {
        standing,
        origin: authority.origin(),
        reason: "the host was lost".to_owned(),
    };
    let dave = acting(authority.vote("dave").await.standing);
    let nothing = rejection(ra.withdraw_grant(&dave, id).await);
    assert!(
        matches!(nothing, DecisionRejection::Grant(_)),
        "nothing was granted: {nothing:?}"
    );
    let vote = Vote {
        grant: GrantTerms::new(3, 1),
        ..authority.vote("alice").await
    };
    ra.approve(id, vote).await.unwrap();
    issued(&authority, &account, ("passes", &csr("a.test"))).await;
    authority.put(ObjectKind::Operator, "eve", "roles = []").await;
    let eve = acting(ra.standing(&operator("eve")).await.unwrap().unwrap());
    refused(
        "without the right",
        ra.withdraw_grant(&eve, id).await,
        &Refusal::NotAuthorized,
    );
    for _ in 0..2 {
        ra.withdraw_grant(&dave, id).await.expect("withdrawn");
    }
    let standing = ra
        .grant_standing(&proposal(&authority, id).await)
        .await
        .unwrap()
        .unwrap();
    assert_eq!((standing.used, standing.withdrawn), (1, true));
    let (_, again) = refer(&authority, &account, "no longer passes").await;
    assert_ne!(again, id);
    let stream = proposal(&authority, id).await.grantable.unwrap().stream();
    let records = authority.store.load(&[stream]).await.unwrap().remove(0);
    let kinds: Vec<_> = records
        .iter()
        .flat_map(|record| record.header().kinds.clone())
        .collect();
    assert_eq!(
        kinds,
        [
            EventKind::GrantGiven,
            EventKind::GrantSpent,
            EventKind::GrantWithdrawn
        ]
    );
    let last = records.last().unwrap().header();
    assert_eq!(
        (last.actor.principal(), last.reason.as_str()),
        (Some(&operator("dave")), "the host was lost")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_use_the_last_of_a_grant_at_once_one_passes() {
    let (authority, backend) = Odd::new(Vec::new()).start(ONE).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "first").await;
    let vote = Vote {
        grant: GrantTerms::new(1, 1),
        ..authority.vote("alice").await
    };
    authority.ra.approve(id, vote).await.unwrap();
    let asked = at_once((0..6).map(|number| {
        let request = authority.request(&account, &format!("order {number}"), csr("a.test"));
        let ra = Arc::clone(&authority.ra);
        async move { ra.enroll(request).await }
    }))
    .await;
    let passed = asked
        .iter()
        .filter(|one| matches!(one, Ok(Disposition::Issued(_))))
        .count();
    let waiting = asked
        .iter()
        .filter(|one| matches!(one, Ok(Disposition::Pending { .. })))
        .count();
    assert_eq!((passed, waiting), (1, 5), "{asked:?}");
    assert!(issues(&backend) <= 2);
}
