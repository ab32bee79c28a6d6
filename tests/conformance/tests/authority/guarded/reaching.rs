//! No policy asks for people who do not exist: one that would is not published, and where people have left since
//! superadmins agree. The first operator needs nobody.

use portreeve_ra::configuration::{ConfigurationError, ObjectChange, Step};
use portreeve_ra::credentials::Bootstrapped;
use portreeve_ra::objects::Publisher;
use portreeve_ra::{Actor, Approvers, SecretState};

use super::*;

async fn publish(authority: &TestAuthority, text: &str) -> Result<Outcome, ConfigurationError> {
    publish_as(authority, &host(authority), ("configuration", text)).await
}

async fn publish_as(
    authority: &TestAuthority,
    by: &Acting,
    (name, text): (&str, &str),
) -> Result<Outcome, ConfigurationError> {
    let change = ObjectChange {
        kind: POLICY,
        name: name.to_owned(),
        step: Step::Publish(text.to_owned()),
        condition: Condition::Any,
    };
    let changed = authority.ra.change_object(by, &change).await;
    changed.map(|changed| changed.outcome)
}

#[tokio::test]
async fn a_policy_that_nobody_could_fulfil_is_not_published() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let role =
        "rights = [\"configuration.approve\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    authority.put(ObjectKind::Role, "officer", role).await;
    let refused = |found: Result<Outcome, ConfigurationError>| {
        matches!(found, Err(ConfigurationError::Unfulfillable(_)))
    };
    assert!(refused(publish(&authority, ONE).await), "there is the host alone");
    for name in ["bob", "carol"] {
        authority
            .put(ObjectKind::Operator, name, &holder(name, "officer"))
            .await;
    }
    assert!(
        refused(publish(&authority, ONE).await),
        "no superadmin would be left"
    );
    authority
        .put(ObjectKind::Operator, "root", "roles = [\"superadmin\"]")
        .await;
    assert!(refused(publish(&authority, ONE).await), "who cannot sign in");
    authority
        .put(ObjectKind::Operator, "root", &holder("root", "superadmin"))
        .await;
    assert!(
        refused(publish(&authority, OFFICERS).await),
        "when one of two officers asks"
    );
    let signed = ONE.replace("[[step]]", "evidence = \"required\"\n[[step]]\nmin = 3");
    assert!(refused(publish(&authority, &signed).await), "the host has no key");
    authority
        .put(ObjectKind::Operator, "dora", &holder("dora", "officer"))
        .await;
    assert!(matches!(
        publish(&authority, OFFICERS).await,
        Ok(Outcome::InForce(_))
    ));
}

const OFFICER: &str = "age_max = \"7d\"\n[[step]]\nrole = \"officer\"\n";

/// Authors whose work nobody has confirmed do not agree to what is asked, so they are not there to ask.
#[tokio::test]
async fn an_author_who_is_not_confirmed_is_nobody_to_ask() {
    let authority = guarded(OFFICER).await;
    let (ra, root) = (&authority.ra, person(&authority, "root").await);
    for name in ["one", "configuration"] {
        let by = Publisher {
            actor: Actor::Operator(operator("bob")),
            origin: authority.origin(),
            reason: "test".to_owned(),
        };
        let text = format!("# by bob\n{OFFICER}");
        ra.objects().publish(POLICY, name, text, by).await.unwrap();
    }
    for name in ["carol", "dora"] {
        let gone = change(&authority, &root, (ObjectKind::Operator, name, None)).await;
        assert!(matches!(gone, Ok(Outcome::Retired)), "{gone:?}");
    }
    let ann = person(&authority, "ann").await;
    let team = (ObjectKind::Team, "web", "title = \"Web\"");
    let wider = OFFICER.replace("7d", "9d");
    let nobody = |refusal: Refusal| match refusal {
        Refusal::Decision(DecisionRejection::Nobody(why)) => assert!(why.contains("operator:bob"), "{why}"),
        other => panic!("{other:?}"),
    };
    match change(&authority, &ann, (team.0, team.1, Some(team.2))).await {
        Err(ChangeError::Ra(Error::Refused(refusal))) => nobody(refusal),
        other => panic!("the policy is his: {other:?}"),
    }
    ra.confirm_object(&root, (POLICY, "configuration"), 2)
        .await
        .unwrap();
    let asked = proposed(&authority, &ann, team).await;
    let agreed = approve(&authority, asked, "bob").await.unwrap();
    assert_eq!(agreed, ProposalState::Approved);
    match publish_as(&authority, &root, ("one", &wider)).await {
        Err(ConfigurationError::Ra(Error::Refused(refusal))) => nobody(refusal),
        other => panic!("what it changes is his: {other:?}"),
    }
    ra.confirm_object(&root, (POLICY, "one"), 1).await.unwrap();
    let asked = publish_as(&authority, &root, ("one", &wider)).await;
    assert!(matches!(asked, Ok(Outcome::Proposed(..))), "{asked:?}");
}

#[tokio::test]
async fn a_policy_whose_author_is_needed_is_not_published_by_them() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let role = "rights = [\"configuration.approve\", \"configuration.write\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    authority.put(ObjectKind::Role, "officer", role).await;
    for (name, role) in [("bob", "officer"), ("carol", "officer"), ("root", "superadmin")] {
        authority
            .put(ObjectKind::Operator, name, &holder(name, role))
            .await;
    }
    let bob = person(&authority, "bob").await;
    let own = publish_as(&authority, &bob, ("configuration", OFFICER)).await;
    let Err(ConfigurationError::Unfulfillable(why)) = own else {
        panic!("{own:?}")
    };
    assert!(
        why.contains("when operator:carol asks") && why.contains("besides operator:bob"),
        "{why}"
    );
    assert!(matches!(
        publish(&authority, OFFICER).await,
        Ok(Outcome::InForce(_))
    ));
}

#[tokio::test]
async fn where_people_have_left_one_superadmin_agrees_who_is_not_the_one_that_asks() {
    let authority = guarded(OFFICERS).await;
    let host = host(&authority);
    for name in ["bob", "carol"] {
        change(&authority, &host, (ObjectKind::Operator, name, None))
            .await
            .unwrap();
    }
    let ann = person(&authority, "ann").await;
    let asked = proposed(
        &authority,
        &ann,
        (ObjectKind::Operator, "eve", &holder("eve", "officer")),
    )
    .await;
    let proposal = authority.ra.proposal(asked).await.unwrap().unwrap();
    let steps: Vec<_> = proposal
        .terms
        .steps
        .iter()
        .map(|step| (step.who.clone(), step.min))
        .collect();
    assert_eq!(steps, [(Approvers::Superadmins, 1)]);
    assert_eq!(
        rejection(approve(&authority, asked, "dora").await),
        DecisionRejection::NoStep
    );
    assert_eq!(
        approve(&authority, asked, "root").await.unwrap(),
        ProposalState::Approved
    );
    // The host, which could make everybody else leave, does not agree to what it asks itself.
    let asked = proposed(
        &authority,
        &host,
        (ObjectKind::Operator, "hal", &holder("hal", "superadmin")),
    )
    .await;
    let own = rejection(authority.ra.approve(asked, vote(&host)).await);
    assert_eq!(own, DecisionRejection::Excluded(Exclusion::Asks));
    let last = change(&authority, &host, (ObjectKind::Operator, "root", None)).await;
    assert!(matches!(last, Err(ChangeError::LastSuperadmin)), "{last:?}");
}

/// Somebody who is a superadmin and root of the host is two principals and one person.
#[tokio::test]
async fn the_host_is_no_second_person_while_two_superadmins_are_there() {
    let authority = guarded(OFFICERS).await;
    authority
        .put(ObjectKind::Operator, "rita", &holder("rita", "superadmin"))
        .await;
    let (host, ra) = (host(&authority), &authority.ra);
    let root = person(&authority, "root").await;
    for name in ["bob", "carol", "dora"] {
        let gone = change(&authority, &root, (ObjectKind::Operator, name, None)).await;
        assert!(matches!(gone, Ok(Outcome::Retired)), "{name}: {gone:?}");
    }
    let mallory = holder("mallory", "superadmin");
    let mallory = (ObjectKind::Operator, "mallory", mallory.as_str());
    let asked = proposed(&authority, &root, mallory).await;
    let other = rejection(ra.approve(asked, vote(&host)).await);
    assert_eq!(other, DecisionRejection::NoStep, "the host does not agree");
    let own = rejection(approve(&authority, asked, "root").await);
    assert_eq!(own, DecisionRejection::Excluded(Exclusion::Asks));
    let asked = proposed(&authority, &host, (ObjectKind::Team, "web", "title = \"Web\"")).await;
    let first = approve(&authority, asked, "root").await.unwrap();
    assert_eq!(first, ProposalState::Open, "the host and root may be one person");
    let second = approve(&authority, asked, "rita").await.unwrap();
    assert_eq!(second, ProposalState::Approved);

    // Nor does it become one by taking the other superadmin away, or over.
    let disabled = format!("{}disabled = true\n", holder("rita", "superadmin"));
    let removed = change(&authority, &root, (ObjectKind::Operator, "rita", None)).await;
    assert!(matches!(removed, Err(ChangeError::DisableFirst)), "{removed:?}");
    let rekeyed = format!("roles = [\"superadmin\"]\n{}", key_of("root's other key"));
    for by in [&root, &host] {
        let taken = change(&authority, by, (ObjectKind::Operator, "rita", Some(&rekeyed))).await;
        let nobody = match taken {
            Err(ChangeError::Ra(Error::Refused(Refusal::Decision(why)))) => why,
            other => panic!("{other:?}"),
        };
        assert_eq!(nobody.code(), "nobody_to_approve");
    }
    let asked = proposed(&authority, &root, (ObjectKind::Operator, "rita", &disabled)).await;
    let other = rejection(ra.approve(asked, vote(&host)).await);
    assert_eq!(other, DecisionRejection::NoStep);
    assert!(ra.standing(&operator("rita")).await.unwrap().is_some());
    let agreed = approve(&authority, asked, "rita").await.unwrap();
    assert_eq!(agreed, ProposalState::Approved, "whoever leaves may agree to it");

    // Now there is nobody else.
    let proposal = change(
        &authority,
        &root,
        (ObjectKind::Role, "any", Some("rights = [\"*\"]")),
    )
    .await;
    let Ok(Outcome::Proposed(_, asked)) = proposal else {
        panic!("{proposal:?}")
    };
    let agreed = ra.approve(asked, vote(&host)).await.unwrap();
    assert_eq!(agreed, ProposalState::Approved);
}

#[tokio::test]
async fn the_host_makes_the_first_operator_alone_and_takes_over_none() {
    let (authority, _) = Odd::new(Vec::new()).start("").await;
    let (ra, by) = (&authority.ra, host(&authority));
    // Such a policy cannot be published by anybody; here it is in force all the same.
    authority.put(POLICY, "configuration", ONE).await;
    let made = ra.bootstrap(&by, &name_of("first")).await.unwrap();
    let Bootstrapped::Made(made) = made else {
        panic!("nobody is there to ask")
    };
    assert_eq!(made.proposal, None);
    let state = |id| async move {
        ra.secrets()
            .secret(id)
            .await
            .unwrap()
            .unwrap()
            .value()
            .state(ra.now())
    };
    let first = person(&authority, "first").await;
    ra.set_password(&first, &name_of("first"), ("hash".to_owned(), Some(made.id)))
        .await
        .expect("their own, with the credential");
    assert_eq!(state(made.id).await, SecretState::Spent);

    let Bootstrapped::Waits(asked) = ra.bootstrap(&by, &name_of("second")).await.unwrap() else {
        panic!("a second one is somebody else's decision")
    };
    assert_eq!(
        rejection(ra.approve(asked, vote(&by)).await),
        DecisionRejection::Excluded(Exclusion::Asks)
    );
    approve(&authority, asked, "first").await.unwrap();
    let Bootstrapped::Made(made) = ra.bootstrap(&by, &name_of("second")).await.unwrap() else {
        panic!("they exist now")
    };
    assert_eq!(
        state(made.id).await,
        SecretState::Pending,
        "else the host could act as them"
    );
    let second = person(&authority, "second").await;
    let early = ra.spend_bootstrap(&second, &name_of("second"), made.id).await;
    assert!(matches!(early, Err(ChangeError::Spent)), "{early:?}");
    approve(&authority, made.proposal.unwrap(), "first")
        .await
        .unwrap();
    ra.set_password(&second, &name_of("second"), ("hash".to_owned(), Some(made.id)))
        .await
        .expect("agreed to");
}
