//! Who must agree: rights, steps, exclusion, evidence, the second count, grants, races.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_harness::authority::operator;
use portreeve_pkix::KeyAlgorithm;
use portreeve_ra::access::Acting;
use portreeve_ra::authority::{StatusRequest, Vote};
use portreeve_ra::configuration::{ObjectChange, Outcome, Step};
use portreeve_ra::operators::Condition;
use portreeve_ra::{
    AccessEvent, Decision, DecisionRejection, Event, Evidence, EvidenceAlgorithm, GrantTerms, ObjectVersion,
    Principal, Proposal, ProposalState, Standing, Statement, StatusChange,
};

use super::*;

const ONE: &str = "approval = \"one\"";
const TWO: &str = "approval = \"two\"";

/// Asks for a certificate at an endpoint that asks people.
async fn refer(authority: &TestAuthority, account: &TestAccount, order: &str) -> (EnrollmentId, ProposalId) {
    refer_for(authority, account, (order, "a.test")).await
}

async fn refer_for(
    authority: &TestAuthority,
    account: &TestAccount,
    (order, name): (&str, &str),
) -> (EnrollmentId, ProposalId) {
    let answer = enroll(authority, account, (order, &csr(name))).await;
    let Ok(Disposition::Pending { enrollment, .. }) = answer else {
        panic!("{order}: not referred: {answer:?}")
    };
    let known = authority.ra.enrollment(enrollment).await.unwrap().expect("known");
    (enrollment, known.proposal().expect("proposal"))
}

async fn proposal(authority: &TestAuthority, id: ProposalId) -> Proposal {
    authority.ra.proposal(id).await.unwrap().expect("proposal")
}

#[track_caller]
fn rejection<T: std::fmt::Debug>(result: Result<T, Error>) -> DecisionRejection {
    match result {
        Err(Error::Refused(Refusal::Decision(rejection))) => rejection,
        other => panic!("{other:?}"),
    }
}

/// Runs all of these at once.
async fn at_once<T, F>(futures: impl IntoIterator<Item = F>) -> Vec<T>
where
    T: Send + 'static,
    F: Future<Output = T> + Send + 'static,
{
    let running: Vec<_> = futures.into_iter().map(tokio::spawn).collect();
    let mut done = Vec::new();
    for one in running {
        done.push(one.await.unwrap());
    }
    done
}

/// What was refused to operators, as codes.
async fn turned_away(authority: &TestAuthority) -> Vec<(Principal, &'static str)> {
    let page = authority
        .store
        .streams(StreamKind::Access, None, 100)
        .await
        .unwrap();
    let streams = authority.store.load(&page.items).await.unwrap();
    let records = streams.iter().flatten();
    let mut found: Vec<_> = records
        .filter_map(|record| match record.events().unwrap().remove(0) {
            Event::Access(AccessEvent::TurnedAway { refusal, .. }) => {
                Some((record.header().actor.principal().cloned()?, refusal.code()))
            }
            _ => None,
        })
        .collect();
    found.sort();
    found
}

#[tokio::test]
async fn refused_decisions_change_nothing_and_are_recorded() {
    let (authority, _) = Odd::new(Vec::new()).start(ONE).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    authority.put(ObjectKind::Operator, "erin", "roles = []").await;
    // Who wrote the endpoint, unconfirmed, counts as one of those who ask.
    authority
        .put(ObjectKind::Operator, "test", "roles = [\"approver\"]")
        .await;
    let silent = Vote {
        comment: String::new(),
        ..authority.vote("alice").await
    };
    let elsewhere = Vote {
        digest: Some([0; 32]),
        ..authority.vote("alice").await
    };
    let rows = [
        (
            "without a right",
            Decision::Approve,
            authority.vote("erin").await,
            "right_missing",
        ),
        (
            "the author of the endpoint",
            Decision::Approve,
            authority.vote("test").await,
            "excluded",
        ),
        (
            "the author of the endpoint",
            Decision::Reject,
            authority.vote("test").await,
            "excluded",
        ),
        (
            "a denial without a word",
            Decision::Reject,
            silent,
            "comment_missing",
        ),
        ("another digest", Decision::Approve, elsewhere, "digest_mismatch"),
    ];
    let mut expected = Vec::new();
    for (name, decision, vote, code) in rows {
        expected.push((vote.standing.principal.clone(), code));
        let refused = match decision {
            Decision::Approve => authority.ra.approve(id, vote).await,
            Decision::Reject => authority.ra.reject(id, vote).await,
        };
        let Err(Error::Refused(refusal)) = refused else {
            panic!("{name}: {refused:?}")
        };
        assert_eq!(refusal.code(), code, "{name}");
    }
    assert!(proposal(&authority, id).await.rulings.is_empty());
    expected.sort();
    assert_eq!(turned_away(&authority).await, expected);
}

#[tokio::test]
async fn whoever_wrote_what_is_unconfirmed_is_shown_as_excluded() {
    let (authority, _) = Odd::new(Vec::new()).start(ONE).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    let excluded = authority
        .ra
        .constituency(&proposal(&authority, id).await)
        .await
        .unwrap();
    let who: Vec<_> = excluded.excluded.iter().map(|(who, _)| who.clone()).collect();
    assert_eq!(who, [operator("test")]);
}

#[tokio::test]
async fn who_lost_the_role_since_does_not_count() {
    let (authority, backend) = Odd::new(Vec::new()).start(ONE).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    let state_after = authority
        .ra
        .approve(id, authority.vote("alice").await)
        .await
        .unwrap();
    assert_eq!(state_after, ProposalState::Approved);
    authority.put(ObjectKind::Operator, "alice", "roles = []").await;
    authority
        .work_until("the approval is discounted", || async {
            let proposal = proposal(&authority, id).await;
            proposal.rulings.iter().any(|ruling| ruling.discounted.is_some())
        })
        .await;
    assert_eq!(state(&authority).await, "awaiting_approval");
    assert_eq!(issues(&backend), 0);
    authority
        .put(ObjectKind::Operator, "alice", "roles = [\"approver\"]")
        .await;
    let again = authority.ra.approve(id, authority.vote("alice").await).await;
    assert_eq!(rejection(again), DecisionRejection::Twice);
    authority
        .ra
        .approve(id, authority.vote("bob").await)
        .await
        .unwrap();
    reach(&authority, "issued").await;
    assert_eq!(issues(&backend), 1);
}

#[tokio::test]
async fn what_cannot_be_complete_any_more_is_refused() {
    let (authority, backend) = Odd::new(Vec::new()).start("approval = \"boss\"").await;
    authority
        .put(
            ObjectKind::ApprovalPolicy,
            "boss",
            "age_max = \"7d\"\n[[step]]\noperator = \"alice\"\n",
        )
        .await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    let other = authority.ra.approve(id, authority.vote("bob").await).await;
    assert_eq!(rejection(other), DecisionRejection::NoStep);
    authority
        .ra
        .approve(id, authority.vote("alice").await)
        .await
        .unwrap();
    authority
        .put(ObjectKind::Operator, "alice", "disabled = true")
        .await;
    reach(&authority, "refused").await;
    assert_eq!(issues(&backend), 0);
}

#[tokio::test]
async fn what_was_approved_begins_in_time_or_not_at_all() {
    let (authority, backend) = Odd::new(Vec::new()).start("approval = \"fleeting\"").await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    authority
        .ra
        .approve(id, authority.vote("alice").await)
        .await
        .unwrap();
    let begins = proposal(&authority, id).await.begins_until().expect("approved");
    // Nobody works before the second clock has run out.
    while authority.ra.now() < begins {
        clock().sleep(Duration::from_millis(50)).await;
    }
    reach(&authority, "expired").await;
    assert_eq!(issues(&backend), 0);
}

#[tokio::test]
async fn without_its_policy_an_endpoint_issues_nothing() {
    let (authority, backend) = Odd::new(Vec::new()).start("approval = \"nowhere\"").await;
    let account = authority.account(&["a.test"]).await;
    let answer = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    assert!(
        matches!(answer, Err(Error::Internal(InternalError::Object { .. }))),
        "{answer:?}"
    );
    assert_eq!(issues(&backend), 0);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_who_decide_at_once_as_many_count_as_are_needed() {
    let (authority, backend) = Odd::new(Vec::new()).start(TWO).await;
    let account = authority.account(&["a.test"]).await;
    for (order, race) in [("approvals", false), ("a denial among them", true)] {
        let (_, id) = refer_for(&authority, &account, (order, "a.test")).await;
        let mut votes = Vec::new();
        for name in ["alice", "bob", "carol", "dave"] {
            votes.push(authority.vote(name).await);
        }
        let decided = at_once(votes.into_iter().enumerate().map(|(index, vote)| {
            let ra = Arc::clone(&authority.ra);
            async move {
                match race && index == 3 {
                    true => ra.reject(id, vote).await,
                    false => ra.approve(id, vote).await,
                }
            }
        }))
        .await;
        let ended = |state: &ProposalState| *state != ProposalState::Open;
        let counted: Vec<_> = decided.iter().filter_map(|one| one.as_ref().ok()).collect();
        assert_eq!(
            counted.iter().filter(|state| ended(state)).count(),
            1,
            "{order}: one transition"
        );
        for lost in decided.iter().filter_map(|one| one.as_ref().err()) {
            assert!(
                matches!(lost, Error::Refused(Refusal::AlreadyDecided)),
                "{order}: whoever lost the race sees what it came to: {lost:?}"
            );
        }
        let proposal = proposal(&authority, id).await;
        assert_eq!(proposal.rulings.len(), counted.len(), "{order}");
    }
    finish_or_wait(&authority).await;
    assert!(issues(&backend) <= 2);
}

/// Works until no request waits for a worker.
async fn finish_or_wait(authority: &TestAuthority) {
    authority
        .work_until("every request has ended", || async {
            let page = authority
                .store
                .requests(&RequestFilter::default(), None, 50)
                .await
                .unwrap();
            page.items
                .iter()
                .all(|row| ["issued", "refused"].contains(&row.state.as_str()))
        })
        .await;
}

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

/// What alice signs an approval with.
fn signed(key: &EcdsaKeyPair, proposal: &Proposal, vote: Vote) -> Vote {
    let statement = Statement {
        proposal: proposal.id,
        digest: &proposal.digest,
        by: &vote.standing.principal,
        decision: Decision::Approve,
        grant: vote.grant,
        comment: &vote.comment,
    };
    let signature = key
        .sign(&SystemRandom::new(), statement.text().as_bytes())
        .unwrap();
    let spki = PublicKey::from_ec_point(KeyAlgorithm::EcP256, key.public_key().as_ref()).unwrap();
    let evidence = Evidence {
        algorithm: EvidenceAlgorithm::Es256,
        key: spki.der().to_vec(),
        signature: signature.as_ref().to_vec(),
    };
    Vote {
        evidence: Some(evidence),
        ..vote
    }
}

#[tokio::test]
async fn where_evidence_is_required_only_a_signature_by_a_key_of_ones_own_counts() {
    let (authority, _) = Odd::new(Vec::new()).start("approval = \"signed\"").await;
    let text = "age_max = \"7d\"\nevidence = \"required\"\n[[step]]\nanyone = true\n";
    authority.put(ObjectKind::ApprovalPolicy, "signed", text).await;
    let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let stranger = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap();
    let spki = PublicKey::from_ec_point(KeyAlgorithm::EcP256, key.public_key().as_ref()).unwrap();
    let fingerprint: String = spki
        .fingerprint()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    let alice = format!("roles = [\"approver\"]\ncertificates = [{{ spki = \"{fingerprint}\" }}]");
    authority.put(ObjectKind::Operator, "alice", &alice).await;
    let account = authority.account(&["a.test"]).await;
    let (_, id) = refer(&authority, &account, "order").await;
    let known = proposal(&authority, id).await;

    let unsigned = authority.ra.approve(id, authority.vote("alice").await).await;
    assert_eq!(rejection(unsigned), DecisionRejection::EvidenceMissing);
    let host = Vote {
        standing: Standing::superadmin(Principal::Host),
        ..authority.vote("alice").await
    };
    assert_eq!(
        rejection(authority.ra.approve(id, host).await),
        DecisionRejection::EvidenceMissing
    );
    let forged = signed(&stranger, &known, authority.vote("alice").await);
    assert_eq!(
        rejection(authority.ra.approve(id, forged).await),
        DecisionRejection::EvidenceInvalid
    );
    let changed = Vote {
        comment: "something else".to_owned(),
        ..signed(&key, &known, authority.vote("alice").await)
    };
    assert_eq!(
        rejection(authority.ra.approve(id, changed).await),
        DecisionRejection::EvidenceInvalid
    );
    let lent = signed(&key, &known, authority.vote("bob").await);
    assert_eq!(
        rejection(authority.ra.approve(id, lent).await),
        DecisionRejection::EvidenceInvalid
    );

    let good = signed(&key, &known, authority.vote("alice").await);
    authority.ra.approve(id, good).await.unwrap();
    reach(&authority, "issued").await;
    let kept = proposal(&authority, id).await.rulings.remove(0).evidence;
    assert_eq!(
        kept.map(|evidence| evidence.key_sha256()),
        Some(spki.fingerprint())
    );
}

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
        authority
            .put(ObjectKind::Operator, name, "roles = [\"keeper\"]")
            .await;
    }
    let alice = acting(authority.vote("alice").await);
    (authority, backend, alice)
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
    authority
        .put(ObjectKind::Operator, "dave", "roles = [\"keeper\"]")
        .await;
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_outlives_its_node_and_is_issued_once() {
    let (authority, backend) = Odd::new(Vec::new()).start(TWO).await;
    let account = authority.account(&["a.test"]).await;
    let node = |number: u8| {
        let wakeups = Arc::new(portreeve_queue::LocalWakeups::new());
        authority.node(Arc::clone(&backend) as _, wakeups, number)
    };
    let first = node(2);
    let request = authority.request(&account, "order", csr("a.test"));
    let Ok(Disposition::Pending { enrollment, .. }) = first.enroll(request).await else {
        panic!("not referred")
    };
    let id = first
        .enrollment(enrollment)
        .await
        .unwrap()
        .unwrap()
        .proposal()
        .unwrap();
    first.approve(id, authority.vote("alice").await).await.unwrap();
    // The node is gone; another one hears the second approval, and two of them look for work at once.
    drop(first);
    let (second, third) = (node(3), node(4));
    second.approve(id, authority.vote("bob").await).await.unwrap();
    authority
        .work_until("issued", || async {
            for ra in [&second, &third] {
                ra.work().await.unwrap();
            }
            state(&authority).await == "issued"
        })
        .await;
    assert_eq!(issues(&backend), 1);
}

/// Whatever Redis carries may be lost: people decide on what the store holds.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_waits_while_redis_is_flushed_is_approved_and_issued_once() {
    const WAITING: usize = 500;
    let (authority, backend) = Odd::new(Vec::new()).start(ONE).await;
    let account = authority.account(&["a.test"]).await;
    let redis = portreeve_harness::redis::Redis::start().unwrap();
    let queues = [2, 3].map(|number| super::nodes::by_redis(&redis, number));
    let node = |place: usize, number: u8| {
        let wakeups = Arc::new(queues[place].wakeups());
        authority.node(Arc::clone(&backend) as _, wakeups, number)
    };
    let (one, two) = (node(0, 2), node(1, 3));
    let mut proposals = Vec::new();
    for number in 0..WAITING {
        let request = authority.request(&account, &format!("order {number}"), csr("a.test"));
        let Ok(Disposition::Pending { enrollment, .. }) = one.enroll(request).await else {
            panic!("not referred")
        };
        let known = one.enrollment(enrollment).await.unwrap().unwrap();
        proposals.push((enrollment, known.proposal().unwrap()));
    }
    redis.flush().unwrap();
    for (_, id) in &proposals {
        two.approve(*id, authority.vote("alice").await).await.unwrap();
    }
    for (enrollment, _) in &proposals {
        authority
            .work_until("issued", || async {
                two.work().await.unwrap();
                let known = two.enrollment(*enrollment).await.unwrap().unwrap();
                known.certificate().is_some()
            })
            .await;
    }
    assert_eq!(issues(&backend), WAITING);
}
