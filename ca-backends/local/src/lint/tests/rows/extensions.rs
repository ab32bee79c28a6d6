//! What breaks a rule about usages and other extensions.

use super::*;

pub(super) fn usage_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        ("key_usage_present", "none", C(|c| c.key_usage = KeyUsage::NONE)),
        ("key_usage_critical", "not", D(|d| toggle(d, &Oid::KEY_USAGE))),
        (
            "key_usage_as_ordered",
            "more",
            D(|d| usage(d, KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_AGREEMENT)),
        ),
        (
            "key_usage_no_ca",
            "keyCertSign",
            C(|c| c.key_usage = KeyUsage::KEY_CERT_SIGN),
        ),
        (
            "key_usage_no_ca",
            "cRLSign",
            C(|c| c.key_usage = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::CRL_SIGN),
        ),
        (
            "key_usage_fits_key",
            "keyEncipherment of EC",
            C(|c| c.key_usage = KeyUsage::KEY_ENCIPHERMENT),
        ),
        (
            "key_usage_fits_key",
            "keyAgreement of RSA",
            C(|c| {
                c.public_key = rsa_key(256, &[1, 0, 1]);
                c.key_usage = KeyUsage::KEY_AGREEMENT;
            }),
        ),
        (
            "key_usage_agreement_only",
            "alone",
            C(|c| c.key_usage = KeyUsage::ENCIPHER_ONLY),
        ),
        (
            "key_usage_agreement_only",
            "both",
            C(|c| {
                c.key_usage = KeyUsage::KEY_AGREEMENT | KeyUsage::ENCIPHER_ONLY | KeyUsage::DECIPHER_ONLY;
            }),
        ),
        (
            "extended_key_usage_form",
            "critical",
            D(|d| toggle(d, &Oid::EXTENDED_KEY_USAGE)),
        ),
        (
            "extended_key_usage_form",
            "twice",
            C(|c| c.extended_key_usage.push(Oid::EKU_SERVER_AUTH)),
        ),
        (
            "extended_key_usage_as_ordered",
            "other",
            D(|d| purposes(d, &[Oid::EKU_CODE_SIGNING])),
        ),
        (
            "extended_key_usage_not_any",
            "any",
            C(|c| c.extended_key_usage.push(Oid::EKU_ANY)),
        ),
        (
            "basic_constraints_no_ca",
            "CA",
            D(|d| {
                let value = encode::basic_constraints(BasicConstraints {
                    ca: true,
                    path_len: None,
                });
                set(d, Extension::critical(Oid::BASIC_CONSTRAINTS, value));
            }),
        ),
        (
            "basic_constraints_critical",
            "not",
            D(|d| toggle(d, &Oid::BASIC_CONSTRAINTS)),
        ),
    ]
}

pub(super) fn extension_rows() -> Vec<(&'static str, &'static str, Break)> {
    vec![
        (
            "extensions_known",
            "from a request",
            D(|d| {
                set(d, Extension::non_critical(Oid::TLS_FEATURE, vec![0x30, 0]));
            }),
        ),
        (
            "encoding",
            "an extension twice",
            D(|d| d.extensions.extend(d.extensions.first().cloned())),
        ),
        ("encoding", "empty list of purposes", D(|d| purposes(d, &[]))),
        (
            "subject_key_identifier",
            "absent",
            D(|d| remove(d, &Oid::SUBJECT_KEY_IDENTIFIER)),
        ),
        (
            "subject_key_identifier",
            "critical",
            D(|d| toggle(d, &Oid::SUBJECT_KEY_IDENTIFIER)),
        ),
        (
            "subject_key_identifier",
            "other",
            D(|d| {
                let value = encode::subject_key_identifier(&[1; 20]);
                set(d, Extension::non_critical(Oid::SUBJECT_KEY_IDENTIFIER, value));
            }),
        ),
        (
            "authority_key_identifier",
            "absent",
            D(|d| remove(d, &Oid::AUTHORITY_KEY_IDENTIFIER)),
        ),
        (
            "authority_key_identifier",
            "other",
            D(|d| {
                let value = encode::authority_key_identifier(&[1; 20]);
                set(d, Extension::non_critical(Oid::AUTHORITY_KEY_IDENTIFIER, value));
            }),
        ),
        (
            "policies_form",
            "twice",
            C(|c| c.policies.extend(c.policies.first().cloned())),
        ),
        ("policies_form", "any", C(|c| c.policies = vec![Oid::ANY_POLICY])),
        (
            "policies_as_ordered",
            "absent",
            D(|d| remove(d, &Oid::CERTIFICATE_POLICIES)),
        ),
        (
            "crl_addresses",
            "https",
            A(|a| a.crl = vec!["https://pki.example/a.crl".to_owned()]),
        ),
        (
            "crl_addresses",
            "critical",
            D(|d| toggle(d, &Oid::CRL_DISTRIBUTION_POINTS)),
        ),
        (
            "authority_information",
            "no host",
            A(|a| a.ocsp = vec!["http:///ocsp".to_owned()]),
        ),
        (
            "authority_information",
            "blank",
            A(|a| a.ca_issuers = vec!["http://pki.example/a b".to_owned()]),
        ),
    ]
}
