//! A proof counts for later orders until it ends (RFC 8555 sections 7.5.2 and 7.1.4).

use portreeve_conformance::acme::{Account, Csr, Site, new_key};
use serde_json::json;

#[track_caller]
fn deactivate(account: &Account, url: &str) {
    let object = account.post(url, &json!({"status": "deactivated"})).is(200);
    assert_eq!(object["status"], "deactivated");
    assert_eq!(account.read(url).is(200)["status"], "deactivated");
}

#[test]
fn a_proven_name_needs_no_second_proof() {
    let site = Site::shared();
    let account = site.account();
    account.ready_order(site, &["again.reuse.test"]);
    let order = account.order(&["again.reuse.test"]);
    assert_eq!(order.object["status"], "ready", "{}", order.object);
    let (_, authorization) = account.only_authorization(&order);
    assert_eq!(authorization["status"], "valid");
    let [challenge] = authorization["challenges"].as_array().unwrap().as_slice() else {
        panic!("RFC 8555 section 7.1.4: the challenge that was validated: {authorization}")
    };
    assert_eq!(
        (&challenge["type"], &challenge["status"]),
        (&json!("http-01"), &json!("valid"))
    );
    assert!(
        challenge["validated"].is_string() && challenge["token"].is_string(),
        "{challenge}"
    );
    let read = account.read(challenge["url"].as_str().unwrap()).is(200);
    assert_eq!(&read, challenge, "it can be read");
    account
        .finalize(&order, &Csr::of(&["again.reuse.test"]).sign(&new_key()))
        .is(200);
    account.retrieve(&order);
}

#[test]
fn a_proof_counts_for_its_account_alone() {
    let site = Site::shared();
    site.account().ready_order(site, &["mine.reuse.test"]);
    assert_eq!(
        site.account().order(&["mine.reuse.test"]).object["status"],
        "pending"
    );
}

#[test]
fn a_name_beside_a_proven_one_is_still_to_prove() {
    let site = Site::shared();
    let account = site.account();
    account.ready_order(site, &["half.reuse.test"]);
    let order = account.order(&["half.reuse.test", "other.reuse.test"]);
    assert_eq!(order.object["status"], "pending");
    let mut statuses: Vec<String> = order
        .authorizations()
        .iter()
        .map(|url| account.read(url).is(200)["status"].as_str().unwrap().to_owned())
        .collect();
    statuses.sort_unstable();
    assert_eq!(statuses, ["pending", "valid"]);
}

#[test]
fn without_reuse_every_order_is_proven() {
    let site = Site::own(&["acme.authorization_reuse=false"]);
    let account = site.account();
    account.ready_order(&site, &["fresh.reuse.test"]);
    assert_eq!(account.order(&["fresh.reuse.test"]).object["status"], "pending");
}

#[test]
fn deactivating_a_proven_authorization_ends_the_proof_for_later_orders() {
    let site = Site::shared();
    let account = site.account();
    let order = account.ready_order(site, &["ended.reuse.test"]);
    deactivate(&account, &order.authorizations()[0]);
    assert_eq!(account.order(&["ended.reuse.test"]).object["status"], "pending");
}

#[test]
fn deactivating_a_proven_authorization_ends_its_order() {
    let site = Site::shared();
    let account = site.account();
    let order = account.ready_order(site, &["closed.reuse.test"]);
    deactivate(&account, &order.authorizations()[0]);
    assert_eq!(account.read(&order.url).is(200)["status"], "invalid");
    let csr = Csr::of(&["closed.reuse.test"]).sign(&new_key());
    account.finalize(&order, &csr).is_problem(403, "orderNotReady");
}

#[test]
fn deactivating_a_proof_ends_every_other_order_that_rests_on_it() {
    let site = Site::shared();
    let account = site.account();
    let first = account.ready_order(site, &["shared.reuse.test"]);
    let second = account.order(&["shared.reuse.test"]);
    assert_eq!(second.object["status"], "ready");
    deactivate(&account, &first.authorizations()[0]);
    let answer = account.finalize(&second, &Csr::of(&["shared.reuse.test"]).sign(&new_key()));
    answer.is_problem(403, "unauthorized");
    let after = account.read(&second.url).is(200);
    assert_ne!(after["status"], "valid", "{after}");
    assert!(after.get("certificate").is_none(), "{after}");
}

#[test]
fn a_pending_authorization_can_be_given_up() {
    let site = Site::shared();
    let account = site.account();
    let order = account.order(&["given-up.reuse.test"]);
    let (url, authorization) = account.only_authorization(&order);
    deactivate(&account, &url);
    deactivate(&account, &url);
    let fulfilled = account.fulfil(site, &authorization, "http-01");
    account.answer_challenge(&fulfilled).is(200);
    assert_eq!(account.read(&url).is(200)["status"], "deactivated");
    assert_eq!(account.read(&order.url).is(200)["status"], "invalid");
}

#[test]
fn an_authorization_can_only_be_deactivated() {
    let account = Site::shared().account();
    let (url, _) = account.only_authorization(&account.order(&["only.reuse.test"]));
    for status in ["valid", "pending", "invalid", "revoked", ""] {
        account
            .post(&url, &json!({"status": status}))
            .is_problem(400, "malformed");
    }
    account.post(&url, &json!({})).is_problem(400, "malformed");
    assert_eq!(account.read(&url).is(200)["status"], "pending");
}
