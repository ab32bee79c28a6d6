//! Key identifiers, policies, and extensions that should not be there.

use portreeve_pkix::{Oid, decode};

use super::{Rule, Subject, all_differ, unless};
use crate::draft::issuer_key_identifier;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "extensions_known",
        clause: "nothing is copied from requests",
        check: known,
    },
    Rule {
        name: "subject_key_identifier",
        clause: "RFC 5280 4.2.1.2, RFC 7093 2",
        check: subject_key,
    },
    Rule {
        name: "authority_key_identifier",
        clause: "RFC 5280 4.2.1.1",
        check: authority_key,
    },
    Rule {
        name: "policies_form",
        clause: "RFC 5280 4.2.1.4",
        check: policies_form,
    },
    Rule {
        name: "policies_as_ordered",
        clause: "RFC 5280 4.2.1.4",
        check: policies_as_ordered,
    },
];

const KNOWN: &[Oid] = &[
    Oid::SUBJECT_KEY_IDENTIFIER,
    Oid::AUTHORITY_KEY_IDENTIFIER,
    Oid::BASIC_CONSTRAINTS,
    Oid::KEY_USAGE,
    Oid::EXTENDED_KEY_USAGE,
    Oid::SUBJECT_ALT_NAME,
    Oid::CERTIFICATE_POLICIES,
    Oid::CRL_DISTRIBUTION_POINTS,
    Oid::AUTHORITY_INFO_ACCESS,
];

fn known(subject: &Subject<'_>) -> Result<(), String> {
    let unknown = subject
        .certificate
        .extensions()
        .iter()
        .find(|extension| !KNOWN.contains(&extension.oid));
    unknown.map_or(Ok(()), |extension| {
        Err(format!("extension {} is not one of ours", extension.oid))
    })
}

fn subject_key(subject: &Subject<'_>) -> Result<(), String> {
    let expected = subject.certificate.public_key().key_identifier().to_vec();
    let critical = subject
        .extension(&Oid::SUBJECT_KEY_IDENTIFIER)
        .is_some_and(|e| e.critical);
    let fine = subject.certificate.subject_key_id() == Some(expected) && !critical;
    unless(fine, || "absent, critical or not of the key".to_owned())
}

fn authority_key(subject: &Subject<'_>) -> Result<(), String> {
    let expected = issuer_key_identifier(subject.specimen.issuer.certificate);
    let critical = subject
        .extension(&Oid::AUTHORITY_KEY_IDENTIFIER)
        .is_some_and(|e| e.critical);
    let fine = subject.certificate.authority_key_id() == Some(expected) && !critical;
    unless(fine, || "absent, critical or not of the CA".to_owned())
}

fn policies(subject: &Subject<'_>) -> Result<Vec<Oid>, String> {
    match subject.extension(&Oid::CERTIFICATE_POLICIES) {
        Some(extension) => decode::certificate_policies(&extension.value).map_err(|error| error.to_string()),
        None => Ok(Vec::new()),
    }
}

fn policies_form(subject: &Subject<'_>) -> Result<(), String> {
    let policies = policies(subject)?;
    let fine = all_differ(&policies) && !policies.contains(&Oid::ANY_POLICY);
    unless(fine, || "a policy occurs twice, or is anyPolicy".to_owned())
}

fn policies_as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let same = policies(subject)? == subject.specimen.contents.policies;
    unless(same, || "policies are not the ones ordered".to_owned())
}
