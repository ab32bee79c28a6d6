//! What an installation certifies for itself: its CAs, its own TLS certificate, its operators. It has no enrollments for
//! these.

use std::collections::BTreeSet;

use portreeve_pkix::{Certificate, pem, sha256};
use portreeve_ra::{Event, ObjectEvent, ObjectKind, Record, StreamKind};

use crate::FaultError;

/// SHA-256 of every TBSCertificate that is one of the installation's own: of the CAs that are published as objects, and
/// of the certificates that are known to be.
pub(super) fn signatures(records: &[Record], known: &[Vec<u8>]) -> Result<BTreeSet<[u8; 32]>, FaultError> {
    let mut own: BTreeSet<[u8; 32]> = known.iter().filter_map(|der| digest(der)).collect();
    for record in records
        .iter()
        .filter(|record| record.header().stream.kind == StreamKind::Object)
    {
        for event in record.events()? {
            match event {
                Event::Object(ObjectEvent::Published(version)) if version.kind == ObjectKind::Ca => {
                    own.insert(ca(&version.body).ok_or(FaultError::Unreadable("CA object"))?);
                }
                _ => {}
            }
        }
    }
    Ok(own)
}

fn ca(body: &str) -> Option<[u8; 32]> {
    let object: toml::Value = toml::from_str(body).ok()?;
    let certificate = pem::decode_all("CERTIFICATE", object.get("certificate")?.as_str()?)
        .ok()?
        .pop()?;
    digest(&certificate)
}

fn digest(der: &[u8]) -> Option<[u8; 32]> {
    Certificate::from_der(der)
        .ok()
        .map(|certificate| sha256(certificate.tbs_der()))
}
