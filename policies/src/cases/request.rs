//! Requests made from a description. They are not signed: possession is not a matter of policy.

use portreeve_pkix::der::{self, tag};
use portreeve_pkix::extension::BasicConstraints;
use portreeve_pkix::{
    CertificationRequest, DistinguishedName, DnsName, Extension, GeneralName, KeyAlgorithm, KeyUsage, Oid,
    PublicKey, encode,
};
use serde::Deserialize;

use crate::hygiene::vectors;
use crate::profile::Purpose;

const GENERATOR_P256: &str = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Described {
    /// See [`public_key`]; P-256 when absent.
    key: String,
    subject: String,
    /// `dns:`, `ip:`, `email:`, `uri:`, or `other:` with a hexadecimal element.
    names: Vec<String>,
    key_usage: Option<KeyUsage>,
    extended_key_usage: Vec<Purpose>,
    ca: Option<bool>,
    extensions: Vec<DescribedExtension>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct DescribedExtension {
    oid: Oid,
    #[serde(default)]
    critical: bool,
    value: String,
}

impl Described {
    pub(super) fn build(&self) -> CertificationRequest {
        let subject: DistinguishedName = self.subject.parse().expect("subject");
        let info = der::sequence(&[
            der::tlv(tag::INTEGER, &[0]),
            subject.to_der(),
            public_key(&self.key).der().to_vec(),
            self.attributes(),
        ]);
        let algorithm = der::sequence(&[Oid::ECDSA_WITH_SHA256.to_der()]);
        let request = der::sequence(&[info, algorithm, der::bit_string(&[0; 8])]);
        CertificationRequest::from_der(&request).expect("request")
    }

    fn attributes(&self) -> Vec<u8> {
        let extensions = self.extensions();
        if extensions.is_empty() {
            return der::tlv(tag::context_constructed(0), &[]);
        }
        let values = der::set_of(vec![encode::extensions(&extensions)]);
        let attribute = der::sequence(&[Oid::EXTENSION_REQUEST.to_der(), values]);
        der::tlv(tag::context_constructed(0), &attribute)
    }

    fn extensions(&self) -> Vec<Extension> {
        let mut extensions = Vec::new();
        if !self.names.is_empty() {
            let names: Vec<Vec<u8>> = self
                .names
                .iter()
                .map(|name| general_name(name).to_der())
                .collect();
            extensions.push(Extension::non_critical(
                Oid::SUBJECT_ALT_NAME,
                der::sequence(&names),
            ));
        }
        if let Some(usage) = self.key_usage {
            extensions.push(Extension::critical(Oid::KEY_USAGE, encode::key_usage(usage)));
        }
        if !self.extended_key_usage.is_empty() {
            let purposes: Vec<Oid> = self
                .extended_key_usage
                .iter()
                .map(|purpose| purpose.0.clone())
                .collect();
            let value = encode::extended_key_usage(&purposes);
            extensions.push(Extension::non_critical(Oid::EXTENDED_KEY_USAGE, value));
        }
        if let Some(ca) = self.ca {
            let value = encode::basic_constraints(BasicConstraints { ca, path_len: None });
            extensions.push(Extension::critical(Oid::BASIC_CONSTRAINTS, value));
        }
        extensions.extend(self.extensions.iter().map(|described| Extension {
            oid: described.oid.clone(),
            critical: described.critical,
            value: hex::decode(&described.value).expect("hex"),
        }));
        extensions
    }
}

/// A name with its form before a colon.
pub(super) fn general_name(text: &str) -> GeneralName {
    let (form, value) = text.split_once(':').unwrap_or_else(|| panic!("{text}: no form"));
    match form {
        "dns" => GeneralName::Dns(DnsName::parse(value).expect("DNS name")),
        "ip" => GeneralName::Ip(value.parse().expect("IP address")),
        "email" => GeneralName::Email(value.to_owned()),
        "uri" => GeneralName::Uri(value.to_owned()),
        "other" => GeneralName::Other(hex::decode(value).expect("hex")),
        _ => panic!("{text}: unknown form"),
    }
}

fn public_key(kind: &str) -> PublicKey {
    let generated = |algorithm: &'static aws_lc_rs::signature::EcdsaSigningAlgorithm, curve| {
        use aws_lc_rs::signature::KeyPair;
        let pair = aws_lc_rs::signature::EcdsaKeyPair::generate(algorithm).expect("key pair");
        PublicKey::from_ec_point(curve, pair.public_key().as_ref()).expect("key")
    };
    let sound = |bits| vectors::rsa(&vectors::sound_modulus("case", bits));
    use aws_lc_rs::signature as lc;
    match kind {
        "" | "P-256" => generated(&lc::ECDSA_P256_SHA256_ASN1_SIGNING, KeyAlgorithm::EcP256),
        "P-384" => generated(&lc::ECDSA_P384_SHA384_ASN1_SIGNING, KeyAlgorithm::EcP384),
        "P-521" => generated(&lc::ECDSA_P521_SHA512_ASN1_SIGNING, KeyAlgorithm::EcP521),
        "P-256 everybody's" => {
            PublicKey::from_ec_point(KeyAlgorithm::EcP256, &hex::decode(GENERATOR_P256).expect("hex"))
                .expect("key")
        }
        "P-256 compressed" => compressed(),
        "Ed25519" => PublicKey::from_ed25519(&[9; 32]).expect("key"),
        "RSA-1024" => sound(1024),
        "RSA-2048" => sound(2048),
        "RSA-2050" => sound(2050),
        "RSA-4096" => sound(4096),
        "RSA-2048 e=3" => {
            PublicKey::from_rsa(&vectors::sound_modulus("case", 2048).to_bytes_be(), &[3]).expect("key")
        }
        "RSA-2048 even" => vectors::rsa(&(vectors::sound_modulus("case", 2048) - 1_u32)),
        "RSA-2048 ROCA" => vectors::rsa(&vectors::roca_modulus("case", 2048)),
        "RSA-2048 close" => vectors::rsa(&vectors::close_modulus("case", 2048)),
        _ => panic!("{kind}: unknown key"),
    }
}

/// A point in the form that is read and not supported.
fn compressed() -> PublicKey {
    let point = hex::decode(GENERATOR_P256).expect("hex");
    let compressed = [&[3_u8][..], &point[1..33]].concat();
    let algorithm = der::sequence(&[Oid::EC_PUBLIC_KEY.to_der(), Oid::CURVE_P256.to_der()]);
    PublicKey::from_der(&der::sequence(&[algorithm, der::bit_string(&compressed)])).expect("key")
}
