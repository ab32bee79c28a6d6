//! Other keys, and other keys around them.

use portreeve_keyset::{KeysetError, WrappedKeyset};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{EventSigner, KeyError, Sealer};

use super::{SystemRandom, generate, kek, open, shared};

#[test]
fn rotation_keeps_what_was_sealed_and_signed() {
    let keks = shared(1);
    let before = generate(&keks);
    let old = open(&before, &keks, &Purpose::ALL);
    let sealed = old.seal(Purpose::Edge, b"a", b"plain").expect("sealed");
    let (old_key, signature) = old.sign(Purpose::Edge, b"event").expect("signed");
    let mac = old.mac(Purpose::Edge, "x", b"i").expect("mac");

    let introduced = before
        .introduce(&keks, Purpose::Edge, &SystemRandom)
        .expect("introduced");
    let waiting = open(&introduced, &keks, &Purpose::ALL);
    assert_eq!(waiting.sign(Purpose::Edge, b"event").expect("signed").0, old_key);

    let after = open(
        &introduced.promote(&keks, Purpose::Edge).expect("promoted"),
        &keks,
        &Purpose::ALL,
    );
    let (new_key, new_signature) = after.sign(Purpose::Edge, b"event").expect("signed");
    assert_ne!(new_key, old_key);
    assert_eq!(after.verify(Purpose::Edge, old_key, b"event", &signature), Ok(()));
    assert_eq!(
        after.open(Purpose::Edge, b"a", &sealed).expect("open").expose(),
        b"plain"
    );
    assert_eq!(after.check_mac(Purpose::Edge, "x", b"i", &mac), Ok(()));
    assert_ne!(after.mac(Purpose::Edge, "x", b"i").expect("mac"), mac);
    assert_eq!(
        waiting.verify(Purpose::Edge, new_key, b"event", &new_signature),
        Ok(())
    );
    assert_eq!(
        old.verify(Purpose::Edge, new_key, b"event", &new_signature),
        Err(KeyError::Invalid)
    );
    let fingerprints = [old.fingerprint(), waiting.fingerprint(), after.fingerprint()];
    assert!(fingerprints[0] != fingerprints[1] && fingerprints[1] != fingerprints[2]);

    let unchanged = after.sign(Purpose::Worker, b"e").expect("signed").0;
    assert_eq!(unchanged, old.sign(Purpose::Worker, b"e").expect("signed").0);
    let missing = generate(&shared(1).with(Purpose::Ca, kek(2)));
    assert!(
        missing.rotate(&shared(1), Purpose::Edge, &SystemRandom).is_err(),
        "every MAC must be made again"
    );
}

#[test]
fn rings_are_bounded() {
    let keks = shared(1);
    let mut wrapped = generate(&keks);
    for _ in 1..64 {
        wrapped = wrapped
            .rotate(&keks, Purpose::Audit, &SystemRandom)
            .expect("rotated");
    }
    let full = wrapped.rotate(&keks, Purpose::Audit, &SystemRandom);
    assert!(matches!(
        full.err(),
        Some(KeysetError::TooManyKeys(Purpose::Audit))
    ));
    let stored = wrapped.to_bytes().expect("bytes");
    assert!(
        WrappedKeyset::parse(&stored)
            .expect("parses")
            .open(&keks, &Purpose::ALL)
            .is_ok()
    );
}

#[test]
fn rewrapping_changes_the_kek_only() {
    let (old, new) = (shared(1), shared(2).with(Purpose::Ca, kek(3)));
    let before = generate(&old);
    let after = before.rewrap(&old, &new, &SystemRandom).expect("rewrapped");
    assert_eq!(before.fingerprint(), after.fingerprint());
    assert!(after.open(&old, &[Purpose::Edge]).is_err());
    let sealed = open(&before, &old, &Purpose::ALL)
        .seal(Purpose::Ca, b"k", b"plain")
        .expect("sealed");
    let opened = open(&after, &new, &Purpose::ALL)
        .open(Purpose::Ca, b"k", &sealed)
        .expect("open");
    assert_eq!(opened.expose(), b"plain");
    assert!(before.rewrap(&new, &old, &SystemRandom).is_err());
}
