//! Names in orders: rows 23 to 26.

use portreeve_conformance::acme::{Account, Answer, Site, challenge};
use serde_json::{Value, json};

#[track_caller]
fn ask(value: &str) -> Answer {
    Site::shared().account().ask_order(&[value])
}

#[track_caller]
fn all_are(rows: &[(&str, &str)], kind: &str) {
    let account: Account = Site::shared().account();
    for (name, value) in rows {
        let answer = account.ask_order(&[value]);
        let found = answer.json()["type"].as_str().unwrap_or_default().to_owned();
        assert!(found.ends_with(&format!(":{kind}")), "{name}: {answer}");
        answer.is_problem(400, kind);
    }
}

#[test]
fn row_23_ip_addresses_as_dns_names_are_malformed() {
    let rows = [
        ("IPv4", "127.0.0.1"),
        ("short IPv4", "127.1"),
        ("one number", "2130706433"),
        ("IPv4 in hexadecimal", "0x7f.0.0.0x1"),
        ("number as last label", "a.test.1"),
        ("IPv6", "2001:db8::1"),
        ("IPv6 in brackets", "[::1]"),
        ("zone id", "fe80::1%eth0"),
        ("IPv6 that is not canonical", "2001:0db8:0::1"),
    ];
    all_are(&rows, "malformed");
    let problem = ask("10.0.0.1").is_problem(400, "malformed");
    assert!(
        problem["detail"].as_str().unwrap().contains("IP address"),
        "it says so: {problem}"
    );
}

#[test]
fn row_24_names_that_are_no_dns_names_are_malformed() {
    let (label, name) = (
        format!("{}.test", "a".repeat(64)),
        format!("{0}.{0}.{0}.{0}.test", "a".repeat(62)),
    );
    let rows = [
        ("label over 63", label.as_str()),
        ("name over 253", name.as_str()),
        ("trailing dot", "a.test."),
        ("leading dot", ".a.test"),
        ("two dots", "a..test"),
        ("underscore", "_acme.test"),
        ("U-label", "b\u{fc}cher.test"),
        ("broken punycode", "xn--9999999999.test"),
        ("hyphen first", "-a.test"),
        ("hyphen last", "a-.test"),
        ("blank", "a b.test"),
        ("empty", ""),
        ("slash", "a.test/x"),
        ("port", "a.test:443"),
        ("at", "a@b.test"),
        ("null", "a\0.test"),
        ("wildcard inside", "a.*.test"),
        ("wildcard in a label", "a*.test"),
        ("two wildcards", "*.*.test"),
        ("wildcard alone", "*"),
        ("wildcard without a name", "*."),
    ];
    all_are(&rows, "malformed");
}

#[test]
fn row_24_reserved_labels_are_rejected() {
    all_are(
        &[("reserved label", "ab--cd.test"), ("inside", "a.zz--x.test")],
        "rejectedIdentifier",
    );
}

#[test]
fn names_at_the_limits_are_accepted() {
    let label = "a".repeat(63);
    let longest = format!("{label}.{label}.{label}.{}.test", "b".repeat(253 - 3 * 64 - 5));
    assert_eq!(longest.len(), 253);
    for value in [
        longest.as_str(),
        &format!("{label}.test"),
        "xn--bcher-kva.test",
        "a-b.test",
        "1.test",
        "localhost",
    ] {
        let order = ask(value).is(201);
        assert_eq!(order["identifiers"][0]["value"], value);
    }
}

#[test]
fn row_25_the_authorization_of_a_wildcard() {
    let account = Site::shared().account();
    let order = account.order(&["*.wild.identifiers.test"]);
    assert_eq!(
        order.object["identifiers"],
        json!([{"type": "dns", "value": "*.wild.identifiers.test"}])
    );
    let (url, authorization) = account.only_authorization(&order);
    assert_eq!(
        authorization["identifier"],
        json!({"type": "dns", "value": "wild.identifiers.test"})
    );
    assert_eq!(authorization["wildcard"], true);
    let kinds: Vec<&str> = authorization["challenges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    assert_eq!(kinds, ["dns-01"]);
    let dns = challenge(&authorization, "dns-01")["url"].as_str().unwrap();
    let http = dns.replacen("dns-01", "http-01", 1);
    assert_ne!(http, dns);
    account.post(&http, &json!({})).is_problem(404, "malformed");
    assert_eq!(account.read(&url).is(200)["status"], "pending");
}

#[test]
fn row_25_the_authorization_of_an_ordinary_name() {
    let account = Site::shared().account();
    let (_, authorization) = account.only_authorization(&account.order(&["plain.identifiers.test"]));
    assert!(
        authorization.get("wildcard").is_none_or(|value| *value == false),
        "{authorization}"
    );
    let mut kinds: Vec<&str> = authorization["challenges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["type"].as_str().unwrap())
        .collect();
    kinds.sort_unstable();
    assert_eq!(kinds, ["dns-01", "http-01"]);
    let tokens: Vec<&str> = authorization["challenges"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["token"].as_str().unwrap())
        .collect();
    for token in &tokens {
        assert!(token.len() >= 22, "RFC 8555 section 8.1: 128 bits: {token}");
        assert!(
            token
                .bytes()
                .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_'),
            "{token}"
        );
    }
}

#[test]
fn row_25_a_wildcard_and_its_base_are_two_identifiers() {
    let site = Site::shared();
    let account = site.account();
    let order = account.order(&["*.both.identifiers.test", "both.identifiers.test"]);
    assert_eq!(order.authorizations().len(), 2);
    let shapes: Vec<(Value, bool)> = order
        .authorizations()
        .iter()
        .map(|url| {
            let authorization = account.read(url).is(200);
            (
                authorization["identifier"]["value"].clone(),
                authorization["wildcard"] == true,
            )
        })
        .collect();
    assert!(
        shapes.iter().all(|(value, _)| value == "both.identifiers.test"),
        "{shapes:?}"
    );
    assert_eq!(
        shapes.iter().filter(|(_, wildcard)| *wildcard).count(),
        1,
        "{shapes:?}"
    );
}

#[test]
fn row_25_a_proven_base_does_not_prove_the_wildcard() {
    let site = Site::shared();
    let account = site.account();
    account.ready_order(site, &["base.identifiers.test"]);
    let order = account.order(&["*.base.identifiers.test"]);
    assert_eq!(order.object["status"], "pending", "{}", order.object);
    let below = account.order(&["www.base.identifiers.test"]);
    assert_eq!(below.object["status"], "pending", "{}", below.object);
}

#[test]
fn row_26_several_bad_names_have_a_subproblem_each() {
    let account = Site::shared().account();
    let bad = ["_a.test", "ab--cd.test", "127.0.0.1"];
    let answer = account.ask_order(&["good.identifiers.test", bad[0], bad[1], bad[2]]);
    let problem = answer.is_problem(400, "rejectedIdentifier");
    let subproblems = problem["subproblems"].as_array().unwrap();
    let named: Vec<&str> = subproblems
        .iter()
        .map(|one| one["identifier"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(named, bad, "{problem}");
    for subproblem in subproblems {
        assert_eq!(subproblem["identifier"]["type"], "dns", "{subproblem}");
        assert!(
            subproblem["type"]
                .as_str()
                .unwrap()
                .starts_with("urn:ietf:params:acme:error:"),
            "{subproblem}"
        );
        assert!(!subproblem["detail"].as_str().unwrap().is_empty(), "{subproblem}");
    }
}
