//! Where a policy guards configuration, other people agree to what gives somebody more.

use portreeve_ra::authority::Vote;
use portreeve_ra::{DecisionRejection, Exclusion, ProposalState};

use super::*;

/// An installation with a policy that guards configuration: anyone who may, one person.
pub(super) async fn guarded() -> TestAuthority {
    let authority = started().await;
    let policy_text = "age_max = \"7d\"\n[[step]]\nanyone = true\n".to_owned();
    let early = to(POLICY, "configuration", Step::Publish(policy_text));
    let nobody = authority.ra.change_object(&host(&authority), &early).await;
    assert!(
        matches!(nobody, Err(ConfigurationError::Unfulfillable(_))),
        "there is nobody who could agree: {nobody:?}"
    );
    for name in ["alice", "bob", "carol"] {
        author(&authority, name).await;
    }
    let root = format!("roles = [\"superadmin\"]\n{}", key_of("root"));
    authority.put(ObjectKind::Operator, "root", &root).await;
    let policy = Step::Publish("age_max = \"7d\"\n[[step]]\nanyone = true\n".to_owned());
    let change = to(POLICY, "configuration", policy);
    let made = authority
        .ra
        .change_object(&host(&authority), &change)
        .await
        .unwrap();
    assert!(
        matches!(made.outcome, Outcome::InForce(_)),
        "nothing guarded the first one"
    );
    authority
}

pub(super) fn vote(by: &Acting) -> Vote {
    Vote {
        standing: by.standing.clone(),
        digest: None,
        comment: "looked at".to_owned(),
        evidence: None,
        grant: None,
        origin: by.origin.clone(),
    }
}

pub(super) async fn proposed(
    authority: &TestAuthority,
    by: &Acting,
    change: &ObjectChange,
) -> (u32, ProposalId) {
    match authority.ra.change_object(by, change).await.unwrap().outcome {
        Outcome::Proposed(version, proposal) => (version.version, proposal),
        other => panic!("{other:?}"),
    }
}

pub(super) fn rejection(result: Result<ProposalState, Error>) -> DecisionRejection {
    match result {
        Err(Error::Refused(Refusal::Decision(why))) => why,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn what_widens_waits_for_another_person_and_what_narrows_does_not() {
    let authority = guarded().await;
    let ra = &authority.ra;
    let (alice, bob) = (author(&authority, "alice").await, author(&authority, "bob").await);
    let publish = |text: String| to(PROFILE, "web", Step::Publish(text));
    let first = publish(profile("a.test"));
    let preview = ra.preview_object(&alice, &first).await.unwrap();
    assert_eq!(preview.outcome.word(), "proposed");
    let (number, proposal) = proposed(&authority, &alice, &first).await;
    assert_eq!((number, in_force(&authority, PROFILE, "web").await), (1, None));
    assert_eq!(
        proposed(&authority, &bob, &first).await,
        (1, proposal),
        "asked once"
    );
    let own = rejection(ra.approve(proposal, vote(&alice)).await);
    assert!(matches!(own, DecisionRejection::Excluded(_)), "{own:?}");
    let state = ra.approve(proposal, vote(&bob)).await.unwrap();
    assert_eq!(state, ProposalState::Approved);
    let found = history(&authority, PROFILE, "web").await;
    assert_eq!(found.current().map(|version| version.version), Some(1));
    assert!(found.unconfirmed_authors(1).is_empty());
    let revision = found.revision(1).unwrap();
    assert!(revision.released.as_ref().is_some_and(|release| release.approved));
    assert_eq!(revision.proposal, Some(proposal));
    let narrower = publish(profile("b.a.test"));
    let narrowed = ra.change_object(&alice, &narrower).await.unwrap();
    assert!(matches!(narrowed.outcome, Outcome::InForce(version) if version.version == 2));
    let (_, wider) = proposed(&authority, &alice, &publish(profile("test"))).await;
    ra.change_object(&bob, &to(PROFILE, "web", Step::Retire))
        .await
        .unwrap();
    let late = rejection(ra.approve(wider, vote(&bob)).await);
    assert_eq!(
        late,
        DecisionRejection::Overtaken,
        "something else is in force than what was compared"
    );
    assert_eq!(in_force(&authority, PROFILE, "web").await, None);
}

#[tokio::test]
async fn who_wrote_a_draft_does_not_approve_it_whoever_asks() {
    let authority = guarded().await;
    let ra = &authority.ra;
    let (alice, bob) = (author(&authority, "alice").await, author(&authority, "bob").await);
    let carol = author(&authority, "carol").await;
    ra.change_object(&alice, &to(PROFILE, "web", Step::Draft(profile("a.test"))))
        .await
        .unwrap();
    let (_, proposal) = proposed(&authority, &bob, &to(PROFILE, "web", Step::Release(1))).await;
    for person in [&alice, &bob] {
        let why = rejection(ra.approve(proposal, vote(person)).await);
        assert!(matches!(why, DecisionRejection::Excluded(_)), "{why:?}");
    }
    let guard = rejection(ra.approve(proposal, vote(&host(&authority))).await);
    let wrote = Exclusion::Wrote(POLICY, "configuration".to_owned());
    assert_eq!(
        guard,
        DecisionRejection::Excluded(wrote),
        "nobody has confirmed the policy"
    );
    let rejected = ra.reject(proposal, vote(&carol)).await.unwrap();
    assert_eq!(rejected, ProposalState::Rejected);
    let (number, again) = proposed(
        &authority,
        &alice,
        &to(PROFILE, "web", Step::Publish(profile("a.test"))),
    )
    .await;
    assert_eq!(number, 1, "the same text is the same draft");
    assert_ne!(again, proposal);
    let racers = [vote(&carol), vote(&bob)].map(|vote| ra.approve(again, vote));
    let results = join_all(racers).await;
    assert_eq!(results.iter().filter(|one| one.is_ok()).count(), 1, "{results:?}");
    assert_eq!(in_force(&authority, PROFILE, "web").await, Some(1));
}

#[tokio::test]
async fn what_others_rely_on_stays_in_force() {
    let authority = guarded().await;
    let ra = &authority.ra;
    let alice = author(&authority, "alice").await;
    let guard = ra
        .change_object(&alice, &to(POLICY, "configuration", Step::Retire))
        .await;
    assert!(matches!(guard, Err(ConfigurationError::Guard)));
    let weaker = "age_max = \"9d\"\n[[step]]\nanyone = true\n".to_owned();
    proposed(
        &authority,
        &alice,
        &to(POLICY, "configuration", Step::Publish(weaker)),
    )
    .await;
    authority
        .put(POLICY, "one", "age_max = \"7d\"\n[[step]]\nanyone = true\n")
        .await;
    let offer = "profiles = [\"dev\"]\nbackend = \"scripted\"\napproval = \"one\"\n";
    authority.put(ObjectKind::Endpoint, "acme/asked", offer).await;
    let named = ra.change_object(&alice, &to(POLICY, "one", Step::Retire)).await;
    let Err(ConfigurationError::Named(names)) = named else {
        panic!("{named:?}")
    };
    assert_eq!(names, ["endpoint acme/asked"]);
    let change = to(ObjectKind::Endpoint, "acme/asked", Step::Retire);
    ra.change_object(&alice, &change).await.unwrap();
    ra.change_object(&alice, &to(POLICY, "one", Step::Retire))
        .await
        .unwrap();
    let gone = to(ObjectKind::Endpoint, "acme/asked", Step::Draft(offer.to_owned()));
    let gone = ra.change_object(&alice, &gone).await;
    assert!(
        matches!(gone, Err(ConfigurationError::Unreadable(_))),
        "names what is not there"
    );
}
