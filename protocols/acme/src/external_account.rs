//! External account binding (RFC 8555 section 7.3.4): the key of a registration vouches for the key of an account.
//!
//! What the message must say is checked here, without any secret; whether its MAC is authentic, the RA checks, which
//! alone knows the key.

use portreeve_pkix::PublicKey;
use portreeve_ra::SecretProof;
use portreeve_ra::authority::{EVIDENCE_MAX, ExternalAccount};
use portreeve_wire::jose::{Jwk, Jws, strict_json};
use serde_json::Value;

use crate::error::AcmeError;

/// The longest key identifier that is looked up.
const KID_MAX: usize = 128;

/// What a newAccount request says to be bound by: a MAC over the key that signed the request, made for the same URL.
pub(crate) fn read(binding: &Value, (url, key): (&str, &PublicKey)) -> Result<ExternalAccount, AcmeError> {
    let text = binding.to_string();
    if text.len() > EVIDENCE_MAX {
        return Err(AcmeError::Malformed("the external account binding is too long"));
    }
    let inner = Jws::parse_mac(text.as_bytes()).map_err(AcmeError::Binding)?;
    let header = inner.header();
    if header.jwk.is_some() || header.nonce.is_some() {
        return Err(AcmeError::Malformed(
            "the protected header of the external account binding must have a kid, and neither jwk nor nonce",
        ));
    }
    let kid = header.kid.as_deref().filter(|kid| !kid.is_empty());
    let kid = kid.ok_or(AcmeError::Malformed("the external account binding has no kid"))?;
    if header.url.as_deref() != Some(url) {
        return Err(AcmeError::Malformed(
            "the url of the external account binding is not that of the request",
        ));
    }
    let members = strict_json::parse_object(inner.payload())?;
    let bound = Jwk::parse(&Value::Object(members)).and_then(|jwk| jwk.public_key());
    if bound.ok().as_ref() != Some(key) {
        return Err(AcmeError::Malformed(
            "the external account binding is not about the key that signed the request",
        ));
    }
    let algorithm = header
        .alg
        .mac()
        .ok_or(AcmeError::Malformed("the external account binding has no MAC"))?;
    Ok(ExternalAccount {
        reference: kid.chars().take(KID_MAX).collect(),
        proof: SecretProof::Mac {
            algorithm,
            input: inner.signing_input().to_vec(),
            tag: inner.signature().to_vec(),
        },
        evidence: text.into_bytes(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::Engine;
    use base64::engine::general_purpose::URL_SAFE_NO_PAD;
    use portreeve_pkix::{MacAlgorithm, Secret};
    use portreeve_wire::jose::{Algorithm, SigningKey};
    use serde_json::json;

    const URL: &str = "https://ra.example/acme/default/new-account";

    fn binding(protected: &Value, payload: &Value) -> Value {
        let encode = |value: &Value| URL_SAFE_NO_PAD.encode(value.to_string());
        let (protected, payload) = (encode(protected), encode(payload));
        let input = [protected.as_str(), ".", &payload].concat();
        let tag = MacAlgorithm::HmacSha256.compute(&Secret::new(vec![1; 32]), input.as_bytes());
        json!({"protected": protected, "payload": payload, "signature": URL_SAFE_NO_PAD.encode(tag)})
    }

    #[test]
    fn what_a_binding_must_say() {
        let key = SigningKey::generate(Algorithm::Es256).unwrap();
        let other = SigningKey::generate(Algorithm::Es256).unwrap();
        let jwk = |key: &SigningKey| key.jwk().unwrap().to_json();
        let (own, foreign) = (jwk(&key), jwk(&other));
        let good = json!({"alg": "HS256", "kid": "k", "url": URL});
        let rows = [
            ("as it must be", good.clone(), own.clone(), None),
            (
                "HS384",
                json!({"alg": "HS384", "kid": "k", "url": URL}),
                own.clone(),
                None,
            ),
            (
                "HS512",
                json!({"alg": "HS512", "kid": "k", "url": URL}),
                own.clone(),
                None,
            ),
            (
                "a signature",
                json!({"alg": "ES256", "kid": "k", "url": URL}),
                own.clone(),
                Some("ES256"),
            ),
            (
                "no algorithm",
                json!({"alg": "none", "kid": "k", "url": URL}),
                own.clone(),
                Some("none"),
            ),
            (
                "no kid",
                json!({"alg": "HS256", "url": URL}),
                own.clone(),
                Some("no kid"),
            ),
            (
                "empty kid",
                json!({"alg": "HS256", "kid": "", "url": URL}),
                own.clone(),
                Some("no kid"),
            ),
            (
                "a jwk",
                json!({"alg": "HS256", "jwk": own, "url": URL}),
                own.clone(),
                Some("neither jwk"),
            ),
            (
                "a nonce",
                json!({"alg": "HS256", "kid": "k", "url": URL, "nonce": "n"}),
                own.clone(),
                Some("nor nonce"),
            ),
            (
                "no url",
                json!({"alg": "HS256", "kid": "k"}),
                own.clone(),
                Some("url"),
            ),
            (
                "another url",
                json!({"alg": "HS256", "kid": "k", "url": "https://ra.example/acme/other/new-account"}),
                own.clone(),
                Some("url"),
            ),
            ("another key", good.clone(), foreign, Some("not about the key")),
            ("no key", good, json!({}), Some("not about the key")),
        ];
        for (case, protected, payload, expected) in rows {
            let read = read(&binding(&protected, &payload), (URL, key.public_key()));
            match (read, expected) {
                (Ok(external), None) => assert_eq!(external.reference, "k", "{case}"),
                (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{case}: {error}"),
                (read, _) => panic!("{case}: {read:?}"),
            }
        }
        for (case, value) in [("a text", json!("x")), ("an object", json!({"protected": 1}))] {
            assert!(read(&value, (URL, key.public_key())).is_err(), "{case}");
        }
        let long = json!({"protected": "a".repeat(EVIDENCE_MAX)});
        assert!(read(&long, (URL, key.public_key())).is_err(), "too long");
    }
}
