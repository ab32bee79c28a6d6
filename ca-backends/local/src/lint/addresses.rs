//! The addresses of the CA.

use portreeve_pkix::{Extension, Oid, decode};

use super::{Rule, Subject, unless};
use crate::addresses::check_address;

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "crl_addresses",
        clause: "RFC 5280 4.2.1.13",
        check: crl,
    },
    Rule {
        name: "authority_information",
        clause: "RFC 5280 4.2.2.1",
        check: authority_information,
    },
];

fn crl(subject: &Subject<'_>) -> Result<(), String> {
    let Some(extension) = subject.extension(&Oid::CRL_DISTRIBUTION_POINTS) else {
        return Ok(());
    };
    let found = decode::crl_distribution_points(&extension.value).map_err(|error| error.to_string())?;
    check(extension, &found)
}

fn authority_information(subject: &Subject<'_>) -> Result<(), String> {
    let Some(extension) = subject.extension(&Oid::AUTHORITY_INFO_ACCESS) else {
        return Ok(());
    };
    let access = decode::authority_info_access(&extension.value).map_err(|error| error.to_string())?;
    check(extension, &[access.ca_issuers, access.ocsp].concat())
}

fn check(extension: &Extension, found: &[String]) -> Result<(), String> {
    unless(!extension.critical && !found.is_empty(), || {
        "critical, or without an address".to_owned()
    })?;
    found
        .iter()
        .try_for_each(|address| check_address(address).map_err(|error| error.to_string()))
}
