//! Limits (RFC 8555 section 6.6): row 39.

use portreeve_conformance::acme::{Account, Csr, Order, Site, new_key};

#[test]
fn row_39_an_account_that_reached_its_rate_is_told_when_to_come_back() {
    let site =
        Site::own(&["endpoint.acme.default.rate_limit={requester={requests=2,period=\"1h\",burst=2}}"]);
    let account = site.account();
    let name = "rate.limits.test";
    for _ in 0..2 {
        account.issue(&site, &[name], &new_key());
    }
    let order = account.ready_order(&site, &[name]);
    let answer = account.finalize(&order, &Csr::of(&[name]).sign(&new_key()));
    answer.is_problem(429, "rateLimited");
    assert!((1..=3600).contains(&answer.retry_after()), "{answer}");
    assert_eq!(
        account.read(&order.url).is(200)["status"],
        "ready",
        "the order can be finalized later"
    );
    Account::open(&account.client).issue(&site, &["another.limits.test"], &new_key());
}

#[test]
fn row_39_open_orders_are_limited() {
    let site = Site::own(&["acme.orders_pending_max=4"]);
    let account = site.account();
    let orders: Vec<_> = (0..4)
        .map(|number| account.order(&[&format!("n{number}.limits.test")]))
        .collect();
    let answer = account.ask_order(&["one-more.limits.test"]);
    answer.is_problem(429, "rateLimited");
    assert!((1..=3600).contains(&answer.retry_after()), "{answer}");
    finish(&account, &site, &orders[0], "n0.limits.test");
    account.order(&["room.limits.test"]);
    account
        .ask_order(&["too-many.limits.test"])
        .is_problem(429, "rateLimited");
    Account::open(&account.client).order(&["other.limits.test"]);
}

/// Finishes an order, which makes room for another.
#[track_caller]
fn finish(account: &Account, site: &Site, order: &Order, name: &str) {
    account.prove(site, &order.authorizations()[0]);
    account
        .finalize(order, &Csr::of(&[name]).sign(&new_key()))
        .is(200);
    account.retrieve(order);
}
