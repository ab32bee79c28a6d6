//! revokeCert (RFC 8555 section 7.6): rows 37 and 38.

use portreeve_conformance::acme::{
    Account, Answer, Csr, Retrieved, Signer, Site, base64url, new_key, new_key_of,
};
use portreeve_harness::process::until;
use portreeve_wire::jose::{Algorithm, SigningKey};
use serde_json::{Value, json};

const PUBLICATION_LIMIT: std::time::Duration = std::time::Duration::from_secs(120);

fn wish(retrieved: &Retrieved, reason: Option<i64>) -> Value {
    let mut wish = json!({"certificate": base64url(retrieved.leaf().der())});
    if let Some(reason) = reason {
        wish["reason"] = json!(reason);
    }
    wish
}

#[track_caller]
fn revoke(account: &Account, retrieved: &Retrieved, reason: Option<i64>) -> Answer {
    account.post(&account.client.url("revokeCert"), &wish(retrieved, reason))
}

#[track_caller]
fn revoke_by_key(key: &dyn Signer, retrieved: &Retrieved, reason: Option<i64>) -> Answer {
    let client = Site::shared().client("default");
    client.post_with_key(key, &client.url("revokeCert"), &wish(retrieved, reason))
}

/// An account, the certificate it got, and the key of that.
#[track_caller]
fn issued(name: &str) -> (Account, Retrieved, SigningKey) {
    let account = Site::shared().account();
    let key = new_key();
    let retrieved = account.issue(Site::shared(), &[name], &key);
    (account, retrieved, key)
}

#[test]
fn an_account_revokes_what_it_got() {
    let (account, retrieved, _) = issued("owner.revocation.test");
    revoke(&account, &retrieved, None).is_empty(200);
    for reason in [None, Some(1), Some(4)] {
        revoke(&account, &retrieved, reason).is_problem(400, "alreadyRevoked");
    }
    let order = account.read(&retrieved.order.url).is(200);
    assert_eq!(
        order["status"], "valid",
        "RFC 8555 section 7.1.6 knows no other state: {order}"
    );
    assert_eq!(
        account.read(order["certificate"].as_str().unwrap()).body(),
        retrieved.pem,
        "it can still be read"
    );
}

#[test]
fn row_37_the_certificates_key_revokes_without_an_account() {
    for algorithm in Algorithm::SIGNATURES {
        let key = new_key_of(algorithm);
        let name = format!("{}.key.revocation.test", algorithm.name().to_ascii_lowercase());
        let account = Site::shared().account();
        let retrieved = account.issue(Site::shared(), &[&name], &key);
        revoke_by_key(&key, &retrieved, Some(4)).is_empty(200);
        revoke(&account, &retrieved, Some(4)).is_problem(400, "alreadyRevoked");
    }
}

#[test]
fn row_37_another_account_with_all_authorizations_revokes() {
    let site = Site::shared();
    let names = ["a.others.revocation.test", "b.others.revocation.test"];
    let retrieved = site.account().issue(site, &names, &new_key());
    let other = site.account();
    revoke(&other, &retrieved, None).is_problem(403, "unauthorized");
    other.ready_order(site, &names[..1]);
    revoke(&other, &retrieved, None).is_problem(403, "unauthorized");
    let order = other.ready_order(site, &names[1..]);
    other
        .post(&order.authorizations()[0], &json!({"status": "deactivated"}))
        .is(200);
    revoke(&other, &retrieved, None).is_problem(403, "unauthorized");
    other.ready_order(site, &names[1..]);
    revoke(&other, &retrieved, Some(5)).is_empty(200);
    revoke(&other, &retrieved, Some(5)).is_problem(400, "alreadyRevoked");
}

#[test]
fn row_37_a_wildcard_is_not_revoked_by_who_proved_its_base() {
    let site = Site::shared();
    let retrieved = site
        .account()
        .issue(site, &["*.wild.revocation.test"], &new_key());
    let other = site.account();
    other.ready_order(site, &["wild.revocation.test"]);
    revoke(&other, &retrieved, None).is_problem(403, "unauthorized");
    other.ready_order(site, &["*.wild.revocation.test"]);
    revoke(&other, &retrieved, None).is_empty(200);
}

#[test]
fn another_key_revokes_nothing() {
    let (account, retrieved, _) = issued("stranger.revocation.test");
    revoke_by_key(&new_key(), &retrieved, None).is_problem(403, "unauthorized");
    revoke_by_key(account.key.as_ref(), &retrieved, None).is_problem(403, "unauthorized");
    revoke(&account, &retrieved, None).is_empty(200);
}

#[test]
fn reasons_a_subscriber_may_give() {
    let (account, retrieved, _) = issued("reasons.revocation.test");
    for reason in [2, 6, 7, 8, 10, 11, -1, 255, i64::MAX] {
        let answer = revoke(&account, &retrieved, Some(reason));
        assert_eq!(answer.status(), 400, "{reason}: {answer}");
        answer.is_problem(400, "badRevocationReason");
    }
    let url = account.client.url("revokeCert");
    for reason in [json!("1"), json!(1.5), json!(null), json!([1])] {
        let mut odd = wish(&retrieved, None);
        odd["reason"] = reason.clone();
        let answer = account.post(&url, &odd);
        assert_eq!(answer.status(), 400, "{reason}: {answer}");
        answer.is_problem(400, "malformed");
    }
    for reason in [0, 1, 3, 4, 5, 9] {
        let (account, retrieved, _) = issued("good.revocation.test");
        revoke(&account, &retrieved, Some(reason)).is_empty(200);
    }
}

#[test]
fn certificates_that_are_not_ours() {
    let (account, retrieved, _) = issued("ours.revocation.test");
    let url = account.client.url("revokeCert");
    let issuer = json!({"certificate": base64url(retrieved.chain[1].der())});
    account.post(&url, &issuer).is_problem(404, "malformed");
    let der = retrieved.leaf().der();
    let mut changed = der.to_vec();
    let last = changed.len() - 1;
    changed[last] ^= 1;
    let answer = account.post(&url, &json!({"certificate": base64url(changed)}));
    answer.is_problem(404, "malformed");
    let rows = [
        ("not base64url", json!("***")),
        ("padded", json!(format!("{}=", base64url(der)))),
        ("truncated", json!(base64url(&der[..der.len() - 1]))),
        ("trailing octet", json!(base64url([der, &[0]].concat()))),
        ("PEM", json!(String::from_utf8(retrieved.pem.clone()).unwrap())),
        ("a CSR", json!(base64url(Csr::of(&["x.test"]).sign(&new_key())))),
        ("empty", json!("")),
        ("a number", json!(1)),
        ("absent", Value::Null),
    ];
    for (row, certificate) in rows {
        let answer = account.post(&url, &json!({"certificate": certificate}));
        assert_eq!(answer.status(), 400, "{row}: {answer}");
        answer.is_problem(400, "malformed");
    }
    account.post(&url, &json!({})).is_problem(400, "malformed");
    revoke(&account, &retrieved, None).is_empty(200);
}

#[test]
fn row_38_a_compromised_key_is_not_used_again() {
    let site = Site::shared();
    let (account, retrieved, key) = issued("compromised.revocation.test");
    revoke_by_key(&key, &retrieved, Some(1)).is_empty(200);
    revoke_by_key(&key, &retrieved, Some(1)).is_problem(400, "alreadyRevoked");

    let order = account.ready_order(site, &["compromised.revocation.test"]);
    let csr = Csr::of(&["compromised.revocation.test"]).sign(&key);
    account.finalize(&order, &csr).is_problem(400, "badCSR");
    let client = site.client("default");
    client
        .post_with_key(&key, &client.url("newAccount"), &json!({}))
        .is_problem(400, "badPublicKey");
    account
        .key_change(&key)
        .send(&key)
        .is_problem(400, "badPublicKey");
    account
        .finalize(
            &order,
            &Csr::of(&["compromised.revocation.test"]).sign(&new_key()),
        )
        .is(200);
}

#[test]
fn row_38_a_key_is_blocked_for_other_accounts_too() {
    let site = Site::shared();
    let (_, retrieved, key) = issued("blocked.revocation.test");
    revoke_by_key(&key, &retrieved, Some(1)).is_empty(200);
    let other = site.account();
    let order = other.ready_order(site, &["elsewhere.revocation.test"]);
    other
        .finalize(&order, &Csr::of(&["elsewhere.revocation.test"]).sign(&key))
        .is_problem(400, "badCSR");
}

#[test]
fn row_38_other_reasons_leave_the_key_usable() {
    let site = Site::shared();
    let (account, retrieved, key) = issued("superseded.revocation.test");
    revoke(&account, &retrieved, Some(4)).is_empty(200);
    account.issue(site, &["superseded.revocation.test"], &key);
}

#[test]
fn row_38_the_reason_becomes_key_compromise_only_by_the_key() {
    let (account, retrieved, key) = issued("later.revocation.test");
    revoke(&account, &retrieved, Some(4)).is_empty(200);
    revoke(&account, &retrieved, Some(1)).is_problem(400, "alreadyRevoked");
    revoke_by_key(&key, &retrieved, Some(5)).is_problem(400, "alreadyRevoked");
    revoke_by_key(&key, &retrieved, Some(1)).is_empty(200);
    revoke_by_key(&key, &retrieved, Some(1)).is_problem(400, "alreadyRevoked");
}

#[test]
fn a_revoked_serial_comes_into_the_revocation_list() {
    let site = Site::shared();
    let (account, revoked, _) = issued("listed.revocation.test");
    let (_, good, _) = issued("unlisted.revocation.test");
    revoke(&account, &revoked, Some(4)).is_empty(200);
    let url = site.dev_text("/ca/crl");
    let list = until("the serial in the list", PUBLICATION_LIMIT, || {
        let (status, list) = site.fetch_plain(&url);
        assert_eq!(status, 200);
        Ok(contains(&list, &revoked.leaf().serial().to_der()).then_some(list))
    });
    assert!(!contains(&list.unwrap(), &good.leaf().serial().to_der()));
}

fn contains(list: &[u8], serial: &[u8]) -> bool {
    list.windows(serial.len()).any(|window| window == serial)
}

#[test]
fn of_revocations_at_once_one_succeeds() {
    let (account, retrieved, _) = issued("at-once.revocation.test");
    let mut statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| revoke(&account, &retrieved, None).status()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 400, 400, 400]);
}
