//! The documents of EST as answers.

use std::time::Duration;

use http::StatusCode;
use portreeve_pkix::Certificate;
use portreeve_ra::{Issuance, Waiting};
use portreeve_wire::cms::certs_only;
use portreeve_wire::est::CsrAttributes;
use portreeve_wire::est::body::{self, Style};

use crate::reply::Reply;

/// RFC 7030 section 4.1.3.
const CERTIFICATES: &str = "application/pkcs7-mime";
/// RFC 7030 section 4.2.3.
const CERTIFICATE: &str = "application/pkcs7-mime; smime-type=certs-only";
/// RFC 7030 section 4.5.2.
const ATTRIBUTES: &str = "application/csrattrs";

/// The certificates of a CA.
pub(crate) fn certificates(certificates: &[Certificate], style: Style) -> Reply {
    let ders: Vec<&[u8]> = certificates.iter().map(Certificate::der).collect();
    Reply::document(CERTIFICATES, body::encode(&certs_only::encode(&ders), style))
}

/// A certificate that was issued, and no other (RFC 7030 section 4.2.3).
pub(crate) fn issued(issuance: &Issuance, style: Style) -> Reply {
    Reply::document(CERTIFICATE, body::encode(&leaf(issuance), style))
}

/// The same as a certs-only message.
pub(crate) fn leaf(issuance: &Issuance) -> Vec<u8> {
    certs_only::encode(&[issuance.certificate.der()])
}

/// What a request should look like.
pub(crate) fn attributes(attributes: &CsrAttributes, style: Style) -> Reply {
    Reply::document(ATTRIBUTES, body::encode(&attributes.to_der(), style))
}

/// Nothing is known yet; the same request is to be sent again.
pub(crate) fn pending(waiting: Waiting, retry_after: Duration) -> Reply {
    let words = match waiting {
        Waiting::Approval => "the request waits for a decision; send it again later",
        Waiting::Issuance => "the certificate is being made; send the request again later",
        Waiting::Operator => "the request waits for an operator; send it again later",
    };
    Reply::text(StatusCode::ACCEPTED, words).retry_after(retry_after)
}
