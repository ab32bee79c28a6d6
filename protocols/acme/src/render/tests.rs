use std::time::Duration;

use http::StatusCode;
use portreeve_ra::EndpointName;

use super::*;
use crate::document::Progress;
use crate::problem::{Failure, ProblemType};
use crate::site::tests::site;
use crate::validator::ChallengeKind;

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

fn now() -> Timestamp {
    at("2030-01-02T00:00:00.500Z")
}

fn names(names: &[&str]) -> Vec<DnsName> {
    names.iter().map(|name| DnsName::parse(name).unwrap()).collect()
}

fn an_order() -> Stored<Order> {
    let value = Order {
        account: AccountId::from_bytes([0xaa; 16]),
        endpoint: EndpointName::new("acme/default").unwrap(),
        created_at: at("2030-01-01T00:00:00Z"),
        expires_at: at("2030-01-08T00:00:00.250Z"),
        names: names(&["*.a.test", "b.test"]),
        authorizations: vec![
            AuthorizationId::from_bytes([1; 16]),
            AuthorizationId::from_bytes([2; 16]),
        ],
        not_before: None,
        not_after: Some(at("2030-02-01T00:00:00Z")),
        progress: Progress::Open,
    };
    Stored::new([0xbb; 16], value)
}

fn an_authorization(standing: Standing, states: [ChallengeState; 2]) -> Stored<Authorization> {
    let challenges = ChallengeKind::ALL
        .into_iter()
        .zip(states)
        .map(|(kind, state)| Challenge {
            kind,
            token: [7; 24],
            state,
        })
        .collect();
    let value = Authorization {
        account: AccountId::from_bytes([0xaa; 16]),
        endpoint: EndpointName::new("acme/default").unwrap(),
        order: OrderId::from_bytes([0xbb; 16]),
        name: DnsName::parse("b.test").unwrap(),
        created_at: at("2030-01-01T00:00:00Z"),
        expires_at: at("2030-01-08T00:00:00Z"),
        standing,
        reason: None,
        challenges,
    };
    Stored::new([1; 16], value)
}

fn failed() -> ChallengeState {
    let failure = Failure::new(
        StatusCode::FORBIDDEN,
        ProblemType::Unauthorized,
        "404 instead of the key",
    );
    ChallengeState::Invalid { at: now(), failure }
}

fn pretty(value: &Value) -> String {
    serde_json::to_string_pretty(value).unwrap()
}

#[test]
fn an_account_as_json() {
    let account = Account {
        endpoint: EndpointName::new("acme/default").unwrap(),
        key: portreeve_pkix::PublicKey::from_ed25519(&[9; 32]).unwrap(),
        contacts: vec!["mailto:a@b.test".into()],
        agreed_at: Some(now()),
        opened_at: now(),
        status: AccountStatus::Valid,
        binding: None,
    };
    insta::assert_snapshot!(pretty(&super::account(
        &site(),
        AccountId::from_bytes([0xaa; 16]),
        &account
    )));
}

#[test]
fn orders_as_json() {
    let failure = Failure::new(
        StatusCode::FORBIDDEN,
        ProblemType::Unauthorized,
        "request was denied",
    );
    let pending = order(&site(), &an_order(), &OrderStatus::Pending);
    insta::assert_snapshot!("order_pending", pretty(&pending));
    let invalid = order(&site(), &an_order(), &OrderStatus::Invalid(Some(failure)));
    insta::assert_snapshot!("order_invalid", pretty(&invalid));
    let waiting = OrderStatus::Processing {
        retry_after: Duration::from_secs(3),
    };
    let processing = order(&site(), &an_order(), &waiting);
    assert_eq!(processing["status"], "processing");
    assert!(processing.get("certificate").is_none() && processing.get("error").is_none());
}

#[test]
fn authorizations_as_json() {
    use ChallengeState::{Pending, Valid};
    let pending = an_authorization(
        Standing::Pending,
        [Pending, ChallengeState::Processing { since: now() }],
    );
    insta::assert_snapshot!(
        "authorization_pending",
        pretty(&authorization(&site(), &pending, now()))
    );
    let valid = an_authorization(Standing::Valid, [Valid { at: now() }, Pending]);
    insta::assert_snapshot!(
        "authorization_valid",
        pretty(&authorization(&site(), &valid, now()))
    );
    let invalid = an_authorization(Standing::Invalid, [Pending, failed()]);
    insta::assert_snapshot!(
        "authorization_invalid",
        pretty(&authorization(&site(), &invalid, now()))
    );
}

#[test]
fn a_wildcard_is_shown_by_its_base() {
    let mut stored = an_authorization(
        Standing::Pending,
        [ChallengeState::Pending, ChallengeState::Pending],
    );
    stored.value.name = DnsName::parse("*.w.test").unwrap();
    let shown = authorization(&site(), &stored, now());
    assert_eq!(shown["identifier"], json!({"type": "dns", "value": "w.test"}));
    assert_eq!(shown["wildcard"], json!(true));
}

#[test]
fn time_passes_over_every_state() {
    let later = at("2030-01-08T00:00:00Z");
    let rows = [
        ("pending", Standing::Pending, now(), "pending"),
        ("valid", Standing::Valid, now(), "valid"),
        ("invalid", Standing::Invalid, now(), "invalid"),
        ("deactivated", Standing::Deactivated, now(), "deactivated"),
        ("never answered", Standing::Pending, later, "invalid"),
        ("expired", Standing::Valid, later, "expired"),
        (
            "deactivated and over",
            Standing::Deactivated,
            later,
            "deactivated",
        ),
    ];
    for (name, standing, now, expected) in rows {
        let stored = an_authorization(standing, [ChallengeState::Pending, ChallengeState::Pending]);
        assert_eq!(authorization_status(&stored.value, now), expected, "{name}");
    }
}
