use super::*;
use crate::domain::OperatorName;

fn version(number: u32) -> ObjectVersion {
    ObjectVersion {
        kind: ObjectKind::Endpoint,
        name: "acme/default".to_owned(),
        version: number,
        body: format!("version = {number}"),
    }
}

fn person(name: &str) -> Principal {
    Principal::Operator(OperatorName::new(name).unwrap())
}

fn history(events: &[(&str, ObjectEvent)]) -> ObjectHistory {
    let mut history = ObjectHistory::default();
    for (by, event) in events {
        let actor = match *by {
            "node" => Actor::Node,
            name => Actor::Operator(person(name)),
        };
        let deed = Deed {
            by: actor,
            at: Timestamp::from_unix_seconds(1_000),
            reason: String::new(),
        };
        history.apply(event, &deed);
    }
    history
}

fn in_force(history: &ObjectHistory) -> Option<u32> {
    history.current().map(|object| object.version)
}

#[test]
fn a_draft_is_not_in_force_until_it_is_released() {
    let mut events = vec![
        ("alice", ObjectEvent::Published(version(1))),
        ("alice", ObjectEvent::Drafted(version(2))),
    ];
    assert_eq!(in_force(&history(&events)), Some(1));
    assert_eq!(history(&events).next_version(), 3);
    let approved_by = vec![person("bob")];
    events.push((
        "bob",
        ObjectEvent::Released {
            version: 2,
            approved_by,
        },
    ));
    assert_eq!(in_force(&history(&events)), Some(2));
    events.push(("alice", ObjectEvent::Retired));
    assert_eq!(in_force(&history(&events)), None);
    assert_eq!(
        history(&events).latest_released().map(|object| object.version),
        Some(2)
    );
    let other = ObjectEvent::Released {
        version: 9,
        approved_by: Vec::new(),
    };
    events.push(("alice", other));
    assert_eq!(in_force(&history(&events)), None, "there is no such version");
}

#[test]
fn authors_count_until_another_person_agrees() {
    let confirm = |version, by: &str| ObjectEvent::Confirmed {
        version,
        by: person(by),
    };
    type Row<'a> = (&'a str, Vec<(&'a str, ObjectEvent)>, u32, &'a [&'a str]);
    let release = |version, by: &[&str]| ObjectEvent::Released {
        version,
        approved_by: by.iter().map(|name| person(name)).collect(),
    };
    let rows: [Row<'_>; 10] = [
        (
            "a draft that nobody put in force",
            vec![("alice", ObjectEvent::Drafted(version(1)))],
            1,
            &[],
        ),
        (
            "who puts a draft in force alone stands for it as well",
            vec![
                ("alice", ObjectEvent::Drafted(version(1))),
                ("bob", release(1, &[])),
            ],
            1,
            &["alice", "bob"],
        ),
        (
            "and does not confirm it",
            vec![
                ("alice", ObjectEvent::Drafted(version(1))),
                ("bob", release(1, &[])),
                ("bob", confirm(1, "bob")),
            ],
            1,
            &["alice", "bob"],
        ),
        (
            "those who approved a draft have agreed to it",
            vec![
                ("alice", ObjectEvent::Drafted(version(1))),
                ("bob", release(1, &["bob"])),
            ],
            1,
            &[],
        ),
        (
            "the gateway itself",
            vec![("node", ObjectEvent::Published(version(1)))],
            1,
            &[],
        ),
        (
            "a person",
            vec![("alice", ObjectEvent::Published(version(1)))],
            1,
            &["alice"],
        ),
        (
            "her own word does not help",
            vec![
                ("alice", ObjectEvent::Published(version(1))),
                ("alice", confirm(1, "alice")),
            ],
            1,
            &["alice"],
        ),
        (
            "another person's does",
            vec![
                ("alice", ObjectEvent::Published(version(1))),
                ("bob", confirm(1, "bob")),
            ],
            1,
            &[],
        ),
        (
            "what came before is in it",
            vec![
                ("alice", ObjectEvent::Published(version(1))),
                ("bob", ObjectEvent::Published(version(2))),
            ],
            2,
            &["alice", "bob"],
        ),
        (
            "agreeing covers what came before",
            vec![
                ("alice", ObjectEvent::Published(version(1))),
                ("bob", ObjectEvent::Published(version(2))),
                ("carol", confirm(2, "carol")),
            ],
            2,
            &[],
        ),
    ];
    for (name, events, number, expected) in rows {
        let expected: Vec<Principal> = expected.iter().map(|name| person(name)).collect();
        let history = history(&events);
        let found: Vec<Principal> = history.unconfirmed_authors(number).into_iter().cloned().collect();
        assert_eq!(found, expected, "{name}");
    }
}

#[test]
fn a_history_tells_what_became_of_each_version() {
    let proposal = ProposalId::from_bytes([7; 16]);
    let found = history(&[
        ("alice", ObjectEvent::Published(version(1))),
        ("alice", ObjectEvent::Drafted(version(2))),
        ("alice", ObjectEvent::Drafted(version(3))),
        ("alice", ObjectEvent::Proposed { version: 3, proposal }),
    ]);
    let drafts: Vec<u32> = found.drafts().map(|one| one.object.version).collect();
    assert_eq!(drafts, [2, 3]);
    assert_eq!(found.revision(3).and_then(|one| one.proposal), Some(proposal));
    assert!(found.retired().is_none());
    let released = ObjectEvent::Released {
        version: 3,
        approved_by: vec![person("bob")],
    };
    let mut events = vec![
        ("alice", ObjectEvent::Published(version(1))),
        ("alice", ObjectEvent::Drafted(version(2))),
        ("alice", ObjectEvent::Drafted(version(3))),
        ("bob", released),
    ];
    let found = history(&events);
    assert_eq!(found.drafts().count(), 0, "the older draft was overtaken");
    assert!(
        found
            .revision(3)
            .and_then(|one| one.released.as_ref())
            .is_some_and(|one| one.approved)
    );
    events.push(("carol", ObjectEvent::Retired));
    let found = history(&events);
    assert_eq!(
        found.retired().and_then(|deed| deed.by.principal()),
        Some(&person("carol"))
    );
    assert_eq!(found.drafts().count(), 0, "nor is it wanted again");
}
