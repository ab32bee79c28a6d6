//! Operators: what they may do now, who may change them, and that a superadmin is always left.

use std::collections::BTreeSet;

use portreeve_ra::access::{Acting, Target};
use portreeve_ra::configuration::Outcome;
use portreeve_ra::credentials::{Bootstrapped, NewToken, SCOPE_BOOTSTRAP};
use portreeve_ra::operators::{ChangeError, Condition, PeopleChange};
use portreeve_ra::{
    AccessEvent, Event, On, OperatorName, Principal, ProfileName, Right, SecretState, Standing, StreamId,
};

use super::*;

const SPKI: &str =
    "certificates = [{ spki = \"0101010101010101010101010101010101010101010101010101010101010101\" }]";

fn name(name: &str) -> OperatorName {
    OperatorName::new(name).unwrap()
}

fn host(authority: &TestAuthority) -> Acting {
    acting(authority, Standing::superadmin(Principal::Host))
}

fn acting(authority: &TestAuthority, standing: Standing) -> Acting {
    Acting {
        standing,
        origin: Origin::node(authority.ra.node()),
        reason: "test".to_owned(),
    }
}

async fn as_operator(authority: &TestAuthority, operator: &str) -> Acting {
    let principal = Principal::Operator(name(operator));
    let standing = authority.ra.standing(&principal).await.unwrap();
    acting(authority, standing.unwrap())
}

fn to(kind: ObjectKind, name: &str, text: Option<&str>) -> PeopleChange {
    PeopleChange {
        kind,
        name: name.to_owned(),
        text: text.map(str::to_owned),
        condition: Condition::Any,
    }
}

async fn change(
    authority: &TestAuthority,
    by: &Acting,
    (kind, name, text): (ObjectKind, &str, Option<&str>),
) -> Result<Option<u32>, ChangeError> {
    let changed = authority.ra.change_people(by, to(kind, name, text)).await;
    changed.map(|outcome| in_force(&outcome))
}

/// The version that is in force after a change that waits for nobody.
fn in_force(outcome: &Outcome) -> Option<u32> {
    match outcome {
        Outcome::InForce(version) | Outcome::Unchanged(version) => Some(version.version),
        Outcome::Retired => None,
        Outcome::Drafted(_) | Outcome::Proposed(..) => panic!("{outcome:?}"),
    }
}

async fn started() -> TestAuthority {
    Odd::new(Vec::new()).start("").await.0
}

#[tokio::test]
async fn a_standing_follows_the_texts_in_force() {
    let authority = started().await;
    let (ra, host) = (&authority.ra, host(&authority));
    let alice = Principal::Operator(name("alice"));
    assert_eq!(ra.standing(&alice).await.unwrap(), None, "nobody");
    let text = "roles = [\"approver\", \"unpublished\"]\nteams = [\"net\"]";
    change(&authority, &host, (ObjectKind::Operator, "alice", Some(text)))
        .await
        .unwrap();
    let standing = ra.standing(&alice).await.unwrap().unwrap();
    assert!(standing.roles.is_empty(), "no role is published yet");
    let role = "rights = [\"request.approve\"]\nbackends = [\"*\"]\nprofiles = [\"dev\"]\nteams = \"all\"";
    change(&authority, &host, (ObjectKind::Role, "approver", Some(role)))
        .await
        .unwrap();
    let standing = ra.standing(&alice).await.unwrap().unwrap();
    let profiles = ["dev", "other"].map(|text| ProfileName::new(text).unwrap());
    let may = |profile| {
        standing.may(
            Right::RequestApprove,
            On {
                profile: Some(profile),
                ..On::default()
            },
        )
    };
    assert_eq!((may(&profiles[0]), may(&profiles[1])), (true, false));
    assert_eq!(standing.teams.len(), 1);
    change(&authority, &host, (ObjectKind::Role, "approver", None))
        .await
        .unwrap();
    assert!(ra.standing(&alice).await.unwrap().unwrap().roles.is_empty());
    let disabled = format!("{text}\ndisabled = true");
    change(
        &authority,
        &host,
        (ObjectKind::Operator, "alice", Some(&disabled)),
    )
    .await
    .unwrap();
    assert_eq!(ra.standing(&alice).await.unwrap(), None, "disabled");
}

#[tokio::test]
async fn what_a_principal_may_not_do_is_refused_and_recorded_a_bounded_number_of_times() {
    let authority = started().await;
    let by_host = host(&authority);
    let role = "rights = [\"operator.read\"]";
    change(&authority, &by_host, (ObjectKind::Role, "looker", Some(role)))
        .await
        .unwrap();
    change(
        &authority,
        &by_host,
        (ObjectKind::Operator, "eve", Some("roles = [\"looker\"]")),
    )
    .await
    .unwrap();
    let eve = as_operator(&authority, "eve").await;
    let needed = (Target::Installation, &eve.origin);
    assert!(
        authority
            .ra
            .authorize(&eve.standing, Right::OperatorRead, needed)
            .await
            .is_ok()
    );
    for _ in 0..40 {
        let refused = change(
            &authority,
            &eve,
            (ObjectKind::Operator, "eve", Some("roles = [\"superadmin\"]")),
        );
        assert!(
            matches!(refused.await, Err(ChangeError::Forbidden(lacks)) if lacks.0 == Right::OperatorWrite)
        );
    }
    let streams = authority
        .store
        .streams(StreamKind::Access, None, 200)
        .await
        .unwrap()
        .items;
    assert_eq!(streams.len(), 20, "the burst");
    let records = authority.store.load(&streams[..1]).await.unwrap();
    let record = &records[0][0];
    assert_eq!(
        record.header().actor,
        Actor::Operator(Principal::Operator(name("eve")))
    );
    let refused = AccessEvent::Refused {
        right: "operator.write".to_owned(),
        on: "the installation".to_owned(),
    };
    assert_eq!(record.events().unwrap(), [Event::Access(refused)]);
}

#[tokio::test]
async fn only_a_superadmin_touches_superadmins() {
    let authority = started().await;
    let by_host = host(&authority);
    let role = "rights = [\"operator.write\"]";
    let rows = [
        (ObjectKind::Role, "clerk", role),
        (ObjectKind::Operator, "carol", "roles = [\"clerk\"]"),
        (ObjectKind::Operator, "root", "roles = [\"superadmin\"]"),
    ];
    for (kind, name, text) in rows {
        change(&authority, &by_host, (kind, name, Some(text)))
            .await
            .unwrap();
    }
    let carol = as_operator(&authority, "carol").await;
    let plain = change(&authority, &carol, (ObjectKind::Operator, "dave", Some(""))).await;
    assert_eq!(plain.unwrap(), Some(1));
    let tries = [
        ("make one", "dave", Some("roles = [\"superadmin\"]")),
        (
            "disable one",
            "root",
            Some("roles = [\"superadmin\"]\ndisabled = true"),
        ),
        ("demote one", "root", Some("")),
        ("remove one", "root", None),
    ];
    for (row, operator, text) in tries {
        let refused = change(&authority, &carol, (ObjectKind::Operator, operator, text)).await;
        assert!(
            matches!(refused, Err(ChangeError::SuperadminOnly)),
            "{row}: {refused:?}"
        );
    }
    let password = authority
        .ra
        .set_password(&carol, &name("root"), ("x".to_owned(), None))
        .await;
    assert!(
        matches!(password, Err(ChangeError::SuperadminOnly)),
        "{password:?}"
    );
    assert!(
        authority
            .ra
            .set_password(&carol, &name("dave"), ("x".to_owned(), None))
            .await
            .is_ok()
    );
}

#[tokio::test]
async fn the_last_superadmin_who_can_sign_in_stays() {
    let authority = started().await;
    let by = host(&authority);
    let one = format!("roles = [\"superadmin\"]\n{SPKI}");
    change(&authority, &by, (ObjectKind::Operator, "a", Some(&one)))
        .await
        .unwrap();
    // Holds the role, but cannot sign in.
    change(
        &authority,
        &by,
        (ObjectKind::Operator, "b", Some("roles = [\"superadmin\"]")),
    )
    .await
    .unwrap();
    let tries = [
        ("removed", None),
        ("disabled", Some(format!("{one}\ndisabled = true"))),
        ("demoted", Some(SPKI.to_owned())),
        (
            "without certificates",
            Some("roles = [\"superadmin\"]".to_owned()),
        ),
    ];
    for (row, text) in &tries {
        let refused = change(&authority, &by, (ObjectKind::Operator, "a", text.as_deref())).await;
        assert!(
            matches!(refused, Err(ChangeError::LastSuperadmin)),
            "{row}: {refused:?}"
        );
    }
    authority
        .ra
        .set_password(&by, &name("b"), ("hash".to_owned(), None))
        .await
        .unwrap();
    change(&authority, &by, (ObjectKind::Operator, "a", None))
        .await
        .unwrap();
    let refused = change(&authority, &by, (ObjectKind::Operator, "b", None)).await;
    assert!(matches!(refused, Err(ChangeError::LastSuperadmin)), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_superadmins_who_remove_each_other_at_once_leave_one() {
    let authority = Arc::new(started().await);
    let text = format!("roles = [\"superadmin\"]\n{SPKI}");
    for round in 0..6 {
        for operator in ["a", "b"] {
            change(
                &authority,
                &host(&authority),
                (ObjectKind::Operator, operator, Some(&text)),
            )
            .await
            .unwrap();
        }
        let mut racing = tokio::task::JoinSet::new();
        for (by, other) in [("a", "b"), ("b", "a")] {
            let (authority, by) = (Arc::clone(&authority), as_operator(&authority, by).await);
            racing.spawn(async move { change(&authority, &by, (ObjectKind::Operator, other, None)).await });
        }
        let done = racing.join_all().await.into_iter().filter(Result::is_ok).count();
        assert_eq!(done, 1, "round {round}");
    }
}

#[tokio::test]
async fn a_change_is_made_on_what_was_looked_at() {
    let authority = started().await;
    let by = host(&authority);
    let change = |condition, text: &str| PeopleChange {
        condition,
        ..to(ObjectKind::Team, "net", Some(text))
    };
    let ra = &authority.ra;
    let made = ra
        .change_people(&by, change(Condition::Absent, "title = \"a\""))
        .await;
    assert_eq!(in_force(&made.unwrap()), Some(1));
    let again = ra
        .change_people(&by, change(Condition::Absent, "title = \"b\""))
        .await;
    assert!(matches!(again, Err(ChangeError::Condition)));
    let made = ra
        .change_people(&by, change(Condition::Version(1), "title = \"b\""))
        .await;
    assert_eq!(in_force(&made.unwrap()), Some(2));
    let stale = ra
        .change_people(&by, change(Condition::Version(1), "title = \"c\""))
        .await;
    assert!(matches!(stale, Err(ChangeError::Condition)));
    let unreadable = ra
        .change_people(&by, change(Condition::Any, "members = []"))
        .await;
    assert!(matches!(unreadable, Err(ChangeError::Unreadable(_))));
}

#[tokio::test]
async fn tokens_are_limited_and_the_one_time_credential_is_good_once() {
    let authority = started().await;
    let (ra, by) = (&authority.ra, host(&authority));
    let new = |scopes: &[Right], bound_to| NewToken {
        operator: name("a"),
        label: "test".to_owned(),
        scopes: scopes.iter().copied().collect::<BTreeSet<_>>(),
        bound_to,
        lifetime: Duration::from_secs(60),
    };
    let unknown = ra.issue_token(&by, new(&[Right::RequestRead], None)).await;
    assert!(matches!(unknown, Err(ChangeError::Unknown)));
    let Bootstrapped::Made(made) = ra.bootstrap(&by, &name("a")).await.unwrap() else {
        panic!("nobody is there to ask")
    };
    assert!(
        ra.standing(&Principal::Operator(name("a")))
            .await
            .unwrap()
            .unwrap()
            .may_somewhere(Right::AuditErase)
    );
    for right in Right::ALL.iter().filter(|right| right.needs_certificate()) {
        let refused = ra.issue_token(&by, new(&[*right], None)).await;
        assert!(
            matches!(refused, Err(ChangeError::ScopeNeedsCertificate(_))),
            "{right}"
        );
        assert!(
            ra.issue_token(&by, new(&[*right], Some([1; 32]))).await.is_ok(),
            "{right}"
        );
    }
    assert!(ra.issue_token(&by, new(&[], None)).await.is_err(), "no scope");

    let a = as_operator(&authority, "a").await;
    assert!(ra.bootstrap(&a, &name("a")).await.is_err(), "only the host");
    let known = ra.secrets().secret(made.id).await.unwrap().unwrap();
    assert_eq!(known.value().secret.scopes, [SCOPE_BOOTSTRAP]);
    let foreign = ra.spend_bootstrap(&a, &name("b"), made.id).await;
    assert!(matches!(foreign, Err(ChangeError::Spent)), "{foreign:?}");
    assert!(
        ra.set_password(&a, &name("a"), ("hash".to_owned(), Some(made.id)))
            .await
            .is_ok()
    );
    let again = ra
        .set_password(&a, &name("a"), ("other".to_owned(), Some(made.id)))
        .await;
    assert!(matches!(again, Err(ChangeError::Spent)), "{again:?}");
    let known = ra.secrets().secret(made.id).await.unwrap().unwrap();
    assert_eq!(known.value().state(ra.now()), SecretState::Spent);
    // The password that the second try brought is not in force.
    let password = ra.password(&name("a")).await.unwrap().unwrap();
    assert_eq!(
        password.secret.check,
        portreeve_ra::SecretCheck::Argon2id("hash".to_owned())
    );
    assert_eq!(StreamId::password(&name("a")).kind, StreamKind::Secret);
}
