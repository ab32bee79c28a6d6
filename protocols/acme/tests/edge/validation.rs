//! Validations: once however often they are asked for, recorded once, and never lost.

use crate::node::{Account, Network, Node, authority, impatient, patient};
use portreeve_acme::AcmeConfig;
use portreeve_harness::authority::TestAuthority;
use portreeve_ra::StreamKind;
use portreeve_ra::ports::Store;
use serde_json::json;

/// How many proofs were recorded, over all identifiers.
async fn proofs(authority: &TestAuthority) -> usize {
    let streams = authority
        .store
        .streams(StreamKind::Proof, None, 100)
        .await
        .unwrap()
        .items;
    authority
        .store
        .load(&streams)
        .await
        .unwrap()
        .iter()
        .map(Vec::len)
        .sum()
}

#[tokio::test]
async fn a_fast_validation_is_answered_at_once() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let order = account.order(&node, "a.test").await;
    let answer = account.post(&node, &order.challenge, json!({})).await;
    assert_eq!(answer.state(), "valid");
    assert_eq!(answer.header("Retry-After"), "", "there is nothing to wait for");
    assert!(answer.header("Link").contains(&order.authorization), "rel=up");
    assert_eq!(account.read(&node, &order.url).await.state(), "ready");
    assert_eq!(proofs(&authority).await, 1);
}

#[tokio::test]
async fn two_posts_to_one_challenge_at_once_validate_once() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::closed(), impatient());
    let account = Account::open(&node).await;
    let order = account.order(&node, "a.test").await;
    let (one, two) = tokio::join!(
        account.post(&node, &order.challenge, json!({})),
        account.post(&node, &order.challenge, json!({})),
    );
    assert_eq!(
        (one.state().as_str(), two.state().as_str()),
        ("processing", "processing")
    );
    assert_eq!(one.header("Retry-After"), "3");
    assert_eq!(
        account.post(&node, &order.challenge, json!({})).await.state(),
        "processing"
    );
    assert_eq!(account.read(&node, &order.url).await.state(), "pending");
    node.network.release();
    account.until(&node, &order.authorization, "valid").await;
    assert_eq!(node.network.begun(), 1);
    assert_eq!(proofs(&authority).await, 1);
}

#[tokio::test]
async fn two_nodes_that_validate_at_once_record_one_proof() {
    let authority = authority().await;
    let one = Node::new(&authority, &Network::closed(), patient());
    let two = Node::new(&authority, &one.network, patient());
    let account = Account::open(&one).await;
    let order = account.order(&one, "a.test").await;
    let release = async {
        while one.network.begun() < 2 {
            tokio::task::yield_now().await;
        }
        one.network.release();
    };
    let (first, second, ()) = tokio::join!(
        account.post(&one, &order.challenge, json!({})),
        account.post(&two, &order.challenge, json!({})),
        release,
    );
    assert_eq!(first.status(), 200, "{}", first.json());
    assert_eq!(second.status(), 200, "{}", second.json());
    account.until(&one, &order.authorization, "valid").await;
    account.until(&two, &order.authorization, "valid").await;
    assert_eq!(proofs(&authority).await, 1);
}

#[tokio::test]
async fn a_validation_that_was_cut_off_is_taken_up() {
    let authority = authority().await;
    let before = Node::new(&authority, &Network::closed(), impatient());
    let account = Account::open(&before).await;
    let order = account.order(&before, "a.test").await;
    assert_eq!(
        account.post(&before, &order.challenge, json!({})).await.state(),
        "processing"
    );

    let after = Node::new(&authority, &Network::open(), patient());
    assert_eq!(account.read(&after, &order.challenge).await.state(), "processing");
    assert_eq!(after.network.begun(), 0, "it may still be running somewhere");
    after.clock.set(11);
    account.until(&after, &order.url, "ready").await;
    assert_eq!(after.network.begun(), 1);

    // The first node was not dead, only slow. It adopts what was recorded.
    before.network.fail(true);
    before.network.release();
    account.until(&before, &order.authorization, "valid").await;
    assert_eq!(proofs(&authority).await, 1);
}

#[tokio::test]
async fn a_failed_validation_ends_the_order() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    node.network.fail(true);
    let account = Account::open(&node).await;
    let order = account.order(&node, "a.test").await;
    let answer = account.post(&node, &order.challenge, json!({})).await;
    assert_eq!(answer.state(), "invalid");
    assert_eq!(
        answer.json()["error"]["type"],
        "urn:ietf:params:acme:error:unauthorized"
    );
    assert_eq!(account.read(&node, &order.authorization).await.state(), "invalid");
    let ended = account.read(&node, &order.url).await.json();
    assert_eq!(ended["status"], "invalid");
    assert_eq!(ended["error"]["subproblems"][0]["identifier"]["value"], "a.test");
    node.network.fail(false);
    assert_eq!(
        account.post(&node, &order.challenge, json!({})).await.state(),
        "invalid",
        "for good"
    );
    let refused = account.finalize(&node, &order, "a.test").await;
    assert_eq!(
        (refused.status(), refused.problem().as_str()),
        (403, "orderNotReady")
    );
    assert_eq!(proofs(&authority).await, 0);
}

#[tokio::test]
async fn an_authorization_that_was_deactivated_gives_no_right() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let first = account.order(&node, "a.test").await;
    account.post(&node, &first.challenge, json!({})).await;
    let second = account.order(&node, "a.test").await;
    assert_eq!(
        account.read(&node, &second.url).await.state(),
        "ready",
        "the proof is used again"
    );

    let over = account
        .post(&node, &second.authorization, json!({"status": "deactivated"}))
        .await;
    assert_eq!(over.state(), "deactivated");
    assert_eq!(account.read(&node, &second.url).await.state(), "invalid");
    let refused = account.finalize(&node, &first, "a.test").await;
    assert_eq!(
        (refused.status(), refused.problem().as_str()),
        (403, "unauthorized")
    );
    let third = account.order(&node, "a.test").await;
    assert_eq!(account.read(&node, &third.url).await.state(), "pending");
}

#[tokio::test]
async fn without_reuse_every_order_is_proven_anew() {
    let authority = authority().await;
    let config = AcmeConfig {
        authorization_reuse: false,
        ..patient()
    };
    let node = Node::new(&authority, &Network::open(), config);
    let account = Account::open(&node).await;
    let first = account.order(&node, "a.test").await;
    account.post(&node, &first.challenge, json!({})).await;
    let second = account.order(&node, "a.test").await;
    assert_eq!(account.read(&node, &second.url).await.state(), "pending");
}

#[tokio::test]
async fn nothing_stays_open_for_ever() {
    let authority = authority().await;
    let node = Node::new(&authority, &Network::open(), patient());
    let account = Account::open(&node).await;
    let pending = account.order(&node, "a.test").await;
    let ready = account.order(&node, "b.test").await;
    account.post(&node, &ready.challenge, json!({})).await;
    node.clock.set(7 * 24 * 3600);
    assert_eq!(account.read(&node, &pending.url).await.state(), "invalid");
    assert_eq!(account.read(&node, &ready.url).await.state(), "invalid");
    assert_eq!(
        account.read(&node, &pending.authorization).await.state(),
        "invalid"
    );
    let late = account.post(&node, &pending.challenge, json!({})).await;
    assert_eq!((late.status(), late.problem().as_str()), (400, "malformed"));
    node.clock.set(31 * 24 * 3600);
    assert_eq!(account.read(&node, &ready.authorization).await.state(), "expired");
}
