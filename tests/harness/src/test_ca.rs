//! A CA that nobody trusts: builds certificates from contents with a key in memory, right or deliberately wrong.
//! It shares no code with the product's own CA.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, KeyPair};
use portreeve_pkix::{
    BasicConstraints, Certificate, DistinguishedName, Extension, KeyUsage, PublicKey, SerialNumber,
    SignatureAlgorithm, Timestamp, der, encode, signed::assemble,
};
use portreeve_ra::CertificateContents;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// How a certificate differs from its contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not at all.
    None,
    /// It has this key instead.
    OtherKey(Box<PublicKey>),
    /// It names somebody else.
    OtherNames(Vec<portreeve_pkix::GeneralName>),
    /// It is a CA certificate.
    CaCertificate,
    /// It lives longer than ordered.
    TooLong,
    /// It has expired.
    Expired,
    /// Its signature is damaged.
    BadSignature,
}

/// A CA with a key in memory.
pub struct TestCa {
    key: EcdsaKeyPair,
    certificate: Certificate,
    serial: AtomicU64,
}

impl TestCa {
    /// A self-signed CA, valid in this period.
    pub fn new(name: &str, from: Timestamp, to: Timestamp) -> Self {
        let random = SystemRandom::new();
        let pkcs8 = EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &random).expect("key");
        let key = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, pkcs8.as_ref()).expect("key");
        let public = PublicKey::from_der(&spki(&key)).expect("public key");
        let subject = DistinguishedName::common_name(name);
        let extensions = vec![
            critical(
                "2.5.29.19",
                encode::basic_constraints(BasicConstraints {
                    ca: true,
                    path_len: None,
                }),
            ),
            critical("2.5.29.15", encode::key_usage(KeyUsage::KEY_CERT_SIGN)),
            plain(
                "2.5.29.14",
                encode::subject_key_identifier(&public.key_identifier()),
            ),
        ];
        let serial = SerialNumber::random128(&[9; 16]);
        let tbs = tbs(&serial, (&subject, &subject), (from, to), &public, &extensions);
        let certificate = Certificate::from_der(&signed(&key, &tbs)).expect("own certificate");
        Self {
            key,
            certificate,
            serial: AtomicU64::new(1),
        }
    }

    /// Its certificate.
    pub const fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// A certificate of these contents, with this fault.
    pub fn issue(&self, contents: &CertificateContents, now: Timestamp, fault: &Fault) -> Vec<u8> {
        let mut serial = [7u8; 16];
        let number = self.serial.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        serial[8..].copy_from_slice(&number);
        let public = match fault {
            Fault::OtherKey(key) => key.as_ref(),
            _ => &contents.public_key,
        };
        let names = match fault {
            Fault::OtherNames(names) => names,
            _ => &contents.names,
        };
        let mut from = now.saturating_sub(contents.validity.backdate).floor_to_second();
        let mut life = contents.validity.lifetime;
        match fault {
            Fault::TooLong => life += Duration::from_secs(86_400),
            Fault::Expired => {
                life = Duration::from_secs(60);
                from = now.saturating_sub(Duration::from_secs(120)).floor_to_second();
            }
            _ => {}
        }
        let to = from.saturating_add(life).saturating_sub(Duration::from_secs(1));
        let ca = matches!(fault, Fault::CaCertificate);
        let mut extensions = vec![
            critical("2.5.29.15", encode::key_usage(contents.key_usage)),
            plain(
                "2.5.29.37",
                encode::extended_key_usage(&contents.extended_key_usage),
            ),
            critical(
                "2.5.29.19",
                encode::basic_constraints(BasicConstraints { ca, path_len: None }),
            ),
            plain(
                "2.5.29.35",
                encode::authority_key_identifier(&self.certificate.public_key().key_identifier()),
            ),
        ];
        if !names.is_empty() {
            extensions.push(plain("2.5.29.17", encode::subject_alt_name(names)));
        }
        let parties = (self.certificate.subject(), &contents.subject);
        let tbs = tbs(
            &SerialNumber::random128(&serial),
            parties,
            (from, to),
            public,
            &extensions,
        );
        let mut certificate = signed(&self.key, &tbs);
        if matches!(fault, Fault::BadSignature)
            && let Some(last) = certificate.last_mut()
        {
            *last ^= 1;
        }
        certificate
    }
}

fn spki(key: &EcdsaKeyPair) -> Vec<u8> {
    let algorithm = der::sequence(&[
        der::tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01]),
        der::tlv(0x06, &[0x2a, 0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07]),
    ]);
    der::sequence(&[algorithm, der::bit_string(key.public_key().as_ref())])
}

fn tbs(
    serial: &SerialNumber,
    (issuer, subject): (&DistinguishedName, &DistinguishedName),
    (from, to): (Timestamp, Timestamp),
    public: &PublicKey,
    extensions: &[Extension],
) -> Vec<u8> {
    der::sequence(&[
        der::tlv(0xa0, &[2, 1, 2]),
        serial.to_der(),
        SignatureAlgorithm::EcdsaSha256
            .algorithm_identifier_der()
            .to_vec(),
        issuer.to_der(),
        der::sequence(&[encode::time(from), encode::time(to)]),
        subject.to_der(),
        public.der().to_vec(),
        der::tlv(0xa3, &encode::extensions(extensions)),
    ])
}

fn signed(key: &EcdsaKeyPair, tbs: &[u8]) -> Vec<u8> {
    let signature = key.sign(&SystemRandom::new(), tbs).expect("signature");
    assemble(tbs, SignatureAlgorithm::EcdsaSha256, signature.as_ref())
}

fn critical(oid: &str, value: Vec<u8>) -> Extension {
    Extension::critical(oid.parse().expect("oid"), value)
}

fn plain(oid: &str, value: Vec<u8>) -> Extension {
    Extension::non_critical(oid.parse().expect("oid"), value)
}
