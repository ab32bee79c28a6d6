//! DER of the values that go into certificates and revocation lists.
//!
//! Functions named after an extension return its value: what goes inside the OCTET STRING.

use crate::der::{self, tag};
use crate::extension::{BasicConstraints, Extension, KeyUsage};
use crate::names::GeneralName;
use crate::oid::Oid;
use crate::time::Timestamp;

/// subjectAltName: the names in the given order.
pub fn subject_alt_name(names: &[GeneralName]) -> Vec<u8> {
    der::sequence(&names.iter().map(GeneralName::to_der).collect::<Vec<_>>())
}

/// keyUsage, without trailing zero bits.
pub fn key_usage(usage: KeyUsage) -> Vec<u8> {
    // Bit 0 of the BIT STRING is the most significant bit of the first octet.
    let mut octets = usage.bits().to_le_bytes().map(u8::reverse_bits).to_vec();
    while octets.last() == Some(&0) {
        octets.pop();
    }
    let unused = octets.last().map_or(0, |last| last.trailing_zeros() as u8);
    der::constructed(tag::BIT_STRING, &[&[unused][..], &octets])
}

/// extKeyUsage.
pub fn extended_key_usage(purposes: &[Oid]) -> Vec<u8> {
    der::sequence(&purposes.iter().map(Oid::to_der).collect::<Vec<_>>())
}

/// basicConstraints; for an end entity the empty sequence.
pub fn basic_constraints(constraints: BasicConstraints) -> Vec<u8> {
    let mut parts = Vec::new();
    if constraints.ca {
        parts.push(der::boolean(true));
        parts.extend(
            constraints
                .path_len
                .map(|length| der::unsigned_integer(&length.to_be_bytes())),
        );
    }
    der::sequence(&parts)
}

/// subjectKeyIdentifier.
pub fn subject_key_identifier(identifier: &[u8]) -> Vec<u8> {
    der::octet_string(identifier)
}

/// authorityKeyIdentifier, by key identifier only.
pub fn authority_key_identifier(identifier: &[u8]) -> Vec<u8> {
    der::sequence(&[der::tlv(tag::context(0), identifier)])
}

/// certificatePolicies without qualifiers.
pub fn certificate_policies(policies: &[Oid]) -> Vec<u8> {
    der::sequence(
        &policies
            .iter()
            .map(|oid| der::sequence(&[oid.to_der()]))
            .collect::<Vec<_>>(),
    )
}

/// cRLDistributionPoints: one distribution point per URI.
pub fn crl_distribution_points<S: AsRef<str>>(uris: &[S]) -> Vec<u8> {
    der::sequence(
        &uris
            .iter()
            .map(|uri| der::sequence(&[distribution_point_name(uri.as_ref())]))
            .collect::<Vec<_>>(),
    )
}

/// `[0] DistributionPointName` with a single URI as full name.
fn distribution_point_name(uri: &str) -> Vec<u8> {
    let full_name = der::constructed(tag::context_constructed(0), &[uri_name(uri)]);
    der::constructed(tag::context_constructed(0), &[full_name])
}

/// authorityInfoAccess: OCSP responders first, then places of the issuer's certificate.
pub fn authority_info_access<S: AsRef<str>, T: AsRef<str>>(ca_issuers: &[S], ocsp: &[T]) -> Vec<u8> {
    let access = |method: Oid, uri: &str| der::sequence(&[method.to_der(), uri_name(uri)]);
    let responders = ocsp.iter().map(|uri| access(Oid::ACCESS_OCSP, uri.as_ref()));
    let issuers = ca_issuers
        .iter()
        .map(|uri| access(Oid::ACCESS_CA_ISSUERS, uri.as_ref()));
    der::sequence(&responders.chain(issuers).collect::<Vec<_>>())
}

/// cRLNumber.
pub fn crl_number(number: u64) -> Vec<u8> {
    der::unsigned_integer(&number.to_be_bytes())
}

/// reasonCode of a revoked certificate; `unspecified` (0) should be left out instead (RFC 5280 section 5.3.1).
pub fn reason_code(reason: u8) -> Vec<u8> {
    der::tlv(tag::ENUMERATED, &[reason])
}

/// issuingDistributionPoint of a CRL at one URI that covers every certificate and reason.
pub fn issuing_distribution_point(uri: &str) -> Vec<u8> {
    der::sequence(&[distribution_point_name(uri)])
}

/// A SEQUENCE OF Extension.
pub fn extensions(list: &[Extension]) -> Vec<u8> {
    der::sequence(&list.iter().map(Extension::to_der).collect::<Vec<_>>())
}

/// A time as RFC 5280 section 4.1.2.5 demands: UTCTime through 2049, GeneralizedTime before 1950 and from 2050 on,
/// whole seconds (a fraction is cut off). Times without a four-digit year become 99991231235959Z, "no end".
pub fn time(at: Timestamp) -> Vec<u8> {
    let Some(at) = at.calendar() else {
        return der::tlv(tag::GENERALIZED_TIME, b"99991231235959Z");
    };
    let rest = format!(
        "{:02}{:02}{:02}{:02}{:02}Z",
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second()
    );
    if (1950..2050).contains(&at.year()) {
        der::tlv(tag::UTC_TIME, format!("{:02}{rest}", at.year() % 100).as_bytes())
    } else {
        der::tlv(
            tag::GENERALIZED_TIME,
            format!("{:04}{rest}", at.year()).as_bytes(),
        )
    }
}

fn uri_name(uri: &str) -> Vec<u8> {
    der::tlv(tag::context(6), uri.as_bytes())
}
