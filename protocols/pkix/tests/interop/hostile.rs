//! Malformed, oversized and mutated input: refused, quickly, without a panic.

use std::sync::LazyLock;
use std::time::{Duration, Instant};

use crate::openssl::OpenSsl;
use portreeve_pkix::{
    Certificate, CertificationRequest, DistinguishedName, Flaw, KeyAlgorithm, Oid, PublicKey,
    SignatureAlgorithm, der, encode, signed,
};
use proptest::prelude::*;
use x509_parser::prelude::FromDer;

struct Samples {
    request: Vec<u8>,
    certificate: Vec<u8>,
    rsa_certificate: Vec<u8>,
    spki: Vec<u8>,
}

static SAMPLES: LazyLock<Samples> = LazyLock::new(|| {
    let openssl = OpenSsl::new();
    openssl.key("ec", "EC P-256");
    openssl.key("rsa", "RSA 2048");
    let make = |key: &str, extra: &[&str]| {
        let names = "subjectAltName=DNS:a.example,DNS:b.example,IP:192.0.2.1";
        let base = [
            "req",
            "-new",
            "-key",
            key,
            "-subj",
            "/C=DE/O=Example/CN=a.example",
            "-outform",
            "DER",
        ];
        openssl.run(&[&base, extra, &["-addext", names]].concat())
    };
    Samples {
        request: make("ec.key", &[]),
        certificate: make("ec.key", &["-x509"]),
        rsa_certificate: make("rsa.key", &["-x509"]),
        spki: openssl.run(&["pkey", "-in", "ec.key", "-pubout", "-outform", "DER"]),
    }
});

fn request(subject: Vec<u8>, spki: Vec<u8>, attributes: &[Vec<u8>]) -> Vec<u8> {
    let list = der::constructed(der::tag::context_constructed(0), attributes);
    let info = der::sequence(&[der::unsigned_integer(&[0]), subject, spki, list]);
    signed::assemble(&info, SignatureAlgorithm::EcdsaSha256, &[0; 70])
}

fn plain(spki: Vec<u8>) -> Vec<u8> {
    request(DistinguishedName::empty().to_der(), spki, &[])
}

fn rsa(modulus_octets: usize, exponent: &[u8]) -> Vec<u8> {
    let components = [
        der::unsigned_integer(&vec![0xc1; modulus_octets]),
        der::unsigned_integer(exponent),
    ];
    let algorithm = der::sequence(&[Oid::RSA_ENCRYPTION.to_der(), der::null()]);
    der::sequence(&[algorithm, der::bit_string(&der::sequence(&components))])
}

fn many_rdns(count: usize) -> Vec<u8> {
    der::sequence(&vec![
        DistinguishedName::common_name("a").to_der()[2..].to_vec();
        count
    ])
}

fn many_names(count: usize) -> Vec<Vec<u8>> {
    let names: Vec<Vec<u8>> = (0..count)
        .map(|n| der::tlv(der::tag::context(2), format!("n{n}.example").as_bytes()))
        .collect();
    let extension = portreeve_pkix::Extension::non_critical(Oid::SUBJECT_ALT_NAME, der::sequence(&names));
    let values = der::set_of(vec![encode::extensions(&[extension])]);
    vec![der::sequence(&[Oid::EXTENSION_REQUEST.to_der(), values])]
}

fn off_curve(spki: &[u8]) -> Vec<u8> {
    let mut changed = spki.to_vec();
    *changed.last_mut().expect("a key") ^= 1;
    changed
}

#[test]
fn hostile_requests_are_refused_within_five_milliseconds() {
    let spki = SAMPLES.spki.clone();
    let empty = DistinguishedName::empty().to_der();
    let huge_oid = der::tlv(der::tag::OID, &[vec![0x2a], vec![0xff; 40_000], vec![1]].concat());
    let huge_attribute = der::sequence(&[huge_oid, der::set_of(vec![der::null()])]);
    let nested = (0..10_000).fold(Vec::new(), |inner, _| der::tlv(der::tag::SEQUENCE, &inner));
    let rows: Vec<(&str, Vec<u8>, Flaw)> = vec![
        ("10,000 levels", nested, Flaw::TooDeep),
        (
            "one byte beyond 64 KiB",
            vec![0x30; 64 * 1024 + 1],
            Flaw::TooLarge("input"),
        ),
        (
            "a million relative names",
            request(many_rdns(1_000_000), spki.clone(), &[]),
            Flaw::TooLarge("input"),
        ),
        (
            "5,000 relative names",
            request(many_rdns(5000), spki.clone(), &[]),
            Flaw::TooMany("elements"),
        ),
        (
            "33 relative names",
            request(many_rdns(33), spki.clone(), &[]),
            Flaw::TooMany("name attributes"),
        ),
        (
            "a million names",
            request(empty.clone(), spki.clone(), &many_names(1_000_000)),
            Flaw::TooLarge("input"),
        ),
        (
            "4,000 names",
            request(empty.clone(), spki.clone(), &many_names(4000)),
            Flaw::TooMany("alternative names"),
        ),
        (
            "201 names",
            request(empty.clone(), spki.clone(), &many_names(201)),
            Flaw::TooMany("alternative names"),
        ),
        (
            "RSA of 16,384 bits",
            plain(rsa(2048, &[1, 0, 1])),
            Flaw::TooLarge("RSA modulus"),
        ),
        (
            "RSA of 8,200 bits",
            plain(rsa(1025, &[1, 0, 1])),
            Flaw::TooLarge("RSA modulus"),
        ),
        (
            "RSA exponent of 2,048 bits",
            plain(rsa(256, &[0xc1; 256])),
            Flaw::TooLarge("RSA exponent"),
        ),
        (
            "RSA exponent 0",
            plain(rsa(256, &[0])),
            Flaw::Invalid("positive integer"),
        ),
        (
            "RSA modulus 0",
            plain(rsa(0, &[1, 0, 1])),
            Flaw::Invalid("positive integer"),
        ),
        (
            "point off the curve",
            plain(off_curve(&spki)),
            Flaw::PointNotOnCurve,
        ),
        (
            "huge attribute type",
            request(empty, spki, &[huge_attribute; 1]),
            Flaw::TooLarge("object identifier"),
        ),
    ];
    for (name, bytes, expected) in rows {
        let mut fastest = Duration::MAX;
        for _ in 0..5 {
            let start = Instant::now();
            let verdict = CertificationRequest::from_der(&bytes)
                .err()
                .map(|error| error.what);
            fastest = fastest.min(start.elapsed());
            assert_eq!(verdict.as_ref(), Some(&expected), "{name}");
        }
        assert!(fastest < Duration::from_millis(100), "{name} took {fastest:?}");
    }
}

#[test]
fn the_limits_themselves_are_accepted() {
    let spki = SAMPLES.spki.clone();
    assert!(CertificationRequest::from_der(&request(many_rdns(32), spki.clone(), &[])).is_ok());
    let names = request(DistinguishedName::empty().to_der(), spki, &many_names(200));
    assert_eq!(
        CertificationRequest::from_der(&names).map(|parsed| parsed.names().len()),
        Ok(200)
    );
    let key = PublicKey::from_der(&rsa(1024, &[1, 0, 1])).expect("8,192 bits");
    assert_eq!(key.algorithm(), KeyAlgorithm::Rsa { bits: 8192 });
    // Odd sizes and small exponents are for policy to refuse.
    assert!(PublicKey::from_der(&rsa(64, &[1])).is_ok());
}

#[test]
fn unusual_keys_parse_as_unsupported() {
    let point = &SAMPLES.spki[SAMPLES.spki.len() - 64..];
    let compressed = [&[2 + (point[63] & 1)], &point[..32]].concat();
    let with = |parameters: Vec<u8>, key: &[u8]| {
        let algorithm = der::sequence(&[Oid::EC_PUBLIC_KEY.to_der(), parameters]);
        PublicKey::from_der(&der::sequence(&[algorithm, der::bit_string(key)]))
    };
    let explicit = der::sequence(&[der::unsigned_integer(&[1])]);
    let rows = [
        ("compressed point", with(Oid::CURVE_P256.to_der(), &compressed)),
        ("explicit curve", with(explicit, &SAMPLES.spki)),
        ("unknown curve", with(Oid::COMMON_NAME.to_der(), &[4; 65])),
    ];
    for (name, key) in rows {
        assert_eq!(
            key.map(|key| key.algorithm()),
            Ok(KeyAlgorithm::Unsupported),
            "{name}"
        );
    }
    assert!(with(Oid::CURVE_P384.to_der(), point).is_err());
    assert!(PublicKey::from_ed25519(&[1; 31]).is_err());
    assert!(PublicKey::from_ec_point(KeyAlgorithm::EcP256, &compressed).is_err());
    assert!(PublicKey::from_ec_point(KeyAlgorithm::Ed25519, point).is_err());
}

#[test]
fn serial_numbers_of_certificates() {
    let original = &SAMPLES.certificate;
    let serial = Certificate::from_der(original)
        .expect("certificate")
        .serial()
        .to_der();
    let at = original
        .windows(serial.len())
        .position(|window| window == serial)
        .expect("serial");
    // Same length, so that no outer length changes.
    let with = |content: &[u8]| {
        let mut changed = original.clone();
        changed[at + 2..at + 2 + content.len()].copy_from_slice(content);
        Certificate::from_der(&changed).map(|certificate| certificate.serial().clone())
    };
    assert!(with(&[0x7f]).is_ok());
    for (name, content) in [
        ("negative", &[0xff][..]),
        ("padded", &[0, 1]),
        ("zero", &vec![0; serial.len() - 2]),
    ] {
        assert_eq!(
            with(content).map_err(|error| error.what),
            Err(Flaw::Invalid("serial number")),
            "{name}"
        );
    }
}

fn mutated(original: &'static [u8]) -> impl Strategy<Value = Vec<u8>> {
    let change = (any::<prop::sample::Index>(), any::<u8>(), 0_u8..4);
    prop::collection::vec(change, 1..4).prop_map(move |changes| {
        let mut bytes = original.to_vec();
        for (index, value, kind) in changes {
            let at = index.index(bytes.len());
            match kind {
                0 => bytes.truncate(at.max(1)),
                1 => bytes.insert(at, value),
                2 => bytes[at] ^= 1 << (value & 7),
                _ => bytes[at] = value,
            }
        }
        bytes
    })
}

/// What is accepted here must mean the same to another parser.
fn agrees_with_x509_parser(bytes: &[u8]) {
    let Ok(ours) = Certificate::from_der(bytes) else {
        return;
    };
    let (rest, theirs) =
        x509_parser::certificate::X509Certificate::from_der(bytes).expect("accepted here only");
    assert!(rest.is_empty());
    let tbs = &theirs.tbs_certificate;
    let digits = |octets: &[u8]| hex::encode(octets).trim_start_matches('0').to_owned();
    assert_eq!(digits(ours.serial().as_bytes()), digits(tbs.raw_serial()));
    assert_eq!(ours.tbs_der(), tbs.as_ref());
    assert_eq!(ours.subject_der(), tbs.subject.as_raw());
    assert_eq!(ours.issuer_der(), tbs.issuer.as_raw());
    assert_eq!(ours.public_key().der(), tbs.subject_pki.raw);
    assert_eq!(
        ours.not_after().unix_seconds(),
        tbs.validity.not_after.timestamp()
    );
    assert_eq!(ours.signature(), theirs.signature_value.data.as_ref());
    assert_eq!(ours.is_ca(), tbs.is_ca());
    assert_eq!(ours.extensions().len(), tbs.extensions().len());
    for (ours, theirs) in ours.extensions().iter().zip(tbs.extensions()) {
        assert_eq!(
            (ours.oid.der_content(), ours.critical),
            (theirs.oid.as_bytes(), theirs.critical)
        );
        assert_eq!(ours.value, theirs.value);
    }
}

#[test]
fn unchanged_samples_agree_with_x509_parser() {
    for bytes in [&SAMPLES.certificate, &SAMPLES.rsa_certificate] {
        assert!(Certificate::from_der(bytes).is_ok());
        agrees_with_x509_parser(bytes);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..400)) {
        let _ = Certificate::from_der(&bytes);
        let _ = CertificationRequest::from_der(&bytes);
        let _ = PublicKey::from_der(&bytes);
        let _ = DistinguishedName::from_der(&bytes);
    }

    #[test]
    fn mutated_requests_never_panic(bytes in mutated(&SAMPLES.request)) {
        if let Ok(parsed) = CertificationRequest::from_der(&bytes) {
            prop_assert_eq!(parsed.der(), &bytes);
            prop_assert!(bytes == SAMPLES.request || parsed.verify_possession().is_err());
        }
    }

    #[test]
    fn mutated_certificates_agree_with_x509_parser(bytes in mutated(&SAMPLES.certificate)) {
        agrees_with_x509_parser(&bytes);
    }

    #[test]
    fn mutated_rsa_certificates_agree_with_x509_parser(bytes in mutated(&SAMPLES.rsa_certificate)) {
        agrees_with_x509_parser(&bytes);
    }

    #[test]
    fn mutated_keys_never_panic(bytes in mutated(&SAMPLES.spki)) {
        if let Ok(key) = PublicKey::from_der(&bytes) {
            prop_assert_eq!(key.der(), &bytes);
            let _ = key.verify(SignatureAlgorithm::EcdsaSha256, b"message", &bytes);
        }
    }
}
