use super::*;
use crate::jose::{Algorithm, SigningKey};
use portreeve_pkix::Flaw;

/// The key of RFC 7515 appendix A.3.
fn p256() -> Value {
    json!({
        "kty": "EC", "crv": "P-256",
        "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
        "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0",
    })
}

/// The key of RFC 7638 section 3.1.
fn rsa() -> Value {
    json!({
        "kty": "RSA",
        "n": concat!(
            "0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiF",
            "V4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9",
            "c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1",
            "jF44-csFCur-kEgU8awapJzKnqDKgw"),
        "e": "AQAB", "alg": "RS256", "kid": "2011-04-29",
    })
}

/// The key of RFC 8037 appendix A.2.
fn ed25519() -> Value {
    json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})
}

fn with(mut key: Value, name: &str, value: Value) -> Value {
    key[name] = value;
    key
}

#[test]
fn published_thumbprints() {
    let rows = [
        (
            "RFC 7638 section 3.1",
            rsa(),
            "NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
        ),
        (
            "RFC 8037 appendix A.3",
            ed25519(),
            "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
        ),
    ];
    for (name, key, thumbprint) in rows {
        let key = Jwk::parse(&key).expect(name);
        assert_eq!(base64url::encode(&key.thumbprint()), thumbprint, "{name}");
    }
}

#[test]
fn keys_round_trip() {
    for algorithm in Algorithm::SIGNATURES {
        let key = SigningKey::generate(algorithm).expect("key");
        let jwk = key.jwk().expect("jwk");
        assert_eq!(Jwk::parse(&jwk.to_json()), Ok(jwk.clone()), "{algorithm}");
        assert_eq!(jwk.public_key().as_ref(), Ok(key.public_key()), "{algorithm}");
    }
    for value in [p256(), rsa(), ed25519()] {
        let jwk = Jwk::parse(&value).expect("jwk");
        let again = Jwk::from_public_key(&jwk.public_key().expect("key")).expect("jwk");
        assert_eq!(again, jwk);
    }
}

#[test]
fn refusals() {
    use JwkFlaw::{Encoding, Member, NotAnObject, Private, Unsupported};
    let short = "83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU0";
    let rows = [
        ("not an object", json!("key"), NotAnObject),
        ("no type", json!({}), Member("kty")),
        ("symmetric", json!({"kty": "oct", "k": "AAAA"}), Unsupported),
        ("unknown type", with(p256(), "kty", json!("PQC")), Unsupported),
        (
            "unknown curve",
            with(p256(), "crv", json!("secp256k1")),
            Unsupported,
        ),
        ("Ed448", with(ed25519(), "crv", json!("Ed448")), Unsupported),
        ("X25519", with(ed25519(), "crv", json!("X25519")), Unsupported),
        (
            "curve of another type",
            with(p256(), "crv", json!("Ed25519")),
            Unsupported,
        ),
        ("coordinate missing", with(p256(), "y", json!(null)), Member("y")),
        (
            "coordinate too long",
            with(p256(), "x", json!(format!("AA{short}"))),
            Encoding("x"),
        ),
        (
            "coordinate too short",
            with(p256(), "x", json!(short[..40])),
            Encoding("x"),
        ),
        (
            "coordinate padded",
            with(p256(), "x", json!(format!("{short}="))),
            Encoding("x"),
        ),
        ("private EC", with(p256(), "d", json!("AAAA")), Private),
        ("private RSA", with(rsa(), "qi", json!("AAAA")), Private),
        (
            "exponent with leading zero",
            with(rsa(), "e", json!("AAEAAQ")),
            Encoding("e"),
        ),
        ("empty modulus", with(rsa(), "n", json!("")), Encoding("n")),
    ];
    for (name, value, flaw) in rows {
        assert_eq!(Jwk::parse(&value), Err(JoseError::BadPublicKey(flaw)), "{name}");
    }
}

#[test]
fn numbers_that_make_no_key_are_refused() {
    let rows = [
        (
            "off the curve",
            with(p256(), "y", p256()["x"].clone()),
            Flaw::PointNotOnCurve,
        ),
        (
            "modulus too large",
            with(rsa(), "n", json!("_".repeat(2732))),
            Flaw::TooLarge("RSA modulus"),
        ),
    ];
    for (name, value, expected) in rows {
        match Jwk::parse(&value).expect(name).public_key() {
            Err(JoseError::BadPublicKey(JwkFlaw::Key(error))) => assert_eq!(error.what, expected, "{name}"),
            other => panic!("{name}: {other:?}"),
        }
    }
}
