//! Who may do what to registrations.

use std::collections::BTreeSet;

use portreeve_harness::authority::operator;
use portreeve_ra::authority::{NewRegistrationSecret, RegistrationSearch};
use portreeve_ra::{
    Error, OperatorRole, Reach, Refusal, Registration, RegistrationId, RegistrationState, Right, RoleName,
    SecretKind, Standing, TeamName, TeamReach,
};

use super::support::*;

fn team(name: &str) -> TeamName {
    TeamName::new(name).unwrap()
}

/// An operator with these rights on what their team owns.
fn standing(name: &str, own: &str, rights: &[Right]) -> Standing {
    Standing {
        principal: operator(name),
        roles: vec![OperatorRole {
            name: RoleName::new("of-team").unwrap(),
            rights: rights.iter().copied().collect(),
            backends: Reach::All,
            profiles: Reach::All,
            teams: TeamReach::Own,
        }],
        teams: BTreeSet::from([team(own)]),
        scopes: None,
    }
}

fn of(name: &str, owner: &str) -> Registration {
    Registration {
        team: Some(team(owner)),
        ..allowing(name, &["a.test"])
    }
}

const NEW: NewRegistrationSecret = NewRegistrationSecret {
    kind: SecretKind::AcmeEab,
    reference: None,
    uses_max: Some(1),
    until: None,
};

fn denied<T: std::fmt::Debug>(result: Result<T, Error>) -> bool {
    matches!(result, Err(Error::Refused(Refusal::NotAuthorized)))
}

#[tokio::test]
async fn operators_act_within_their_teams() {
    let these = These::start("").await;
    let ra = &these.authority.ra;
    let rights = [
        Right::RegistrationRead,
        Right::RegistrationWrite,
        Right::SecretWrite,
    ];
    let ann = standing("ann", "web", &rights);
    let ann = acting(ra, &ann);
    let own = ra
        .create_registration(&ann, of("web-1", "web"))
        .await
        .unwrap()
        .known;
    assert!(
        denied(ra.create_registration(&ann, of("db-1", "db")).await),
        "another team's"
    );
    let nobodys = Registration {
        team: None,
        ..of("x", "web")
    };
    assert!(denied(ra.create_registration(&ann, nobodys).await), "nobody's");
    let moved = ra
        .define_registration(&ann, own.id, (of("web-1", "db"), None))
        .await;
    assert!(denied(moved), "given away");

    let theirs = these.register(of("db-1", "db")).await;
    assert!(ra.registration_seen(&ann, theirs.id).await.unwrap().is_none());
    assert!(ra.registration_named(&ann, "db-1").await.unwrap().is_none());
    assert!(ra.suspend_registration(&ann, theirs.id).await.unwrap().is_none());
    assert!(ra.issue_secret(&ann, theirs.id, NEW).await.unwrap().is_none());
    let secret = these.key(&theirs, Some(1)).await;
    assert!(ra.revoke_secret(&ann, secret.id).await.unwrap().is_none());
    let listed = ra
        .registrations_seen(&ann, &RegistrationSearch::default(), (None, 50))
        .await
        .unwrap();
    assert_eq!(
        listed.items.iter().map(|known| known.id).collect::<Vec<_>>(),
        [own.id]
    );
    assert!(
        ra.secrets_seen(&ann, (None, None), (None, 50))
            .await
            .unwrap()
            .items
            .is_empty()
    );

    let reader = standing("rea", "web", &[Right::RegistrationRead]);
    let reader = acting(ra, &reader);
    assert!(ra.registration_seen(&reader, own.id).await.unwrap().is_some());
    assert!(denied(ra.suspend_registration(&reader, own.id).await));
    assert!(denied(ra.issue_secret(&reader, own.id, NEW).await));
    let nobody = standing("nob", "web", &[Right::CertificateRead]);
    let nobody = acting(ra, &nobody);
    assert!(denied(
        ra.registrations_seen(&nobody, &RegistrationSearch::default(), (None, 50))
            .await
    ));
    assert!(ra.registration_seen(&nobody, own.id).await.unwrap().is_none());
}

#[tokio::test]
async fn another_person_confirms_what_was_written() {
    let these = These::start("").await;
    let ra = &these.authority.ra;
    let both = [Right::RegistrationWrite, Right::ConfigurationApprove];
    let (ann, bob) = (standing("ann", "web", &both), standing("bob", "web", &both));
    let (ann, bob) = (acting(ra, &ann), acting(ra, &bob));
    let known = ra
        .create_registration(&ann, of("web-1", "web"))
        .await
        .unwrap()
        .known;
    assert_eq!(known.unconfirmed_authors, [operator("ann")]);
    assert!(
        denied(ra.confirm_registration(&ann, known.id).await),
        "not by its author"
    );
    let theirs = Registration {
        owner: Some(operator("bob")),
        ..of("web-2", "web")
    };
    let theirs = ra.create_registration(&ann, theirs).await.unwrap().known;
    assert!(
        denied(ra.confirm_registration(&bob, theirs.id).await),
        "not by whose it is"
    );
    let known = ra.confirm_registration(&bob, known.id).await.unwrap().unwrap();
    assert!(known.unconfirmed_authors.is_empty());
    let wider = Registration {
        vouched: true,
        ..of("web-1", "web")
    };
    let known = ra
        .define_registration(&bob, known.id, (wider, Some(1)))
        .await
        .unwrap()
        .unwrap()
        .known;
    assert_eq!(
        (known.version, known.unconfirmed_authors),
        (2, vec![operator("bob")])
    );
    let secret = ra
        .issue_secret(&acting(ra, &host()), known.id, NEW)
        .await
        .unwrap()
        .unwrap();
    let issued = ra.secrets().secret(secret.id).await.unwrap().unwrap();
    assert_eq!(
        issued.value().issued_by.to_string(),
        "host:root",
        "counts as requester"
    );
}

#[tokio::test]
async fn what_is_asked_is_checked() {
    let these = These::start("").await;
    let ra = &these.authority.ra;
    let by = host();
    let by = acting(ra, &by);
    let known = these.register(allowing("web", &["a.test"])).await;
    let taken = ra
        .create_registration(&by, allowing("web", &["b.test"]))
        .await
        .err();
    assert!(
        matches!(taken, Some(Error::Refused(Refusal::NameTaken))),
        "{taken:?}"
    );
    let taken = ra.check_registration(&by, &allowing("web", &[])).await.err();
    assert!(
        matches!(taken, Some(Error::Refused(Refusal::NameTaken))),
        "{taken:?}"
    );
    ra.check_registration(&by, &allowing("web-2", &[])).await.unwrap();
    let stale = ra
        .define_registration(&by, known.id, (allowing("web", &[]), Some(2)))
        .await
        .err();
    assert!(matches!(stale, Some(Error::Refused(Refusal::Stale))), "{stale:?}");
    let past = Registration {
        until: Some(ra.now()),
        ..allowing("late", &[])
    };
    let vouched = Registration {
        vouched: true,
        ..Registration::named("any")
    };
    for registration in [past, vouched] {
        let refused = ra.create_registration(&by, registration).await.err();
        assert!(
            matches!(refused, Some(Error::Refused(Refusal::Malformed(_)))),
            "{refused:?}"
        );
    }
    let secrets = [
        NewRegistrationSecret {
            uses_max: Some(0),
            ..NEW
        },
        NewRegistrationSecret {
            uses_max: Some(501),
            ..NEW
        },
        NewRegistrationSecret {
            reference: Some("mine".into()),
            ..NEW
        },
        NewRegistrationSecret {
            kind: SecretKind::Token,
            ..NEW
        },
        NewRegistrationSecret {
            kind: SecretKind::EstPassword,
            reference: Some("a:b".into()),
            ..NEW
        },
        NewRegistrationSecret {
            until: Some(ra.now()),
            ..NEW
        },
    ];
    for new in secrets {
        let refused = ra.issue_secret(&by, known.id, new).await.err();
        assert!(
            matches!(refused, Some(Error::Refused(Refusal::Malformed(_)))),
            "{refused:?}"
        );
    }
    let named = NewRegistrationSecret {
        kind: SecretKind::EstPassword,
        reference: Some("press-7".into()),
        ..NEW
    };
    ra.issue_secret(&by, known.id, named.clone())
        .await
        .unwrap()
        .unwrap();
    let taken = ra.issue_secret(&by, known.id, named).await.err();
    assert!(
        matches!(taken, Some(Error::Refused(Refusal::NameTaken))),
        "{taken:?}"
    );
    let absent = RegistrationId::from_bytes([9; 16]);
    assert!(ra.issue_secret(&by, absent, NEW).await.unwrap().is_none());
}

#[tokio::test]
async fn lists_are_narrowed_and_paged() {
    let these = These::start("").await;
    let ra = &these.authority.ra;
    let by = host();
    let by = acting(ra, &by);
    let mut ids = Vec::new();
    for number in 0..5 {
        ids.push(
            these
                .register(of(&format!("Web {number}"), ["web", "db"][number % 2]))
                .await
                .id,
        );
    }
    ra.suspend_registration(&by, ids[0]).await.unwrap().unwrap();
    let found = |search: RegistrationSearch| {
        let by = by.clone();
        async move {
            let (mut found, mut after) = (Vec::new(), None);
            loop {
                let page = ra
                    .registrations_seen(&by, &search, (after.as_ref(), 2))
                    .await
                    .unwrap();
                found.extend(page.items.into_iter().map(|known| known.id));
                after = page.next;
                if after.is_none() {
                    return found;
                }
            }
        }
    };
    // Several are made in one millisecond, and their identifiers then sort by chance.
    let newest_first = |mut some: Vec<RegistrationId>| {
        some.sort();
        some.reverse();
        some
    };
    assert_eq!(
        found(RegistrationSearch::default()).await,
        newest_first(ids.clone())
    );
    let named = RegistrationSearch {
        name: Some("wEb 3".into()),
        ..RegistrationSearch::default()
    };
    assert_eq!(found(named).await, [ids[3]]);
    let like = RegistrationSearch {
        name: Some("%".into()),
        ..RegistrationSearch::default()
    };
    assert!(found(like).await.is_empty(), "what is searched for is no pattern");
    let of_team = RegistrationSearch {
        team: Some(team("db")),
        ..RegistrationSearch::default()
    };
    assert_eq!(found(of_team).await, newest_first(vec![ids[3], ids[1]]));
    let suspended = RegistrationSearch {
        state: Some(RegistrationState::Suspended),
        ..RegistrationSearch::default()
    };
    assert_eq!(found(suspended).await, [ids[0]]);
}
