//! A TBSCertificate before it is encoded.

use portreeve_pkix::der::{self, tag};
use portreeve_pkix::{
    BasicConstraints, Certificate, Extension, KeyUsage, Oid, PublicKey, SerialNumber, SignatureAlgorithm,
    encode,
};
use portreeve_ra::CertificateContents;

use crate::addresses::Addresses;
use crate::validity::Validity;

/// Version 3 (RFC 5280 section 4.1.2.1).
const VERSION_3: u8 = 2;

/// The fields of a TBSCertificate in the order of RFC 5280 section 4.1, those that are encoded already as DER.
pub(crate) struct Draft {
    pub(crate) serial: SerialNumber,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) issuer: Vec<u8>,
    pub(crate) validity: Vec<u8>,
    pub(crate) subject: Vec<u8>,
    pub(crate) public_key: PublicKey,
    pub(crate) extensions: Vec<Extension>,
}

/// What a certificate says about its issuer.
pub(crate) struct Issuer<'a> {
    pub(crate) certificate: &'a Certificate,
    pub(crate) algorithm: SignatureAlgorithm,
    pub(crate) addresses: &'a Addresses,
}

impl Draft {
    /// The certificate of an end entity.
    pub(crate) fn of_end_entity(
        contents: &CertificateContents,
        issuer: &Issuer<'_>,
        validity: Validity,
        serial: SerialNumber,
    ) -> Self {
        Self {
            serial,
            algorithm: issuer.algorithm,
            issuer: issuer.certificate.subject_der().to_vec(),
            validity: encode_validity(validity),
            subject: contents.subject.to_der(),
            public_key: contents.public_key.clone(),
            extensions: end_entity_extensions(contents, issuer),
        }
    }

    /// The DER.
    pub(crate) fn to_der(&self) -> Vec<u8> {
        let version = der::unsigned_integer(&[VERSION_3]);
        der::sequence(&[
            der::constructed(tag::context_constructed(0), &[version]),
            self.serial.to_der(),
            self.algorithm.algorithm_identifier_der(),
            self.issuer.clone(),
            self.validity.clone(),
            self.subject.clone(),
            self.public_key.der().to_vec(),
            der::constructed(
                tag::context_constructed(3),
                &[encode::extensions(&self.extensions)],
            ),
        ])
    }
}

/// The Validity element.
pub(crate) fn encode_validity(validity: Validity) -> Vec<u8> {
    der::sequence(&[
        encode::time(validity.not_before),
        encode::time(validity.not_after),
    ])
}

/// The key identifier an issuer writes into what it signs: the one in its certificate (RFC 5280 section 4.2.1.1).
pub(crate) fn issuer_key_identifier(issuer: &Certificate) -> Vec<u8> {
    issuer
        .subject_key_id()
        .unwrap_or_else(|| issuer.public_key().key_identifier().to_vec())
}

/// subjectKeyIdentifier by RFC 7093 section 2, method 1.
pub(crate) fn subject_key_identifier(key: &PublicKey) -> Extension {
    let value = encode::subject_key_identifier(&key.key_identifier());
    Extension::non_critical(Oid::SUBJECT_KEY_IDENTIFIER, value)
}

pub(crate) fn authority_key_identifier(issuer: &Certificate) -> Extension {
    let value = encode::authority_key_identifier(&issuer_key_identifier(issuer));
    Extension::non_critical(Oid::AUTHORITY_KEY_IDENTIFIER, value)
}

pub(crate) fn key_usage(usage: KeyUsage) -> Extension {
    Extension::critical(Oid::KEY_USAGE, encode::key_usage(usage))
}

pub(crate) fn basic_constraints(constraints: BasicConstraints) -> Extension {
    Extension::critical(Oid::BASIC_CONSTRAINTS, encode::basic_constraints(constraints))
}

/// cRLDistributionPoints, when there is an address.
pub(crate) fn crl_distribution_points(addresses: &[String]) -> Option<Extension> {
    let value = || encode::crl_distribution_points(addresses);
    (!addresses.is_empty()).then(|| Extension::non_critical(Oid::CRL_DISTRIBUTION_POINTS, value()))
}

/// authorityInfoAccess, when there is an address.
pub(crate) fn authority_info_access(ca_issuers: &[String], ocsp: &[String]) -> Option<Extension> {
    let value = || encode::authority_info_access(ca_issuers, ocsp);
    let any = !ca_issuers.is_empty() || !ocsp.is_empty();
    any.then(|| Extension::non_critical(Oid::AUTHORITY_INFO_ACCESS, value()))
}

/// Lists that are empty in the contents give no extension: an empty one would not be valid (RFC 5280 section 4.2).
fn end_entity_extensions(contents: &CertificateContents, issuer: &Issuer<'_>) -> Vec<Extension> {
    let mut list = vec![
        subject_key_identifier(&contents.public_key),
        authority_key_identifier(issuer.certificate),
    ];
    if contents.basic_constraints {
        list.push(basic_constraints(BasicConstraints::default()));
    }
    if !contents.key_usage.is_empty() {
        list.push(key_usage(contents.key_usage));
    }
    if !contents.extended_key_usage.is_empty() {
        let value = encode::extended_key_usage(&contents.extended_key_usage);
        list.push(Extension::non_critical(Oid::EXTENDED_KEY_USAGE, value));
    }
    if !contents.names.is_empty() {
        let value = encode::subject_alt_name(&contents.names);
        let critical = contents.subject.is_empty();
        list.push(Extension {
            oid: Oid::SUBJECT_ALT_NAME,
            critical,
            value,
        });
    }
    if !contents.policies.is_empty() {
        let value = encode::certificate_policies(&contents.policies);
        list.push(Extension::non_critical(Oid::CERTIFICATE_POLICIES, value));
    }
    let (publication, addresses) = (contents.publication, issuer.addresses);
    let chosen = |wanted: bool, list: &'_ [String]| if wanted { list.to_vec() } else { Vec::new() };
    list.extend(crl_distribution_points(&chosen(publication.crl, &addresses.crl)));
    let ca_issuers = chosen(publication.ca_issuers, &addresses.ca_issuers);
    list.extend(authority_info_access(
        &ca_issuers,
        &chosen(publication.ocsp, &addresses.ocsp),
    ));
    list
}
