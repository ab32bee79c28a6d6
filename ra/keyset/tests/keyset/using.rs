//! What a key of one purpose does, and what none of another does in its place.

use portreeve_keyset::WrappedKeyset;
use portreeve_ra::Purpose;
use portreeve_ra::ports::{EventSigner, KeyError, Sealer};
use proptest::prelude::*;

use super::{generate, open, shared};

#[test]
fn sealing_binds_purpose_and_associated_data() {
    let keks = shared(1);
    let keyset = open(&generate(&keks), &keks, &Purpose::ALL);
    let sealed = keyset.seal(Purpose::Edge, b"a", b"plain").expect("sealed");
    assert_ne!(
        sealed,
        keyset.seal(Purpose::Edge, b"a", b"plain").expect("sealed")
    );
    let mut cut = sealed.clone();
    cut.truncate(sealed.len() - 1);
    let rows: [(&str, Purpose, &[u8], &[u8]); 5] = [
        ("other associated data", Purpose::Edge, b"b", &sealed),
        ("other purpose", Purpose::Worker, b"a", &sealed),
        ("truncated", Purpose::Edge, b"a", &cut),
        ("empty", Purpose::Edge, b"a", b""),
        ("header only", Purpose::Edge, b"a", &sealed[..41]),
    ];
    for (name, purpose, associated, bytes) in rows {
        assert_eq!(
            keyset.open(purpose, associated, bytes).err(),
            Some(KeyError::Invalid),
            "{name}"
        );
    }
    for index in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[index] ^= 1;
        assert_eq!(
            keyset.open(Purpose::Edge, b"a", &changed).err(),
            Some(KeyError::Invalid),
            "octet {index}"
        );
    }
}

#[test]
fn macs_and_signatures_are_separated() {
    let keks = shared(1);
    let keyset = open(&generate(&keks), &keks, &Purpose::ALL);
    let mac = keyset.mac(Purpose::Edge, "nonce", b"input").expect("mac");
    type Row<'a> = (&'a str, Purpose, &'a str, &'a [u8], &'a [u8]);
    let rows: [Row<'_>; 5] = [
        ("other label", Purpose::Edge, "eab", b"input", &mac),
        ("other purpose", Purpose::Worker, "nonce", b"input", &mac),
        ("other input", Purpose::Edge, "nonce", b"inpuT", &mac),
        ("short tag", Purpose::Edge, "nonce", b"input", &mac[..16]),
        ("no tag", Purpose::Edge, "nonce", b"input", b""),
    ];
    for (name, purpose, label, input, tag) in rows {
        assert_eq!(
            keyset.check_mac(purpose, label, input, tag),
            Err(KeyError::Invalid),
            "{name}"
        );
    }
    let (key, signature) = keyset.sign(Purpose::Edge, b"event").expect("signed");
    assert_eq!(
        keyset.verify(Purpose::Worker, key, b"event", &signature),
        Err(KeyError::Invalid)
    );
    assert_eq!(
        keyset.verify(Purpose::Edge, key, b"evenT", &signature),
        Err(KeyError::Invalid)
    );
}

#[test]
fn a_purpose_without_a_voice_seals_and_signs_nothing() {
    let keks = shared(1);
    let wrapped = generate(&keks);
    let edge = open(&wrapped, &keks, &[Purpose::Edge]);
    let console = open(&wrapped, &keks, &[Purpose::Edge, Purpose::Console]).without_voice(Purpose::Edge);
    let sealed = console.seal(Purpose::Edge, b"for", b"secret").expect("sealed");
    assert_eq!(
        edge.open(Purpose::Edge, b"for", &sealed)
            .expect("opened")
            .expose(),
        b"secret"
    );
    let absent = KeyError::Absent(Purpose::Edge);
    assert_eq!(console.sign(Purpose::Edge, b"").err(), Some(absent));
    assert!(console.sign(Purpose::Console, b"").is_ok());
}

#[test]
fn an_absent_purpose_verifies_and_does_nothing_else() {
    let keks = shared(1);
    let wrapped = generate(&keks);
    let all = open(&wrapped, &keks, &Purpose::ALL);
    let edge = open(&wrapped, &keks, &[Purpose::Edge]);
    assert_eq!(edge.purposes().collect::<Vec<_>>(), [Purpose::Edge]);
    let absent = KeyError::Absent(Purpose::Worker);
    assert_eq!(edge.seal(Purpose::Worker, b"", b"").err(), Some(absent.clone()));
    assert_eq!(edge.open(Purpose::Worker, b"", b"").err(), Some(absent.clone()));
    assert_eq!(edge.sign(Purpose::Worker, b"").err(), Some(absent.clone()));
    assert_eq!(edge.mac(Purpose::Worker, "x", b"").err(), Some(absent.clone()));
    assert_eq!(edge.check_mac(Purpose::Worker, "x", b"", b"").err(), Some(absent));
    let (key, signature) = all.sign(Purpose::Worker, b"event").expect("signed");
    assert_eq!(edge.verify(Purpose::Worker, key, b"event", &signature), Ok(()));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn sealing_round_trips(plain in prop::collection::vec(any::<u8>(), 0..200),
                           associated in prop::collection::vec(any::<u8>(), 0..50)) {
        let keks = shared(1);
        let keyset = generate(&keks).open(&keks, &[Purpose::Status]).expect("opens");
        let sealed = keyset.seal(Purpose::Status, &associated, &plain).expect("sealed");
        let opened = keyset.open(Purpose::Status, &associated, &sealed).expect("open");
        prop_assert_eq!(opened.expose(), plain.as_slice());
    }

    #[test]
    fn any_bytes_are_handled(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        let keks = shared(1);
        prop_assert!(WrappedKeyset::parse(&bytes).is_err());
        let keyset = generate(&keks).open(&keks, &[Purpose::Edge]).expect("opens");
        prop_assert!(keyset.open(Purpose::Edge, b"", &bytes).is_err());
    }
}
