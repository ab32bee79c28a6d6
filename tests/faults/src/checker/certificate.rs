//! What an enrollment says about its certificate.

use portreeve_pkix::{Certificate, sha256};
use portreeve_ra::{Enrollment, IntentBody};

/// Octets of a serial number in the store, zeros in front.
const SERIAL_COLUMN: usize = 20;

/// SHA-256 of what was about to be signed.
pub(super) fn intended(enrollment: &Enrollment) -> Option<[u8; 32]> {
    match &enrollment.intent()?.body {
        IntentBody::Tbs { tbs, .. } => Some(sha256(tbs)),
        IntentBody::Upstream { .. } => None,
    }
}

/// SHA-256 of what was signed.
pub(super) fn tbs(certificate: &[u8]) -> Option<[u8; 32]> {
    Certificate::from_der(certificate)
        .ok()
        .map(|certificate| sha256(certificate.tbs_der()))
}

/// The serial number as the store keeps it.
pub(super) fn serial(enrollment: &Enrollment) -> Option<Vec<u8>> {
    let (certificate, _) = enrollment.certificate()?;
    let certificate = Certificate::from_der(certificate).ok()?;
    let octets = certificate.serial().as_bytes();
    let padding = SERIAL_COLUMN.saturating_sub(octets.len());
    Some([&vec![0; padding], octets].concat())
}
