//! Operators, roles and teams.

use super::*;

#[tokio::test]
async fn what_widens_waits_for_others_and_what_narrows_does_not() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let ann = person(&authority, "ann").await;
    let current = |kind, name: &'static str| async move {
        let current = ra.objects().current(kind, name).await.unwrap();
        current.map(|version| version.version)
    };
    let more = "rights = [\"configuration.approve\", \"operator.write\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    let both = format!("roles = [\"officer\", \"clerk\"]\n{}", key_of("bob"));
    let rekeyed = format!("roles = [\"officer\"]\n{}", key_of("another"));
    let mallory = holder("mallory", "officer");
    let rows = [
        (
            "an operator",
            ObjectKind::Operator,
            "mallory",
            mallory.as_str(),
            None,
        ),
        (
            "a role",
            ObjectKind::Role,
            "new",
            "rights = [\"audit.read\"]",
            None,
        ),
        ("a team", ObjectKind::Team, "web", "title = \"Web\"", None),
        ("a right more", ObjectKind::Role, "officer", more, Some(1)),
        ("a role more", ObjectKind::Operator, "bob", both.as_str(), Some(1)),
        (
            "another key",
            ObjectKind::Operator,
            "bob",
            rekeyed.as_str(),
            Some(2),
        ),
    ];
    for (case, kind, name, text, before) in rows {
        let asked = proposed(&authority, &ann, (kind, name, text)).await;
        assert_eq!(current(kind, name).await, before, "{case}: waits");
        assert_eq!(
            proposed(&authority, &ann, (kind, name, text)).await,
            asked,
            "{case}: asked once"
        );
        let own = rejection(ra.approve(asked, vote(&ann)).await);
        assert_eq!(own, DecisionRejection::Excluded(Exclusion::Asks), "{case}");
        if kind == ObjectKind::Operator && name == "bob" {
            let theirs = rejection(approve(&authority, asked, "bob").await);
            assert_eq!(theirs, DecisionRejection::Excluded(Exclusion::Owner), "{case}");
        }
        let approved = approve(&authority, asked, "carol").await.unwrap();
        assert_eq!(approved, ProposalState::Approved, "{case}");
        let now = current(kind, name).await.expect(case);
        assert!(before.is_none_or(|before| now > before), "{case}");
        let history = ra.objects().history(kind, name).await.unwrap().unwrap();
        assert!(history.unconfirmed_authors(now).is_empty(), "{case}");
    }
    assert!(ra.standing(&operator("mallory")).await.unwrap().is_some());

    let narrower = [
        (
            ObjectKind::Operator,
            "mallory",
            Some(format!("{mallory}disabled = true\n")),
        ),
        (
            ObjectKind::Role,
            "officer",
            Some(more.replace(", \"operator.write\"", "")),
        ),
        (
            ObjectKind::Operator,
            "bob",
            Some("roles = [\"officer\"]".to_owned()),
        ),
        (ObjectKind::Team, "web", None),
        (ObjectKind::Operator, "mallory", None),
    ];
    for (kind, name, text) in narrower {
        let done = change(&authority, &ann, (kind, name, text.as_deref()))
            .await
            .unwrap();
        assert!(
            matches!(done, Outcome::InForce(_) | Outcome::Retired),
            "{name}: {done:?}"
        );
    }
    assert_eq!(ra.standing(&operator("mallory")).await.unwrap(), None);
}

/// The same person makes somebody else, or takes somebody over, and approves as them.
#[tokio::test]
async fn no_detour_leads_to_a_second_approver() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let ann = person(&authority, "ann").await;
    let wanted = proposed(&authority, &ann, (ObjectKind::Role, "any", "rights = [\"*\"]")).await;
    // Another operator: not there before somebody has agreed.
    proposed(
        &authority,
        &ann,
        (ObjectKind::Operator, "puppet", &holder("puppet", "officer")),
    )
    .await;
    assert_eq!(ra.standing(&operator("puppet")).await.unwrap(), None);
    // More for an operator of theirs who is there already: as little.
    proposed(
        &authority,
        &ann,
        (ObjectKind::Operator, "abe", &holder("abe", "officer")),
    )
    .await;
    assert!(
        !person(&authority, "abe")
            .await
            .standing
            .holds(&"officer".to_owned().try_into().unwrap())
    );
    // A key of their own for another operator.
    let key = format!("roles = [\"officer\"]\n{}", key_of("ann's other key"));
    proposed(&authority, &ann, (ObjectKind::Operator, "bob", &key)).await;
    let bob = ra.operator(&name_of("bob")).await.unwrap().unwrap();
    assert_eq!(bob.certificates.len(), 1);
    // What waits helps nobody to approve; somebody else still can.
    assert_eq!(
        rejection(ra.approve(wanted, vote(&ann)).await),
        DecisionRejection::Excluded(Exclusion::Asks)
    );
    assert_eq!(
        approve(&authority, wanted, "abe").await.unwrap(),
        ProposalState::Approved
    );
}

#[tokio::test]
async fn steps_denials_and_other_changes_end_it_as_with_any_object() {
    let authority = guarded(OFFICERS).await;
    let ra = &authority.ra;
    let (ann, abe) = (person(&authority, "ann").await, person(&authority, "abe").await);
    let team = |title: &str| format!("title = \"{title}\"");
    let asked = proposed(&authority, &ann, (ObjectKind::Team, "web", &team("a"))).await;
    assert_eq!(
        rejection(ra.approve(asked, vote(&abe)).await),
        DecisionRejection::NoStep
    );
    assert_eq!(
        approve(&authority, asked, "bob").await.unwrap(),
        ProposalState::Open
    );
    assert_eq!(
        rejection(approve(&authority, asked, "bob").await),
        DecisionRejection::Twice
    );
    // Whoever lost the right since does not count when the last one approves.
    let nothing = change(
        &authority,
        &ann,
        (ObjectKind::Operator, "bob", Some(&key_of("bob"))),
    )
    .await;
    assert!(matches!(nothing, Ok(Outcome::InForce(_))), "{nothing:?}");
    assert_eq!(
        approve(&authority, asked, "carol").await.unwrap(),
        ProposalState::Open
    );
    let racing = [person(&authority, "dora").await, person(&authority, "dora").await];
    let [one, other] = racing.map(|by| ra.approve(asked, vote(&by)));
    let (one, other) = futures_util::future::join(one, other).await;
    assert_eq!(
        [&one, &other].into_iter().filter(|one| one.is_ok()).count(),
        1,
        "{one:?} {other:?}"
    );
    let found = ra.objects().current(ObjectKind::Team, "web").await.unwrap();
    assert_eq!(found.map(|version| version.version), Some(1));

    let role = |rights: &str| format!("rights = [{rights}]");
    let asked = proposed(&authority, &ann, (ObjectKind::Role, "r", &role("\"audit.read\""))).await;
    let carol = person(&authority, "carol").await;
    assert_eq!(
        ra.reject(asked, vote(&carol)).await.unwrap(),
        ProposalState::Rejected
    );
    refused(
        "after the denial",
        approve(&authority, asked, "dora").await,
        &Refusal::AlreadyDecided,
    );
    assert_eq!(ra.objects().current(ObjectKind::Role, "r").await.unwrap(), None);
    let again = proposed(&authority, &ann, (ObjectKind::Role, "r", &role("\"audit.read\""))).await;
    assert_ne!(again, asked, "it may be asked again");

    authority
        .put(ObjectKind::Role, "r", &role("\"system.read\""))
        .await;
    approve(&authority, again, "carol").await.expect_err("overtaken");
    let found = ra
        .objects()
        .current(ObjectKind::Role, "r")
        .await
        .unwrap()
        .unwrap();
    assert_eq!(found.body, role("\"system.read\""));
}

/// A change may be fit to be in force when it is proposed, and no longer when it is approved.
#[tokio::test]
async fn the_last_superadmin_is_looked_for_again_when_it_takes_effect() {
    let authority = guarded(ONE).await;
    let (host, ra) = (host(&authority), &authority.ra);
    authority
        .put(ObjectKind::Operator, "rita", &holder("rita", "superadmin"))
        .await;
    let demoted = holder("rita", "officer");
    let asked = proposed(&authority, &host, (ObjectKind::Operator, "rita", &demoted)).await;
    let gone = format!("{}disabled = true\n", holder("root", "superadmin"));
    let leaves = proposed(&authority, &host, (ObjectKind::Operator, "root", &gone)).await;
    approve(&authority, leaves, "bob").await.expect("rita is left");
    let late = rejection(approve(&authority, asked, "bob").await);
    assert_eq!(late, DecisionRejection::Overtaken);
    let rita = ra.operator(&name_of("rita")).await.unwrap().unwrap();
    assert!(rita.is_superadmin());

    // One that was asked for by a superadmin who is none any more.
    authority
        .put(ObjectKind::Operator, "root", &holder("root", "superadmin"))
        .await;
    let root = person(&authority, "root").await;
    let asked = proposed(
        &authority,
        &root,
        (ObjectKind::Operator, "ruth", &holder("ruth", "superadmin")),
    )
    .await;
    let leaves = proposed(&authority, &host, (ObjectKind::Operator, "root", &gone)).await;
    approve(&authority, leaves, "bob").await.expect("rita is left");
    let late = rejection(approve(&authority, asked, "bob").await);
    assert_eq!(late, DecisionRejection::Overtaken);
    let clerk = person(&authority, "ann").await;
    let never = change(
        &authority,
        &clerk,
        (ObjectKind::Operator, "ruth", Some(&holder("ruth", "superadmin"))),
    )
    .await;
    assert!(matches!(never, Err(ChangeError::SuperadminOnly)), "{never:?}");
}

/// Who may approve on one profile alone does not approve what people may do.
#[tokio::test]
async fn whoever_approves_what_people_may_do_has_the_right_everywhere() {
    let authority = guarded(ONE).await;
    let role =
        "rights = [\"configuration.approve\"]\nbackends = [\"*\"]\nprofiles = [\"dev\"]\nteams = \"all\"\n";
    authority.put(ObjectKind::Role, "limited", role).await;
    authority
        .put(ObjectKind::Operator, "lea", &holder("lea", "limited"))
        .await;
    let ann = person(&authority, "ann").await;
    let asked = proposed(&authority, &ann, (ObjectKind::Team, "web", "title = \"Web\"")).await;
    let why = rejection(approve(&authority, asked, "lea").await);
    assert!(matches!(why, DecisionRejection::Right(_)), "{why:?}");
}
