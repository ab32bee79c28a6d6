//! Account keys and certificate keys that must not be used.

use portreeve_conformance::acme::{Csr, KnownRsaKey, Signer, Site, base64url, new_key};
use serde_json::{Value, json};

use crate::weak::{private_key_one, weak_rsa_keys};

/// A request for an account with this key.
#[track_caller]
fn open(key: &dyn Signer) -> portreeve_conformance::acme::Answer {
    let client = Site::shared().client("default");
    client.post_with_key(key, &client.url("newAccount"), &json!({}))
}

/// A request for an account with this `jwk`, signed by anything.
#[track_caller]
fn open_with_jwk(algorithm: &str, jwk: Value) -> portreeve_conformance::acme::Answer {
    let client = Site::shared().client("default");
    let key = new_key();
    client
        .draft_with_key(&key, &client.url("newAccount"), &json!({}))
        .set("alg", algorithm)
        .set("jwk", jwk)
        .send()
}

fn weak(name: &str) -> KnownRsaKey {
    weak_rsa_keys()
        .into_iter()
        .find(|(known, _)| *known == name)
        .unwrap()
        .1
}

#[test]
fn row_13_an_account_key_of_1024_bits_is_refused() {
    open(&weak("short")).is_problem(400, "badPublicKey");
}

#[test]
fn row_13_an_account_key_with_another_exponent_is_refused() {
    open(&weak("exponent-3")).is_problem(400, "badPublicKey");
}

#[test]
fn row_13_an_account_key_of_odd_size_is_refused() {
    open(&weak("odd-size")).is_problem(400, "badPublicKey");
}

#[test]
fn row_14_account_keys_with_weak_primes_are_refused() {
    for name in ["close-primes", "small-factor", "roca"] {
        let answer = open(&weak(name));
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "badPublicKey");
    }
}

#[test]
fn row_14_an_account_key_that_everybody_knows_is_refused() {
    open(&private_key_one()).is_problem(400, "badPublicKey");
}

#[test]
fn row_14_certificate_keys_that_are_weak_are_refused() {
    let site = Site::shared();
    let account = site.account();
    let name = "weak.keys.test";
    let order = account.ready_order(site, &[name]);
    for (weakness, key) in weak_rsa_keys() {
        let answer = account.finalize(&order, &Csr::of(&[name]).sign(&key));
        assert_eq!(answer.status(), 400, "{weakness}: {answer}");
        answer.is_problem(400, "badCSR");
    }
    account
        .finalize(&order, &Csr::of(&[name]).sign(&private_key_one()))
        .is_problem(400, "badCSR");
    assert_eq!(
        account.read(&order.url).is(200)["status"],
        "ready",
        "the order stays usable"
    );
    account
        .finalize(&order, &Csr::of(&[name]).sign(&new_key()))
        .is(200);
}

#[test]
fn row_14_a_weak_key_cannot_come_in_by_a_change_of_key() {
    let account = Site::shared().account();
    for (weakness, key) in weak_rsa_keys() {
        let answer = account.key_change(&key).send(&key);
        assert_eq!(answer.status(), 400, "{weakness}: {answer}");
        answer.is_problem(400, "badPublicKey");
    }
    account
        .key_change(&private_key_one())
        .send(&private_key_one())
        .is_problem(400, "badPublicKey");
    account.read(&account.url).is(200);
}

#[test]
fn a_jwk_that_is_no_key_is_refused() {
    let good = new_key().jwk().unwrap().to_json();
    let with = |name: &str, value: Value| {
        let mut jwk = good.clone();
        jwk[name] = value;
        jwk
    };
    let x = good["x"].as_str().unwrap();
    let rows = [
        ("a point off the curve", with("y", json!(base64url([1; 32])))),
        (
            "the point at infinity",
            json!({"kty": "EC", "crv": "P-256", "x": base64url([0; 32]), "y": base64url([0; 32])}),
        ),
        ("a short coordinate", with("x", json!(base64url([1; 31])))),
        ("a long coordinate", with("x", json!(base64url([1; 33])))),
        ("a padded coordinate", with("x", json!(format!("{x}=")))),
        ("no coordinate", with("x", Value::Null)),
        ("a private part", with("d", json!(base64url([1; 32])))),
        ("another curve", with("crv", json!("secp256k1"))),
        ("an unknown type", with("kty", json!("XX"))),
        ("a symmetric key", json!({"kty": "oct", "k": base64url([1; 32])})),
        ("a text", json!("key")),
        ("nothing", json!({})),
    ];
    for (name, jwk) in rows {
        let answer = open_with_jwk("ES256", jwk);
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "badPublicKey");
    }
}

#[test]
fn an_rsa_key_that_is_far_too_large_is_refused_at_once() {
    let jwk = json!({"kty": "RSA", "n": base64url([0xc5; 4096]), "e": "AQAB"});
    open_with_jwk("RS256", jwk).is_problem(400, "badPublicKey");
    let jwk = json!({"kty": "RSA", "n": base64url([0xc5; 256]), "e": base64url([0xff; 256])});
    open_with_jwk("RS256", jwk).is_problem(400, "badPublicKey");
}
