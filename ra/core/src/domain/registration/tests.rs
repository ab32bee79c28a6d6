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
