//! Requests over several nodes: nonces are good once, orders are limited, finalizing twice issues once.

use crate::node::{Account, Network, Node, authority, patient};
use http::Method;
use portreeve_acme::AcmeConfig;
use portreeve_ra::ports::{RequestFilter, Store};
use portreeve_wire::jose::{Algorithm, SigningKey};
use serde_json::json;

#[tokio::test]
async fn a_nonce_of_one_node_is_good_once_on_all() {
    let authority = authority().await;
    let one = Node::new(&authority, &Network::open(), patient());
    let two = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&one).await;
    let contact = |name: &str| json!({"contact": [format!("mailto:{name}@example.com")]});

    let nonce = one.nonce().await;
    assert_eq!(
        account
            .post_with(&two, &account.url, contact("b"), &nonce)
            .await
            .status(),
        200,
        "made elsewhere"
    );
    let replayed = account.post_with(&two, &account.url, contact("c"), &nonce).await;
    assert_eq!(
        (replayed.status(), replayed.problem().as_str()),
        (400, "badNonce"),
        "on the same node"
    );
    assert!(!replayed.header("Replay-Nonce").is_empty());
    let replayed = account.post_with(&one, &account.url, contact("d"), &nonce).await;
    assert_eq!(
        (replayed.status(), replayed.problem().as_str()),
        (400, "badNonce"),
        "on another node"
    );

    let restarted = Node::new(&authority, &Network::open(), patient());
    let replayed = account
        .post_with(&restarted, &account.url, contact("e"), &nonce)
        .await;
    assert_eq!(
        (replayed.status(), replayed.problem().as_str()),
        (400, "badNonce"),
        "after a restart"
    );
    let shown = account.read(&restarted, &account.url).await.json();
    assert_eq!(shown["contact"], json!(["mailto:b@example.com"]));
}

#[tokio::test]
async fn a_nonce_expires() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let nonce = node.nonce().await;
    node.clock.set(3601);
    let late = account.post_with(&node, &account.url, json!(null), &nonce).await;
    assert_eq!((late.status(), late.problem().as_str()), (400, "badNonce"));
}

#[tokio::test]
async fn open_orders_are_limited_and_ended_ones_do_not_count() {
    let authority = authority().await;
    let config = AcmeConfig {
        orders_pending_max: 2,
        ..patient()
    };
    let node = Node::new(&authority, &Network::open(), config);
    let account = Account::open(&node).await;
    let first = account.order(&node, "a.test").await;
    account.order(&node, "b.test").await;
    let third = account.new_order(&node, &["c.test"]).await;
    assert_eq!((third.status(), third.problem().as_str()), (429, "rateLimited"));
    assert_eq!(third.header("Retry-After"), "60");

    account.post(&node, &first.challenge, json!({})).await;
    assert_eq!(account.finalize(&node, &first, "a.test").await.state(), "valid");
    assert_eq!(account.new_order(&node, &["c.test"]).await.status(), 201);
}

#[tokio::test]
async fn new_accounts_are_limited_by_address() {
    let authority = authority().await;
    let config = AcmeConfig {
        accounts_per_address_max: 2,
        ..patient()
    };
    let node = Node::new(&authority, &Network::open(), config);
    let key = || SigningKey::generate(Algorithm::Es256).unwrap();
    let known = key();
    let (here, same, there) = ("2001:db8::1", "2001:db8::2", "2001:db8:0:1::1");
    let ask = async |key: &SigningKey, from: &str| Account::ask(&node, key, from.parse().unwrap()).await;
    assert_eq!(ask(&known, here).await.status(), 201);
    assert_eq!(ask(&key(), same).await.status(), 201);
    let third = ask(&key(), here).await;
    assert_eq!((third.status(), third.problem().as_str()), (429, "rateLimited"));
    let wait: u64 = third.header("Retry-After").parse().unwrap();
    assert!((1..=1800).contains(&wait), "half of the period: {wait}");
    assert_eq!(ask(&known, here).await.status(), 200, "it has its account");
    assert_eq!(ask(&key(), there).await.status(), 201, "another network");
}

#[tokio::test]
async fn open_orders_still_count_after_a_restart() {
    let authority = authority().await;
    let config = || AcmeConfig {
        orders_pending_max: 2,
        ..patient()
    };
    let node = Node::new(&authority, &Network::open(), config());
    let account = Account::open(&node).await;
    account.order(&node, "a.test").await;
    account.order(&node, "b.test").await;
    let restarted = Node::new(&authority, &Network::open(), config());
    let third = account.new_order(&restarted, &["c.test"]).await;
    assert_eq!((third.status(), third.problem().as_str()), (429, "rateLimited"));
}

#[tokio::test]
async fn two_finalizes_at_once_issue_one_certificate() {
    let authority = authority().await;
    let one = Node::new(&authority, &Network::open(), patient());
    let two = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&one).await;
    let order = account.order(&one, "a.test").await;
    account.post(&one, &order.challenge, json!({})).await;
    let (first, second) = tokio::join!(
        account.finalize(&one, &order, "a.test"),
        account.finalize(&two, &order, "a.test"),
    );
    let mut states = [first.state(), second.state()];
    states.sort();
    assert_eq!(states, ["403 orderNotReady", "valid"], "their CSRs differ");
    let rows = authority
        .store
        .requests(&RequestFilter::default(), None, 10)
        .await
        .unwrap();
    assert_eq!(rows.items.len(), 1);
    assert_eq!(account.read(&one, &order.url).await.state(), "valid");
}

#[tokio::test]
async fn a_bad_csr_leaves_the_order_as_it_was() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let order = account.order(&node, "a.test").await;
    account.post(&node, &order.challenge, json!({})).await;
    let refused = account.finalize(&node, &order, "b.test").await;
    assert_eq!((refused.status(), refused.problem().as_str()), (400, "badCSR"));
    let refused = account.post(&node, &order.finalize, json!({"csr": "AAAA"})).await;
    assert_eq!((refused.status(), refused.problem().as_str()), (400, "badCSR"));
    assert_eq!(account.finalize(&node, &order, "a.test").await.state(), "valid");
}

#[tokio::test]
async fn names_that_no_profile_allows_are_refused_before_they_are_proven() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let refused = account
        .new_order(&node, &["a.refused", "ok.test", "b.refused"])
        .await;
    assert_eq!(
        (refused.status(), refused.problem().as_str()),
        (400, "rejectedIdentifier")
    );
    let subproblems = refused.json()["subproblems"].as_array().unwrap().len();
    assert_eq!(subproblems, 2);
}

#[tokio::test]
async fn what_belongs_to_others_looks_as_if_it_were_not_there() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let (owner, other) = (Account::open(&node).await, Account::open(&node).await);
    let order = owner.order(&node, "a.test").await;
    owner.post(&node, &order.challenge, json!({})).await;
    owner.finalize(&node, &order, "a.test").await;
    let certificate = order.url.replace("/order/", "/certificate/");
    for url in [
        &order.url,
        &order.authorization,
        &order.challenge,
        &order.finalize,
        &certificate,
        &owner.url,
    ] {
        let payload = if *url == order.finalize {
            json!({"csr": "AAAA"})
        } else {
            json!(null)
        };
        let at = url.len() - url.rsplit("test/acme/default/").next().unwrap().len();
        let id = url[at..].find('/').unwrap() + at + 1;
        let missing = format!("{}00000000{}", &url[..id], &url[id + 8..]);
        let foreign = other.post(&node, url, payload.clone()).await;
        let missing = other.post(&node, &missing, payload).await;
        assert_eq!(
            (foreign.status(), foreign.problem().as_str()),
            (404, "malformed"),
            "{url}"
        );
        assert_eq!(foreign.json(), missing.json(), "{url}");
        assert_eq!(foreign.status(), missing.status(), "{url}");
    }
}

/// Whoever mistypes the name of an endpoint is told what a directory's URL looks like, and not which endpoints there are.
#[tokio::test]
async fn where_no_endpoint_is_a_problem_says_so() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let rows = [
        (Method::GET, "https://ra.test/acme/defualt/directory"),
        (Method::HEAD, "https://ra.test/acme/defualt/new-nonce"),
        (Method::POST, "https://ra.test/acme/defualt/new-account"),
        (Method::GET, "https://ra.test/acme/"),
    ];
    for (method, url) in rows {
        let answer = node.send(method, url, Vec::new()).await;
        assert_eq!(
            (answer.status(), answer.problem().as_str()),
            (404, "malformed"),
            "{url}"
        );
        let detail = answer.json()["detail"].to_string();
        assert!(
            detail.contains("https://ra.test/acme/NAME/directory"),
            "{url}: {detail}"
        );
        assert!(!detail.contains("default"), "{url}: {detail}");
    }
}
