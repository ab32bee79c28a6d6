//! A request body of ACME before anything is known about its sender: JWS, header, embedded key, signature.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_wire::jose::{BODY_BYTES_MAX, Jwk, Jws, strict_json};

fuzz_target!(|input: &[u8]| {
    let _ = strict_json::parse(input);
    let _ = Jws::parse_mac(input);
    let Ok(jws) = Jws::parse(input) else { return };
    assert!(input.len() <= BODY_BYTES_MAX, "a longer body is refused");
    let header = jws.header();
    let Some(jwk) = &header.jwk else { return };
    assert_eq!(
        Jwk::parse(&jwk.to_json()).as_ref(),
        Ok(jwk),
        "what is written is read again"
    );
    if let Ok(key) = jwk.public_key() {
        let again = Jwk::from_public_key(&key).expect("a key that was a JWK can be one again");
        assert_eq!(again.thumbprint(), jwk.thumbprint(), "one key has one thumbprint");
        let _ = jws.verify(&key);
    }
});
