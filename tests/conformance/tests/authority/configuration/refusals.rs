//! What is refused for a reason that lies in the text, and not in the right alone, is an event as well.

use portreeve_ra::operators::ChangeError;

use super::*;

#[tokio::test]
async fn what_the_text_is_about_is_told_in_the_event() {
    let authority = started().await;
    let ra = &authority.ra;
    let root = format!("roles = [\"superadmin\"]\n{}", key_of("root"));
    authority.put(ObjectKind::Operator, "root", &root).await;
    let clerk = person(&authority, "clerk", ("\"operator.write\"", false)).await;
    for text in [Some("roles = [\"superadmin\"]\n"), None] {
        let change = PeopleChange {
            kind: ObjectKind::Operator,
            name: "root".to_owned(),
            text: text.map(str::to_owned),
            condition: Condition::Any,
        };
        let refused = ra.change_people(&clerk, change).await;
        assert!(matches!(refused, Err(ChangeError::SuperadminOnly)), "{refused:?}");
    }
    let name = OperatorName::new("root").unwrap();
    let password = ra.set_password(&clerk, &name, ("hash".to_owned(), None)).await;
    assert!(
        matches!(password, Err(ChangeError::SuperadminOnly)),
        "{password:?}"
    );

    let rights = "\"configuration.write\", \"configuration.approve\"";
    let limited = person(&authority, "limited", (rights, true)).await;
    for name in ["configuration", "revocation"] {
        let text = "age_max = \"7d\"\n[[step]]\nanyone = true\n".to_owned();
        let guard = ra
            .change_object(&limited, &to(POLICY, name, Step::Publish(text)))
            .await;
        assert!(
            matches!(guard, Err(ConfigurationError::Forbidden(_))),
            "{name}: {guard:?}"
        );
    }

    let alice = author(&authority, "alice").await;
    let publish = to(PROFILE, "web", Step::Publish(profile("a.test")));
    ra.change_object(&alice, &publish).await.unwrap();
    let own = ra.confirm_object(&alice, (PROFILE, "web"), 1).await;
    assert!(matches!(own, Err(ConfigurationError::OwnWork)), "{own:?}");

    let told = |name: &str, right: &str, on: &str| {
        let who = Principal::Operator(OperatorName::new(name).unwrap());
        (who, right.to_owned(), on.to_owned())
    };
    let mut expected = vec![told("alice", "configuration.approve", "their own work")];
    expected.extend(vec![told("clerk", "operator.write", "a superadmin"); 3]);
    expected.extend(vec![
        told("limited", "configuration.write", "every CA and profile");
        2
    ]);
    assert_eq!(refusals(&authority).await, expected);
}

/// Roles, teams and operators are agreed to by somebody with the right everywhere, who neither wrote them nor is meant.
#[tokio::test]
async fn what_people_may_do_is_confirmed_by_others() {
    let authority = started().await;
    let ra = &authority.ra;
    let rights = "\"operator.write\", \"configuration.approve\"";
    let boss = person(&authority, "boss", (rights, false)).await;
    let alice = author(&authority, "alice").await;
    let limited = person(&authority, "limited", ("\"configuration.approve\"", true)).await;
    let change = PeopleChange {
        kind: ObjectKind::Role,
        name: "new".to_owned(),
        text: Some("rights = [\"audit.read\"]".to_owned()),
        condition: Condition::Any,
    };
    ra.change_people(&boss, change).await.unwrap();
    let unconfirmed = async |kind, name| history(&authority, kind, name).await.unconfirmed_authors(1).len();
    let role = (ObjectKind::Role, "new");
    let own = ra.confirm_object(&boss, role, 1).await;
    assert!(matches!(own, Err(ConfigurationError::OwnWork)), "{own:?}");
    let elsewhere = ra.confirm_object(&limited, role, 1).await;
    assert!(
        matches!(elsewhere, Err(ConfigurationError::Forbidden(_))),
        "{elsewhere:?}"
    );
    assert_eq!(unconfirmed(role.0, role.1).await, 1);
    ra.confirm_object(&alice, role, 1).await.unwrap();
    assert_eq!(unconfirmed(role.0, role.1).await, 0);

    let herself = (ObjectKind::Operator, "alice");
    let own = ra.confirm_object(&alice, herself, 1).await;
    assert!(matches!(own, Err(ConfigurationError::OwnWork)), "{own:?}");
    ra.confirm_object(&boss, herself, 1).await.unwrap();
    assert_eq!(unconfirmed(herself.0, herself.1).await, 0);
}
