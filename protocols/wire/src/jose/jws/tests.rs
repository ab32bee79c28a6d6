use super::*;
use crate::jose::{JwkFlaw, SigningKey};
use proptest::prelude::*;
use serde_json::json;

fn body(protected: &Value, payload: &str, signature: &str) -> Vec<u8> {
    let protected = base64url::encode(protected.to_string().as_bytes());
    json!({"protected": protected, "payload": payload, "signature": signature})
        .to_string()
        .into_bytes()
}

fn flattened(compact: &str) -> Vec<u8> {
    let [protected, payload, signature] = compact
        .split('.')
        .collect::<Vec<_>>()
        .try_into()
        .expect("three parts");
    json!({"protected": protected, "payload": payload, "signature": signature})
        .to_string()
        .into_bytes()
}

const JOE: &str =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

/// The published examples: name, key, compact form.
fn published() -> [(&'static str, Value, String); 4] {
    let rs256 = concat!(
        "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_O8W2Fp5jujGbds9uJdb",
        "F9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383",
        "LcOLn6_dO--xi12jzDwusC-eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWy",
        "wlVmtVrBp0igcN_IoypGlUPQGe77Rw",
    );
    let modulus = concat!(
        "ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SF",
        "d2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo",
        "7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkM",
        "Ls91kzk2PAcDTW9gb54h4FRWyuXpoQ",
    );
    let es512 = concat!(
        "AdwMgeerwtHoh-l192l60hp9wAHZFVJbLfD_UxMi70cwnZOYaRI1bKPWROc-mZZqwqT2SI-KGDKB34XO0aw_7XdtAG8GaSwFKdCAPZgo",
        "XD2YBJZCPEX3xKpRwcdOO8KpEHwJjyqOgzDO7iKvU8vcnwNrmxYbSW9ERBXukOXolLzeO_Jn",
    );
    let es256 = "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q";
    let eddsa = "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg";
    [
        (
            "RFC 7515 appendix A.2 (RS256)",
            json!({"kty": "RSA", "n": modulus, "e": "AQAB"}),
            format!("eyJhbGciOiJSUzI1NiJ9.{JOE}.{rs256}"),
        ),
        (
            "RFC 7515 appendix A.3 (ES256)",
            json!({"kty": "EC", "crv": "P-256", "x": "f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU",
                   "y": "x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}),
            format!("eyJhbGciOiJFUzI1NiJ9.{JOE}.{es256}"),
        ),
        (
            "RFC 7515 appendix A.4 (ES512)",
            json!({"kty": "EC", "crv": "P-521",
                   "x": "AekpBQ8ST8a8VcfVOTNl353vSrDCLLJXmPk06wTjxrrjcBpXp5EOnYG_NjFZ6OvLFV1jSfS9tsz4qUxcWceqwQGk",
                   "y": "ADSmRA43Z1DSNx_RvcLI87cdL07l6jQyyBXMoxVg_l2Th-x3S1WDhjDly79ajL4Kkd0AZMaZmh9ubmf63e3kyMj2"}),
            format!("eyJhbGciOiJFUzUxMiJ9.UGF5bG9hZA.{es512}"),
        ),
        (
            "RFC 8037 appendix A.4 (EdDSA)",
            json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}),
            format!("eyJhbGciOiJFZERTQSJ9.RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc.{eddsa}"),
        ),
    ]
}

#[test]
fn published_signatures_verify() {
    let keys: Vec<_> = published()
        .iter()
        .map(|(name, jwk, _)| Jwk::parse(jwk).and_then(|k| k.public_key()).expect(name))
        .collect();
    for (index, (name, _, compact)) in published().iter().enumerate() {
        let jws = Jws::parse(&flattened(compact)).expect(name);
        for (other, key) in keys.iter().enumerate() {
            let expected = if other == index {
                Ok(())
            } else {
                Err(JoseError::AlgorithmMismatch)
            };
            assert_eq!(jws.verify(key), expected, "{name} with key {other}");
        }
        assert!(jws.header().jwk.is_none() && jws.header().nonce.is_none());
    }
}

#[test]
fn published_mac_verifies_as_a_binding_only() {
    let compact =
        format!("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.{JOE}.dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
    let key = "AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow";
    let secret = Secret::new(base64url::decode(key).expect("key"));
    let jws = Jws::parse_mac(&flattened(&compact)).expect("binding");
    assert_eq!(jws.verify_mac(&secret), Ok(()));
    assert_eq!(
        jws.verify_mac(&Secret::new(vec![0; 64])),
        Err(JoseError::BadSignature)
    );
    let refused = JoseError::UnsupportedAlgorithm("HS256".into());
    assert_eq!(Jws::parse(&flattened(&compact)), Err(refused.clone()));
    let public_key = SigningKey::generate(Algorithm::Es256)
        .expect("key")
        .public_key()
        .clone();
    assert_eq!(jws.verify(&public_key), Err(refused));
    let signed = flattened(&published()[1].2);
    assert_eq!(
        Jws::parse_mac(&signed),
        Err(JoseError::UnsupportedAlgorithm("ES256".into()))
    );
    assert_eq!(
        Jws::parse(&signed).expect("jws").verify_mac(&secret),
        Err(JoseError::AlgorithmMismatch)
    );
}

#[test]
fn what_is_signed_verifies() {
    for algorithm in Algorithm::SIGNATURES {
        let key = SigningKey::generate(algorithm).expect("key");
        let header = json!({
            "alg": algorithm.name(), "url": "https://ca.example/new", "nonce": "n-1",
            "jwk": key.jwk().expect("jwk").to_json(), "typ": "ignored",
        });
        let jws = Jws::parse(&key.sign(&header, b"payload").expect("signature")).expect("jws");
        assert_eq!(jws.verify(key.public_key()), Ok(()), "{algorithm}");
        assert_eq!(jws.payload(), b"payload");
        let read = jws.header();
        assert_eq!(
            (read.alg, read.url.as_deref(), read.nonce.as_deref()),
            (algorithm, Some("https://ca.example/new"), Some("n-1"))
        );
        assert_eq!(read.jwk, key.jwk().ok());
        let other = SigningKey::generate(algorithm).expect("key");
        assert_eq!(
            jws.verify(other.public_key()),
            Err(JoseError::BadSignature),
            "{algorithm}"
        );
    }
}

#[test]
fn every_changed_part_breaks_the_signature() {
    let key = SigningKey::generate(Algorithm::Es256).expect("key");
    let body = key
        .sign(&json!({"alg": "ES256", "nonce": "a"}), b"{}")
        .expect("signature");
    let jws = Jws::parse(&body).expect("jws");
    for part in ["signature", "signing input"] {
        let length = if part == "signature" {
            jws.signature.len()
        } else {
            jws.signing_input.len()
        };
        for position in 0..length {
            let mut changed = jws.clone();
            if part == "signature" {
                changed.signature[position] ^= 1;
            } else {
                changed.signing_input[position] ^= 1;
            }
            assert_eq!(
                changed.verify(key.public_key()),
                Err(JoseError::BadSignature),
                "{part} {position}"
            );
        }
    }
    for change in [-1_isize, 1] {
        let mut changed = jws.clone();
        changed
            .signature
            .resize(64_usize.saturating_add_signed(change), 0);
        assert_eq!(changed.verify(key.public_key()), Err(JoseError::BadSignature));
    }
}

#[test]
fn algorithms_that_are_not_accepted_are_named() {
    for name in [
        "none", "HS256", "HS512", "RS1", "RS384", "PS256", "ES256K", "es256", "ES256 ", "Ed25519", "",
    ] {
        let verdict = Jws::parse(&body(&json!({"alg": name}), "", ""));
        assert_eq!(
            verdict,
            Err(JoseError::UnsupportedAlgorithm(name.into())),
            "{name}"
        );
    }
    let verdict = Jws::parse(&body(&json!({"alg": "x".repeat(1000)}), "", ""));
    assert_eq!(verdict, Err(JoseError::UnsupportedAlgorithm("x".repeat(32))));
    assert_eq!(Algorithm::names(), ["ES256", "ES384", "ES512", "EdDSA", "RS256"]);
}

#[test]
fn malformed_envelopes() {
    let protected = base64url::encode(br#"{"alg":"ES256"}"#);
    let outer = |text: String| text.replace('P', &protected).into_bytes();
    let rows = [
        ("not JSON", b"abc".to_vec()),
        ("array", b"[]".to_vec()),
        ("compact form", format!("{protected}.e30.AAAA").into_bytes()),
        (
            "no protected header",
            outer(r#"{"payload":"","signature":""}"#.into()),
        ),
        ("no payload", outer(r#"{"protected":"P","signature":""}"#.into())),
        ("no signature", outer(r#"{"protected":"P","payload":""}"#.into())),
        (
            "null payload",
            outer(r#"{"protected":"P","payload":null,"signature":""}"#.into()),
        ),
        (
            "payload not a string",
            outer(r#"{"protected":"P","payload":{},"signature":""}"#.into()),
        ),
        (
            "unprotected header",
            outer(r#"{"protected":"P","header":{},"payload":"","signature":""}"#.into()),
        ),
        (
            "general form",
            outer(r#"{"payload":"","signatures":[{"protected":"P","signature":""}]}"#.into()),
        ),
        (
            "both forms",
            outer(r#"{"protected":"P","payload":"","signature":"","signatures":[]}"#.into()),
        ),
        (
            "payload twice",
            outer(r#"{"protected":"P","payload":"","payload":"","signature":""}"#.into()),
        ),
        (
            "padding",
            outer(r#"{"protected":"P","payload":"e30=","signature":""}"#.into()),
        ),
        (
            "loose bits",
            outer(r#"{"protected":"P","payload":"e31","signature":""}"#.into()),
        ),
        (
            "standard alphabet",
            outer(r#"{"protected":"P","payload":"","signature":"+/+/"}"#.into()),
        ),
        (
            "white space",
            outer(r#"{"protected":"P","payload":" ","signature":""}"#.into()),
        ),
        (
            "trailing bytes",
            outer(r#"{"protected":"P","payload":"","signature":""}x"#.into()),
        ),
    ];
    for (name, bytes) in rows {
        let verdict = Jws::parse(&bytes);
        assert!(
            matches!(verdict, Err(JoseError::Malformed(_))),
            "{name}: {verdict:?}"
        );
    }
    let ignored = outer(r#"{"protected":"P","payload":"","signature":"","extra":1}"#.into());
    assert_eq!(
        Jws::parse(&ignored)
            .expect("members that are not understood are ignored")
            .payload(),
        b""
    );
}

#[test]
fn malformed_headers() {
    let raw = |header: &str| {
        let protected = base64url::encode(header.as_bytes());
        json!({"protected": protected, "payload": "", "signature": ""})
            .to_string()
            .into_bytes()
    };
    let key = SigningKey::generate(Algorithm::Es256)
        .expect("key")
        .jwk()
        .expect("jwk")
        .to_json();
    let both = json!({"alg": "ES256", "kid": "k", "jwk": key}).to_string();
    let rows = [
        ("empty", ""),
        ("array", "[]"),
        ("no alg", "{}"),
        ("alg not a string", r#"{"alg":256}"#),
        ("alg twice", r#"{"alg":"ES256","alg":"ES256"}"#),
        ("nonce twice", r#"{"alg":"ES256","nonce":"a","nonce":"b"}"#),
        ("member twice inside", r#"{"alg":"ES256","x":{"a":1,"a":2}}"#),
        ("crit", r#"{"alg":"ES256","crit":["b64"]}"#),
        ("b64", r#"{"alg":"ES256","b64":false}"#),
        ("url not a string", r#"{"alg":"ES256","url":1}"#),
        ("kid null", r#"{"alg":"ES256","kid":null}"#),
        ("both jwk and kid", &both),
    ];
    for (name, header) in rows {
        let verdict = Jws::parse(&raw(header));
        assert!(
            matches!(verdict, Err(JoseError::Malformed(_))),
            "{name}: {verdict:?}"
        );
    }
    let bad_key = Jws::parse(&raw(r#"{"alg":"ES256","jwk":{"kty":"oct","k":""}}"#));
    assert_eq!(bad_key, Err(JoseError::BadPublicKey(JwkFlaw::Unsupported)));
    assert!(Jws::parse(&raw(&json!({"alg": "ES256", "x": key}).to_string())).is_ok());
}

#[test]
fn size_is_limited() {
    let of = |length: usize| {
        let frame = body(&json!({"alg": "ES256"}), "", "").len();
        body(&json!({"alg": "ES256"}), "", "")
            .into_iter()
            .chain(vec![b' '; length - frame])
            .collect::<Vec<u8>>()
    };
    assert!(Jws::parse(&of(BODY_BYTES_MAX)).is_ok());
    let too_large = Err(JoseError::TooLarge {
        limit: BODY_BYTES_MAX,
    });
    assert_eq!(Jws::parse(&of(BODY_BYTES_MAX + 1)).map(|_| ()), too_large);
}

proptest! {
    #[test]
    fn arbitrary_bodies_never_panic(
        bytes in prop::collection::vec(any::<u8>(), 0..200),
        header in r#"\{?("(alg|jwk|kid|crit)":("ES256"|\{\}|\[\]|1|"x"),?){0,3}\}?"#,
    ) {
        let _ = Jws::parse(&bytes);
        let protected = base64url::encode(header.as_bytes());
        let body = json!({"protected": protected, "payload": "", "signature": ""}).to_string();
        let _ = Jws::parse(body.as_bytes());
    }

    #[test]
    fn payloads_survive(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let text = base64url::encode(&payload);
        let jws = Jws::parse(&body(&json!({"alg": "ES256"}), &text, "AAAA")).expect("jws");
        prop_assert_eq!(jws.payload(), payload);
    }
}
