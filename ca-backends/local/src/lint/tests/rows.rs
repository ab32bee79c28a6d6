//! What breaks which rule.

mod extensions;

use portreeve_pkix::{
    BasicConstraints, Certificate, DistinguishedName, Extension, GeneralName, KeyUsage, Oid, SerialNumber,
    Timestamp, der, encode,
};
use portreeve_ra::CertificateContents;

use crate::addresses::Addresses;
use crate::draft::{Draft, encode_validity};
use crate::tests::{DAY, NOW, dns, ec_key, rsa_key};
use crate::validity::Validity;

/// What a row breaks: the contents before they are encoded, or the draft after that.
pub(super) enum Break {
    Contents(fn(&mut CertificateContents)),
    Draft(fn(&mut Draft)),
    Addresses(fn(&mut Addresses)),
    /// Needs the certificate of the CA.
    Issuer(fn(&mut CertificateContents, &Certificate)),
}

use Break::{Addresses as A, Contents as C, Draft as D, Issuer as I};

fn set(draft: &mut Draft, extension: Extension) {
    draft.extensions.retain(|known| known.oid != extension.oid);
    draft.extensions.push(extension);
}

fn remove(draft: &mut Draft, oid: &Oid) {
    draft.extensions.retain(|known| known.oid != *oid);
}

fn toggle(draft: &mut Draft, oid: &Oid) {
    for extension in draft
        .extensions
        .iter_mut()
        .filter(|extension| extension.oid == *oid)
    {
        extension.critical = !extension.critical;
    }
}

fn valid(draft: &mut Draft, from: Timestamp, to: Timestamp) {
    draft.validity = encode_validity(Validity {
        not_before: from,
        not_after: to,
    });
}

fn subject(contents: &mut CertificateContents, oid: Oid, value: &str) {
    contents.subject = DistinguishedName::empty().with(oid, value);
}

fn named(contents: &mut CertificateContents, name: GeneralName) {
    contents.names.push(name);
}

fn names(draft: &mut Draft, list: &[GeneralName]) {
    set(
        draft,
        Extension::non_critical(Oid::SUBJECT_ALT_NAME, encode::subject_alt_name(list)),
    );
}

fn usage(draft: &mut Draft, usage: KeyUsage) {
    set(
        draft,
        Extension::critical(Oid::KEY_USAGE, encode::key_usage(usage)),
    );
}

fn purposes(draft: &mut Draft, list: &[Oid]) {
    set(
        draft,
        Extension::non_critical(Oid::EXTENDED_KEY_USAGE, encode::extended_key_usage(list)),
    );
}

/// Rows of rule, what is done, and how.
pub(super) fn rows() -> Vec<(&'static str, &'static str, Break)> {
    let mut rows = times_rows();
    rows.extend(subject_rows());
    rows.extend(names_rows());
    rows.extend(key_rows());
    rows.extend(extensions::usage_rows());
    rows.extend(extensions::extension_rows());
    rows
}

fn times_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        ("encoding", "no extensions", D(|d| d.extensions.clear())),
        (
            "serial_length",
            "short",
            D(|d| d.serial = SerialNumber::from_bytes(&[1; 7]).expect("serial")),
        ),
        (
            "validity_order",
            "turned round",
            D(|d| valid(d, NOW.saturating_add(DAY), NOW)),
        ),
        (
            "validity_order",
            "empty",
            D(|d| valid(d, NOW.floor_to_second(), NOW.floor_to_second())),
        ),
        (
            "validity_form",
            "GeneralizedTime before 2050",
            D(|d| {
                let early = der::tlv(der::tag::GENERALIZED_TIME, b"20261122115900Z");
                d.validity = der::sequence(&[early, encode::time(NOW.saturating_add(DAY))]);
            }),
        ),
        (
            "validity_begun",
            "tomorrow",
            D(|d| valid(d, NOW.saturating_add(DAY), NOW.saturating_add(DAY * 2))),
        ),
        (
            "validity_not_over",
            "yesterday",
            D(|d| valid(d, NOW.saturating_sub(DAY * 2), NOW.saturating_sub(DAY))),
        ),
        (
            "validity_within_issuer",
            "after the CA",
            D(|d| valid(d, NOW, NOW.saturating_add(DAY * 400))),
        ),
        (
            "validity_within_issuer",
            "before the CA",
            D(|d| valid(d, NOW.saturating_sub(DAY), NOW.saturating_add(DAY))),
        ),
        (
            "validity_as_ordered",
            "a second more",
            D(|d| {
                valid(
                    d,
                    NOW.floor_to_second(),
                    NOW.floor_to_second().saturating_add(DAY * 90),
                );
            }),
        ),
    ]
}

fn subject_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        (
            "issuer_is_ours",
            "other",
            D(|d| d.issuer = DistinguishedName::common_name("Other").to_der()),
        ),
        (
            "subject_as_ordered",
            "other",
            D(|d| d.subject = DistinguishedName::common_name("x").to_der()),
        ),
        (
            "subject_as_ordered",
            "set in another order",
            C(|c| {
                let attribute = |oid: Oid, value: &str| portreeve_pkix::Attribute {
                    oid,
                    value: value.to_owned(),
                };
                c.subject.rdns = vec![vec![
                    attribute(Oid::ORGANIZATION, "b"),
                    attribute(Oid::COMMON_NAME, "a"),
                ]];
            }),
        ),
        (
            "subject_is_not_issuer",
            "CA's",
            I(|c, issuer| c.subject = issuer.subject().clone()),
        ),
        (
            "subject_value_lengths",
            "organization of 65",
            C(|c| subject(c, Oid::ORGANIZATION, &"x".repeat(65))),
        ),
        (
            "subject_value_lengths",
            "state of 129",
            C(|c| subject(c, Oid::STATE, &"x".repeat(129))),
        ),
        (
            "subject_values_trimmed",
            "blank",
            C(|c| subject(c, Oid::ORGANIZATION, " x")),
        ),
        (
            "subject_values_differ",
            "unit twice",
            C(|c| {
                let unit = Oid::ORGANIZATIONAL_UNIT;
                c.subject = DistinguishedName::empty().with(unit.clone(), "a").with(unit, "a");
            }),
        ),
        (
            "subject_country",
            "three letters",
            C(|c| subject(c, Oid::COUNTRY, "DEU")),
        ),
        (
            "subject_country",
            "lower case",
            C(|c| subject(c, Oid::COUNTRY, "de")),
        ),
        (
            "common_name_once",
            "two",
            C(|c| {
                c.subject = DistinguishedName::common_name("a").with(Oid::COMMON_NAME, "b");
            }),
        ),
        (
            "common_name_no_address",
            "IPv4",
            C(|c| subject(c, Oid::COMMON_NAME, "192.0.2.1")),
        ),
        (
            "common_name_no_address",
            "IPv6 in brackets",
            C(|c| subject(c, Oid::COMMON_NAME, "[2001:db8::1]")),
        ),
        (
            "common_name_wildcard",
            "inside",
            C(|c| subject(c, Oid::COMMON_NAME, "a.*.example.com")),
        ),
        (
            "common_name_wildcard",
            "part of a label",
            C(|c| subject(c, Oid::COMMON_NAME, "w*.example.com")),
        ),
        (
            "common_name_in_names",
            "other",
            C(|c| subject(c, Oid::COMMON_NAME, "other.example.com")),
        ),
    ]
}

fn names_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        (
            "names_or_subject",
            "neither",
            C(|c| {
                c.subject = DistinguishedName::empty();
                c.names.clear();
            }),
        ),
        (
            "names_criticality",
            "critical beside a subject",
            D(|d| toggle(d, &Oid::SUBJECT_ALT_NAME)),
        ),
        (
            "names_as_ordered",
            "one missing",
            D(|d| names(d, &[dns("www.example.com")])),
        ),
        (
            "names_as_ordered",
            "one twice",
            C(|c| named(c, dns("www.example.com"))),
        ),
        (
            "names_dns_form",
            "underscore",
            C(|c| named(c, GeneralName::Other(b"\x82\x03a_b".to_vec()))),
        ),
        (
            "names_address_form",
            "unspecified",
            C(|c| named(c, GeneralName::Ip([0, 0, 0, 0].into()))),
        ),
        (
            "names_address_form",
            "multicast",
            C(|c| named(c, GeneralName::Ip([224, 0, 0, 1].into()))),
        ),
        (
            "names_email_form",
            "no domain",
            C(|c| named(c, GeneralName::Email("a@".to_owned()))),
        ),
        (
            "names_email_form",
            "no mailbox",
            C(|c| named(c, GeneralName::Email("example.com".to_owned()))),
        ),
        (
            "names_uri_form",
            "relative",
            C(|c| named(c, GeneralName::Uri("/a".to_owned()))),
        ),
        (
            "names_uri_form",
            "no host",
            C(|c| named(c, GeneralName::Uri("https:///a".to_owned()))),
        ),
    ]
}

fn key_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        ("key_as_ordered", "other", D(|d| d.public_key = ec_key())),
        (
            "key_supported",
            "unknown",
            C(|c| {
                let unknown =
                    der::sequence(&[der::sequence(&[Oid::EKU_ANY.to_der()]), der::bit_string(&[1])]);
                c.public_key = portreeve_pkix::PublicKey::from_der(&unknown).expect("key");
            }),
        ),
        (
            "key_rsa_size",
            "1024",
            C(|c| c.public_key = rsa_key(128, &[1, 0, 1])),
        ),
        ("key_rsa_exponent", "3", C(|c| c.public_key = rsa_key(256, &[3]))),
        (
            "key_rsa_exponent",
            "even",
            C(|c| c.public_key = rsa_key(256, &[1, 0, 0, 0])),
        ),
        (
            "key_is_not_issuers",
            "CA's",
            I(|c, issuer| c.public_key = issuer.public_key().clone()),
        ),
    ]
}
