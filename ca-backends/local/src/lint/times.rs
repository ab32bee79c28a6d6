//! Serial number and validity.

use std::time::Duration;

use super::{Rule, Subject, unless};
use crate::draft::encode_validity;
use crate::validity::Validity;

/// 64 bits of a random number are wanted at least; with 16 octets there is room.
const SERIAL_LENGTH_MIN: usize = 8;
/// Times are in whole seconds and both ends count.
const SECOND: Duration = Duration::from_secs(1);

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "serial_length",
        clause: "CA/B BR 7.1: at least 64 bits",
        check: serial_length,
    },
    Rule {
        name: "validity_order",
        clause: "RFC 5280 4.1.2.5",
        check: validity_order,
    },
    Rule {
        name: "validity_form",
        clause: "RFC 5280 4.1.2.5: UTCTime through 2049",
        check: validity_form,
    },
    Rule {
        name: "validity_begun",
        clause: "never in the future",
        check: validity_begun,
    },
    Rule {
        name: "validity_not_over",
        clause: "never in the past",
        check: validity_not_over,
    },
    Rule {
        name: "validity_within_issuer",
        clause: "the issuer outlives it",
        check: within_issuer,
    },
    Rule {
        name: "validity_as_ordered",
        clause: "not longer than ordered",
        check: as_ordered,
    },
];

fn serial_length(subject: &Subject<'_>) -> Result<(), String> {
    let length = subject.certificate.serial().as_bytes().len();
    unless(length >= SERIAL_LENGTH_MIN, || {
        format!("serial number of {length} octets")
    })
}

fn validity_order(subject: &Subject<'_>) -> Result<(), String> {
    let certificate = &subject.certificate;
    unless(certificate.not_before() < certificate.not_after(), || {
        "notAfter is not after notBefore".to_owned()
    })
}

fn validity_form(subject: &Subject<'_>) -> Result<(), String> {
    let (not_before, not_after) = (subject.certificate.not_before(), subject.certificate.not_after());
    let expected = encode_validity(Validity {
        not_before,
        not_after,
    });
    let found = subject
        .specimen
        .tbs
        .windows(expected.len())
        .any(|window| window == expected);
    unless(found, || {
        "times are not in the form that their year demands".to_owned()
    })
}

fn validity_begun(subject: &Subject<'_>) -> Result<(), String> {
    let not_before = subject.certificate.not_before();
    unless(not_before <= subject.specimen.now, || {
        format!("notBefore {not_before} lies in the future")
    })
}

fn validity_not_over(subject: &Subject<'_>) -> Result<(), String> {
    let not_after = subject.certificate.not_after();
    unless(not_after > subject.specimen.now, || {
        format!("notAfter {not_after} has passed")
    })
}

fn within_issuer(subject: &Subject<'_>) -> Result<(), String> {
    let (certificate, issuer) = (&subject.certificate, subject.specimen.issuer.certificate);
    let within =
        certificate.not_before() >= issuer.not_before() && certificate.not_after() <= issuer.not_after();
    unless(within, || {
        format!(
            "the CA is valid from {} to {}",
            issuer.not_before(),
            issuer.not_after()
        )
    })
}

fn as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let certificate = &subject.certificate;
    let lifetime = certificate
        .not_after()
        .since(certificate.not_before())
        .saturating_add(SECOND);
    let ordered = subject.specimen.contents.validity.lifetime;
    unless(lifetime <= ordered, || {
        format!("valid for {lifetime:?}, ordered were {ordered:?}")
    })
}
