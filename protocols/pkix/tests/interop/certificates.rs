//! Certificates made by `openssl`, and certificates made here and read by `openssl`.

use crate::openssl::OpenSsl;
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_pkix::{
    BasicConstraints, Certificate, DistinguishedName, DnsName, Extension, GeneralName, IssuerChain,
    KeyAlgorithm, KeyUsage, Oid, PathError, PublicKey, SerialNumber, SignatureAlgorithm, Timestamp, decode,
    der, encode, pem, signed,
};
use std::time::Duration;

const DAY: Duration = Duration::from_secs(86_400);

/// A root that `openssl` made, in `root.pem` and `root.key`.
fn root(openssl: &OpenSsl, kind: &str) {
    openssl.key("root", kind);
    openssl.run(&[
        "req",
        "-x509",
        "-new",
        "-key",
        "root.key",
        "-subj",
        "/O=Example/CN=Root",
        "-days",
        "30",
        "-addext",
        "keyUsage=critical,keyCertSign,cRLSign",
        "-out",
        "root.pem",
    ]);
}

/// A leaf under that root, in `leaf.pem`.
fn leaf(openssl: &OpenSsl, kind: &str) {
    openssl.key("leaf", kind);
    openssl.run(&[
        "req",
        "-new",
        "-key",
        "leaf.key",
        "-subj",
        "/CN=a.example",
        "-out",
        "leaf.csr",
    ]);
    openssl.write(
        "leaf.ext",
        "basicConstraints=critical,CA:false\nkeyUsage=critical,digitalSignature\n\
         extendedKeyUsage=serverAuth,clientAuth\nsubjectAltName=DNS:a.example,DNS:under_score.example\n\
         subjectKeyIdentifier=hash\nauthorityKeyIdentifier=keyid\n\
         crlDistributionPoints=URI:http://ca.example/ca.crl\n\
         authorityInfoAccess=caIssuers;URI:http://ca.example/ca.cer,OCSP;URI:http://ca.example/ocsp\n\
         certificatePolicies=1.2.3.4\n",
    );
    openssl.run(&[
        "x509",
        "-req",
        "-in",
        "leaf.csr",
        "-CA",
        "root.pem",
        "-CAkey",
        "root.key",
        "-days",
        "5",
        "-set_serial",
        "0x0abc",
        "-extfile",
        "leaf.ext",
        "-out",
        "leaf.pem",
    ]);
}

fn load(openssl: &OpenSsl, name: &str) -> Certificate {
    let text = String::from_utf8(openssl.read(name)).expect("text");
    let [der] = pem::decode_all("CERTIFICATE", &text)
        .expect("PEM")
        .try_into()
        .expect("one certificate");
    Certificate::from_der(&der).expect("certificate")
}

fn now() -> Timestamp {
    let since = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .expect("a clock after 1970");
    Timestamp::from_unix_millis(since.as_millis() as i64)
}

#[test]
fn openssl_certificates_verify_for_every_key_type() {
    let rows = [
        (
            "RSA 2048",
            KeyAlgorithm::Rsa { bits: 2048 },
            SignatureAlgorithm::RsaPkcs1Sha256,
        ),
        ("EC P-256", KeyAlgorithm::EcP256, SignatureAlgorithm::EcdsaSha256),
        ("EC P-384", KeyAlgorithm::EcP384, SignatureAlgorithm::EcdsaSha256),
        ("EC P-521", KeyAlgorithm::EcP521, SignatureAlgorithm::EcdsaSha256),
        ("ED25519", KeyAlgorithm::Ed25519, SignatureAlgorithm::Ed25519),
    ];
    for (kind, key, signature) in rows {
        let openssl = OpenSsl::new();
        root(&openssl, kind);
        leaf(&openssl, kind);
        let (root, leaf) = (load(&openssl, "root.pem"), load(&openssl, "leaf.pem"));
        assert_eq!(leaf.public_key().algorithm(), key, "{kind}");
        assert_eq!(leaf.signature_algorithm(), Some(signature), "{kind}");
        let alone = IssuerChain::from(root.clone());
        assert_eq!(alone.check(&leaf, now()), Ok(()), "{kind}");
        assert!(root.verify_signed_by(leaf.public_key()).is_err(), "{kind}");
        // Found once to be of one key, it is none of another.
        assert!(leaf.verify_signed_by(leaf.public_key()).is_err(), "{kind}");
        assert!(leaf.verify_signed_by(root.public_key()).is_ok(), "{kind}");
        let fingerprint = openssl.text(&["x509", "-in", "leaf.pem", "-noout", "-fingerprint", "-sha256"]);
        assert!(
            fingerprint
                .replace(':', "")
                .to_lowercase()
                .contains(&hex::encode(leaf.fingerprint()))
        );
    }
}

#[test]
fn views_of_an_openssl_certificate() {
    let openssl = OpenSsl::new();
    root(&openssl, "EC P-256");
    leaf(&openssl, "EC P-256");
    let (root, leaf) = (load(&openssl, "root.pem"), load(&openssl, "leaf.pem"));
    assert_eq!(leaf.serial().to_hex(), "0abc");
    assert_eq!(leaf.subject().to_string(), "CN=a.example");
    assert_eq!(leaf.issuer().to_string(), "CN=Root,O=Example");
    assert_eq!(leaf.issuer_der(), root.subject_der());
    assert_eq!(leaf.not_after().since(leaf.not_before()), 5 * DAY);
    assert_eq!(leaf.key_usage(), Some(KeyUsage::DIGITAL_SIGNATURE));
    assert_eq!(
        leaf.extended_key_usage(),
        Some(&[Oid::EKU_SERVER_AUTH, Oid::EKU_CLIENT_AUTH][..])
    );
    assert!(!leaf.is_ca() && root.is_ca());
    assert_eq!((leaf.path_len(), root.path_len()), (None, None));
    assert_eq!(leaf.authority_key_id(), root.subject_key_id());
    assert!(leaf.subject_key_id().is_some_and(|id| id.len() == 20));
    let [good, unusual] = leaf.names() else {
        panic!("two names")
    };
    assert_eq!(
        good,
        &GeneralName::Dns(DnsName::parse("a.example").expect("name"))
    );
    assert!(matches!(unusual, GeneralName::Other(element) if element.ends_with(b"under_score.example")));
    let value = |oid: Oid| leaf.extension(&oid).expect("extension").value.clone();
    let points = decode::crl_distribution_points(&value(Oid::CRL_DISTRIBUTION_POINTS));
    assert_eq!(points, Ok(vec!["http://ca.example/ca.crl".to_owned()]));
    let access = decode::authority_info_access(&value(Oid::AUTHORITY_INFO_ACCESS)).expect("access");
    assert_eq!((access.ca_issuers.len(), access.ocsp.len()), (1, 1));
    let policies = decode::certificate_policies(&value(Oid::CERTIFICATE_POLICIES)).expect("policies");
    assert_eq!(policies, ["1.2.3.4".parse::<Oid>().expect("oid")]);
    let stored = borsh::to_vec(&leaf).expect("serializable");
    assert_eq!(borsh::from_slice::<Certificate>(&stored).expect("stored"), leaf);
}

/// A key that signs certificates built with this crate.
struct Issuer {
    key: EcdsaKeyPair,
    name: DistinguishedName,
}

/// What differs between the certificates of the tests.
struct Contents {
    name: DistinguishedName,
    constraints: BasicConstraints,
    usage: KeyUsage,
    not_before: Timestamp,
}

impl Issuer {
    fn new(name: &str) -> Self {
        let key = EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).expect("key");
        Self {
            key,
            name: DistinguishedName::common_name(name),
        }
    }

    fn public_key(&self) -> PublicKey {
        PublicKey::from_ec_point(KeyAlgorithm::EcP256, self.key.public_key().as_ref()).expect("public key")
    }

    fn ca(&self, path_len: Option<u32>) -> Contents {
        Contents {
            name: self.name.clone(),
            constraints: BasicConstraints { ca: true, path_len },
            usage: KeyUsage::KEY_CERT_SIGN | KeyUsage::CRL_SIGN,
            not_before: now(),
        }
    }

    fn certify(&self, key: &PublicKey, contents: &Contents) -> Certificate {
        let name = DnsName::parse("a.example").expect("name");
        let extensions = [
            Extension::critical(
                Oid::BASIC_CONSTRAINTS,
                encode::basic_constraints(contents.constraints),
            ),
            Extension::critical(Oid::KEY_USAGE, encode::key_usage(contents.usage)),
            Extension::non_critical(
                Oid::SUBJECT_ALT_NAME,
                encode::subject_alt_name(&[name.into_general()]),
            ),
            Extension::non_critical(
                Oid::SUBJECT_KEY_IDENTIFIER,
                encode::subject_key_identifier(&key.key_identifier()),
            ),
            Extension::non_critical(
                Oid::AUTHORITY_KEY_IDENTIFIER,
                encode::authority_key_identifier(&self.public_key().key_identifier()),
            ),
            Extension::non_critical(
                Oid::CRL_DISTRIBUTION_POINTS,
                encode::crl_distribution_points(&["http://ca.example/ca.crl"]),
            ),
            Extension::non_critical(
                Oid::AUTHORITY_INFO_ACCESS,
                encode::authority_info_access(&["http://ca.example/ca.cer"], &["http://ca.example/ocsp"]),
            ),
        ];
        let validity = [
            encode::time(contents.not_before),
            encode::time(contents.not_before.saturating_add(DAY)),
        ];
        let tbs = der::sequence(&[
            der::constructed(der::tag::context_constructed(0), &[der::unsigned_integer(&[2])]),
            SerialNumber::random128(&[0xa5; 16]).to_der(),
            SignatureAlgorithm::EcdsaSha256.algorithm_identifier_der(),
            self.name.to_der(),
            der::sequence(&validity),
            contents.name.to_der(),
            key.der().to_vec(),
            der::constructed(
                der::tag::context_constructed(3),
                &[encode::extensions(&extensions)],
            ),
        ]);
        let signature = self.key.sign(&SystemRandom::new(), &tbs).expect("signature");
        let bytes = signed::assemble(&tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref());
        Certificate::from_der(&bytes).expect("certificate")
    }
}

trait IntoGeneral {
    fn into_general(self) -> GeneralName;
}

impl IntoGeneral for DnsName {
    fn into_general(self) -> GeneralName {
        GeneralName::Dns(self)
    }
}

#[test]
fn openssl_verifies_what_is_encoded_here() {
    let openssl = OpenSsl::new();
    let (root, device) = (Issuer::new("Root"), Issuer::new("device"));
    let root_certificate = root.certify(&root.public_key(), &root.ca(Some(0)));
    let leaf = root.certify(
        &device.public_key(),
        &Contents {
            name: DistinguishedName::parse("CN=device,O=Example,C=DE").expect("name"),
            constraints: BasicConstraints::default(),
            usage: KeyUsage::DIGITAL_SIGNATURE,
            not_before: now(),
        },
    );
    openssl.write("root.pem", pem::encode("CERTIFICATE", root_certificate.der()));
    openssl.write("leaf.pem", pem::encode("CERTIFICATE", leaf.der()));
    openssl.run(&[
        "verify",
        "-x509_strict",
        "-check_ss_sig",
        "-CAfile",
        "root.pem",
        "leaf.pem",
    ]);
    let text = openssl.text(&[
        "x509", "-in", "leaf.pem", "-noout", "-text", "-nameopt", "RFC2253",
    ]);
    for expected in [
        "Serial Number:\n            25:a5",
        "Subject: CN=device,O=Example,C=DE",
        "X509v3 Basic Constraints: critical\n                CA:FALSE",
        "X509v3 Key Usage: critical\n                Digital Signature\n",
        "DNS:a.example",
        "URI:http://ca.example/ca.crl",
        "CA Issuers - URI:http://ca.example/ca.cer",
        "OCSP - URI:http://ca.example/ocsp",
    ] {
        assert!(text.contains(expected), "{expected} is not in\n{text}");
    }
    let root_text = openssl.text(&["x509", "-in", "root.pem", "-noout", "-text"]);
    assert!(root_text.contains("Certificate Sign, CRL Sign") && root_text.contains("pathlen:0"));
}

#[test]
fn paths() {
    let (root, middle, device) = (Issuer::new("Root"), Issuer::new("Middle"), Issuer::new("device"));
    let root_certificate = root.certify(&root.public_key(), &root.ca(Some(1)));
    let middle_certificate = root.certify(&middle.public_key(), &middle.ca(Some(0)));
    let end_entity = |issuer: &Issuer, not_before| {
        issuer.certify(
            &device.public_key(),
            &Contents {
                name: device.name.clone(),
                constraints: BasicConstraints::default(),
                usage: KeyUsage::DIGITAL_SIGNATURE,
                not_before,
            },
        )
    };
    let leaf = end_entity(&middle, now());
    let impostor = Issuer {
        key: Issuer::new("x").key,
        name: middle.name.clone(),
    };
    let without_sign = root.certify(
        &middle.public_key(),
        &Contents {
            usage: KeyUsage::CRL_SIGN,
            ..middle.ca(None)
        },
    );
    let without_ca = root.certify(
        &middle.public_key(),
        &Contents {
            constraints: BasicConstraints::default(),
            ..middle.ca(None)
        },
    );
    let second = Issuer::new("Second");
    let second_certificate = middle.certify(&second.public_key(), &second.ca(None));
    let below_second = end_entity(&second, now());
    let chain = [middle_certificate.clone(), root_certificate.clone()];
    let too_low = [
        second_certificate,
        middle_certificate.clone(),
        root_certificate.clone(),
    ];
    let long = vec![root_certificate.clone(); 9];
    let later = now().saturating_add(2 * DAY);
    let earlier = now().saturating_sub(DAY);
    type Row<'a> = (
        &'a str,
        &'a Certificate,
        &'a [Certificate],
        Timestamp,
        Result<(), PathError>,
    );
    let rows: [Row<'_>; 11] = [
        ("two links", &leaf, &chain, now(), Ok(())),
        ("one link", &leaf, &chain[..1], now(), Ok(())),
        ("no issuer", &leaf, &[], now(), Err(PathError::NoIssuer)),
        ("nine issuers", &leaf, &long, now(), Err(PathError::TooLong)),
        (
            "wrong order",
            &leaf,
            &chain[1..],
            now(),
            Err(PathError::NameMismatch { depth: 0 }),
        ),
        (
            "same name, other key",
            &end_entity(&impostor, now()),
            &chain,
            now(),
            Err(PathError::BadSignature { depth: 0 }),
        ),
        (
            "issuer may not sign certificates",
            &leaf,
            &[without_sign],
            now(),
            Err(PathError::NotCa { depth: 1 }),
        ),
        (
            "issuer is no CA",
            &leaf,
            &[without_ca],
            now(),
            Err(PathError::NotCa { depth: 1 }),
        ),
        (
            "path length",
            &below_second,
            &too_low,
            now(),
            Err(PathError::PathLengthExceeded { depth: 2 }),
        ),
        (
            "expired",
            &leaf,
            &chain,
            later,
            Err(PathError::Expired { depth: 0 }),
        ),
        (
            "issuer not valid yet",
            &end_entity(&middle, earlier),
            &chain,
            earlier.saturating_add(DAY / 2),
            Err(PathError::NotYetValid { depth: 1 }),
        ),
    ];
    for (name, leaf, issuers, at, expected) in rows {
        let chain = IssuerChain::new(issuers.to_vec());
        assert_eq!(chain.and_then(|chain| chain.check(leaf, at)), expected, "{name}");
    }
}
