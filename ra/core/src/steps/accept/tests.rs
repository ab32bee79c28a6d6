use super::*;
use crate::domain::{BackendName, Publication, ValidityPeriod};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_pkix::signed::assemble;
use portreeve_pkix::{
    BasicConstraints, DistinguishedName, Extension, KeyUsage, PublicKey, SerialNumber, SignatureAlgorithm,
    der, encode,
};

const HOUR: Duration = Duration::from_secs(3600);
const NOW: Timestamp = Timestamp::from_unix_seconds(1_900_000_000);

/// What a certificate is made of; each case changes one thing.
struct Made {
    names: Vec<GeneralName>,
    subject: DistinguishedName,
    from: Timestamp,
    to: Timestamp,
    extensions: Vec<Extension>,
}

struct Ca {
    key: EcdsaKeyPair,
    certificate: Certificate,
}

fn pair() -> EcdsaKeyPair {
    EcdsaKeyPair::generate(&ECDSA_P256_SHA256_ASN1_SIGNING).unwrap()
}

fn public(key: &EcdsaKeyPair) -> PublicKey {
    let algorithm = der::sequence(&[
        der::tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
        der::tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
    ]);
    let spki = der::sequence(&[algorithm, der::bit_string(key.public_key().as_ref())]);
    PublicKey::from_der(&spki).unwrap()
}

fn certify(signer: &EcdsaKeyPair, issuer: &DistinguishedName, made: &Made, key: &PublicKey) -> Vec<u8> {
    let tbs = der::sequence(&[
        der::tlv(0xa0, &[2, 1, 2]),
        SerialNumber::random128(&[5; 16]).to_der(),
        SignatureAlgorithm::EcdsaSha256.algorithm_identifier_der(),
        issuer.to_der(),
        der::sequence(&[encode::time(made.from), encode::time(made.to)]),
        made.subject.to_der(),
        key.der().to_vec(),
        der::tlv(0xa3, &encode::extensions(&made.extensions)),
    ]);
    let signature = signer.sign(&SystemRandom::new(), &tbs).unwrap();
    assemble(&tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref())
}

impl Ca {
    fn new() -> Self {
        let (key, subject) = (pair(), DistinguishedName::common_name("Some CA"));
        let made = Made {
            names: Vec::new(),
            subject: subject.clone(),
            from: NOW.saturating_sub(HOUR * 24),
            to: NOW.saturating_add(HOUR * 24),
            extensions: vec![
                Extension::critical(
                    Oid::BASIC_CONSTRAINTS,
                    encode::basic_constraints(BasicConstraints {
                        ca: true,
                        path_len: None,
                    }),
                ),
                Extension::critical(Oid::KEY_USAGE, encode::key_usage(KeyUsage::KEY_CERT_SIGN)),
            ],
        };
        let der = certify(&key, &subject, &made, &public(&key));
        let certificate = Certificate::from_der(&der).unwrap();
        Self { key, certificate }
    }
}

fn contents(key: PublicKey) -> CertificateContents {
    CertificateContents {
        subject: DistinguishedName::common_name("a.test"),
        names: vec![GeneralName::Dns("a.test".parse().unwrap())],
        public_key: key,
        validity: ValidityPeriod {
            backdate: HOUR,
            lifetime: HOUR * 4,
        },
        key_usage: KeyUsage::DIGITAL_SIGNATURE,
        extended_key_usage: vec![Oid::EKU_SERVER_AUTH],
        policies: vec!["2.23.140.1.2.1".parse().unwrap()],
        basic_constraints: true,
        publication: Publication::default(),
    }
}

/// Exactly what was ordered.
fn as_ordered(contents: &CertificateContents) -> Made {
    let from = NOW.saturating_sub(HOUR);
    Made {
        names: contents.names.clone(),
        subject: contents.subject.clone(),
        from,
        to: from.saturating_add(HOUR * 4).saturating_sub(SECOND),
        extensions: vec![
            Extension::critical(Oid::KEY_USAGE, encode::key_usage(contents.key_usage)),
            Extension::non_critical(
                Oid::EXTENDED_KEY_USAGE,
                encode::extended_key_usage(&contents.extended_key_usage),
            ),
            Extension::non_critical(
                Oid::CERTIFICATE_POLICIES,
                encode::certificate_policies(&contents.policies),
            ),
        ],
    }
}

fn accepted(change: impl Fn(&mut Made)) -> Result<Accepted, String> {
    let (ca, key) = (Ca::new(), public(&pair()));
    let contents = contents(key.clone());
    let mut made = as_ordered(&contents);
    change(&mut made);
    if !made.names.is_empty() {
        let names = encode::subject_alt_name(&made.names);
        made.extensions
            .push(Extension::non_critical(Oid::SUBJECT_ALT_NAME, names));
    }
    let issued = IssuedCertificate {
        certificate: certify(&ca.key, ca.certificate.subject(), &made, &key).into(),
        chain: Vec::new(),
    };
    let intent = Intent {
        backend: BackendName::new("upstream").unwrap(),
        prepared_at: NOW,
        issuer: ca.certificate.subject_der().to_vec(),
        body: IntentBody::Upstream {
            request: Vec::new(),
            key: Vec::new(),
        },
    };
    let pinned = IssuerChain::from(ca.certificate);
    accept(&contents, &intent, &issued, &pinned, NOW)
}

fn extra(oid: &str, critical: bool) -> Extension {
    Extension {
        oid: oid.parse().unwrap(),
        critical,
        value: vec![0x30, 0],
    }
}

fn replace(made: &mut Made, oid: &Oid, value: Option<Vec<u8>>) {
    made.extensions.retain(|extension| extension.oid != *oid);
    made.extensions
        .extend(value.map(|value| Extension::non_critical(oid.clone(), value)));
}

type Change = Box<dyn Fn(&mut Made)>;

fn with(extension: Extension) -> Change {
    Box::new(move |made| made.extensions.push(extension.clone()))
}

fn also_named(name: GeneralName) -> Change {
    Box::new(move |made| made.names.push(name.clone()))
}

#[test]
fn what_was_ordered_is_accepted() {
    let later = |by: Duration| -> Change {
        Box::new(move |made| {
            made.from = NOW.saturating_add(by);
            made.to = NOW.saturating_add(HOUR * 2);
        })
    };
    let cases: [(&str, Change); 6] = [
        ("as ordered", Box::new(|_| {})),
        ("a CA's clock is ahead", later(Duration::from_secs(300))),
        ("timestamps", with(extra(TRANSPARENCY, false))),
        ("noRevAvail", with(extra("2.5.29.56", false))),
        ("shorter", Box::new(|made| made.to = NOW.saturating_add(HOUR))),
        (
            "basic constraints of an end entity",
            with(Extension::critical(
                Oid::BASIC_CONSTRAINTS,
                encode::basic_constraints(BasicConstraints::default()),
            )),
        ),
    ];
    for (name, change) in cases {
        let accepted = accepted(change).map(|accepted| accepted.chain.len());
        assert_eq!(accepted, Ok(0), "{name}: the root is not delivered");
    }
}

#[test]
fn whatever_differs_is_not_accepted() {
    let any_policy = encode::certificate_policies(&[Oid::ANY_POLICY]);
    let other_usage = encode::extended_key_usage(&[Oid::EKU_CODE_SIGNING]);
    let ca = BasicConstraints {
        ca: true,
        path_len: None,
    };
    let cases: [(&str, Change, &str); 20] = [
        (
            "another DNS name",
            also_named(GeneralName::Dns("b.test".parse().unwrap())),
            "names",
        ),
        (
            "an address",
            also_named(GeneralName::Ip([192, 0, 2, 1].into())),
            "names",
        ),
        (
            "an e-mail address",
            also_named(GeneralName::Email("a@b.test".to_owned())),
            "names",
        ),
        (
            "a URI",
            also_named(GeneralName::Uri("https://b.test/".to_owned())),
            "names",
        ),
        (
            "another form of name",
            also_named(GeneralName::Other(vec![0x88, 2, 0x2a, 3])),
            "names",
        ),
        ("no names", Box::new(|made| made.names.clear()), "names"),
        (
            "another subject",
            Box::new(|made| made.subject = DistinguishedName::common_name("b.test")),
            "subject",
        ),
        (
            "one second too long",
            Box::new(|made| made.to = made.to.saturating_add(SECOND)),
            "longer than ordered",
        ),
        (
            "valid too early",
            Box::new(|made| made.from = NOW.saturating_sub(HOUR * 2)),
            "too early",
        ),
        (
            "not valid for long",
            Box::new(|made| made.from = NOW.saturating_add(HOUR)),
            "not valid yet",
        ),
        (
            "expired",
            Box::new(|made| made.to = NOW.saturating_sub(SECOND)),
            "expired",
        ),
        (
            "an unknown extension",
            with(extra("1.2.3.4", false)),
            "not ordered",
        ),
        (
            "an unknown critical extension",
            with(extra("1.2.3.4", true)),
            "not ordered",
        ),
        ("name constraints", with(extra("2.5.29.30", true)), "not ordered"),
        (
            "a critical authority information access",
            with(extra("1.3.6.1.5.5.7.1.1", true)),
            "is critical",
        ),
        (
            "other policies",
            Box::new(move |made| replace(made, &Oid::CERTIFICATE_POLICIES, Some(any_policy.clone()))),
            "policies",
        ),
        (
            "no policies",
            Box::new(|made| replace(made, &Oid::CERTIFICATE_POLICIES, None)),
            "policies",
        ),
        (
            "another purpose",
            Box::new(move |made| replace(made, &Oid::EXTENDED_KEY_USAGE, Some(other_usage.clone()))),
            "extended key usage",
        ),
        (
            "any purpose",
            Box::new(|made| replace(made, &Oid::EXTENDED_KEY_USAGE, None)),
            "extended key usage",
        ),
        (
            "a CA certificate",
            with(Extension::critical(
                Oid::BASIC_CONSTRAINTS,
                encode::basic_constraints(ca),
            )),
            "CA certificate",
        ),
    ];
    for (name, change, why) in cases {
        match accepted(change) {
            Ok(_) => panic!("{name}: accepted"),
            Err(difference) => assert!(difference.contains(why), "{name}: {difference}"),
        }
    }
}

#[test]
fn an_extension_that_occurs_twice_does_not_decode() {
    let refused = accepted(|made| {
        let again = made.extensions[0].clone();
        made.extensions.push(again);
    });
    assert!(refused.unwrap_err().contains("does not decode"));
}
