//! revokeCert (RFC 8555 section 7.6): by an account, or by the key of the certificate. The RA knows the rights.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use portreeve_pkix::Certificate;
use portreeve_ra::{Credential, RevocationReason, RevocationRequest, RevocationTarget};
use serde::Deserialize;

use crate::authenticate::EitherRequest;
use crate::error::AcmeError;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

#[derive(Deserialize)]
pub(crate) struct Revocation {
    pub(crate) certificate: String,
    #[serde(default)]
    pub(crate) reason: i64,
}

pub(crate) async fn handle(service: &Service, site: &Site, by: EitherRequest) -> Result<Reply, AcmeError> {
    let (credential, request) = match by {
        EitherRequest::Account(by) => (by.credential(), by.request),
        EitherRequest::Key(by) => (Credential::Key(by.key), by.request),
    };
    let wish: Revocation = request.object()?;
    let revocation = RevocationRequest {
        endpoint: site.endpoint.clone(),
        credential,
        target: RevocationTarget::Certificate(certificate(&wish.certificate)?),
        reason: reason(wish.reason)?,
        alongside: request.alongside(Vec::new()),
        origin: request.origin,
    };
    service.ra.revoke(revocation).await?;
    Ok(Reply::empty(StatusCode::OK))
}

pub(crate) fn certificate(text: &str) -> Result<Vec<u8>, AcmeError> {
    let malformed = AcmeError::Malformed("the certificate is not DER in base64url without padding");
    let der = URL_SAFE_NO_PAD
        .decode(text)
        .ok()
        .filter(|der| Certificate::from_der(der).is_ok());
    der.ok_or(malformed)
}

/// The reasons a subscriber can know. The others are for the CA to give.
pub(crate) fn reason(number: i64) -> Result<RevocationReason, AcmeError> {
    let known = u64::try_from(number).ok().and_then(RevocationReason::from_number);
    match known {
        Some(
            reason @ (RevocationReason::Unspecified
            | RevocationReason::KeyCompromise
            | RevocationReason::AffiliationChanged
            | RevocationReason::Superseded
            | RevocationReason::CessationOfOperation
            | RevocationReason::PrivilegeWithdrawn),
        ) => Ok(reason),
        Some(
            RevocationReason::CaCompromise
            | RevocationReason::CertificateHold
            | RevocationReason::AaCompromise,
        )
        | None => Err(AcmeError::RevocationReason(number)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reasons() {
        for number in -1..=12 {
            let accepted = [0, 1, 3, 4, 5, 9].contains(&number);
            assert_eq!(reason(number).is_ok(), accepted, "{number}");
        }
    }

    #[test]
    fn what_is_no_certificate_is_malformed() {
        for text in ["", "AAAA", "not base64url", "MA"] {
            assert!(
                matches!(certificate(text), Err(AcmeError::Malformed(_))),
                "{text}"
            );
        }
    }
}
