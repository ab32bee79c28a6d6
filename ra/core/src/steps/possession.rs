//! Proof of possession: the requester holds the private key it wants certified, and asked through this channel.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use portreeve_pkix::{CertificationRequest, PossessionError, same_names, same_subject};
use subtle::ConstantTimeEq;

use crate::domain::{BindingRejection, Channel, KeyRejection, Linking, Refusal};

/// Characters of a value of `tls-unique` in base64: 12 octets.
const TLS_UNIQUE_CHARS: usize = 16;

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

    /// The request for the names that it asks to be changed to.
    pub(crate) fn renamed(&self) -> Self {
        Self {
            request: self.request.renamed(),
        }
    }
}

/// Decodes a PKCS#10 request and verifies its signature.
pub(crate) fn prove(der: &[u8]) -> Result<ProvenRequest, Refusal> {
    let request =
        CertificationRequest::from_der(der).map_err(|error| Refusal::Malformed(error.to_string()))?;
    proven(request)
}

/// Verifies the signature of a request that was read.
pub(crate) fn proven(request: CertificationRequest) -> Result<ProvenRequest, Refusal> {
    if request.public_key().algorithm() == portreeve_pkix::KeyAlgorithm::Unsupported {
        return Err(Refusal::Key(KeyRejection::Algorithm("not supported".to_owned())));
    }
    match request.verify_possession() {
        Ok(()) => Ok(ProvenRequest { request }),
        Err(PossessionError::WeakAlgorithm) => Err(Refusal::PossessionWeak),
        Err(PossessionError::BadSignature) => Err(Refusal::PossessionNotProven),
    }
}

/// The request for a key that was made for the client: it asks for what the client asked for, and is signed by that key.
pub(crate) fn made_for(received: &ProvenRequest, der: &[u8]) -> Result<ProvenRequest, Refusal> {
    let made = prove(der)?;
    let (asked, got) = (received.request(), made.request());
    let same = same_subject(asked.subject(), got.subject())
        && same_names(asked.names(), got.names())
        && asked.public_key() != got.public_key();
    if !same {
        return Err(Refusal::PossessionNotProven);
    }
    // What the client asked to be changed stands in what it sent.
    Ok(made)
}

/// Whether what a request says about its channel holds (RFC 7030 section 3.5 with the binding of RFC 9266): a value that is
/// there must be right, whether or not there must be one.
pub(crate) fn linked(
    proven: &ProvenRequest,
    channel: Option<&Channel>,
    linking: Linking,
) -> Result<(), BindingRejection> {
    // Elsewhere the attribute means something else, or nothing.
    let Some(channel) = channel else {
        return match linking {
            Linking::Optional => Ok(()),
            Linking::Required => Err(BindingRejection::NoBinding),
        };
    };
    let said = match (proven.request().challenge_password(), linking) {
        (None, Linking::Optional) => return Ok(()),
        (None, Linking::Required) => return Err(BindingRejection::Missing),
        (Some(said), _) => said.trim(),
    };
    if said.len() == TLS_UNIQUE_CHARS && STANDARD.decode(said).is_ok() {
        return Err(BindingRejection::TlsUnique);
    }
    let binding = channel.binding().ok_or(BindingRejection::NoBinding)?;
    let right: bool = STANDARD.encode(binding).as_bytes().ct_eq(said.as_bytes()).into();
    if right {
        Ok(())
    } else {
        Err(BindingRejection::Wrong)
    }
}

#[cfg(test)]
mod tests;
