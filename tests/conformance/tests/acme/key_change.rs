//! A new key for an account (RFC 8555 section 7.3.5).

use std::sync::Arc;

use portreeve_conformance::acme::{Account, Site, new_key, new_key_of};
use portreeve_wire::jose::Algorithm;
use serde_json::json;

fn account() -> Account {
    Site::shared().account()
}

#[test]
fn after_a_change_only_the_new_key_works() {
    for algorithm in Algorithm::SIGNATURES {
        let account = account();
        let order = account.order(&["kept.key-change.test"]);
        let key = Arc::new(new_key_of(algorithm));
        let changed = account.key_change(key.as_ref()).send(key.as_ref()).is(200);
        assert_eq!(changed["status"], "valid", "{algorithm}");

        account.read(&account.url).is_problem(400, "malformed");
        let renewed = account.with_key(key);
        renewed.read(&renewed.url).is(200);
        assert_eq!(
            renewed.read(&order.url).is(200)["status"],
            "pending",
            "{algorithm}"
        );
        let url = account.client.url("newAccount");
        let found =
            account
                .client
                .post_with_key(renewed.key.as_ref(), &url, &json!({"onlyReturnExisting": true}));
        found.is(200);
        assert_eq!(found.location(), account.url, "{algorithm}");
        let gone =
            account
                .client
                .post_with_key(account.key.as_ref(), &url, &json!({"onlyReturnExisting": true}));
        gone.is_problem(400, "accountDoesNotExist");
    }
}

#[test]
fn the_old_key_is_free_again() {
    let account = account();
    let key = new_key();
    account.key_change(&key).send(&key).is(200);
    let other = Account::open_with(&account.client, Arc::clone(&account.key));
    assert_ne!(other.url, account.url);
}

#[test]
fn row_19_inner_requests_that_are_wrong() {
    let account = account();
    let stranger = Site::shared().account();
    let key = new_key();
    let elsewhere = account.client.url("newOrder");
    let mut rows = Vec::new();
    let mut row = |name: &'static str, change: &dyn Fn(&mut portreeve_conformance::acme::KeyChange<'_>)| {
        let mut wish = account.key_change(&key);
        change(&mut wish);
        rows.push((name, wish));
    };
    row("inner url differs", &|wish| {
        wish.protected["url"] = json!(elsewhere)
    });
    row("inner url absent", &|wish| {
        wish.protected.as_object_mut().unwrap().remove("url");
    });
    row("inner nonce", &|wish| {
        wish.protected["nonce"] = json!(account.client.nonce())
    });
    row("inner kid besides jwk", &|wish| {
        wish.protected["kid"] = json!(account.url)
    });
    row("inner kid in place of jwk", &|wish| {
        wish.protected["kid"] = json!(account.url);
        wish.protected.as_object_mut().unwrap().remove("jwk");
    });
    row("another key than the one that signs", &|wish| {
        wish.protected["jwk"] = new_key_jwk()
    });
    row("wrong oldKey", &|wish| {
        wish.payload["oldKey"] = stranger.key.jwk()
    });
    row("oldKey is the new one", &|wish| {
        wish.payload["oldKey"] = wish.protected["jwk"].clone()
    });
    row("oldKey absent", &|wish| {
        wish.payload.as_object_mut().unwrap().remove("oldKey");
    });
    row("wrong account", &|wish| {
        wish.payload["account"] = json!(stranger.url)
    });
    row("account absent", &|wish| {
        wish.payload.as_object_mut().unwrap().remove("account");
    });
    for (name, wish) in &rows {
        let answer = wish.send(&key);
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "malformed");
    }
    account.read(&account.url).is(200);
}

#[test]
fn row_19_the_same_key_is_no_change() {
    let account = account();
    account
        .key_change(account.key.as_ref())
        .send(account.key.as_ref())
        .is_problem(400, "malformed");
}

#[test]
fn row_19_an_inner_signature_by_somebody_else_is_refused() {
    let account = account();
    account
        .key_change(&new_key())
        .send(&new_key())
        .is_problem(400, "malformed");
    account.read(&account.url).is(200);
}

#[test]
fn row_19_the_outer_request_must_be_by_kid() {
    let account = account();
    let url = account.client.url("keyChange");
    let wish = account.key_change(&new_key());
    let draft = account
        .draft(&url, &wish.payload)
        .without("kid")
        .set("jwk", account.key.jwk());
    draft.send().is_problem(400, "malformed");
    account.post(&url, &json!({})).is_problem(400, "malformed");
    account
        .draft_octets(&url, b"")
        .send()
        .is_problem(400, "malformed");
}

#[test]
fn row_20_a_key_in_use_is_a_conflict_that_names_its_account() {
    let (account, other) = (account(), account());
    let answer = account.key_change(other.key.as_ref()).send(other.key.as_ref());
    answer.is_problem(409, "malformed");
    assert_eq!(answer.location(), other.url, "{answer}");
    account.read(&account.url).is(200);
    other.read(&other.url).is(200);
}

#[test]
fn two_changes_to_one_key_at_once_give_it_to_one_account() {
    let accounts = [account(), account()];
    let key = new_key();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let change = |account: &Account| account.key_change(&key).send(&key).status();
        let threads: Vec<_> = accounts
            .iter()
            .map(|account| scope.spawn(move || change(account)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let mut sorted = statuses.clone();
    sorted.sort_unstable();
    assert_eq!(sorted, [200, 409], "{statuses:?}");
}

fn new_key_jwk() -> serde_json::Value {
    portreeve_conformance::acme::Signer::jwk(&new_key())
}
