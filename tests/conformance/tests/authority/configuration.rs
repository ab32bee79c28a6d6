//! Configuration: texts are drafted, come in force, are agreed to and retired; by whom, and of several at once by one.

mod anchors;
mod guarded;
mod refusals;

use futures_util::future::join_all;
use portreeve_harness::authority::key_of;
use portreeve_ra::access::{Acting, Forbidden};
use portreeve_ra::configuration::{Changed, ConfigurationError, DRAFTS_MAX, ObjectChange, Outcome, Step};
use portreeve_ra::operators::{Condition, PeopleChange};
use portreeve_ra::{ObjectHistory, OperatorName, Principal, Right, Standing};

use super::*;

const POLICY: ObjectKind = ObjectKind::ApprovalPolicy;
const PROFILE: ObjectKind = ObjectKind::Profile;

async fn started() -> TestAuthority {
    Odd::new(Vec::new()).start("").await.0
}

fn host(authority: &TestAuthority) -> Acting {
    acting(authority, Standing::superadmin(Principal::Host))
}

fn acting(authority: &TestAuthority, standing: Standing) -> Acting {
    Acting {
        standing,
        origin: Origin::node(authority.ra.node()),
        reason: "because".to_owned(),
    }
}

/// An operator with these rights, on one CA and one profile alone when they are `limited`.
async fn person(authority: &TestAuthority, name: &str, (rights, limited): (&str, bool)) -> Acting {
    let reach = match limited {
        true => "backends = [\"scripted\"]\nprofiles = [\"dev\"]",
        false => "backends = [\"*\"]\nprofiles = [\"*\"]",
    };
    let role = format!("rights = [{rights}]\n{reach}");
    let texts = [
        (ObjectKind::Role, role),
        (
            ObjectKind::Operator,
            format!("roles = [\"{name}\"]\n{}", key_of(name)),
        ),
    ];
    for (kind, text) in texts {
        let change = PeopleChange {
            kind,
            name: name.to_owned(),
            text: Some(text),
            condition: Condition::Any,
        };
        let changed = authority.ra.change_people(&host(authority), change).await;
        changed.expect("published");
    }
    let principal = Principal::Operator(OperatorName::new(name).unwrap());
    let standing = authority.ra.standing(&principal).await.unwrap();
    acting(authority, standing.unwrap())
}

async fn author(authority: &TestAuthority, name: &str) -> Acting {
    let rights = "\"configuration.read\", \"configuration.write\", \"configuration.approve\"";
    person(authority, name, (rights, false)).await
}

fn to(kind: ObjectKind, name: &str, step: Step) -> ObjectChange {
    ObjectChange {
        kind,
        name: name.to_owned(),
        step,
        condition: Condition::Any,
    }
}

/// A profile for names below this domain.
fn profile(domain: &str) -> String {
    format!(
        "description = \"below {domain}\"\nnames.dns.allow = [\"{domain}\"]\nkey.allowed = [\"P-256\"]\n\
         validity = {{ default = \"7d\", max = \"9d\" }}\nkey_usage.always = [\"digitalSignature\"]\n\
         extended_key_usage.fixed = [\"serverAuth\"]\n"
    )
}

fn version(changed: &Changed) -> u32 {
    match &changed.outcome {
        Outcome::Unchanged(version)
        | Outcome::Drafted(version)
        | Outcome::InForce(version)
        | Outcome::Proposed(version, _) => version.version,
        Outcome::Retired => 0,
    }
}

async fn history(authority: &TestAuthority, kind: ObjectKind, name: &str) -> ObjectHistory {
    let history = authority.ra.objects().history(kind, name).await.unwrap();
    history.expect("an object")
}

async fn in_force(authority: &TestAuthority, kind: ObjectKind, name: &str) -> Option<u32> {
    let current = authority.ra.objects().current(kind, name).await.unwrap();
    current.map(|version| version.version)
}

#[tokio::test]
async fn a_text_goes_from_draft_to_retired_and_its_history_says_who_and_why() {
    let authority = started().await;
    let (ra, alice) = (&authority.ra, author(&authority, "alice").await);
    let bob = author(&authority, "bob").await;
    let change = |step| to(PROFILE, "web", step);
    let drafted = ra
        .change_object(&alice, &change(Step::Draft(profile("a.test"))))
        .await;
    assert_eq!(version(&drafted.unwrap()), 1);
    assert_eq!(in_force(&authority, PROFILE, "web").await, None);
    let again = ra
        .change_object(&alice, &change(Step::Draft(profile("a.test"))))
        .await;
    assert!(matches!(again.unwrap().outcome, Outcome::Unchanged(draft) if draft.version == 1));
    let released = ra.change_object(&bob, &change(Step::Release(1))).await.unwrap();
    assert!(matches!(released.outcome, Outcome::InForce(version) if version.version == 1));
    let published = ra
        .change_object(&bob, &change(Step::Publish(profile("b.test"))))
        .await;
    assert_eq!(version(&published.unwrap()), 2);
    let same = ra
        .change_object(&alice, &change(Step::Publish(profile("b.test"))))
        .await;
    assert!(matches!(same.unwrap().outcome, Outcome::Unchanged(_)));
    let own = ra.confirm_object(&bob, (PROFILE, "web"), 2).await;
    assert!(matches!(own, Err(ConfigurationError::OwnWork)), "{own:?}");
    let earlier = ra.confirm_object(&alice, (PROFILE, "web"), 2).await;
    assert!(
        matches!(earlier, Err(ConfigurationError::OwnWork)),
        "version 1 was hers"
    );
    let host = host(&authority);
    let old = ra.confirm_object(&host, (PROFILE, "web"), 1).await;
    assert!(matches!(old, Err(ConfigurationError::Condition)), "{old:?}");
    for _ in 0..2 {
        ra.confirm_object(&host, (PROFILE, "web"), 2).await.unwrap();
    }
    let found = history(&authority, PROFILE, "web").await;
    assert!(found.unconfirmed_authors(2).is_empty());
    let second = found.revision(2).unwrap();
    assert_eq!(second.agreed.len(), 1, "once");
    assert_eq!(second.written.reason, "because");
    assert_eq!(second.written.by, Actor::Operator(bob.principal().clone()));
    let first = found.revision(1).unwrap();
    assert_eq!(first.written.by, Actor::Operator(alice.principal().clone()));
    let by = &first.released.as_ref().unwrap().deed.by;
    assert_eq!(*by, Actor::Operator(bob.principal().clone()));
    let retired = ra.change_object(&alice, &change(Step::Retire)).await.unwrap();
    assert_eq!(retired.outcome, Outcome::Retired);
    assert!(history(&authority, PROFILE, "web").await.retired().is_some());
    let nothing = ra.change_object(&alice, &change(Step::Retire)).await;
    assert!(matches!(nothing, Err(ConfigurationError::Unknown)));
}

#[tokio::test]
async fn drafts_come_in_force_in_turn_or_not_at_all() {
    let authority = started().await;
    let (ra, alice) = (&authority.ra, author(&authority, "alice").await);
    let change = |step| to(PROFILE, "web", step);
    for domain in ["a.test", "b.test", "c.test"] {
        ra.change_object(&alice, &change(Step::Draft(profile(domain))))
            .await
            .unwrap();
    }
    ra.change_object(&alice, &change(Step::Release(2))).await.unwrap();
    let rows = [
        ("overtaken", 1, "overtaken by version 2"),
        ("in force", 2, "is no draft"),
        ("never written", 9, "no version 9"),
    ];
    for (name, number, reason) in rows {
        let error = ra.change_object(&alice, &change(Step::Release(number))).await;
        let error = error.expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    ra.change_object(&alice, &change(Step::Retire)).await.unwrap();
    let back = ra.change_object(&alice, &change(Step::Release(3))).await.unwrap();
    assert_eq!(version(&back), 3, "newer than what was in force");
    for number in 0..DRAFTS_MAX {
        let draft = Step::Draft(profile(&format!("d{number}.test")));
        ra.change_object(&alice, &change(draft)).await.unwrap();
    }
    let draft = Step::Draft(profile("e.test"));
    let full = ra.change_object(&alice, &change(draft)).await;
    assert!(matches!(full, Err(ConfigurationError::TooManyDrafts)));
}

#[tokio::test]
async fn of_many_who_expect_the_same_version_one_changes_it() {
    let authority = started().await;
    let (ra, alice) = (&authority.ra, author(&authority, "alice").await);
    ra.change_object(&alice, &to(PROFILE, "web", Step::Publish(profile("a.test"))))
        .await
        .unwrap();
    let changes: Vec<ObjectChange> = (0..8)
        .map(|number| ObjectChange {
            condition: Condition::Version(1),
            ..to(PROFILE, "web", Step::Publish(profile(&format!("x{number}.test"))))
        })
        .chain([ObjectChange {
            condition: Condition::Version(1),
            ..to(PROFILE, "web", Step::Retire)
        }])
        .collect();
    let racers = changes.iter().map(|change| ra.change_object(&alice, change));
    let results = join_all(racers).await;
    let (made, lost): (Vec<_>, Vec<_>) = results.into_iter().partition(Result::is_ok);
    assert_eq!(made.len(), 1, "{made:?}");
    for one in lost {
        let error = one.unwrap_err();
        let late = matches!(error, ConfigurationError::Condition | ConfigurationError::Unknown);
        assert!(late, "{error:?}");
    }
    let absent = ObjectChange {
        condition: Condition::Absent,
        ..to(PROFILE, "new", Step::Publish(profile("a.test")))
    };
    let racers = (0..4).map(|_| ra.change_object(&alice, &absent));
    let made = join_all(racers).await.into_iter().filter(Result::is_ok).count();
    assert_eq!(made, 1);
    // Without an expectation each is made on what the others left.
    let changes: Vec<ObjectChange> = (0..6)
        .map(|number| {
            to(
                PROFILE,
                "busy",
                Step::Publish(profile(&format!("y{number}.test"))),
            )
        })
        .collect();
    let racers = changes.iter().map(|change| ra.change_object(&alice, change));
    let mut numbers: Vec<u32> = join_all(racers)
        .await
        .into_iter()
        .filter_map(|made| made.ok().as_ref().map(version))
        .collect();
    let count = numbers.len();
    numbers.sort_unstable();
    numbers.dedup();
    assert_eq!(numbers.len(), count, "no number twice");
    assert!(count >= 1);
}

#[tokio::test]
async fn rights_reach_as_far_as_the_texts_of_before_and_after() {
    let authority = started().await;
    let ra = &authority.ra;
    let carol = person(&authority, "carol", ("\"configuration.write\"", true)).await;
    let reader = person(&authority, "reader", ("\"configuration.read\"", false)).await;
    let offer = |profiles: &str, backend: &str| {
        Step::Publish(format!("profiles = [{profiles}]\nbackend = \"{backend}\"\n"))
    };
    let dev = ra.objects().current(PROFILE, "dev").await.unwrap().unwrap().body;
    let theirs = Step::Publish(format!("{dev}\n# mine\n"));
    let elsewhere = to(ObjectKind::Endpoint, "acme/other", offer("\"web\"", "scripted"));
    ra.change_object(&host(&authority), &elsewhere).await.unwrap();
    let rows = [
        ("their profile", &carol, to(PROFILE, "dev", theirs), true),
        (
            "another one",
            &carol,
            to(PROFILE, "web", Step::Publish(profile("a.test"))),
            false,
        ),
        (
            "a draft of another one",
            &carol,
            to(PROFILE, "web", Step::Draft(profile("a.test"))),
            false,
        ),
        (
            "their endpoint",
            &carol,
            to(ObjectKind::Endpoint, "acme/a", offer("\"dev\"", "scripted")),
            true,
        ),
        (
            "another CA",
            &carol,
            to(ObjectKind::Endpoint, "acme/a", offer("\"dev\"", "other")),
            false,
        ),
        (
            "one of two profiles",
            &carol,
            to(
                ObjectKind::Endpoint,
                "acme/a",
                offer("\"dev\", \"web\"", "scripted"),
            ),
            false,
        ),
        (
            "an endpoint of others, made theirs",
            &carol,
            to(ObjectKind::Endpoint, "acme/other", offer("\"dev\"", "scripted")),
            false,
        ),
        (
            "an endpoint of others, retired",
            &carol,
            to(ObjectKind::Endpoint, "acme/other", Step::Retire),
            false,
        ),
        (
            "what guards everything",
            &carol,
            to(POLICY, "configuration", Step::Retire),
            false,
        ),
        (
            "nothing but reading",
            &reader,
            to(PROFILE, "dev", Step::Retire),
            false,
        ),
    ];
    for (name, by, change, may) in rows {
        match ra.change_object(by, &change).await {
            Ok(_) => assert!(may, "{name}"),
            Err(ConfigurationError::Unknown) => assert_eq!(change.name, "configuration", "{name}"),
            Err(ConfigurationError::Forbidden(Forbidden(right))) => {
                assert!(!may && right == Right::ConfigurationWrite, "{name}");
            }
            Err(other) => panic!("{name}: {other}"),
        }
    }
    let refused = ra.confirm_object(&carol, (PROFILE, "dev"), 2).await;
    assert!(matches!(
        refused,
        Err(ConfigurationError::Forbidden(Forbidden(
            Right::ConfigurationApprove
        )))
    ));
    let people = ra
        .change_object(&host(&authority), &to(ObjectKind::Role, "carol", Step::Retire))
        .await;
    assert!(matches!(people, Err(ConfigurationError::Kind(ObjectKind::Role))));
}

#[tokio::test]
async fn what_gives_away_too_much_may_be_drafted_and_never_comes_in_force() {
    let authority = started().await;
    let (ra, alice) = (&authority.ra, author(&authority, "alice").await);
    let long = profile("a.test").replace("9d", "3000d");
    let drafted = ra
        .change_object(&alice, &to(PROFILE, "web", Step::Draft(long.clone())))
        .await
        .unwrap();
    let said: Vec<_> = drafted
        .remarks
        .iter()
        .filter(|one| one.blocks)
        .map(|one| one.code)
        .collect();
    assert_eq!(said, ["validity_long"]);
    for step in [Step::Release(1), Step::Publish(long.clone())] {
        let blocked = ra.change_object(&alice, &to(PROFILE, "web", step)).await;
        let Err(ConfigurationError::Blocked(remarks)) = blocked else {
            panic!("{blocked:?}")
        };
        assert!(
            remarks
                .iter()
                .any(|one| one.code == "validity_long" && one.blocks)
        );
    }
    let reason = format!("{long}lint.override.validity_long = \"bridges are built for long\"\n");
    let published = ra
        .change_object(&alice, &to(PROFILE, "web", Step::Publish(reason)))
        .await
        .unwrap();
    assert!(
        published.remarks.iter().any(|one| one.reason.is_some()),
        "and it is still said"
    );
    let nonsense = ra
        .change_object(&alice, &to(PROFILE, "x", Step::Draft("nonsense".to_owned())))
        .await;
    assert!(matches!(nonsense, Err(ConfigurationError::Unreadable(_))));
    let long_text = ra
        .change_object(&alice, &to(PROFILE, "x", Step::Draft("#".repeat(65 * 1024))))
        .await;
    assert!(matches!(long_text, Err(ConfigurationError::Unreadable(_))));
}

/// Drafts, and what comes in force later, change nothing for a request that waits; what is retired takes no new ones.
#[tokio::test]
async fn a_request_keeps_the_versions_it_was_judged_by() {
    let (authority, backend) = Odd::new(Vec::new()).start("approval = \"one\"").await;
    let (ra, host) = (&authority.ra, host(&authority));
    let account = authority.account(&["a.test"]).await;
    let pending = enroll(&authority, &account, ("order", &csr("a.test"))).await;
    let Ok(Disposition::Pending { enrollment, .. }) = pending else {
        panic!("{pending:?}")
    };
    let names = "names.dns.allow = [\"elsewhere.test\"]\n";
    let other = profile("a.test").replace("names.dns.allow = [\"a.test\"]\n", names);
    let steps = [
        (Step::Draft(other), Ok(())),
        (Step::Release(2), Ok(())),
        (Step::Retire, Err(Refusal::UnknownProfile("dev".to_owned()))),
    ];
    for (index, (step, later)) in steps.into_iter().enumerate() {
        let drafted = matches!(step, Step::Draft(_));
        let released = matches!(step, Step::Release(_));
        ra.change_object(&host, &to(PROFILE, "dev", step)).await.unwrap();
        let order = format!("later {index}");
        let answer = enroll(&authority, &account, (&order, &csr("a.test"))).await;
        match (later, answer) {
            (Ok(()), Ok(Disposition::Pending { enrollment, .. })) => {
                assert!(drafted, "the draft alone lets it wait");
                let found = ra.enrollment(enrollment).await.unwrap().unwrap();
                assert_eq!(found.application().unwrap().profile_version, 1);
            }
            (Ok(()), Err(Error::Refused(Refusal::Names(_)))) => assert!(released, "by version 2"),
            (Err(expected), Err(Error::Refused(refusal))) => assert_eq!(refusal, expected),
            (_, other) => panic!("{other:?}"),
        }
    }
    let endpoint = to(ObjectKind::Endpoint, "acme/default", Step::Retire);
    ra.change_object(&host, &endpoint).await.unwrap();
    let refused = enroll(&authority, &account, ("last", &csr("a.test"))).await;
    assert!(
        matches!(refused, Err(Error::Refused(Refusal::UnknownEndpoint))),
        "{refused:?}"
    );
    let found = ra.enrollment(enrollment).await.unwrap().unwrap();
    let vote = authority.vote("alice").await;
    ra.approve(found.proposal().unwrap(), vote).await.unwrap();
    let done = || async {
        let found = ra.enrollment(enrollment).await.unwrap().unwrap();
        found.certificate().is_some()
    };
    authority
        .work_until("issued by the version it was judged by", done)
        .await;
    assert_eq!(issues(&backend), 1);
}
