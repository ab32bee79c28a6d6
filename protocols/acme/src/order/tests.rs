use portreeve_pkix::DnsName;
use portreeve_ra::{AccountId, EndpointName};

use super::*;
use crate::document::AuthorizationId;

const NOW: i64 = 1_000;

fn at(seconds: i64) -> Timestamp {
    Timestamp::from_unix_seconds(seconds)
}

fn order(expires_at: i64) -> Order {
    Order {
        account: AccountId::from_bytes([1; 16]),
        endpoint: EndpointName::new("acme/default").unwrap(),
        created_at: at(0),
        expires_at: at(expires_at),
        names: Vec::new(),
        authorizations: Vec::new(),
        not_before: None,
        not_after: None,
        progress: Progress::Open,
    }
}

fn authorization(standing: Standing, expires_at: i64) -> Stored<Authorization> {
    let value = Authorization {
        account: AccountId::from_bytes([1; 16]),
        endpoint: EndpointName::new("acme/default").unwrap(),
        order: OrderId::from_bytes([2; 16]),
        name: DnsName::parse("a.test").unwrap(),
        created_at: at(0),
        expires_at: at(expires_at),
        standing,
        reason: None,
        challenges: Vec::new(),
    };
    Stored::new(*AuthorizationId::from_bytes([3; 16]).as_bytes(), value)
}

#[test]
fn an_open_order_follows_from_its_authorizations() {
    use Standing::{Deactivated, Invalid, Pending, Valid};
    let (later, past) = (NOW + 1, NOW);
    let rows = [
        (
            "all pending",
            later,
            vec![(Pending, later), (Pending, later)],
            "pending",
        ),
        (
            "one still pending",
            later,
            vec![(Valid, later), (Pending, later)],
            "pending",
        ),
        ("all valid", later, vec![(Valid, later), (Valid, later)], "ready"),
        (
            "one failed",
            later,
            vec![(Valid, later), (Invalid, later)],
            "invalid",
        ),
        (
            "one deactivated",
            later,
            vec![(Valid, later), (Deactivated, later)],
            "invalid",
        ),
        (
            "one proof has expired",
            later,
            vec![(Valid, later), (Valid, past)],
            "invalid",
        ),
        (
            "one was never answered",
            later,
            vec![(Valid, later), (Pending, past)],
            "invalid",
        ),
        (
            "failed and pending",
            later,
            vec![(Pending, later), (Invalid, later)],
            "invalid",
        ),
        ("expired while pending", past, vec![(Pending, later)], "invalid"),
        ("expired while ready", past, vec![(Valid, later)], "invalid"),
    ];
    for (name, expires_at, authorizations, expected) in rows {
        let authorizations: Vec<_> = authorizations
            .into_iter()
            .map(|(standing, end)| authorization(standing, end))
            .collect();
        let status = OrderStatus::of_open(&of(expires_at, &authorizations), &authorizations, at(NOW));
        assert_eq!(status.as_str(), expected, "{name}");
    }
}

/// An order with these authorizations.
fn of(expires_at: i64, authorizations: &[Stored<Authorization>]) -> Order {
    let ids = authorizations
        .iter()
        .map(|one| AuthorizationId::from_bytes(one.id));
    Order {
        authorizations: ids.collect(),
        ..order(expires_at)
    }
}

#[test]
fn an_authorization_that_is_gone_makes_its_order_invalid() {
    let both = [
        authorization(Standing::Valid, NOW + 1),
        authorization(Standing::Valid, NOW + 1),
    ];
    for left in [&both[..0], &both[..1]] {
        let status = OrderStatus::of_open(&of(NOW + 1, &both), left, at(NOW));
        assert_eq!(status.as_str(), "invalid", "{} are left", left.len());
    }
}
