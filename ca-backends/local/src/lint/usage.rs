//! What the key may be used for.

use portreeve_pkix::{KeyAlgorithm, KeyUsage, Oid};

use super::{Rule, Subject, all_differ, unless};

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "key_usage_present",
        clause: "without it every use is allowed",
        check: present,
    },
    Rule {
        name: "key_usage_critical",
        clause: "RFC 5280 4.2.1.3",
        check: critical,
    },
    Rule {
        name: "key_usage_as_ordered",
        clause: "RFC 5280 4.2.1.3",
        check: as_ordered,
    },
    Rule {
        name: "key_usage_no_ca",
        clause: "RFC 5280 4.2.1.3, 4.2.1.9",
        check: no_ca,
    },
    Rule {
        name: "key_usage_fits_key",
        clause: "RFC 3279 2.3, RFC 5480 3, RFC 8410 5",
        check: fits_key,
    },
    Rule {
        name: "key_usage_agreement_only",
        clause: "RFC 5280 4.2.1.3",
        check: agreement_only,
    },
    Rule {
        name: "extended_key_usage_form",
        clause: "RFC 5280 4.2.1.12",
        check: extended_form,
    },
    Rule {
        name: "extended_key_usage_as_ordered",
        clause: "RFC 5280 4.2.1.12",
        check: extended_as_ordered,
    },
    Rule {
        name: "extended_key_usage_not_any",
        clause: "CA/B BR 7.1.2.7.10",
        check: extended_not_any,
    },
    Rule {
        name: "basic_constraints_no_ca",
        clause: "RFC 5280 4.2.1.9",
        check: constraints_no_ca,
    },
    Rule {
        name: "basic_constraints_critical",
        clause: "CA/B BR 7.1.2.7.6",
        check: constraints_critical,
    },
];

const CA_USAGES: KeyUsage = KeyUsage::KEY_CERT_SIGN.union(KeyUsage::CRL_SIGN);
const SIGNATURES: KeyUsage = KeyUsage::DIGITAL_SIGNATURE.union(KeyUsage::NON_REPUDIATION);
const ENCIPHERMENTS: KeyUsage = KeyUsage::KEY_ENCIPHERMENT.union(KeyUsage::DATA_ENCIPHERMENT);
const ONLY: KeyUsage = KeyUsage::ENCIPHER_ONLY.union(KeyUsage::DECIPHER_ONLY);
const AGREEMENTS: KeyUsage = KeyUsage::KEY_AGREEMENT.union(ONLY);

fn present(subject: &Subject<'_>) -> Result<(), String> {
    let usage = subject.certificate.key_usage();
    unless(usage.is_some_and(|usage| !usage.is_empty()), || {
        "no key usage".to_owned()
    })
}

fn critical(subject: &Subject<'_>) -> Result<(), String> {
    let critical = subject
        .extension(&Oid::KEY_USAGE)
        .is_none_or(|extension| extension.critical);
    unless(critical, || "key usage is not critical".to_owned())
}

fn as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let given = subject.certificate.key_usage().unwrap_or_default();
    let ordered = subject.specimen.contents.key_usage;
    unless(given == ordered, || {
        format!("key usage is {given}, ordered was {ordered}")
    })
}

fn no_ca(subject: &Subject<'_>) -> Result<(), String> {
    let usage = subject.certificate.key_usage().unwrap_or_default();
    unless(usage.intersection(CA_USAGES).is_empty(), || {
        format!("{usage} in an end entity certificate")
    })
}

fn fits_key(subject: &Subject<'_>) -> Result<(), String> {
    let usage = subject.certificate.key_usage().unwrap_or_default();
    let possible = match subject.certificate.public_key().algorithm() {
        KeyAlgorithm::Rsa { .. } => SIGNATURES | ENCIPHERMENTS,
        KeyAlgorithm::EcP256 | KeyAlgorithm::EcP384 | KeyAlgorithm::EcP521 => SIGNATURES | AGREEMENTS,
        KeyAlgorithm::Ed25519 => SIGNATURES,
        KeyAlgorithm::Unsupported => return Ok(()),
    };
    // Usages of CAs have a rule of their own.
    let impossible = !possible.union(CA_USAGES).contains(usage);
    let key = subject.certificate.public_key().algorithm();
    unless(!impossible, || {
        format!("a {key} key cannot be used for all of {usage}")
    })
}

fn agreement_only(subject: &Subject<'_>) -> Result<(), String> {
    let usage = subject.certificate.key_usage().unwrap_or_default();
    let only = usage.intersection(ONLY);
    let fine = only.is_empty() || (only != ONLY && usage.contains(KeyUsage::KEY_AGREEMENT));
    unless(fine, || {
        format!("{usage}: one of encipherOnly and decipherOnly, with keyAgreement")
    })
}

fn extended_form(subject: &Subject<'_>) -> Result<(), String> {
    let critical = subject
        .extension(&Oid::EXTENDED_KEY_USAGE)
        .is_some_and(|extension| extension.critical);
    let purposes = subject.certificate.extended_key_usage().unwrap_or_default();
    unless(!critical && all_differ(purposes), || {
        "extended key usage is critical or repeats itself".to_owned()
    })
}

fn extended_as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let given = subject.certificate.extended_key_usage().unwrap_or_default();
    let ordered = subject.specimen.contents.extended_key_usage.as_slice();
    unless(given == ordered, || {
        "extended key usage is not the one ordered".to_owned()
    })
}

fn extended_not_any(subject: &Subject<'_>) -> Result<(), String> {
    let purposes = subject.certificate.extended_key_usage().unwrap_or_default();
    unless(!purposes.contains(&Oid::EKU_ANY), || {
        "anyExtendedKeyUsage".to_owned()
    })
}

fn constraints_no_ca(subject: &Subject<'_>) -> Result<(), String> {
    let fine = !subject.certificate.is_ca() && subject.certificate.path_len().is_none();
    unless(fine, || "basic constraints of a CA".to_owned())
}

fn constraints_critical(subject: &Subject<'_>) -> Result<(), String> {
    let critical = subject
        .extension(&Oid::BASIC_CONSTRAINTS)
        .is_none_or(|extension| extension.critical);
    unless(critical, || "basic constraints are not critical".to_owned())
}
