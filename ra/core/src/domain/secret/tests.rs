use super::*;

fn known(uses_max: Option<u32>) -> Option<KnownSecret> {
    let secret = Secret {
        owner: SecretOwner::Registration(RegistrationId::from_bytes([1; 16])),
        kind: SecretKind::AcmeEab,
        reference: "r".into(),
        check: SecretCheck::Sealed(vec![1]),
        uses_max,
        scopes: Vec::new(),
        bound_to: None,
        until: Some(Timestamp::from_unix_seconds(100)),
    };
    let mut known = None;
    apply(&mut known, &SecretEvent::Issued(secret), 1);
    known
}

fn apply(known: &mut Option<KnownSecret>, event: &SecretEvent, at: i64) {
    let at = Timestamp::from_unix_seconds(at);
    KnownSecret::apply(known, SecretId::from_bytes([2; 16]), event, (at, &Actor::Node));
}

#[test]
fn its_life() {
    let lock = SecretEvent::Locked {
        until: Timestamp::from_unix_seconds(50),
    };
    let rows = [
        ("new", Some(1), vec![], 10, SecretState::Live),
        (
            "used once of once",
            Some(1),
            vec![SecretEvent::Used { n: 1 }],
            10,
            SecretState::Spent,
        ),
        (
            "used once of twice",
            Some(2),
            vec![SecretEvent::Used { n: 1 }],
            10,
            SecretState::Live,
        ),
        (
            "used without limit",
            None,
            vec![SecretEvent::Used { n: 9 }],
            10,
            SecretState::Live,
        ),
        ("locked", Some(1), vec![lock.clone()], 49, SecretState::Locked),
        (
            "no longer locked",
            Some(1),
            vec![lock.clone()],
            50,
            SecretState::Live,
        ),
        ("expired", Some(1), vec![], 100, SecretState::Expired),
        (
            "revoked",
            Some(1),
            vec![SecretEvent::Revoked],
            10,
            SecretState::Revoked,
        ),
        (
            "revoked stays revoked",
            Some(1),
            vec![SecretEvent::Revoked, lock],
            200,
            SecretState::Revoked,
        ),
    ];
    for (case, uses_max, events, now, expected) in rows {
        let mut known = known(uses_max);
        events.iter().for_each(|event| apply(&mut known, event, 5));
        assert_eq!(
            known.unwrap().state(Timestamp::from_unix_seconds(now)),
            expected,
            "{case}"
        );
    }
}

fn made(kind: SecretKind, reference: &str) -> Secret {
    Secret {
        owner: SecretOwner::Registration(RegistrationId::from_bytes([1; 16])),
        kind,
        reference: reference.into(),
        check: SecretCheck::Sha256([1; 32]),
        uses_max: None,
        scopes: Vec::new(),
        bound_to: None,
        until: None,
    }
}

#[test]
fn what_waits_for_people_is_good_once_they_agree() {
    use SecretEvent::{Issued, Revoked};
    use SecretKind::{Password, Token};
    let proposal = |number| ProposalId::from_bytes([number; 16]);
    let asked = |kind, reference: &str, number| SecretEvent::Proposed {
        secret: made(kind, reference),
        proposal: proposal(number),
        until: Timestamp::from_unix_seconds(50),
    };
    let agreed = |number| SecretEvent::Released {
        proposal: proposal(number),
        approved_by: Vec::new(),
    };
    let denied = |number| SecretEvent::Denied {
        proposal: proposal(number),
    };
    let own = |reference: &str| Issued(made(Password, reference));
    type Row = (&'static str, Vec<SecretEvent>, i64, SecretState, &'static str);
    let rows: Vec<Row> = vec![
        ("waits", vec![asked(Token, "a", 1)], 49, SecretState::Pending, "a"),
        (
            "for too long",
            vec![asked(Token, "a", 1)],
            50,
            SecretState::Expired,
            "a",
        ),
        (
            "agreed to",
            vec![asked(Token, "a", 1), agreed(1)],
            99,
            SecretState::Live,
            "a",
        ),
        (
            "another one",
            vec![asked(Token, "a", 1), agreed(2)],
            9,
            SecretState::Pending,
            "a",
        ),
        (
            "denied",
            vec![asked(Token, "a", 1), denied(1)],
            9,
            SecretState::Revoked,
            "a",
        ),
        (
            "denied and agreed to",
            vec![asked(Token, "a", 1), denied(1), agreed(1)],
            9,
            SecretState::Revoked,
            "a",
        ),
        (
            "revoked and agreed to",
            vec![asked(Token, "a", 1), Revoked, agreed(1)],
            9,
            SecretState::Revoked,
            "a",
        ),
        (
            "agreed to and revoked",
            vec![asked(Token, "a", 1), agreed(1), Revoked],
            9,
            SecretState::Revoked,
            "a",
        ),
        (
            "a token is not replaced",
            vec![Issued(made(Token, "a")), asked(Token, "b", 1), agreed(1)],
            9,
            SecretState::Live,
            "a",
        ),
        (
            "a first password",
            vec![asked(Password, "a", 1)],
            9,
            SecretState::Pending,
            "a",
        ),
        (
            "another first one",
            vec![asked(Password, "a", 1), asked(Password, "b", 2), agreed(1)],
            9,
            SecretState::Pending,
            "b",
        ),
        (
            "a password in force",
            vec![own("a"), asked(Password, "b", 1)],
            9,
            SecretState::Live,
            "a",
        ),
        (
            "in its place",
            vec![own("a"), asked(Password, "b", 1), agreed(1)],
            9,
            SecretState::Live,
            "b",
        ),
        (
            "denied in its place",
            vec![own("a"), asked(Password, "b", 1), denied(1)],
            9,
            SecretState::Live,
            "a",
        ),
        (
            "one's own since",
            vec![own("a"), asked(Password, "b", 1), own("c"), agreed(1)],
            9,
            SecretState::Live,
            "c",
        ),
        (
            "after a denial",
            vec![asked(Password, "a", 1), denied(1), own("b")],
            9,
            SecretState::Live,
            "b",
        ),
    ];
    for (case, events, now, expected, reference) in rows {
        let mut known = None;
        events.iter().for_each(|event| apply(&mut known, event, 5));
        let known = known.unwrap();
        let state = known.state(Timestamp::from_unix_seconds(now));
        assert_eq!(
            (state, known.secret.reference.as_str()),
            (expected, reference),
            "{case}"
        );
    }
}

#[test]
fn nothing_of_a_secret_is_printed() {
    let printed = format!("{:?}", known(Some(1)).unwrap());
    assert!(
        printed.contains("Sealed(..)") && !printed.contains("[1]"),
        "{printed}"
    );
}
