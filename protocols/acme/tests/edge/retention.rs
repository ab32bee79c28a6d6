//! What is kept how long: an order is answered for until it goes, whatever became of its authorizations.

use std::time::Duration;

use crate::node::{Account, Network, Node, authority, patient};
use portreeve_acme::AcmeConfig;
use portreeve_harness::authority::{TestAuthority, clock};
use portreeve_ra::ports::{Batch, DocumentId, DocumentWrite, Store};
use serde_json::json;

const DAY: u64 = 24 * 3600;

/// The octets of the id at the end of a URL.
fn id(url: &str) -> [u8; 16] {
    let text = url.rsplit('/').next().unwrap().replace('-', "");
    let octet = |place: usize| u8::from_str_radix(&text[2 * place..2 * place + 2], 16).unwrap();
    std::array::from_fn(octet)
}

/// Removes an authorization that was written once.
async fn remove(authority: &TestAuthority, authorization: &str) {
    let write = DocumentWrite {
        id: DocumentId {
            kind: "acme.authz",
            id: id(authorization),
        },
        version: 2,
        body: None,
        keys: Vec::new(),
        expires_at: None,
    };
    let batch = Batch {
        documents: vec![write],
        ..Batch::default()
    };
    authority.store.commit(batch).await.unwrap();
}

#[tokio::test]
async fn an_order_without_its_authorizations_is_invalid() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let order = account.order(&node, "a.test").await;
    let kept = account.order(&node, "b.test").await;
    remove(&authority, &order.authorization).await;
    let shown = account.read(&node, &order.url).await;
    assert_eq!((shown.status(), shown.state().as_str()), (200, "invalid"));
    assert_eq!(
        account.finalize(&node, &order, "a.test").await.state(),
        "403 orderNotReady"
    );
    let gone = account.read(&node, &order.authorization).await;
    assert_eq!((gone.status(), gone.problem().as_str()), (404, "malformed"));
    let listed = account.read(&node, &format!("{}/orders", account.url)).await;
    assert_eq!(listed.json(), json!({"orders": [kept.url]}));
}

#[tokio::test]
async fn an_authorization_stays_as_long_as_its_order() {
    let authority = authority().await;
    let config = AcmeConfig {
        authorization_lifetime: Duration::from_secs(DAY),
        ..patient()
    };
    let node = Node::new(&authority, &Network::open(), config);
    let account = Account::open(&node).await;
    let first = account.order(&node, "a.test").await;
    account.post(&node, &first.challenge, json!({})).await;
    let second = account.order(&node, "a.test").await;
    assert_eq!(account.read(&node, &second.url).await.state(), "ready");
    // The proof ends after a day, the order after seven; both are kept for 30 more.
    for (days, expected) in [(36, "ready"), (38, "404 malformed")] {
        let then = clock().now().saturating_add(Duration::from_secs(days * DAY));
        while authority.store.sweep_as_of(then, 100).await.unwrap() > 0 {}
        assert_eq!(
            account.read(&node, &second.url).await.state(),
            expected,
            "after {days} days"
        );
    }
}
