//! From an answer to what became of the order.

use std::time::Duration;

use http::StatusCode;
use portreeve_pkix::{Certificate, CertificationRequest, Timestamp};
use portreeve_ra::ports::{CaError, IssueOutcome, IssuedCertificate};
use portreeve_ra::{CertificateContents, Intent};
use portreeve_wire::cms::certs_only;
use portreeve_wire::est::body;

use crate::progress::Progress;
use crate::reply::Reply;

/// When to ask again if a server answers 202 and does not say.
const RETRY_AFTER: Duration = Duration::from_secs(60);
/// Largest certs-only message in base64.
const CERTIFICATES_BYTES_MAX: usize = 1024 * 1024;
/// A certificate that begins so long before it was ordered was made for an earlier order. What is younger goes to the
/// acceptance checks, which know how far this profile dates back.
const EARLIER: Duration = Duration::from_secs(24 * 3600);

/// What was asked for.
pub(crate) struct Asked<'a> {
    pub(crate) request: &'a CertificationRequest,
    pub(crate) contents: &'a CertificateContents,
    pub(crate) intent: &'a Intent,
    /// Whether the server is known to take requests of this node: it has answered this one with 202, or another with a certificate
    /// or 202.
    pub(crate) admitted: bool,
}

/// What became of an order that was answered. An error says that nothing was decided.
pub(crate) fn verdict(reply: &Reply, asked: &Asked<'_>) -> Result<IssueOutcome, CaError> {
    let rejected = || IssueOutcome::Rejected { reason: reply.text() };
    match reply.status {
        StatusCode::OK => Ok(issued(reply, asked)),
        StatusCode::ACCEPTED => Ok(IssueOutcome::Deferred {
            handle: Progress::Pending.handle(),
            retry_after: reply.retry_after.unwrap_or(RETRY_AFTER),
        }),
        // What this server refuses for good: the request itself, or what it asks for.
        StatusCode::BAD_REQUEST
        | StatusCode::CONFLICT
        | StatusCode::GONE
        | StatusCode::PAYLOAD_TOO_LARGE
        | StatusCode::UNPROCESSABLE_ENTITY => Ok(rejected()),
        // Of a node whose requests it takes it is the decision. Else it cannot be told from a right that this node lacks there, for
        // which whoever asked here is not to blame.
        StatusCode::FORBIDDEN if asked.admitted => Ok(rejected()),
        StatusCode::TOO_MANY_REQUESTS | StatusCode::SERVICE_UNAVAILABLE => Err(CaError::Unavailable {
            reason: reply.text(),
            retry_after: reply.retry_after,
        }),
        status if status.is_client_error() || status.is_redirection() => {
            Err(CaError::NeedsOperator(reply.text()))
        }
        // It may have issued before it failed.
        _ => Ok(IssueOutcome::Unknown),
    }
}

/// Takes the certificate out of the answer: that of the key asked for, else the first that is no CA certificate, so that
/// the acceptance checks say what is wrong with it.
fn issued(reply: &Reply, asked: &Asked<'_>) -> IssueOutcome {
    let read = body::decode(&reply.body, CERTIFICATES_BYTES_MAX).ok();
    let Some(mut all) = read.and_then(|body| certs_only::decode(&body.der).ok()) else {
        tracing::warn!(
            content_type = reply.content_type,
            "EST server answered 200 without certificates"
        );
        return IssueOutcome::Unknown;
    };
    let of_key = |certificate: &Certificate| certificate.public_key() == asked.request.public_key();
    let place = all
        .iter()
        .position(of_key)
        .or_else(|| all.iter().position(|certificate| !certificate.is_ca()))
        .or(if all.is_empty() { None } else { Some(0) });
    let Some(place) = place else {
        tracing::warn!("EST server answered 200 with no certificate");
        return IssueOutcome::Unknown;
    };
    let certificate = all.swap_remove(place);
    if certificate.not_before() < earliest(asked) {
        return IssueOutcome::Rejected {
            reason: format!(
                "the server answered with a certificate of {}, made for an earlier request: it takes the same request \
                 for that one until it may be renewed",
                certificate.not_before()
            ),
        };
    }
    IssueOutcome::Issued(IssuedCertificate {
        certificate: certificate.into(),
        chain: all.iter().map(|other| other.der().to_vec()).collect(),
    })
}

fn earliest(asked: &Asked<'_>) -> Timestamp {
    let backdate = asked.contents.validity.backdate;
    asked
        .intent
        .prepared_at
        .saturating_sub(backdate)
        .saturating_sub(EARLIER)
}

/// The certificates of `/cacerts`.
pub(crate) fn ca_certificates(reply: &Reply) -> Result<Vec<Certificate>, String> {
    if reply.status != StatusCode::OK {
        return Err(reply.text());
    }
    let body = body::decode(&reply.body, CERTIFICATES_BYTES_MAX).map_err(|error| error.to_string())?;
    certs_only::decode(&body.der).map_err(|error| error.to_string())
}
