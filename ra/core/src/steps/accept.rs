//! Acceptance: whatever a CA returns is compared with what was ordered before anybody sees it.

use portreeve_pkix::{Certificate, GeneralName, Oid, Timestamp, check_path};
use std::collections::BTreeSet;
use std::time::Duration;

use crate::domain::{CertificateContents, Intent, IntentBody};
use crate::ports::IssuedCertificate;

/// How far a CA's clock may be from ours.
const SKEW: Duration = Duration::from_secs(600);

/// Extensions a CA may add by itself: key identifiers, its own addresses, certificate transparency, noRevAvail.
const CA_EXTENSIONS: [&str; 7] = [
    "2.5.29.35",
    "2.5.29.14",
    "2.5.29.31",
    "1.3.6.1.5.5.7.1.1",
    "1.3.6.1.4.1.11129.2.4.2",
    "2.5.29.56",
    "2.5.29.19",
];

const SUBJECT_ALT_NAME: &str = "2.5.29.17";
const KEY_USAGE: &str = "2.5.29.15";
const EXTENDED_KEY_USAGE: &str = "2.5.29.37";
const CERTIFICATE_POLICIES: &str = "2.5.29.32";

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
    pinned: &[Certificate],
    now: Timestamp,
) -> Result<Accepted, String> {
    let certificate = Certificate::from_der(&issued.certificate)
        .map_err(|error| format!("certificate does not decode: {error}"))?;
    check_contents(contents, &certificate)?;
    check_validity(contents, intent, &certificate, now)?;
    check_extensions(contents, &certificate)?;
    if let IntentBody::Tbs { serial, tbs } = &intent.body
        && (certificate.serial() != serial || certificate.tbs_der() != tbs.as_slice())
    {
        return Err("certificate is not the one that was prepared".to_owned());
    }
    let chain: Vec<Certificate> = pinned.to_vec();
    check_path(&certificate, &chain, now).map_err(|error| format!("chain: {error}"))?;
    let chain = chain
        .into_iter()
        .filter(|issuer| issuer.issuer_der() != issuer.subject_der())
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
    if to.since(from) > contents.validity.lifetime {
        return Err("validity is longer than ordered".to_owned());
    }
    Ok(())
}

fn check_extensions(contents: &CertificateContents, certificate: &Certificate) -> Result<(), String> {
    let policies_ordered = !contents.policies.is_empty();
    for extension in certificate.extensions() {
        let oid = extension.oid.to_string();
        let expected = CA_EXTENSIONS.contains(&oid.as_str())
            || oid == SUBJECT_ALT_NAME
            || oid == KEY_USAGE
            || oid == EXTENDED_KEY_USAGE
            || (oid == CERTIFICATE_POLICIES && policies_ordered);
        if !expected {
            return Err(format!("extension {oid} was not ordered"));
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
    Ok(())
}
