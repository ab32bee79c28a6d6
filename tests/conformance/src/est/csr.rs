//! PKCS #10 requests.

use portreeve_pkix::der;
use rcgen::string::PrintableString;
use rcgen::{Attribute, CertificateParams, DistinguishedName, DnType, DnValue, KeyPair, SanType};

const CHALLENGE_PASSWORD: &[u64] = &[1, 2, 840, 113_549, 1, 9, 7];
/// RFC 6402 section 2.8.
const CHANGE_SUBJECT_NAME: &[u64] = &[1, 3, 6, 1, 5, 5, 7, 7, 36];

/// A request under construction.
#[derive(Debug)]
pub struct Csr {
    key: KeyPair,
    parameters: CertificateParams,
    attributes: Vec<(&'static [u64], Vec<u8>)>,
}

impl Csr {
    /// For this common name and these DNS names, by a fresh P-256 key.
    pub fn new(common_name: &str, names: &[&str]) -> Self {
        Self::of(KeyPair::generate().expect("a key"), common_name, names)
    }

    /// The same by this key.
    pub fn of(key: KeyPair, common_name: &str, names: &[&str]) -> Self {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).expect("names");
        parameters.distinguished_name = DistinguishedName::new();
        if !common_name.is_empty() {
            parameters
                .distinguished_name
                .push(DnType::CommonName, common_name);
        }
        Self {
            key,
            parameters,
            attributes: Vec::new(),
        }
    }

    /// The common name as another type of string.
    #[must_use]
    pub fn with_printable_name(mut self, common_name: &str) -> Self {
        let value = PrintableString::try_from(common_name).expect("printable");
        self.parameters
            .distinguished_name
            .push(DnType::CommonName, DnValue::PrintableString(value));
        self
    }

    /// With a further attribute of the subject.
    #[must_use]
    pub fn with_attribute_of_subject(mut self, kind: DnType, value: &str) -> Self {
        self.parameters.distinguished_name.push(kind, value);
        self
    }

    /// With a further alternative name.
    #[must_use]
    pub fn with_name(mut self, name: SanType) -> Self {
        self.parameters.subject_alt_names.push(name);
        self
    }

    /// With a challengePassword.
    #[must_use]
    pub fn with_challenge(self, text: &str) -> Self {
        let value = der::tlv(der::tag::UTF8_STRING, text.as_bytes());
        self.with_attribute(CHALLENGE_PASSWORD, value)
    }

    /// With an attribute of this type, which has this one value.
    #[must_use]
    pub fn with_attribute(mut self, oid: &'static [u64], value: Vec<u8>) -> Self {
        self.attributes.push((oid, der::set_of(vec![value])));
        self
    }

    /// With a request for another name.
    #[must_use]
    pub fn with_change(self, value: Vec<u8>) -> Self {
        self.with_attribute(CHANGE_SUBJECT_NAME, value)
    }

    /// Its key.
    pub fn key(&self) -> &KeyPair {
        &self.key
    }

    /// The request in DER.
    pub fn der(&self) -> Vec<u8> {
        let attributes = self
            .attributes
            .iter()
            .map(|(oid, values)| Attribute {
                oid,
                values: values.clone(),
            })
            .collect();
        let made = self
            .parameters
            .serialize_request_with_attributes(&self.key, attributes);
        made.expect("a request").der().to_vec()
    }

    /// The same with a signature that is not its own.
    pub fn der_forged(&self) -> Vec<u8> {
        let mut der = self.der();
        if let Some(last) = der.last_mut() {
            *last ^= 1;
        }
        der
    }
}

/// The value of the attribute that asks for this common name and these DNS names (RFC 6402 section 2.8).
pub fn change_subject_name(common_name: &str, names: &[&str]) -> Vec<u8> {
    let mut parts = Vec::new();
    if !common_name.is_empty() {
        parts.push(portreeve_pkix::DistinguishedName::common_name(common_name).to_der());
    }
    let names: Vec<Vec<u8>> = names
        .iter()
        .map(|name| der::tlv(der::tag::context(2), name.as_bytes()))
        .collect();
    if !names.is_empty() {
        parts.push(der::sequence(&names));
    }
    der::sequence(&parts)
}
