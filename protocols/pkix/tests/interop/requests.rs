//! Requests made by `openssl req`.

use crate::openssl::OpenSsl;
use portreeve_pkix::{
    CertificationRequest, DnsName, Flaw, GeneralName, KeyAlgorithm, Oid, PossessionError, der, encode, sha256,
};

const NAMES: &str = "subjectAltName=DNS:a.example,DNS:*.b.example,IP:192.0.2.1,IP:2001:db8::1,\
                     email:x@example.com,URI:https://example.com/,DNS:A.example";

fn request(openssl: &OpenSsl, name: &str, extra: &[&str]) -> Vec<u8> {
    let key = format!("{name}.key");
    let base = [
        "req",
        "-new",
        "-key",
        &key,
        "-subj",
        "/C=DE/O=Example/CN=a.example",
        "-outform",
        "DER",
    ];
    openssl.run(&[&base, extra].concat())
}

#[test]
fn every_key_type_parses_and_proves_possession() {
    use PossessionError::{BadSignature, WeakAlgorithm};
    let rows = [
        ("RSA 1024", KeyAlgorithm::Rsa { bits: 1024 }, "-sha256", Ok(())),
        ("RSA 2048", KeyAlgorithm::Rsa { bits: 2048 }, "-sha256", Ok(())),
        ("RSA 2048", KeyAlgorithm::Rsa { bits: 2048 }, "-sha384", Ok(())),
        ("RSA 3072", KeyAlgorithm::Rsa { bits: 3072 }, "-sha512", Ok(())),
        ("RSA 2056", KeyAlgorithm::Rsa { bits: 2056 }, "-sha256", Ok(())),
        ("EC P-256", KeyAlgorithm::EcP256, "-sha256", Ok(())),
        ("EC P-256", KeyAlgorithm::EcP256, "-sha512", Ok(())),
        ("EC P-384", KeyAlgorithm::EcP384, "-sha256", Ok(())),
        ("EC P-384", KeyAlgorithm::EcP384, "-sha384", Ok(())),
        ("EC P-521", KeyAlgorithm::EcP521, "-sha256", Ok(())),
        ("EC P-521", KeyAlgorithm::EcP521, "-sha512", Ok(())),
        ("ED25519", KeyAlgorithm::Ed25519, "-sha256", Ok(())),
        (
            "RSA 2048",
            KeyAlgorithm::Rsa { bits: 2048 },
            "-sha1",
            Err(WeakAlgorithm),
        ),
        (
            "RSA 2048",
            KeyAlgorithm::Rsa { bits: 2048 },
            "-md5",
            Err(WeakAlgorithm),
        ),
        ("EC P-256", KeyAlgorithm::EcP256, "-sha1", Err(WeakAlgorithm)),
        ("ED448", KeyAlgorithm::Unsupported, "-sha256", Err(WeakAlgorithm)),
        (
            "RSA-PSS 2048",
            KeyAlgorithm::Unsupported,
            "-sha256",
            Err(WeakAlgorithm),
        ),
        (
            "EC secp256k1",
            KeyAlgorithm::Unsupported,
            "-sha256",
            Err(BadSignature),
        ),
    ];
    for (kind, algorithm, digest, possession) in rows {
        let openssl = OpenSsl::new();
        openssl.key("k", kind);
        let bytes = request(&openssl, "k", &[digest]);
        let parsed = CertificationRequest::from_der(&bytes).expect(kind);
        assert_eq!(parsed.public_key().algorithm(), algorithm, "{kind}");
        assert_eq!(parsed.verify_possession(), possession, "{kind} {digest}");
        let spki = openssl.run(&["pkey", "-in", "k.key", "-pubout", "-outform", "DER"]);
        assert_eq!(parsed.public_key().der(), spki, "{kind}");
        assert_eq!(parsed.digest(), sha256(&bytes));
    }
}

#[test]
fn contents_are_what_was_asked_for() {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    let usage = ["-addext", NAMES, "-addext", "keyUsage=critical,digitalSignature"];
    let parsed = CertificationRequest::from_der(&request(&openssl, "k", &usage)).expect("request");
    assert_eq!(parsed.subject().to_string(), "CN=a.example,O=Example,C=DE");
    let dns = |text| GeneralName::Dns(DnsName::parse(text).expect("name"));
    let expected = [
        dns("a.example"),
        dns("*.b.example"),
        GeneralName::Ip("192.0.2.1".parse().expect("address")),
        GeneralName::Ip("2001:db8::1".parse().expect("address")),
        GeneralName::Email("x@example.com".into()),
        GeneralName::Uri("https://example.com/".into()),
    ];
    assert_eq!(parsed.names(), expected);
    let [names, usage] = parsed.extensions() else {
        panic!("two extensions")
    };
    assert_eq!((&names.oid, names.critical), (&Oid::SUBJECT_ALT_NAME, false));
    assert_eq!((&usage.oid, usage.critical), (&Oid::KEY_USAGE, true));
    assert_eq!(parsed.challenge_password(), None);
    assert_eq!(parsed.signature_algorithm_oid(), &Oid::ECDSA_WITH_SHA256);
}

#[test]
fn challenge_password_is_read() {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    openssl.write(
        "req.conf",
        "[req]\nprompt=no\ndistinguished_name=dn\nattributes=attrs\n[dn]\nCN=device 1\n[attrs]\nchallengePassword=s3cret!\n",
    );
    let bytes = openssl.run(&[
        "req", "-new", "-key", "k.key", "-config", "req.conf", "-outform", "DER",
    ]);
    let parsed = CertificationRequest::from_der(&bytes).expect("request");
    assert_eq!(parsed.challenge_password(), Some("s3cret!"));
    assert!(!format!("{parsed:?}").contains("s3cret!"));
    assert_eq!(parsed.subject().common_names().collect::<Vec<_>>(), ["device 1"]);
    assert!(parsed.names().is_empty());
}

#[test]
fn names_that_are_not_dns_names_are_refused() {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    for name in [
        "_acme.example.com",
        "a.example.",
        "127.0.0.1",
        "ab--cd.example",
        "-a.example",
        "xn--99999999999999.example",
    ] {
        let bytes = request(&openssl, "k", &["-addext", &format!("subjectAltName=DNS:{name}")]);
        let error = CertificationRequest::from_der(&bytes).expect_err(name);
        assert!(matches!(error.what, Flaw::DnsName(_)), "{name}: {error}");
    }
}

#[test]
fn any_change_of_the_signed_part_or_the_signature_breaks_possession() {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    let bytes = request(&openssl, "k", &["-addext", NAMES]);
    let mut still_parsed = 0;
    for position in 0..bytes.len() {
        let mut changed = bytes.clone();
        changed[position] ^= 1;
        if let Ok(parsed) = CertificationRequest::from_der(&changed) {
            assert!(parsed.verify_possession().is_err(), "byte {position}");
            still_parsed += 1;
        }
    }
    assert!(still_parsed > 100);
}

#[test]
fn another_key_does_not_prove_possession() {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    openssl.key("other", "EC P-256");
    let bytes = request(&openssl, "k", &[]);
    let other = openssl.run(&["pkey", "-in", "other.key", "-pubout", "-outform", "DER"]);
    let own = openssl.run(&["pkey", "-in", "k.key", "-pubout", "-outform", "DER"]);
    let at = bytes
        .windows(own.len())
        .position(|window| window == own)
        .expect("the key of the request");
    let swapped = [&bytes[..at], &other, &bytes[at + own.len()..]].concat();
    let parsed = CertificationRequest::from_der(&swapped).expect("request");
    assert_eq!(parsed.verify_possession(), Err(PossessionError::BadSignature));
}

/// A request with the given attributes and no valid signature.
fn with_attributes(attributes: &[Vec<u8>]) -> Vec<u8> {
    let openssl = OpenSsl::new();
    openssl.key("k", "EC P-256");
    let spki = openssl.run(&["pkey", "-in", "k.key", "-pubout", "-outform", "DER"]);
    let list = der::constructed(der::tag::context_constructed(0), attributes);
    let info = der::sequence(&[
        der::unsigned_integer(&[0]),
        der::sequence::<Vec<u8>>(&[]),
        spki,
        list,
    ]);
    portreeve_pkix::signed::assemble(&info, portreeve_pkix::SignatureAlgorithm::EcdsaSha256, &[0])
}

fn attribute(oid: &Oid, values: Vec<Vec<u8>>) -> Vec<u8> {
    der::sequence(&[oid.to_der(), der::set_of(values)])
}

#[test]
fn attribute_rules() {
    let names = |text: &str| {
        let name = GeneralName::Dns(DnsName::parse(text).expect("name"));
        let extension =
            portreeve_pkix::Extension::non_critical(Oid::SUBJECT_ALT_NAME, encode::subject_alt_name(&[name]));
        encode::extensions(&[extension])
    };
    let request = |values| attribute(&Oid::EXTENSION_REQUEST, values);
    let unknown = |arc: u128| attribute(&Oid::from_arcs(&[1, 2, 3, arc]).expect("oid"), vec![der::null()]);
    let twice = der::sequence(&[names("a.example")[2..].to_vec(), names("b.example")[2..].to_vec()]);
    type Row = (&'static str, Vec<Vec<u8>>, Option<Flaw>);
    let rows: [Row; 8] = [
        ("none", vec![], None),
        (
            "one extension request",
            vec![request(vec![names("a.example")])],
            None,
        ),
        ("unknown attributes", (0..32).map(unknown).collect(), None),
        (
            "too many attributes",
            (0..33).map(unknown).collect(),
            Some(Flaw::TooMany("attributes")),
        ),
        (
            "two extension requests",
            vec![
                request(vec![names("a.example")]),
                request(vec![names("b.example")]),
            ],
            Some(Flaw::Duplicate("extension request")),
        ),
        (
            "two values in one extension request",
            vec![request(vec![names("a.example"), names("b.example")])],
            Some(Flaw::Trailing("extension request")),
        ),
        (
            "an extension twice",
            vec![request(vec![twice])],
            Some(Flaw::Duplicate("extension")),
        ),
        (
            "an empty extension request",
            vec![request(vec![])],
            Some(Flaw::Expected("extensions")),
        ),
    ];
    for (name, attributes, expected) in rows {
        let verdict = CertificationRequest::from_der(&with_attributes(&attributes))
            .err()
            .map(|e| e.what);
        assert_eq!(verdict, expected, "{name}");
    }
}
