//! The stored form: what opens again, and what does not.

use portreeve_keyset::{KeysetError, WrappedKeyset};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{EventSigner, Sealer};
use proptest::prelude::*;

use super::{generate, kek, open, reason, shared};

#[test]
fn survives_storage() {
    let keks = shared(1);
    let wrapped = generate(&keks);
    let bytes = wrapped.to_bytes().expect("bytes");
    let first = open(&wrapped, &keks, &Purpose::ALL);
    let second = open(
        &WrappedKeyset::parse(&bytes).expect("parses"),
        &keks,
        &Purpose::ALL,
    );
    for purpose in Purpose::ALL {
        let sealed = first.seal(purpose, b"document 7", b"plain").expect("sealed");
        assert_eq!(
            second
                .open(purpose, b"document 7", &sealed)
                .expect("open")
                .expose(),
            b"plain"
        );
        let (key, signature) = first.sign(purpose, b"event").expect("signed");
        assert_eq!(second.verify(purpose, key, b"event", &signature), Ok(()));
        let mac = first.mac(purpose, "nonce", b"input").expect("mac");
        assert_eq!(second.check_mac(purpose, "nonce", b"input", &mac), Ok(()));
    }
    assert_eq!(first.fingerprint(), second.fingerprint());
    assert_ne!(first.fingerprint(), generate(&keks).fingerprint());
}

#[test]
fn a_wrong_kek_is_named() {
    let own = || shared(1).with(Purpose::Ca, kek(2));
    let wrapped = generate(&own());
    assert!(reason(wrapped.open(&shared(9), &[Purpose::Edge])).contains("shared key encryption key"));
    let missing = reason(wrapped.open(&shared(1), &[Purpose::Ca]));
    assert!(
        missing.contains("purpose ca") && missing.contains(kek(2).check()),
        "{missing}"
    );
    let wrong = reason(wrapped.open(
        &shared(1).with(Purpose::Ca, kek(3)),
        &[Purpose::Edge, Purpose::Ca],
    ));
    assert!(wrong.contains(kek(3).check()), "{wrong}");
    assert!(
        wrapped
            .open(&shared(1), &[Purpose::Edge, Purpose::Worker])
            .is_ok(),
        "needs no KEK of ca"
    );
    assert!(wrapped.open(&own(), &Purpose::ALL).is_ok());
}

/// A database writer swaps what it can; nothing of it opens.
#[test]
fn changed_documents_do_not_open() {
    let keks = shared(1);
    let original: serde_json::Value =
        serde_json::from_slice(&generate(&keks).to_bytes().expect("bytes")).expect("json");
    let other: serde_json::Value =
        serde_json::from_slice(&generate(&keks).to_bytes().expect("bytes")).expect("json");
    let rows = [
        ("public key", "/body/purposes/worker/signing/keys/0/public"),
        ("id and public key", "/body/purposes/worker/signing/keys/0"),
        ("ring", "/body/purposes/worker/signing"),
        ("purpose", "/body/purposes/worker"),
        ("sealing key", "/body/purposes/edge/sealing/keys/0/wrapped"),
        ("MAC", "/macs"),
    ];
    for (name, pointer) in rows {
        let mut changed = original.clone();
        *changed.pointer_mut(pointer).expect(name) = other.pointer(pointer).expect(name).clone();
        let bytes = serde_json::to_vec(&changed).expect("json");
        let opened = WrappedKeyset::parse(&bytes).and_then(|wrapped| wrapped.open(&keks, &[Purpose::Edge]));
        assert!(opened.is_err(), "{name}");
    }
    let mut swapped = original.clone();
    let worker = original.pointer("/body/purposes/worker").expect("worker").clone();
    *swapped.pointer_mut("/body/purposes/edge").expect("edge") = worker;
    let wrapped = WrappedKeyset::parse(&serde_json::to_vec(&swapped).expect("json")).expect("parses");
    assert!(matches!(
        wrapped.open(&keks, &[Purpose::Edge]).err(),
        Some(KeysetError::Tampered)
    ));
}

/// Who has the shared KEK and that of its own purpose cannot speak for another purpose.
#[test]
fn a_node_cannot_forge_for_a_purpose_with_its_own_kek() {
    let all = || shared(1).with(Purpose::Worker, kek(2));
    let genuine = generate(&all());
    let forged = generate(&shared(1).with(Purpose::Worker, kek(9)));
    let mut document: serde_json::Value =
        serde_json::from_slice(&genuine.to_bytes().expect("bytes")).expect("json");
    let forgery: serde_json::Value =
        serde_json::from_slice(&forged.to_bytes().expect("bytes")).expect("json");
    document["body"]["purposes"]["edge"] = forgery["body"]["purposes"]["edge"].clone();
    document["macs"][kek(1).check()] = forgery["macs"][kek(1).check()].clone();
    let wrapped = WrappedKeyset::parse(&serde_json::to_vec(&document).expect("json")).expect("parses");
    assert!(wrapped.open(&all(), &[Purpose::Worker]).is_err());
}

#[test]
fn formats_that_are_refused() {
    let keks = shared(1);
    let bytes = generate(&keks).to_bytes().expect("bytes");
    let text = String::from_utf8(bytes).expect("text");
    let rows = [
        ("empty", String::new(), "not a keyset"),
        ("other JSON", "{}".to_owned(), "not a keyset"),
        (
            "newer version",
            text.replace("\"portreeve_keyset\": 1", "\"portreeve_keyset\": 2"),
            "version 2",
        ),
        (
            "unknown purpose",
            text.replace("\"audit\"", "\"spare\""),
            "unknown purpose",
        ),
        (
            "unknown member",
            text.replace("\"macs\"", "\"note\": 1, \"macs\""),
            "unknown field",
        ),
        ("too large", format!("{text}{}", " ".repeat(256 * 1024)), "octets"),
    ];
    for (name, text, expected) in rows {
        let error = WrappedKeyset::parse(text.as_bytes())
            .err()
            .map(|e| e.to_string())
            .unwrap_or_default();
        assert!(error.contains(expected), "{name}: {error}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// One changed octet of the stored form changes nothing, or nothing opens.
    #[test]
    fn stored_form_is_tamper_evident(position in any::<prop::sample::Index>(), octet in any::<u8>()) {
        let keks = shared(1);
        let wrapped = generate(&keks);
        let mut bytes = wrapped.to_bytes().expect("bytes");
        let index = position.index(bytes.len());
        bytes[index] = octet;
        if let Ok(keyset) = WrappedKeyset::parse(&bytes).and_then(|changed| changed.open(&keks, &Purpose::ALL)) {
            let original = wrapped.open(&keks, &Purpose::ALL).expect("opens");
            prop_assert_eq!(keyset.fingerprint(), original.fingerprint());
            let sealed = original.seal(Purpose::Edge, b"", b"p").expect("sealed");
            prop_assert!(keyset.open(Purpose::Edge, b"", &sealed).is_ok());
        }
    }
}
