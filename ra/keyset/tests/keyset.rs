//! The keyset as its users see it.

#![allow(clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::os::unix::fs::PermissionsExt;

use portreeve_keyset::{Kek, KekError, KekSet, KekSource, Keyset, KeysetError, WrappedKeyset};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{EventSigner, KeyError, Random, Sealer};
use proptest::prelude::*;

struct SystemRandom;

impl Random for SystemRandom {
    fn fill(&self, octets: &mut [u8]) {
        aws_lc_rs::rand::fill(octets).expect("random");
    }
}

fn kek(octet: u8) -> Kek {
    Kek::new(&[octet; 32]).expect("kek")
}

fn shared(octet: u8) -> KekSet {
    KekSet::shared(kek(octet))
}

fn generate(keks: &KekSet) -> WrappedKeyset {
    WrappedKeyset::generate(keks, &SystemRandom).expect("keyset")
}

fn open(wrapped: &WrappedKeyset, keks: &KekSet, purposes: &[Purpose]) -> Keyset {
    wrapped.open(keks, purposes).expect("opens")
}

fn reason(result: Result<Keyset, KeysetError>) -> String {
    result
        .err()
        .map_or_else(|| "opened".to_owned(), |error| error.to_string())
}

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

#[test]
fn kek_files() {
    let directory = tempfile::tempdir().expect("directory");
    let octets: [u8; 32] = std::array::from_fn(|i| 200 + u8::try_from(i).expect("small"));
    let expected = Kek::new(&octets).expect("kek").check().to_owned();
    let hexadecimal = octets
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect::<String>();
    let base64 = "yMnKy8zNzs/Q0dLT1NXW19jZ2tvc3d7f4OHi4+Tl5uc=";
    let rows: [(&str, Vec<u8>, u32, Option<&str>); 11] = [
        ("raw", octets.to_vec(), 0o600, None),
        ("hex", hexadecimal.clone().into_bytes(), 0o600, None),
        (
            "hex with newline, read-only",
            format!("{hexadecimal}\n").into_bytes(),
            0o400,
            None,
        ),
        ("base64", base64.as_bytes().to_vec(), 0o640, None),
        (
            "base64url, no padding",
            base64
                .replace('/', "_")
                .replace('+', "-")
                .replace('=', "")
                .into_bytes(),
            0o600,
            None,
        ),
        ("world-readable", octets.to_vec(), 0o604, Some("chmod 0600")),
        ("group-writable", octets.to_vec(), 0o660, Some("chmod 0600")),
        (
            "a passphrase of 32 letters",
            b"correct horse battery staple 123".to_vec(),
            0o600,
            Some("32 octets"),
        ),
        ("too short", octets[..31].to_vec(), 0o600, Some("32 octets")),
        ("empty", Vec::new(), 0o600, Some("32 octets")),
        (
            "hex of 31 octets",
            hexadecimal.as_bytes()[2..].to_vec(),
            0o600,
            Some("32 octets"),
        ),
    ];
    for (name, content, mode, refused) in rows {
        let path = directory.path().join(name.replace(' ', "-"));
        std::fs::write(&path, content).expect("written");
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).expect("mode");
        match (Kek::from_source(&KekSource::File(path)), refused) {
            (Ok(kek), None) => assert_eq!(kek.check(), expected, "{name}"),
            (Err(error), Some(part)) => assert!(error.to_string().contains(part), "{name}: {error}"),
            (Ok(_), Some(_)) => panic!("{name}: accepted"),
            (Err(error), None) => panic!("{name}: {error}"),
        }
    }
    let missing = Kek::from_file(&directory.path().join("none"))
        .err()
        .map(|e| e.to_string());
    assert!(missing.is_some_and(|text| text.contains("none")));
}

#[test]
fn generated_kek_file_is_private_and_not_overwritten() {
    let directory = tempfile::tempdir().expect("directory");
    let path = directory.path().join("kek");
    let kek = Kek::generate_file(&path, &SystemRandom).expect("generated");
    assert_eq!(
        std::fs::metadata(&path).expect("metadata").permissions().mode() & 0o777,
        0o600
    );
    assert_eq!(Kek::from_file(&path).expect("reads").check(), kek.check());
    let again = Kek::generate_file(&path, &SystemRandom);
    assert!(matches!(
        again.err(),
        Some(KeysetError::Kek(KekError::File { .. }))
    ));
}

#[test]
fn kek_from_the_environment() {
    let name = "PORTREEVE_KEYSET_TEST_UNSET";
    assert!(matches!(
        Kek::from_env(name).err(),
        Some(KeysetError::Kek(KekError::NotSet(_)))
    ));
    // PATH is set wherever tests run, and is not a key.
    let error = Kek::from_env("PATH")
        .err()
        .map(|error| error.to_string())
        .unwrap_or_default();
    assert!(error.contains("environment variable PATH"), "{error}");
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
