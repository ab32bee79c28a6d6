use portreeve_pkix::DnsName;
use proptest::prelude::*;

use super::*;
use crate::domain::OperatorName;

fn dns(text: &str) -> Identifier {
    Identifier::Dns(DnsName::parse(text).unwrap())
}

fn with(names: &[&str]) -> Registration {
    Registration {
        names: AllowedNames::Only(names.iter().map(|name| name.parse().unwrap()).collect()),
        ..Registration::named("web")
    }
}

#[test]
fn which_names_are_covered() {
    let rows = [
        ("the name itself", "a.example", "a.example", false, true),
        (
            "a name below one listed",
            "a.example",
            "b.a.example",
            false,
            false,
        ),
        ("below a domain", ".a.example", "b.a.example", false, true),
        (
            "deep below a domain",
            ".a.example",
            "d.c.b.a.example",
            false,
            true,
        ),
        ("the domain itself", ".a.example", "a.example", false, false),
        ("the same ending", ".a.example", "ba.example", false, false),
        ("above", ".a.example", "example", false, false),
        (
            "a wildcard below a domain",
            ".a.example",
            "*.a.example",
            false,
            false,
        ),
        (
            "the same, with wildcards",
            ".a.example",
            "*.a.example",
            true,
            true,
        ),
        ("a deeper wildcard", ".a.example", "*.b.a.example", true, true),
        ("a wildcard elsewhere", ".a.example", "*.b.example", true, false),
        ("a wildcard above", ".b.a.example", "*.a.example", true, false),
        (
            "a wildcard that is listed",
            "*.a.example",
            "*.a.example",
            false,
            true,
        ),
        (
            "what a listed wildcard stands for",
            "*.a.example",
            "b.a.example",
            true,
            false,
        ),
        (
            "a name does not stand for its wildcard",
            "a.example",
            "*.a.example",
            true,
            false,
        ),
    ];
    for (case, allowed, name, wildcards, expected) in rows {
        let registration = Registration {
            wildcards,
            ..with(&[allowed])
        };
        assert_eq!(registration.covers(&dns(name)), expected, "{case}");
    }
    let address = |text: &str| Identifier::Ip(text.parse().unwrap());
    assert!(with(&["192.0.2.1"]).covers(&address("192.0.2.1")));
    assert!(!with(&["192.0.2.1", ".example"]).covers(&address("192.0.2.2")));
    assert!(!with(&[]).covers(&dns("a.example")), "none listed");
    let any = Registration {
        names: AllowedNames::Any,
        ..Registration::named("any")
    };
    assert!(any.covers(&dns("a.example")));
}

#[test]
fn what_cannot_be_a_registration() {
    let good = with(&["a.example"]);
    assert_eq!(good.check(), Ok(()));
    let vouched = Registration {
        vouched: true,
        ..good.clone()
    };
    assert_eq!(vouched.check(), Ok(()));
    let rows = [
        (
            "no name",
            Registration {
                name: String::new(),
                ..good.clone()
            },
            RegistrationError::Name,
        ),
        (
            "long name",
            Registration {
                name: "a".repeat(129),
                ..good.clone()
            },
            RegistrationError::Name,
        ),
        (
            "control character",
            Registration {
                name: "a\u{1b}b".into(),
                ..good.clone()
            },
            RegistrationError::Name,
        ),
        (
            "space in front",
            Registration {
                name: " a".into(),
                ..good.clone()
            },
            RegistrationError::Name,
        ),
        (
            "too many names",
            Registration {
                names: AllowedNames::Only(vec!["a.example".parse().unwrap(); ALLOWED_NAMES_MAX + 1]),
                ..good.clone()
            },
            RegistrationError::Names,
        ),
        (
            "vouched for any name",
            Registration {
                names: AllowedNames::Any,
                ..vouched.clone()
            },
            RegistrationError::VouchedForAny,
        ),
        (
            "vouched for no name",
            Registration {
                names: AllowedNames::Only(Vec::new()),
                ..vouched
            },
            RegistrationError::VouchedForAny,
        ),
        (
            "too many profiles",
            Registration {
                profiles: vec![ProfileName::new("a").unwrap(); 65],
                ..good.clone()
            },
            RegistrationError::Narrowed,
        ),
        (
            "no certificates",
            Registration {
                certificates_max: Some(0),
                ..good.clone()
            },
            RegistrationError::Limit,
        ),
        (
            "too many certificates",
            Registration {
                certificates_max: Some(CERTIFICATES_MAX + 1),
                ..good
            },
            RegistrationError::Limit,
        ),
    ];
    for (case, registration, expected) in rows {
        assert_eq!(registration.check(), Err(expected), "{case}");
    }
}

#[test]
fn its_life() {
    let (id, now) = (
        RegistrationId::from_bytes([7; 16]),
        Timestamp::from_unix_seconds(1_000),
    );
    let by = |name: &str| Actor::Operator(Principal::Operator(OperatorName::new(name).unwrap()));
    let endpoint = EndpointName::new("acme/default").unwrap();
    let mut known = None;
    KnownRegistration::apply(&mut known, id, &RegistrationEvent::Suspended, &by("eve"));
    assert_eq!(known, None, "nothing happens to what was not defined");
    let defined = Registration {
        until: Some(Timestamp::from_unix_seconds(2_000)),
        endpoints: vec![endpoint.clone()],
        ..with(&["a.example"])
    };
    let steps = [
        (RegistrationEvent::Defined(defined), RegistrationState::Active, 1),
        (RegistrationEvent::Suspended, RegistrationState::Suspended, 1),
        (RegistrationEvent::Resumed, RegistrationState::Active, 1),
        (
            RegistrationEvent::Confirmed {
                by: by("ann").principal().unwrap().clone(),
            },
            RegistrationState::Active,
            1,
        ),
        (
            RegistrationEvent::Confirmed {
                by: by("bob").principal().unwrap().clone(),
            },
            RegistrationState::Active,
            0,
        ),
    ];
    for (event, state, authors) in steps {
        KnownRegistration::apply(&mut known, id, &event, &by("ann"));
        let known = known.as_ref().unwrap();
        assert_eq!(known.state(now), state, "{event:?}");
        assert_eq!(known.unconfirmed_authors.len(), authors, "{event:?}");
        assert_eq!(
            known.admits(&endpoint, now).is_ok(),
            state == RegistrationState::Active,
            "{event:?}"
        );
    }
    let expired = known.clone().unwrap();
    assert_eq!(
        expired.state(Timestamp::from_unix_seconds(2_000)),
        RegistrationState::Expired
    );
    assert!(
        expired
            .admits(&EndpointName::new("acme/other").unwrap(), now)
            .is_err()
    );
    KnownRegistration::apply(&mut known, id, &RegistrationEvent::Ended, &by("ann"));
    KnownRegistration::apply(&mut known, id, &RegistrationEvent::Resumed, &by("ann"));
    assert_eq!(known.unwrap().state(now), RegistrationState::Ended, "for good");
}

fn names() -> impl Strategy<Value = String> {
    "(\\*\\.|\\.)?[a-w]{1,3}(\\.[a-w]{1,3}){0,3}"
}

proptest! {
    #[test]
    fn texts_read_back(text in names()) {
        let name: AllowedName = text.parse().unwrap();
        prop_assert_eq!(name.to_string(), text);
    }

    #[test]
    fn any_text_is_handled(text in "\\PC{0,40}") {
        let _ = text.parse::<AllowedName>();
    }

    /// Whatever is listed: what is covered lies in the listed part of the DNS, and nothing above or beside it does.
    #[test]
    fn nothing_outside_is_covered(allowed in names(), asked in "(\\*\\.)?[a-w]{1,3}(\\.[a-w]{1,3}){0,4}", wildcards: bool) {
        let registration = Registration { wildcards, ..with(&[&allowed]) };
        let name = DnsName::parse(&asked).unwrap();
        if registration.covers(&Identifier::Dns(name.clone())) {
            let labels: Vec<&str> = allowed.trim_start_matches("*.").trim_start_matches('.').split('.').collect();
            let of: Vec<&str> = asked.trim_start_matches("*.").split('.').collect();
            prop_assert!(of.ends_with(&labels));
            if !allowed.starts_with('.') {
                prop_assert_eq!(&allowed, &asked);
            } else if name.is_wildcard() {
                prop_assert!(wildcards);
            } else {
                prop_assert!(of.len() > labels.len());
            }
        }
    }

    /// A registration with fewer names never covers more.
    #[test]
    fn fewer_names_cover_less(all in prop::collection::vec(names(), 1..6), asked in "[a-w]{1,3}(\\.[a-w]{1,3}){0,4}", at in 0usize..6) {
        let every: Vec<&str> = all.iter().map(String::as_str).collect();
        let mut fewer = every.clone();
        fewer.remove(at.min(every.len() - 1));
        let name = dns(&asked);
        prop_assert!(!with(&fewer).covers(&name) || with(&every).covers(&name));
    }
}

fn by(name: &str) -> Actor {
    Actor::Operator(principal(name))
}

fn principal(name: &str) -> Principal {
    Principal::Operator(OperatorName::new(name).unwrap())
}

/// A registration after these events, each with who caused it.
fn after(events: &[(RegistrationEvent, &str)]) -> KnownRegistration {
    let mut known = None;
    let id = RegistrationId::from_bytes([1; 16]);
    for (event, name) in events {
        KnownRegistration::apply(&mut known, id, event, &by(name));
    }
    known.expect("defined or proposed")
}

fn proposed(names: &[&str], (number, resumes): (u8, bool)) -> RegistrationEvent {
    RegistrationEvent::Proposed {
        proposed: ProposedRegistration {
            registration: with(names),
            resumes,
        },
        proposal: ProposalId::from_bytes([number; 16]),
    }
}

fn released(number: u8, approvers: &[&str]) -> RegistrationEvent {
    RegistrationEvent::Released {
        proposal: ProposalId::from_bytes([number; 16]),
        approved_by: approvers.iter().map(|name| principal(name)).collect(),
    }
}

#[test]
fn what_is_proposed_counts_once_it_is_released() {
    use RegistrationEvent::{Defined, Ended, Suspended};
    use RegistrationState as S;
    let (a, b) = (&["a.test"] as &[&str], &["b.test"] as &[&str]);
    let first = (proposed(a, (1, false)), "ann");
    let defined = (Defined(with(a)), "ann");
    let wider = (proposed(b, (2, false)), "abe");
    type Row<'a> = (
        &'a str,
        Vec<(RegistrationEvent, &'a str)>,
        (u32, S, &'a str, Vec<&'a str>),
    );
    let rows: Vec<Row<'_>> = vec![
        ("waits", vec![first.clone()], (0, S::Pending, "a.test", vec![])),
        (
            "agreed to",
            vec![first.clone(), (released(1, &["bob"]), "bob")],
            (1, S::Active, "a.test", vec![]),
        ),
        (
            "another proposal",
            vec![first.clone(), (released(9, &["bob"]), "bob")],
            (0, S::Pending, "a.test", vec![]),
        ),
        (
            "asked otherwise",
            vec![first.clone(), wider.clone(), (released(1, &["bob"]), "bob")],
            (0, S::Pending, "b.test", vec![]),
        ),
        (
            "one in force waits for more",
            vec![defined.clone(), wider.clone()],
            (1, S::Active, "a.test", vec!["ann"]),
        ),
        (
            "and gets it",
            vec![defined.clone(), wider.clone(), (released(2, &["bob"]), "bob")],
            (2, S::Active, "b.test", vec![]),
        ),
        (
            "by its own author",
            vec![defined.clone(), wider.clone(), (released(2, &["ann"]), "ann")],
            (2, S::Active, "b.test", vec!["ann", "abe"]),
        ),
        (
            "released twice",
            vec![
                defined.clone(),
                wider.clone(),
                (released(2, &["bob"]), "bob"),
                (released(2, &["bob"]), "bob"),
            ],
            (2, S::Active, "b.test", vec![]),
        ),
        (
            "defined meanwhile",
            vec![
                defined.clone(),
                wider.clone(),
                defined.clone(),
                (released(2, &["bob"]), "bob"),
            ],
            (2, S::Active, "a.test", vec!["ann"]),
        ),
        (
            "ended meanwhile",
            vec![
                defined.clone(),
                wider.clone(),
                (Ended, "ann"),
                (released(2, &["bob"]), "bob"),
            ],
            (1, S::Ended, "a.test", vec!["ann"]),
        ),
        (
            "suspended meanwhile",
            vec![
                defined.clone(),
                wider.clone(),
                (Suspended, "ann"),
                (released(2, &["bob"]), "bob"),
            ],
            (2, S::Suspended, "b.test", vec![]),
        ),
        (
            "resumed",
            vec![
                defined.clone(),
                (Suspended, "ann"),
                (proposed(a, (3, true)), "ann"),
                (released(3, &["bob"]), "bob"),
            ],
            (2, S::Active, "a.test", vec![]),
        ),
        (
            "a rejected first one, ended",
            vec![first, (Ended, "ann")],
            (0, S::Ended, "a.test", vec![]),
        ),
    ];
    for (case, events, (version, state, name, authors)) in rows {
        let known = after(&events);
        let now = Timestamp::from_unix_seconds(0);
        assert_eq!((known.version, known.state(now)), (version, state), "{case}");
        assert_eq!(known.lasting_state(), state, "{case}");
        assert_eq!(
            known.registration.names.words(),
            Some(vec![name.to_owned()]),
            "{case}"
        );
        let expected: Vec<_> = authors.into_iter().map(principal).collect();
        assert_eq!(known.unconfirmed_authors, expected, "{case}");
        let open = EndpointName::new("acme/a").unwrap();
        assert_eq!(known.admits(&open, now).is_ok(), state == S::Active, "{case}");
    }
}
