//! Nonces (RFC 8555 section 6.5): each is good once, on every node and across restarts.

use std::sync::Barrier;

use portreeve_conformance::acme::{Account, Site, base64url};
use serde_json::json;

#[test]
fn row_01_a_replayed_nonce_is_refused_with_a_new_one() {
    let account = Site::shared().account();
    let draft = account.draft(&account.url, &json!({}));
    let body = draft.body();
    draft.send_body(&body).is(200);
    draft.send_body(&body).is_problem(400, "badNonce");
    let other = account
        .draft_octets(&account.url, b"")
        .set("nonce", nonce_of(&draft.protected()));
    other.send().is_problem(400, "badNonce");
}

#[test]
fn row_01_the_nonce_of_a_refusal_is_good() {
    let account = Site::shared().account();
    let refused = account
        .draft_octets(&account.url, b"")
        .set("nonce", "AAAA")
        .send();
    refused.is_problem(400, "badNonce");
    let nonce = refused.nonce().unwrap().to_owned();
    account
        .draft_octets(&account.url, b"")
        .set("nonce", nonce)
        .send()
        .is(200);
}

#[test]
fn row_01_a_nonce_of_one_account_serves_another_once() {
    let site = Site::shared();
    let (one, other) = (site.account(), site.account());
    let nonce = one.client.nonce();
    other
        .draft_octets(&other.url, b"")
        .set("nonce", nonce.as_str())
        .send()
        .is(200);
    one.draft_octets(&one.url, b"")
        .set("nonce", nonce)
        .send()
        .is_problem(400, "badNonce");
}

#[test]
fn row_01_invented_nonces_are_refused() {
    let account = Site::shared().account();
    let genuine = account.client.nonce();
    let swapped = if genuine.starts_with('B') { "C" } else { "B" };
    let rows = [
        ("empty", String::new()),
        ("short", "abc".to_owned()),
        ("random", base64url([7; 56])),
        ("not base64url", "!".repeat(75)),
        ("one character longer", format!("{genuine}A")),
        ("one character shorter", genuine[1..].to_owned()),
        ("another first character", format!("{swapped}{}", &genuine[1..])),
        (
            "another last character",
            format!(
                "{}{}",
                &genuine[..genuine.len() - 1],
                if genuine.ends_with('A') { "B" } else { "A" }
            ),
        ),
        ("long", "A".repeat(4000)),
    ];
    for (name, nonce) in rows {
        let answer = account.draft_octets(&account.url, b"").set("nonce", nonce).send();
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "badNonce");
    }
    account
        .draft_octets(&account.url, b"")
        .set("nonce", genuine)
        .send()
        .is(200);
}

#[test]
fn row_01_an_expired_nonce_is_refused() {
    let site = Site::own(&["acme.nonce_lifetime=\"1ms\""]);
    let client = site.client("default");
    let key = portreeve_conformance::acme::new_key();
    for _ in 0..3 {
        client
            .post_with_key(&key, &client.url("newAccount"), &json!({}))
            .is_problem(400, "badNonce");
    }
}

#[test]
fn row_02_a_missing_nonce_is_refused() {
    let account = Site::shared().account();
    account
        .draft_octets(&account.url, b"")
        .without("nonce")
        .send()
        .is_problem(400, "badNonce");
}

#[test]
fn row_12_replay_nonce_in_a_request_is_malformed() {
    let account = Site::shared().account();
    let body = account.draft_octets(&account.url, b"").body().to_string();
    let nonce = account.client.nonce();
    let headers = [
        ("Content-Type", "application/jose+json"),
        ("Replay-Nonce", nonce.as_str()),
    ];
    account
        .client
        .call("POST", &account.url, &headers, body.as_bytes())
        .is_problem(400, "malformed");
}

#[test]
fn a_refused_request_that_is_not_authentic_uses_up_no_nonce() {
    let site = Site::shared();
    let (account, stranger) = (site.account(), site.account());
    let nonce = account.client.nonce();
    let forged = account.with_key(stranger.key);
    forged
        .draft_octets(&account.url, b"")
        .set("nonce", nonce.as_str())
        .send()
        .is_problem(400, "malformed");
    account
        .draft_octets(&account.url, b"")
        .set("nonce", nonce)
        .send()
        .is(200);
}

#[test]
fn of_equal_requests_at_once_one_succeeds() {
    let account = Site::shared().account();
    let order = json!({"identifiers": [{"type": "dns", "value": "at-once.nonces.test"}]});
    let rows = [
        ("a change", account.draft(&account.client.url("newOrder"), &order)),
        ("a reading", account.draft_octets(&account.url, b"")),
    ];
    for (name, draft) in &rows {
        let body = draft.body();
        let start = Barrier::new(8);
        let statuses: Vec<u16> = std::thread::scope(|scope| {
            let ask = || {
                start.wait();
                draft.send_body(&body)
            };
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(ask)).collect();
            let answers = threads.into_iter().map(|thread| thread.join().unwrap());
            answers
                .inspect(|answer| {
                    if answer.status() >= 300 {
                        answer.is_problem(400, "badNonce");
                    }
                })
                .map(|answer| answer.status())
                .collect()
        });
        let successes = statuses.iter().filter(|status| **status < 300).count();
        assert_eq!(successes, 1, "{name}: {statuses:?}");
    }
    let orders = account.read(&format!("{}/orders", account.url)).is(200);
    assert_eq!(orders["orders"].as_array().unwrap().len(), 1, "{orders}");
}

#[test]
fn nonces_survive_a_restart_and_are_good_once() {
    let site = Site::own(&[]);
    let account = site.account();
    let order = |name: &str| json!({"identifiers": [{"type": "dns", "value": name}]});
    let url = account.client.url("newOrder");
    let used = account.draft(&url, &order("used.restart.test"));
    let used_body = used.body();
    used.send_body(&used_body).is(201);
    let unused = account.draft(&url, &order("unused.restart.test"));
    let unused_body = unused.body();
    let read_before = account.draft_octets(&account.url, b"");
    let read_body = read_before.body();
    drop((used, unused, read_before));

    site.restart();
    let after = Account {
        client: site.client("default"),
        ..account
    };
    assert_eq!(
        after.client.url("newOrder"),
        url,
        "the gateway is found again where it was"
    );
    after
        .client
        .post(&url, used_body.to_string().as_bytes())
        .is_problem(400, "badNonce");
    after
        .client
        .post(&url, unused_body.to_string().as_bytes())
        .is(201);
    after
        .client
        .post(&url, unused_body.to_string().as_bytes())
        .is_problem(400, "badNonce");
    after
        .client
        .post(&after.url, read_body.to_string().as_bytes())
        .is(200);
    let orders = after.read(&format!("{}/orders", after.url)).is(200);
    assert_eq!(orders["orders"].as_array().unwrap().len(), 2, "{orders}");
}

fn nonce_of(protected: &str) -> String {
    let header: serde_json::Value = serde_json::from_str(protected).unwrap();
    header["nonce"].as_str().unwrap().to_owned()
}
