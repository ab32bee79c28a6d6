//! Proof of possession: the requester holds the private key it wants certified.

use portreeve_pkix::{CertificationRequest, PossessionError};

use crate::domain::{KeyRejection, Refusal};

/// A request whose signature was verified under its own key (RFC 2986 section 4.2). Only this step makes one.
#[derive(Clone, Debug)]
pub struct ProvenRequest {
    request: CertificationRequest,
}

impl ProvenRequest {
    /// The request.
    pub const fn request(&self) -> &CertificationRequest {
        &self.request
    }
}

/// Decodes a PKCS#10 request and verifies its signature.
pub(crate) fn prove(der: &[u8]) -> Result<ProvenRequest, Refusal> {
    let request =
        CertificationRequest::from_der(der).map_err(|error| Refusal::Malformed(error.to_string()))?;
    if request.public_key().algorithm() == portreeve_pkix::KeyAlgorithm::Unsupported {
        return Err(Refusal::Key(KeyRejection::Algorithm("not supported".to_owned())));
    }
    match request.verify_possession() {
        Ok(()) => Ok(ProvenRequest { request }),
        Err(PossessionError::WeakAlgorithm) => Err(Refusal::PossessionWeak),
        Err(PossessionError::BadSignature) => Err(Refusal::PossessionNotProven),
    }
}
