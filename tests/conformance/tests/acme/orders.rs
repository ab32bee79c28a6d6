//! Orders (RFC 8555 sections 7.1.3, 7.1.6 and 7.4) and the list of them (section 7.1.2.1).

use std::collections::BTreeSet;

use portreeve_conformance::acme::{Account, Answer, Csr, Site, new_key};
use serde_json::{Value, json};

#[test]
fn an_order_is_made_and_read() {
    let account = Site::shared().account();
    let answer = account.ask_order(&["b.orders.test", "a.orders.test", "B.orders.TEST"]);
    let order = answer.is(201);
    assert_eq!(order["status"], "pending");
    let names: BTreeSet<&str> = order["identifiers"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["value"].as_str().unwrap())
        .collect();
    assert_eq!(names, BTreeSet::from(["a.orders.test", "b.orders.test"]));
    assert_eq!(
        order["identifiers"].as_array().unwrap().len(),
        2,
        "a name that occurs twice counts once: {order}"
    );
    assert_eq!(order["authorizations"].as_array().unwrap().len(), 2);
    assert!(
        order["expires"].as_str().unwrap().ends_with('Z'),
        "RFC 3339: {order}"
    );
    assert!(
        order.get("certificate").is_none() && order.get("error").is_none(),
        "{order}"
    );
    let read = account.read(&answer.location());
    assert_eq!(read.is(200), order);
    assert!((1..=60).contains(&read.retry_after()), "{read}");
}

#[test]
fn all_states_of_an_order() {
    let site = Site::shared();
    let account = site.account();
    let order = account.order(&["states.orders.test"]);
    let csr = Csr::of(&["states.orders.test"]).sign(&new_key());
    account.finalize(&order, &csr).is_problem(403, "orderNotReady");
    account.prove(site, &order.authorizations()[0]);
    let ready = account.read(&order.url).is(200);
    assert_eq!(ready["status"], "ready");
    let certificate = order.url.replacen("/order/", "/certificate/", 1);
    account.read(&certificate).is_problem(404, "malformed");
    let finalized = account.finalize(&order, &csr);
    let object = finalized.is(200);
    assert!(
        object["status"] == "valid" || object["status"] == "processing",
        "{object}"
    );
    assert_eq!(finalized.location(), order.url);
    let valid = account.poll(&order.url, "valid");
    assert!(
        valid["certificate"]
            .as_str()
            .unwrap()
            .starts_with(&account.client.below("")),
        "{valid}"
    );
}

#[test]
fn an_order_with_a_failed_authorization_is_invalid() {
    let site = Site::shared();
    let account = site.account();
    let order = account.order(&["fails.orders.test", "other.orders.test"]);
    let authorization = account.read(&order.authorizations()[0]).is(200);
    let challenge = portreeve_conformance::acme::challenge(&authorization, "http-01").clone();
    account.answer_challenge(&challenge).is(200);
    account.poll(&order.authorizations()[0], "invalid");
    let invalid = account.poll(&order.url, "invalid");
    assert!(invalid.get("certificate").is_none(), "{invalid}");
    let csr = Csr::of(&["fails.orders.test", "other.orders.test"]).sign(&new_key());
    account.finalize(&order, &csr).is_problem(403, "orderNotReady");
}

#[test]
fn row_22_identifiers_that_cannot_be_ordered() {
    let account = Site::shared().account();
    let url = account.client.url("newOrder");
    let dns = |number: usize| json!({"type": "dns", "value": format!("n{number}.many.test")});
    let rows = [
        ("none", json!([]), "malformed"),
        ("absent", Value::Null, "malformed"),
        ("101", (0..101).map(dns).collect(), "malformed"),
        (
            "unknown type",
            json!([{"type": "uri", "value": "https://a.test/"}]),
            "unsupportedIdentifier",
        ),
        (
            "empty type",
            json!([{"type": "", "value": "a.test"}]),
            "unsupportedIdentifier",
        ),
        ("no type", json!([{"value": "a.test"}]), "malformed"),
        ("no value", json!([{"type": "dns"}]), "malformed"),
        (
            "value of another type",
            json!([{"type": "dns", "value": 1}]),
            "malformed",
        ),
        ("a text", json!(["a.test"]), "malformed"),
        (
            "not a list",
            json!({"type": "dns", "value": "a.test"}),
            "malformed",
        ),
    ];
    for (name, identifiers, kind) in rows {
        let answer = account.post(&url, &json!({"identifiers": identifiers}));
        assert!(
            answer.json()["type"]
                .as_str()
                .unwrap_or_default()
                .ends_with(&format!(":{kind}")),
            "{name}: {answer}"
        );
        answer.is_problem(400, kind);
    }
    let hundred: Vec<Value> = (0..100).map(dns).collect();
    account.post(&url, &json!({"identifiers": hundred})).is(201);
}

#[test]
fn ip_identifiers_are_not_offered() {
    let account = Site::shared().account();
    let url = account.client.url("newOrder");
    for value in ["127.0.0.1", "::1", "10.0.0.1"] {
        let wish = json!({"identifiers": [{"type": "ip", "value": value}]});
        account.post(&url, &wish).is_problem(400, "unsupportedIdentifier");
    }
}

#[test]
fn the_list_of_orders_leads_through_all_pages() {
    let site = Site::own(&["acme.orders_per_page=3"]);
    let account = site.account();
    let other = site.account();
    let mut expected: Vec<String> = (0..8)
        .map(|number| account.order(&[&format!("n{number}.list.test")]).url)
        .collect();
    other.order(&["foreign.list.test"]);

    let (mut listed, mut url, mut pages) = (Vec::new(), orders_url(&account), 0);
    loop {
        let page = account.read(&url);
        let urls = urls(&page);
        assert!(urls.len() <= 3, "{page}");
        listed.extend(urls);
        pages += 1;
        let next = page.links("next");
        let Some(found) = next.first() else { break };
        assert!(next.len() == 1 && pages < 10, "{page}");
        url.clone_from(found);
    }
    assert_eq!(pages, 3, "{listed:?}");
    expected.sort_unstable();
    listed.sort_unstable();
    assert_eq!(listed, expected);
    for cursor in ["AAAA", "", "!", "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let made_up = format!("{}?cursor={cursor}", orders_url(&account));
        account.read(&made_up).is_problem(400, "malformed");
    }
}

#[test]
fn the_list_of_orders_leaves_out_invalid_ones() {
    let account = Site::shared().account();
    let kept = account.order(&["kept.list.test"]);
    let ended = account.order(&["ended.list.test"]);
    account
        .post(&ended.authorizations()[0], &json!({"status": "deactivated"}))
        .is(200);
    assert_eq!(account.read(&ended.url).is(200)["status"], "invalid");
    assert_eq!(urls(&account.read(&orders_url(&account))), [kept.url]);
}

#[test]
fn an_order_expires() {
    let site = Site::own(&["acme.order_lifetime=\"1s\""]);
    let account = site.account();
    let order = account.order(&["expires.orders.test"]);
    account.poll(&order.url, "invalid");
    let csr = Csr::of(&["expires.orders.test"]).sign(&new_key());
    account.finalize(&order, &csr).is_problem(403, "orderNotReady");
}

fn orders_url(account: &Account) -> String {
    let object = account.read(&account.url).is(200);
    object["orders"].as_str().unwrap().to_owned()
}

#[track_caller]
fn urls(page: &Answer) -> Vec<String> {
    let object = page.is(200);
    object["orders"]
        .as_array()
        .unwrap()
        .iter()
        .map(|url| url.as_str().unwrap().to_owned())
        .collect()
}
