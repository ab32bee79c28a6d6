//! Acceptance: whatever a CA returns is compared with what was ordered before anybody sees it.

use portreeve_pkix::{Certificate, GeneralName, IssuerChain, Oid, Timestamp, decode};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{CertificateContents, Intent, IntentBody};
use crate::ports::IssuedCertificate;

/// How far a CA's clock may be from ours.
const SKEW: Duration = Duration::from_secs(600);

/// Both ends of a validity belong to it (RFC 5280 section 4.1.2.5).
const SECOND: Duration = Duration::from_secs(1);

/// Extensions a CA may add by itself: key identifiers, its own addresses, noRevAvail. None of them may be critical
/// (RFC 5280 sections 4.2.1.1, 4.2.1.2 and 4.2.2.1, RFC 9608 section 2).
const CA_EXTENSIONS: [Oid; 5] = [
    Oid::AUTHORITY_KEY_IDENTIFIER,
    Oid::SUBJECT_KEY_IDENTIFIER,
    Oid::CRL_DISTRIBUTION_POINTS,
    Oid::AUTHORITY_INFO_ACCESS,
    Oid::NO_REV_AVAIL,
];

/// Signed certificate timestamps (RFC 6962 section 3.3), which a CA may add as well.
const TRANSPARENCY: &str = "1.3.6.1.4.1.11129.2.4.2";

/// Extensions whose values are compared with what was ordered.
const COMPARED_EXTENSIONS: [Oid; 5] = [
    Oid::BASIC_CONSTRAINTS,
    Oid::SUBJECT_ALT_NAME,
    Oid::KEY_USAGE,
    Oid::EXTENDED_KEY_USAGE,
    Oid::CERTIFICATE_POLICIES,
];

/// A certificate that passed.
#[derive(Debug)]
pub(crate) struct Accepted {
    pub(crate) certificate: Certificate,
    /// From the issuer upwards, without the root.
    pub(crate) chain: Vec<Certificate>,
}

/// Compares a certificate with what was ordered, and builds its path to the pinned issuer.
pub(crate) fn accept(
    contents: &CertificateContents,
    intent: &Intent,
    issued: &IssuedCertificate,
    pinned: &IssuerChain,
    now: Timestamp,
) -> Result<Accepted, String> {
    let certificate = issued
        .certificate
        .decoded()
        .map_err(|error| format!("certificate does not decode: {error}"))?;
    check_contents(contents, &certificate)?;
    check_validity(contents, intent, &certificate, now)?;
    check_extensions(contents, &certificate)?;
    if let IntentBody::Tbs { serial, tbs } = &intent.body
        && (certificate.serial() != serial || certificate.tbs_der() != tbs.as_slice())
    {
        return Err("certificate is not the one that was prepared".to_owned());
    }
    // A CA whose clock is ahead of ours makes a certificate that is valid in a moment.
    let at = now.max(certificate.not_before());
    pinned
        .check(&certificate, at)
        .map_err(|error| format!("chain: {error}"))?;
    let chain = pinned
        .issuers()
        .iter()
        .filter(|issuer| issuer.issuer_der() != issuer.subject_der())
        .cloned()
        .collect();
    Ok(Accepted { certificate, chain })
}

fn check_contents(contents: &CertificateContents, certificate: &Certificate) -> Result<(), String> {
    if certificate.public_key() != &contents.public_key {
        return Err("public key is not that of the request".to_owned());
    }
    if certificate.is_ca() {
        return Err("certificate is a CA certificate".to_owned());
    }
    if certificate.subject() != &contents.subject {
        return Err(format!(
            "subject is {}, not {}",
            certificate.subject(),
            contents.subject
        ));
    }
    let ordered: BTreeSet<&GeneralName> = contents.names.iter().collect();
    let given: BTreeSet<&GeneralName> = certificate.names().iter().collect();
    if ordered != given {
        return Err("subject alternative names are not the ones ordered".to_owned());
    }
    Ok(())
}

fn check_validity(
    contents: &CertificateContents,
    intent: &Intent,
    certificate: &Certificate,
    now: Timestamp,
) -> Result<(), String> {
    let (from, to) = (certificate.not_before(), certificate.not_after());
    let earliest = intent
        .prepared_at
        .saturating_sub(contents.validity.backdate)
        .saturating_sub(SKEW);
    if from < earliest {
        return Err("validity begins too early".to_owned());
    }
    if from > now.saturating_add(SKEW) {
        return Err("certificate is not valid yet".to_owned());
    }
    if to <= now {
        return Err("certificate has expired".to_owned());
    }
    if to.since(from).saturating_add(SECOND) > contents.validity.lifetime {
        return Err("validity is longer than ordered".to_owned());
    }
    Ok(())
}

fn check_extensions(contents: &CertificateContents, certificate: &Certificate) -> Result<(), String> {
    for extension in certificate.extensions() {
        let oid = &extension.oid;
        if COMPARED_EXTENSIONS.contains(oid) {
            continue;
        }
        if !CA_EXTENSIONS.contains(oid) && oid.to_string() != TRANSPARENCY {
            return Err(format!("extension {oid} was not ordered"));
        }
        if extension.critical {
            return Err(format!("extension {oid} is critical"));
        }
    }
    if certificate.key_usage().unwrap_or_default() != contents.key_usage {
        return Err("key usage is not the one ordered".to_owned());
    }
    let usages = certificate.extended_key_usage();
    let given: BTreeSet<&Oid> = usages.into_iter().flatten().collect();
    if given != contents.extended_key_usage.iter().collect() {
        return Err("extended key usage is not the one ordered".to_owned());
    }
    let policies = certificate
        .extension(&Oid::CERTIFICATE_POLICIES)
        .map(|extension| decode::certificate_policies(&extension.value))
        .transpose()
        .map_err(|error| format!("certificate policies do not decode: {error}"))?;
    let given: BTreeSet<&Oid> = policies.iter().flatten().collect();
    if given != contents.policies.iter().collect() {
        return Err("certificate policies are not the ones ordered".to_owned());
    }
    Ok(())
}

#[cfg(test)]
mod tests;
