//! The subject's name.

use std::net::IpAddr;

use portreeve_pkix::{DnsName, GeneralName, Oid};

use super::{Rule, Subject, all_differ, unless};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "issuer_is_ours",
        clause: "RFC 5280 4.1.2.4",
        check: issuer_is_ours,
    },
    Rule {
        name: "subject_as_ordered",
        clause: "RFC 5280 4.1.2.6",
        check: as_ordered,
    },
    Rule {
        name: "subject_is_not_issuer",
        clause: "would look self-issued",
        check: is_not_issuer,
    },
    Rule {
        name: "subject_value_lengths",
        clause: "RFC 5280 A.1: upper bounds",
        check: value_lengths,
    },
    Rule {
        name: "subject_values_trimmed",
        clause: "RFC 4518 2.6.1",
        check: values_trimmed,
    },
    Rule {
        name: "subject_values_differ",
        clause: "nothing is said twice",
        check: values_differ,
    },
    Rule {
        name: "subject_country",
        clause: "RFC 5280 A.1: two letters of ISO 3166",
        check: country,
    },
    Rule {
        name: "common_name_once",
        clause: "CA/B BR 7.1.4.3",
        check: common_name_once,
    },
    Rule {
        name: "common_name_no_address",
        clause: "an IP address is never a common name",
        check: no_address,
    },
    Rule {
        name: "common_name_wildcard",
        clause: "RFC 9525 6.3",
        check: common_name_wildcard,
    },
    Rule {
        name: "common_name_in_names",
        clause: "CA/B BR 7.1.4.3",
        check: common_name_in_names,
    },
];

/// Upper bounds in characters (RFC 5280 appendix A.1, X.520); the common name's is checked by decoding already.
const BOUNDS: &[(Oid, usize)] = &[
    (Oid::COMMON_NAME, 64),
    (Oid::COUNTRY, 2),
    (Oid::ORGANIZATION, 64),
    (Oid::ORGANIZATIONAL_UNIT, 64),
    (Oid::LOCALITY, 128),
    (Oid::STATE, 128),
    (Oid::STREET, 128),
    (Oid::SERIAL_NUMBER, 64),
    (Oid::TITLE, 64),
    (Oid::DOMAIN_COMPONENT, 63),
    (Oid::EMAIL_ADDRESS, 255),
];

fn issuer_is_ours(subject: &Subject<'_>) -> Result<(), String> {
    let ours = subject.specimen.issuer.certificate.subject_der();
    unless(subject.certificate.issuer_der() == ours, || {
        "issuer is not the name of the CA".to_owned()
    })
}

fn as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let ordered = &subject.specimen.contents.subject;
    let given = subject.certificate.subject();
    let same = given == ordered && subject.certificate.subject_der() == ordered.to_der();
    unless(same, || format!("subject reads {given}, ordered was {ordered}"))
}

fn is_not_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let same = subject.certificate.subject() == subject.certificate.issuer();
    unless(!same, || "subject is the name of the CA".to_owned())
}

fn value_lengths(subject: &Subject<'_>) -> Result<(), String> {
    let too_long = subject.certificate.subject().attributes().find(|attribute| {
        let bound = BOUNDS.iter().find(|(oid, _)| *oid == attribute.oid);
        bound.is_some_and(|(_, most)| attribute.value.chars().count() > *most)
    });
    too_long.map_or(Ok(()), |attribute| {
        Err(format!("value of attribute {} is too long", attribute.oid))
    })
}

fn values_trimmed(subject: &Subject<'_>) -> Result<(), String> {
    let blank = subject
        .certificate
        .subject()
        .attributes()
        .find(|a| a.value.trim() != a.value);
    blank.map_or(Ok(()), |attribute| {
        Err(format!("{:?} has white space around it", attribute.value))
    })
}

fn values_differ(subject: &Subject<'_>) -> Result<(), String> {
    unless(all_differ(subject.certificate.subject().attributes()), || {
        "an attribute occurs twice".to_owned()
    })
}

fn country(subject: &Subject<'_>) -> Result<(), String> {
    let mut countries = subject
        .certificate
        .subject()
        .attributes()
        .filter(|a| a.oid == Oid::COUNTRY);
    let bad = countries.find(|a| a.value.len() != 2 || !a.value.bytes().all(|b| b.is_ascii_uppercase()));
    bad.map_or(Ok(()), |attribute| {
        Err(format!("{:?} is not two capital letters", attribute.value))
    })
}

fn common_name_once(subject: &Subject<'_>) -> Result<(), String> {
    unless(subject.certificate.subject().common_names().count() <= 1, || {
        "several common names".to_owned()
    })
}

fn no_address(subject: &Subject<'_>) -> Result<(), String> {
    let address = subject.certificate.subject().common_names().find(|name| {
        let bare = name.trim().trim_start_matches('[').trim_end_matches(']');
        bare.parse::<IpAddr>().is_ok()
    });
    address.map_or(Ok(()), |name| {
        Err(format!("common name {name:?} is an IP address"))
    })
}

fn common_name_wildcard(subject: &Subject<'_>) -> Result<(), String> {
    let mut names = subject.certificate.subject().common_names();
    let bad = names.find(|name| name.contains('*') && DnsName::parse(name).is_err());
    bad.map_or(Ok(()), |name| {
        Err(format!("misplaced wildcard in common name {name:?}"))
    })
}

/// A common name of two labels or more looks like a DNS name; where DNS names are certified it must be one of them.
fn common_name_in_names(subject: &Subject<'_>) -> Result<(), String> {
    let names = subject.certificate.names();
    if !names.iter().any(|name| matches!(name, GeneralName::Dns(_))) {
        return Ok(());
    }
    let missing = subject
        .certificate
        .subject()
        .common_names()
        .find(|name| match DnsName::parse(name) {
            Ok(dns) => dns.labels_count() > 1 && !names.contains(&GeneralName::Dns(dns)),
            Err(_) => false,
        });
    missing.map_or(Ok(()), |name| {
        Err(format!("common name {name:?} is not among the alternative names"))
    })
}
