//! Registrations.

use portreeve_ra::authority::{Foreseen, Registered};
use portreeve_ra::{
    AllowedNames, KnownRegistration, Registration, RegistrationId, RegistrationState, TeamName,
};

use super::*;

fn allowing(name: &str, names: &[&str]) -> Registration {
    Registration {
        names: AllowedNames::Only(names.iter().map(|name| name.parse().unwrap()).collect()),
        ..Registration::named(name)
    }
}

async fn known(authority: &TestAuthority, id: RegistrationId) -> KnownRegistration {
    let found = authority.ra.registrations().registration(id).await.unwrap();
    found.unwrap().into_value()
}

async fn define(
    authority: &TestAuthority,
    by: &Acting,
    (id, registration): (RegistrationId, Registration),
) -> Registered {
    let defined = authority
        .ra
        .define_registration(by, id, (registration, None))
        .await;
    defined.unwrap().unwrap()
}

#[tokio::test]
async fn a_new_one_and_more_for_one_wait_and_less_does_not() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let (ann, abe) = (person(&authority, "ann").await, person(&authority, "abe").await);
    let wanted = allowing("web", &[".web.test"]);
    assert_eq!(
        ra.check_registration(&ann, &wanted).await.unwrap(),
        Foreseen::Proposed
    );
    let first = ra.create_registration(&ann, wanted.clone()).await.unwrap();
    let (id, asked) = (first.known.id, first.proposal.expect("waits"));
    assert_eq!(
        (first.known.version, first.known.state(ra.now())),
        (0, RegistrationState::Pending)
    );
    assert_eq!(
        first.known.admits(&endpoint(), ra.now()),
        Err(Refusal::RegistrationClosed)
    );
    let listed = ra
        .registrations_seen(
            &ann,
            &portreeve_ra::authority::RegistrationSearch {
                state: Some(RegistrationState::Pending),
                ..Default::default()
            },
            (None, 50),
        )
        .await
        .unwrap();
    assert_eq!(listed.items.len(), 1);
    let again = ra.create_registration(&abe, wanted.clone()).await.unwrap();
    assert_eq!((again.known.id, again.proposal), (id, Some(asked)), "asked once");
    for name in ["ann", "abe"] {
        let result = approve(&authority, asked, name).await;
        match name {
            "ann" => assert_eq!(rejection(result), DecisionRejection::Excluded(Exclusion::Asks)),
            _ => assert_eq!(result.unwrap(), ProposalState::Approved),
        }
    }
    let now = known(&authority, id).await;
    assert_eq!((now.version, now.state(ra.now())), (1, RegistrationState::Active));
    assert!(now.unconfirmed_authors.is_empty() && now.waiting.is_none());
    let taken = ra.create_registration(&abe, wanted.clone()).await;
    refused("it is there", taken, &Refusal::NameTaken);

    let narrower = define(
        &authority,
        &ann,
        (id, allowing("web", &["a.web.test", ".x.web.test"])),
    )
    .await;
    assert_eq!((narrower.known.version, narrower.proposal), (2, None), "at once");
    let wider = define(&authority, &ann, (id, wanted.clone())).await;
    let asked = wider.proposal.expect("waits");
    assert_eq!(
        known(&authority, id).await.registration.names,
        narrower.known.registration.names
    );
    // Something else in force than what they looked at.
    define(&authority, &abe, (id, allowing("web", &["a.web.test"]))).await;
    assert_eq!(
        rejection(approve(&authority, asked, "bob").await),
        DecisionRejection::Overtaken
    );
    assert_eq!(known(&authority, id).await.version, 3);

    ra.suspend_registration(&ann, id).await.unwrap().unwrap();
    let resumed = ra.resume_registration(&ann, id).await.unwrap().unwrap();
    assert_eq!(
        known(&authority, id).await.state(ra.now()),
        RegistrationState::Suspended
    );
    approve(&authority, resumed.proposal.expect("waits"), "bob")
        .await
        .unwrap();
    assert_eq!(
        known(&authority, id).await.state(ra.now()),
        RegistrationState::Active
    );
    let asked = define(&authority, &ann, (id, wanted)).await.proposal.unwrap();
    ra.end_registration(&ann, id).await.unwrap().unwrap();
    assert_eq!(
        rejection(approve(&authority, asked, "bob").await),
        DecisionRejection::Overtaken
    );
    assert_eq!(
        known(&authority, id).await.state(ra.now()),
        RegistrationState::Ended
    );
}

#[tokio::test]
async fn a_denied_one_never_is_and_its_name_can_be_asked_for_again() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let (ann, bob) = (person(&authority, "ann").await, person(&authority, "bob").await);
    let first = ra
        .create_registration(&ann, allowing("web", &["a.test"]))
        .await
        .unwrap();
    let asked = first.proposal.unwrap();
    ra.reject(asked, vote(&bob)).await.unwrap();
    refused(
        "denied",
        approve(&authority, asked, "carol").await,
        &Refusal::AlreadyDecided,
    );
    let again = ra
        .create_registration(&ann, allowing("web", &["b.test"]))
        .await
        .unwrap();
    assert_eq!(again.known.id, first.known.id);
    let asked = again.proposal.unwrap();
    // Of two who approve at once one completes it, and it is defined once.
    let racing = [person(&authority, "bob").await, person(&authority, "carol").await];
    let [one, other] = racing.map(|by| ra.approve(asked, vote(&by)));
    let (one, other) = futures_util::future::join(one, other).await;
    assert_eq!(
        [&one, &other].into_iter().filter(|one| one.is_ok()).count(),
        1,
        "{one:?} {other:?}"
    );
    let now = known(&authority, first.known.id).await;
    assert_eq!(
        (now.version, now.registration.names.words()),
        (1, Some(vec!["b.test".to_owned()]))
    );
}

/// Who may not decide: whose it is, and whoever cares for other teams alone.
#[tokio::test]
async fn its_owner_and_other_teams_do_not_approve_it() {
    let authority = guarded(ONE).await;
    let ra = &authority.ra;
    let ann = person(&authority, "ann").await;
    let role = "rights = [\"configuration.approve\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\n";
    authority.put(ObjectKind::Role, "of-team", role).await;
    for (name, team) in [("wes", "web"), ("dan", "db")] {
        let text = format!("teams = [\"{team}\"]\n{}", holder(name, "of-team"));
        authority.put(ObjectKind::Operator, name, &text).await;
    }
    let wanted = Registration {
        team: TeamName::new("web").ok(),
        owner: Some(operator("carol")),
        ..allowing("web", &["a.test"])
    };
    let asked = ra
        .create_registration(&ann, wanted)
        .await
        .unwrap()
        .proposal
        .unwrap();
    let owner = rejection(approve(&authority, asked, "carol").await);
    assert_eq!(owner, DecisionRejection::Excluded(Exclusion::Owner));
    let other = rejection(approve(&authority, asked, "dan").await);
    assert!(matches!(other, DecisionRejection::Right(_)), "{other:?}");
    assert_eq!(
        approve(&authority, asked, "wes").await.unwrap(),
        ProposalState::Approved
    );
}
