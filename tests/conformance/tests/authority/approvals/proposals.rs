//! What operators propose: versions of objects, and the status of certificates.

use portreeve_harness::authority::key_of;
use portreeve_ra::access::Acting;
use portreeve_ra::authority::StatusRequest;
use portreeve_ra::configuration::{ObjectChange, Outcome, Step};
use portreeve_ra::operators::Condition;
use portreeve_ra::{ObjectVersion, StatusChange};

use super::*;

fn acting(vote: Vote) -> Acting {
    Acting {
        standing: vote.standing,
        origin: vote.origin,
        reason: "needed".to_owned(),
    }
}

/// An installation whose configuration and revocations are guarded by one other person, and what alice does there.
async fn guarded(endpoint_text: &str) -> (TestAuthority, Arc<ScriptedBackend>, Acting) {
    let (authority, backend) = Odd::new(Vec::new()).start(endpoint_text).await;
    let one = "age_max = \"7d\"\n[[step]]\nanyone = true\n";
    for name in ["configuration", "revocation"] {
        authority.put(ObjectKind::ApprovalPolicy, name, one).await;
    }
    let rights = "rights = [\"configuration.write\", \"configuration.approve\", \"request.approve\", \"certificate.hold\", \"certificate.revoke\"]";
    let everywhere = "backends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"";
    authority
        .put(ObjectKind::Role, "keeper", &format!("{rights}\n{everywhere}"))
        .await;
    for name in ["alice", "bob", "carol"] {
        authority.put(ObjectKind::Operator, name, &keeper(name)).await;
    }
    let alice = acting(authority.vote("alice").await);
    (authority, backend, alice)
}

fn keeper(name: &str) -> String {
    format!("roles = [\"keeper\"]\n{}", key_of(name))
}

/// What alice publishes in place of the policy `one`, which is guarded.
async fn propose(authority: &TestAuthority, by: &Acting, text: String) -> (ObjectVersion, ProposalId) {
    let change = ObjectChange {
        kind: ObjectKind::ApprovalPolicy,
        name: "one".to_owned(),
        step: Step::Publish(text),
        condition: Condition::Any,
    };
    let changed = authority.ra.change_object(by, &change).await.expect("proposed");
    match changed.outcome {
        Outcome::Proposed(version, id) => (version, id),
        other => panic!("not guarded: {other:?}"),
    }
}

#[tokio::test]
async fn a_text_that_is_guarded_is_in_force_once_another_person_has_approved_it() {
    let (authority, _, alice) = guarded(ONE).await;
    let policy = ObjectKind::ApprovalPolicy;
    let text = "age_max = \"8d\"\n[[step]]\nanyone = true\n";
    let (version, id) = propose(&authority, &alice, text.to_owned()).await;
    let in_force = |name: &'static str| {
        let objects = authority.ra.objects();
        async move { objects.current(policy, name).await.unwrap().unwrap() }
    };
    assert_ne!(in_force("one").await.version, version.version, "a draft");

    let own = authority.ra.approve(id, authority.vote("alice").await).await;
    assert_eq!(
        rejection(own),
        DecisionRejection::Excluded(portreeve_ra::Exclusion::Asks)
    );
    let without = authority.ra.approve(id, authority.vote("dave").await).await;
    assert_eq!(rejection(without).code(), "right_missing");
    assert_eq!(
        authority
            .ra
            .approve(id, authority.vote("bob").await)
            .await
            .unwrap(),
        ProposalState::Approved
    );
    assert_eq!(in_force("one").await, version);
    let known = authority.ra.proposal(id).await.unwrap().unwrap();
    let excluded = authority.ra.constituency(&known).await.unwrap().excluded;
    let who: Vec<_> = excluded.into_iter().map(|(who, _)| who).collect();
    assert_eq!(
        who,
        [operator("alice")],
        "she wrote it and asks; bob does neither"
    );
}

#[tokio::test]
async fn a_version_that_was_overtaken_or_denied_never_comes_in_force() {
    let (authority, _, alice) = guarded(ONE).await;
    let policy = ObjectKind::ApprovalPolicy;
    let text = |days: u8| format!("age_max = \"{days}d\"\n[[step]]\nanyone = true\n");
    let (_, overtaken) = propose(&authority, &alice, text(8)).await;
    let (_, denied) = propose(&authority, &alice, text(9)).await;
    let (third, approved) = propose(&authority, &alice, text(10)).await;
    authority
        .ra
        .reject(denied, authority.vote("bob").await)
        .await
        .unwrap();
    authority
        .ra
        .approve(approved, authority.vote("bob").await)
        .await
        .unwrap();
    let late = authority.ra.approve(overtaken, authority.vote("bob").await).await;
    assert_eq!(rejection(late), DecisionRejection::Overtaken);
    let current = authority
        .ra
        .objects()
        .current(policy, "one")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(current, third);
    let mut after = Vec::new();
    for id in [overtaken, denied, approved] {
        after.push(proposal(&authority, id).await.state(authority.ra.now()));
    }
    assert_eq!(
        after,
        [
            ProposalState::Open,
            ProposalState::Rejected,
            ProposalState::Approved
        ]
    );
}

#[tokio::test]
async fn of_two_approvals_one_whose_giver_lost_the_right_is_replaced() {
    let (authority, _, alice) = guarded(ONE).await;
    let two = "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = 2\n";
    authority
        .put(ObjectKind::ApprovalPolicy, "configuration", two)
        .await;
    authority.put(ObjectKind::Operator, "dave", &keeper("dave")).await;
    let text = "age_max = \"8d\"\n[[step]]\nanyone = true\n".to_owned();
    let (version, id) = propose(&authority, &alice, text).await;
    authority
        .ra
        .approve(id, authority.vote("bob").await)
        .await
        .unwrap();
    authority.put(ObjectKind::Operator, "bob", "roles = []").await;
    let second = authority
        .ra
        .approve(id, authority.vote("carol").await)
        .await
        .unwrap();
    assert_eq!(second, ProposalState::Open, "bob's no longer counts");
    let third = authority
        .ra
        .approve(id, authority.vote("dave").await)
        .await
        .unwrap();
    assert_eq!(third, ProposalState::Approved);
    let current = authority
        .ra
        .objects()
        .current(ObjectKind::ApprovalPolicy, "one")
        .await
        .unwrap();
    assert_eq!(current, Some(version));
}

#[tokio::test]
async fn revocation_in_bulk_and_release_from_hold_wait_for_another_person() {
    let (authority, _, alice) = guarded("# asks nobody for approval").await;
    let account = authority.account(&["a.test", "b.test"]).await;
    let one = issued(&authority, &account, ("one", &csr("a.test"))).await;
    let other = issued(&authority, &account, ("other", &csr("b.test"))).await;
    let both = vec![one.enrollment, other.enrollment];
    let change = StatusChange::Revoke(RevocationReason::Superseded);
    let id = authority
        .ra
        .propose_status(change, both.clone(), &alice)
        .await
        .unwrap()
        .expect("guarded");
    finish_work(&authority).await;
    for enrollment in &both {
        let known = authority.ra.enrollment(*enrollment).await.unwrap().unwrap();
        assert_eq!(known.revoked(), None);
    }
    let own = authority.ra.approve(id, authority.vote("alice").await).await;
    assert_eq!(rejection(own).code(), "excluded");
    authority
        .ra
        .approve(id, authority.vote("bob").await)
        .await
        .unwrap();
    finish_work(&authority).await;
    for enrollment in both {
        let known = authority.ra.enrollment(enrollment).await.unwrap().unwrap();
        assert!(known.revoked().is_some());
    }
    let alone = StatusRequest {
        enrollment: one.enrollment,
        change: StatusChange::Release,
        comment: "found again".to_owned(),
        origin: alice.origin.clone(),
    };
    let refused = authority.ra.change_status(&alice.standing, alone).await;
    assert_eq!(
        rejection(refused),
        DecisionRejection::ApprovalNeeded("revocation".to_owned())
    );
}

/// What one call may not do, many calls for one certificate each do not do either.
#[tokio::test]
async fn nobody_revokes_many_one_by_one_where_that_is_guarded() {
    let (authority, _, alice) = guarded("# asks nobody for approval").await;
    let account = authority.account(&["a.test"]).await;
    let mut certificates = Vec::new();
    for number in 0..=20 {
        let handle = format!("number {number}");
        certificates.push(
            issued(&authority, &account, (&handle, &csr("a.test")))
                .await
                .enrollment,
        );
    }
    let revoke = async |by: &Acting, enrollment| {
        let request = StatusRequest {
            enrollment,
            change: StatusChange::Revoke(RevocationReason::Superseded),
            comment: String::new(),
            origin: by.origin.clone(),
        };
        authority.ra.change_status(&by.standing, request).await
    };
    let (last, first) = certificates.split_last().unwrap();
    authority.put(ObjectKind::Operator, "eve", "roles = []").await;
    let eve = acting(authority.vote("eve").await);
    refused(
        "without the right",
        revoke(&eve, *last).await,
        &Refusal::NotAuthorized,
    );
    for enrollment in first {
        revoke(&alice, *enrollment).await.expect("a few are hers alone");
    }
    let needed = DecisionRejection::ApprovalNeeded("revocation".to_owned());
    assert_eq!(rejection(revoke(&alice, *last).await), needed);
    let known = authority.ra.enrollment(*last).await.unwrap().unwrap();
    assert_eq!(known.revoked(), None);
    let told = refusals(&authority).await;
    let alices: Vec<_> = told
        .iter()
        .filter(|(who, ..)| who == &operator("alice"))
        .collect();
    assert!(
        matches!(alices[..], [(_, right, _)] if right == "certificate.revoke"),
        "{alices:?}"
    );
    let asked = StatusChange::Revoke(RevocationReason::Superseded);
    let asked = authority.ra.propose_status(asked, vec![*last], &alice).await;
    assert!(matches!(asked, Ok(Some(_))), "she can ask others: {asked:?}");
    let bob = acting(authority.vote("bob").await);
    revoke(&bob, *last).await.expect("he has revoked none yet");
}
