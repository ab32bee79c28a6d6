//! Each row is a text with one change, and what must be said of it.

mod profile;
mod sound;

use super::*;
use crate::shipped::shipped;
use Direction::{Narrows, Neutral, Widens};

const BASE: &str = r#"
description = "base"
subject.attribute = [{ type = "O", allowed = ["a", "b"], pattern = "[ab]", count_max = 2 }]
names.dns = { allow = ["example.com"], deny = ["secret.example.com"] }
names.ip = { allow = ["10.0.0.0/8"], deny = ["10.9.0.0/16"] }
key = { allowed = ["P-256", "RSA-2048..4096"] }
validity = { default = "30d", max = "90d", min = "1h", backdate = "1h" }
key_usage = { always = ["digitalSignature"], rsa = ["keyEncipherment"] }
extended_key_usage = { fixed = ["serverAuth"], allowed = ["clientAuth"] }
policies = ["1.2.3"]
publication = { crl = true }
referral = { approvals = 2, age_max = "3d" }
condition = [{ name = "days", expression = "validity_days < 60", message = "no", outcome = "refer" }]
"#;

/// The base with the line of this key replaced.
fn with(line: &str) -> String {
    let key = line.split(" =").next().unwrap_or_default();
    let kept = BASE.lines().filter(|old| old.split(" =").next() != Some(key));
    kept.chain([line]).collect::<Vec<_>>().join("\n")
}

fn only(changes: &[Change]) -> Vec<(&str, Direction)> {
    changes
        .iter()
        .map(|change| (change.path.as_str(), change.direction))
        .collect()
}

/// What is changed, the new text, and what must be said of it.
type Row<'a> = (&'a str, String, Vec<(&'a str, Direction)>);

fn check(kind: ObjectKind, base: &str, rows: Vec<Row<'_>>) {
    for (name, new, expected) in rows {
        let changes = compare(kind, base, &new).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert_eq!(only(&changes), expected, "{name}: {changes:#?}");
        let wider = expected.iter().any(|(_, direction)| *direction == Widens);
        assert_eq!(widens(kind, Some(base), &new), wider, "{name}");
        // What narrows one way widens the other way.
        let narrower = expected.iter().any(|(_, direction)| *direction == Narrows);
        assert!(!narrower || widens(kind, Some(&new), base), "{name}: back");
    }
}

#[test]
fn nothing_changes() {
    for (name, body) in shipped() {
        let other = format!("# a remark\n{body}");
        assert_eq!(compare(ObjectKind::Profile, body, &other), Ok(vec![]), "{name}");
        assert!(!widens(ObjectKind::Profile, Some(body), &other), "{name}");
    }
    let rows = vec![
        (
            "a default that is spelled out",
            with("basic_constraints = true"),
            vec![],
        ),
        (
            "another spelling",
            with("validity = { default = \"720h\", max = \"90d\", min = \"60m\", backdate = \"1h\" }"),
            vec![],
        ),
        (
            "another order",
            with("key = { allowed = [\"RSA-2048..4096\", \"P-256\"] }"),
            vec![],
        ),
        (
            "description",
            with("description = \"other\""),
            vec![("description", Neutral)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
}

#[test]
fn endpoints() {
    let base = "profiles = [\"a\", \"b\"]\nbackend = \"issuing\"\napproval = \"two\"\nrate_limit = { requester = { requests = 10, period = \"1h\", burst = 5 } }\n";
    let edit = |from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replace(from, to)
    };
    let rows = vec![
        (
            "another profile",
            edit("\"b\"", "\"b\", \"c\""),
            vec![("profiles", Widens)],
        ),
        (
            "one profile less",
            edit(", \"b\"", ""),
            vec![("profiles", Narrows)],
        ),
        (
            "another first",
            edit("\"a\", \"b\"", "\"b\", \"a\""),
            vec![("profiles.first", Widens)],
        ),
        ("another CA", edit("issuing", "other"), vec![("backend", Widens)]),
        (
            "another approval policy",
            edit("\"two\"", "\"three\""),
            vec![("approval", Widens)],
        ),
        (
            "no approval",
            edit("approval = \"two\"\n", ""),
            vec![("approval", Widens)],
        ),
        (
            "no proof",
            format!("{base}names = \"profile\"\n"),
            vec![("names", Widens)],
        ),
        (
            "more requests",
            edit("requests = 10", "requests = 11"),
            vec![("rate_limit.requester.requests", Widens)],
        ),
        (
            "in a shorter time",
            edit("1h", "30m"),
            vec![("rate_limit.requester.period", Widens)],
        ),
        (
            "fewer at once",
            edit("burst = 5", "burst = 4"),
            vec![("rate_limit.requester.burst", Narrows)],
        ),
        (
            "no limit",
            edit(
                "rate_limit = { requester = { requests = 10, period = \"1h\", burst = 5 } }\n",
                "",
            ),
            vec![
                ("rate_limit.requester.burst", Neutral),
                ("rate_limit.requester.period", Neutral),
                ("rate_limit.requester.requests", Widens),
            ],
        ),
        (
            "waits",
            format!("{base}inline_wait = \"1s\"\nretry_after = \"9s\"\n"),
            vec![("inline_wait", Neutral), ("retry_after", Neutral)],
        ),
        (
            "a reason",
            format!("{base}lint.override.client_names = \"devices behind a firewall\"\n"),
            vec![("lint.override.client_names", Widens)],
        ),
    ];
    check(ObjectKind::Endpoint, base, rows);
}

#[test]
fn endpoints_whose_clients_are_no_accounts() {
    let base = "profiles = [\"a\"]\nbackend = \"issuing\"\nauthentication = [\"password\"]\nclient_trust = [\"factory\"]\nlinking = \"required\"\nrenew_window = \"30d\"\n";
    let edit = |from: &str, to: &str| {
        assert!(base.contains(from), "{from}");
        base.replace(from, to)
    };
    let also = |line: &str| format!("{base}{line}\n");
    let rows = vec![
        (
            "another way",
            edit("[\"password\"]", "[\"password\", \"token\"]"),
            vec![("authentication", Widens)],
        ),
        (
            "every way",
            edit("authentication = [\"password\"]\n", ""),
            vec![("authentication", Widens)],
        ),
        (
            "another maker",
            edit("[\"factory\"]", "[\"factory\", \"other\"]"),
            vec![("client_trust", Widens)],
        ),
        (
            "no maker",
            edit("[\"factory\"]", "[]"),
            vec![("client_trust", Narrows)],
        ),
        (
            "makers' devices without a registration",
            also("client_registration = \"nobody\""),
            vec![("client_registration", Widens)],
        ),
        (
            "makers' devices by another attribute",
            also("client_registration = \"common_name\""),
            vec![("client_registration", Widens)],
        ),
        (
            "not linked",
            edit("linking = \"required\"\n", ""),
            vec![("linking", Widens)],
        ),
        (
            "credentials that agree",
            also("credentials = \"agree\""),
            vec![("credentials", Narrows)],
        ),
        ("an RA", also("ra_trust = [\"ras\"]"), vec![("ra_trust", Widens)]),
        (
            "an RA by its registration",
            also("ra_registrations = [\"line 4\"]"),
            vec![("ra_registrations", Widens)],
        ),
        (
            "certificates of another endpoint",
            also("renew_from = [\"est/old\"]"),
            vec![("renew_from", Widens)],
        ),
        (
            "only the newest",
            also("renew_newest_only = true"),
            vec![("renew_newest_only", Narrows)],
        ),
        (
            "another window",
            edit("30d", "40d"),
            vec![("renew_window", Widens)],
        ),
        (
            "a new key",
            also("renew_key = \"new\""),
            vec![("renew_key", Narrows)],
        ),
        (
            "other names",
            also("renew_names = \"changed\""),
            vec![("renew_names", Widens)],
        ),
        (
            "first enrolments by renewal",
            also("renew_first = true"),
            vec![("renew_first", Widens)],
        ),
        (
            "keys made here",
            also("generated_keys = true"),
            vec![("generated_keys", Widens)],
        ),
        (
            "what clients are told",
            also("template = false\nlines = \"wrapped\""),
            vec![("lines", Neutral), ("template", Neutral)],
        ),
    ];
    check(ObjectKind::Endpoint, base, rows);
    // Their registrations may be vouched for what nobody in particular would have to prove.
    let unknown = also("client_registration = \"nobody\"");
    let rows = vec![(
        "makers' devices by their registration",
        base.to_owned(),
        vec![("client_registration", Widens)],
    )];
    check(ObjectKind::Endpoint, &unknown, rows);
}

/// What cannot be compared counts as wider.
#[test]
fn what_is_not_understood_widens() {
    let rows = [
        ("first version", ObjectKind::Profile, None, BASE),
        ("old is damaged", ObjectKind::Profile, Some("nonsense"), BASE),
        ("new is damaged", ObjectKind::Profile, Some(BASE), "nonsense"),
        ("another kind", ObjectKind::Ca, Some("a"), "a"),
    ];
    for (name, kind, old, new) in rows {
        assert!(widens(kind, old, new), "{name}");
    }
    let error = compare(ObjectKind::Profile, "nonsense", BASE).expect_err("old");
    assert!(error.to_string().starts_with("the old text:"), "{error}");
    let error = compare(ObjectKind::Profile, BASE, "nonsense").expect_err("new");
    assert!(error.to_string().starts_with("the new text:"), "{error}");
}

#[test]
fn changes_are_told() {
    let new = with("validity = { default = \"30d\", max = \"200d\", min = \"1h\", backdate = \"1h\" }");
    let new = new.replace("names.ip", "names.email = { allow = [\"a.example\"] }\n#");
    let changes = compare(ObjectKind::Profile, BASE, &new).expect("changes");
    let told: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let expected = [
        "names.email.allow: [a.example] is added (widens)",
        "names.ip.allow: [10.0.0.0/8] is removed (narrows)",
        "names.ip.deny: [10.9.0.0/16] is removed (neutral)",
        "validity.max: 90d becomes 200d (widens)",
    ];
    assert_eq!(told, expected);
}
