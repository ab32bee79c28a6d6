//! The validity that an order asks for (RFC 8555 section 7.4: notBefore and notAfter).

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use portreeve_conformance::acme::{Account, Csr, Order, Site, new_key};
use portreeve_pkix::{Certificate, Timestamp};
use serde_json::{Value, json};

const DAY: Duration = Duration::from_secs(24 * 3600);
/// The end is fixed when the order is finalized, the certificate made a moment later.
const TOLERANCE: Duration = Duration::from_secs(60);

fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap())
}

fn is_near(one: Timestamp, other: Timestamp) -> bool {
    one.since(other).max(other.since(one)) <= TOLERANCE
}

#[track_caller]
fn order(account: &Account, name: &str, times: &Value) -> Order {
    let mut wish = json!({"identifiers": [{"type": "dns", "value": name}]});
    wish.as_object_mut()
        .unwrap()
        .extend(times.as_object().unwrap().clone());
    let answer = account.post(&account.client.url("newOrder"), &wish);
    Order {
        object: answer.is(201),
        url: answer.location(),
    }
}

/// The certificate of an order with these times.
#[track_caller]
fn certificate(endpoint: &str, name: &str, times: &Value) -> Certificate {
    let site = Site::shared();
    let account = Account::open(&site.client(endpoint));
    let order = order(&account, name, times);
    for (member, value) in times.as_object().unwrap() {
        assert_eq!(order.object[member], *value, "the order says what was asked for");
    }
    account.prove(site, &order.authorizations()[0]);
    account
        .finalize(&order, &Csr::of(&[name]).sign(&new_key()))
        .is(200);
    account.retrieve(&order).leaf().clone()
}

#[test]
fn without_a_wish_the_profile_decides() {
    let certificate = certificate("default", "default.validity.test", &json!({}));
    let lifetime = certificate.not_after().since(certificate.not_before());
    assert!(
        lifetime <= DAY * 90 && lifetime >= DAY * 90 - TOLERANCE,
        "{lifetime:?}"
    );
    assert!(certificate.is_valid_at(now()));
}

#[test]
fn an_end_within_the_limits_is_met() {
    for days in [1, 30, 400, 999] {
        let end = now().saturating_add(DAY * days);
        let certificate = certificate(
            "default",
            "end.validity.test",
            &json!({"notAfter": end.to_string()}),
        );
        assert!(
            is_near(certificate.not_after(), end),
            "{days} days: {} for {end}",
            certificate.not_after()
        );
    }
}

#[test]
fn a_beginning_at_present_is_met() {
    let begin = now();
    let certificate = certificate(
        "default",
        "begin.validity.test",
        &json!({"notBefore": begin.to_string()}),
    );
    assert!(
        is_near(certificate.not_before(), begin),
        "{} for {begin}",
        certificate.not_before()
    );
}

#[test]
fn a_profile_of_ten_minutes_stays_at_ten_minutes() {
    let end = now().saturating_add(DAY * 30);
    for times in [json!({}), json!({"notAfter": end.to_string()})] {
        let certificate = certificate("short", "short.validity.test", &times);
        let left = certificate.not_after().since(now());
        assert!(
            left <= Duration::from_secs(600) && left >= Duration::from_secs(600) - TOLERANCE,
            "{times}: {left:?}"
        );
    }
}

#[test]
fn times_beyond_the_profile_get_no_certificate() {
    let site = Site::shared();
    let far = now().saturating_add(DAY * 1001).to_string();
    let rows = [
        ("an end too far away", json!({"notAfter": far})),
        (
            "a beginning in the future",
            json!({"notBefore": now().saturating_add(DAY * 10).to_string()}),
        ),
        (
            "a beginning long ago",
            json!({"notBefore": "2020-01-01T00:00:00Z"}),
        ),
    ];
    for (row, times) in rows {
        let account = site.account();
        let name = "beyond.validity.test";
        let order = order(&account, name, &times);
        account.prove(site, &order.authorizations()[0]);
        let answer = account.finalize(&order, &Csr::of(&[name]).sign(&new_key()));
        assert_eq!(answer.status(), 400, "{row}: {answer}");
        answer.is_problem(400, "malformed");
        let after = account.read(&order.url).is(200);
        assert_eq!(after["status"], "invalid", "{row}: {after}");
        assert_eq!(
            portreeve_conformance::acme::problem_type(&after["error"]),
            "malformed",
            "{row}"
        );
    }
}

#[test]
fn times_that_make_no_sense_are_malformed() {
    let account = Site::shared().account();
    let rows = [
        ("not a time", json!({"notAfter": "tomorrow"})),
        ("a date alone", json!({"notAfter": "2030-01-01"})),
        ("without a zone", json!({"notAfter": "2030-01-01T00:00:00"})),
        ("a number", json!({"notAfter": 1_900_000_000})),
        ("an end in the past", json!({"notAfter": "2020-01-01T00:00:00Z"})),
        (
            "the end before the beginning",
            json!({"notBefore": "2031-01-01T00:00:00Z", "notAfter": "2030-01-01T00:00:00Z"}),
        ),
        ("no month", json!({"notAfter": "2030-13-01T00:00:00Z"})),
    ];
    for (row, times) in rows {
        let mut wish = json!({"identifiers": [{"type": "dns", "value": "senseless.validity.test"}]});
        wish.as_object_mut()
            .unwrap()
            .extend(times.as_object().unwrap().clone());
        let answer = account.post(&account.client.url("newOrder"), &wish);
        assert_eq!(answer.status(), 400, "{row}: {answer}");
        answer.is_problem(400, "malformed");
    }
}
