//! Who must agree: rights, steps, exclusion, evidence, the second count, grants, races.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_harness::authority::operator;
use portreeve_pkix::KeyAlgorithm;
use portreeve_ra::authority::Vote;
use portreeve_ra::{
    AccessEvent, Decision, DecisionRejection, Event, Evidence, EvidenceAlgorithm, GrantTerms, Principal,
    Proposal, ProposalState, Standing, Statement,
};

use super::*;

mod grants;
mod proposals;

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
