//! The safety half of a load test: every certificate is what was asked for, and no two are the same.
//!
//! Deliberately none of the gateway's own code: parsing by `x509-parser`, paths by `rustls-webpki`.

use std::collections::{BTreeSet, HashSet};
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, TrustAnchor, UnixTime};
use webpki::{EndEntityCert, KeyUsage, anchor_from_trusted_cert};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::connection::read_pem;
use crate::error::LoadError;
use crate::prepare::Request;

const VIOLATIONS_SHOWN: usize = 20;

/// A certificate that arrived.
#[derive(Debug)]
pub(crate) struct Issued {
    /// What was asked for.
    pub(crate) request: Request,
    /// The PEM chain.
    pub(crate) chain: Bytes,
}

/// What the checks showed.
#[derive(Debug, Default)]
pub(crate) struct Verification {
    /// Certificates in which nothing was wrong.
    pub(crate) verified: u64,
    /// What must never happen and did.
    pub(crate) violations: Vec<String>,
}

/// Checks all certificates of a run against their requests and against each other.
pub(crate) fn verify(issued: &[Issued], ca_root: Option<&Path>) -> Result<Verification, LoadError> {
    let roots = ca_root.map(read_pem).transpose()?.unwrap_or_default();
    let mut serials = HashSet::new();
    let mut verification = Verification::default();
    for certificate in issued {
        let found = check(certificate, (&roots, &mut serials));
        verification.verified += u64::from(found.is_empty());
        verification.violations.extend(
            found
                .into_iter()
                .map(|violation| format!("{}: {violation}", certificate.request.name)),
        );
    }
    let violations = &mut verification.violations;
    let more = violations.len().saturating_sub(VIOLATIONS_SHOWN);
    if more > 0 {
        violations.truncate(VIOLATIONS_SHOWN);
        violations.push(format!("and {more} more"));
    }
    Ok(verification)
}

type Known<'a> = (&'a [CertificateDer<'static>], &'a mut HashSet<Vec<u8>>);

fn check(issued: &Issued, (roots, serials): Known<'_>) -> Vec<String> {
    let request = &issued.request;
    let chain: Vec<CertificateDer<'_>> = match CertificateDer::pem_slice_iter(&issued.chain).collect() {
        Ok(chain) => chain,
        Err(error) => return vec![format!("the chain is not PEM: {error}")],
    };
    let Some((leaf, issuers)) = chain.split_first() else {
        return vec!["the chain is empty".to_owned()];
    };
    let Ok((rest, parsed)) = X509Certificate::from_der(leaf) else {
        return vec!["the certificate cannot be parsed".to_owned()];
    };
    let mut found = Vec::new();
    if !rest.is_empty() {
        found.push("bytes after the certificate".to_owned());
    }
    if parsed.public_key().raw != request.public_key {
        found.push("another key than in the request".to_owned());
    }
    match names(&parsed) {
        Some(names) if names == BTreeSet::from([request.name.clone()]) => {}
        names => found.push(format!("names {names:?} instead of the one asked for")),
    }
    if parsed.is_ca() {
        found.push("a CA certificate".to_owned());
    }
    if !serials.insert(parsed.raw_serial().to_vec()) {
        found.push(format!(
            "serial {} was issued before",
            parsed.raw_serial_as_string()
        ));
    }
    if let Err(error) = path(leaf, issuers, roots) {
        found.push(format!("the chain does not verify: {error}"));
    }
    found
}

/// The DNS names; `None` when the subjectAltName is absent or holds anything else.
fn names(certificate: &X509Certificate<'_>) -> Option<BTreeSet<String>> {
    let extension = certificate.subject_alternative_name().ok()??;
    let names = extension.value.general_names.iter().map(|name| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        _ => None,
    });
    names.collect()
}

/// The path to a root; with no root known the last certificate of the chain is taken for one.
fn path(
    leaf: &CertificateDer<'_>,
    issuers: &[CertificateDer<'_>],
    roots: &[CertificateDer<'static>],
) -> Result<(), webpki::Error> {
    let anchors: Vec<TrustAnchor<'_>> = if roots.is_empty() {
        issuers
            .last()
            .into_iter()
            .map(anchor_from_trusted_cert)
            .collect::<Result<_, _>>()?
    } else {
        roots
            .iter()
            .map(anchor_from_trusted_cert)
            .collect::<Result<_, _>>()?
    };
    let now = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap_or_default();
    // Clocks of one machine: a certificate that begins this very second is valid.
    let now = UnixTime::since_unix_epoch(now + Duration::from_secs(1));
    EndEntityCert::try_from(leaf)?
        .verify_for_usage(
            webpki::ALL_VERIFICATION_ALGS,
            &anchors,
            issuers,
            now,
            KeyUsage::server_auth(),
            None,
            None,
        )
        .map(|_| ())
}

#[cfg(test)]
mod tests {
    use rcgen::{
        BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, PublicKeyData, SerialNumber,
    };

    use super::*;

    struct Authority {
        issuer: Issuer<'static, KeyPair>,
        root: CertificateDer<'static>,
    }

    fn authority(name: &str) -> Authority {
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::default();
        parameters.distinguished_name.push(DnType::CommonName, name);
        parameters.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = parameters.self_signed(&key).unwrap().der().clone();
        Authority {
            issuer: Issuer::new(parameters, key),
            root,
        }
    }

    fn issued(chain: String) -> Issued {
        let request = Request {
            name: "a.test".to_owned(),
            csr: Vec::new(),
            public_key: Vec::new(),
        };
        Issued {
            request,
            chain: Bytes::from(chain),
        }
    }

    fn issue(authority: &Authority, names: &[&str], serial: u64, key: &KeyPair) -> Issued {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.serial_number = Some(SerialNumber::from(serial));
        let chain = parameters.signed_by(key, &authority.issuer).unwrap().pem();
        issued(chain)
    }

    #[test]
    fn violations_are_found() {
        let (ours, foreign) = (authority("ours"), authority("foreign"));
        let (key, other_key) = (KeyPair::generate().unwrap(), KeyPair::generate().unwrap());
        let rows = [
            ("as asked for", issue(&ours, &["a.test"], 1, &key), None),
            (
                "same serial",
                issue(&ours, &["a.test"], 1, &key),
                Some("issued before"),
            ),
            (
                "other key",
                issue(&ours, &["a.test"], 2, &other_key),
                Some("another key"),
            ),
            (
                "other name",
                issue(&ours, &["b.test"], 3, &key),
                Some("instead of"),
            ),
            (
                "more names",
                issue(&ours, &["a.test", "b.test"], 4, &key),
                Some("instead of"),
            ),
            ("no names", issue(&ours, &[], 5, &key), Some("instead of")),
            (
                "other issuer",
                issue(&foreign, &["a.test"], 6, &key),
                Some("does not verify"),
            ),
            ("nothing", issued(String::new()), Some("empty")),
        ];
        let mut serials = HashSet::new();
        for (name, mut issued, expected) in rows {
            issued.request.public_key = key.subject_public_key_info();
            let found = check(&issued, (std::slice::from_ref(&ours.root), &mut serials));
            match expected {
                None => assert!(found.is_empty(), "{name}: {found:?}"),
                Some(part) => assert!(found.iter().any(|one| one.contains(part)), "{name}: {found:?}"),
            }
        }
    }
}
