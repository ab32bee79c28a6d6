//! What is common to the operations that take a PKCS #10 request.

use http::HeaderMap;
use http::header::CONTENT_TYPE;
use portreeve_edge::Call;
use portreeve_ra::{Alongside, Disposition, EnrollmentRequest, Handle, Issuance, Operation, Origin};
use portreeve_wire::est::body::{self, Style};

use crate::credential::Presented;
use crate::error::{EstError, of_refusal};
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// A request that was read and not judged.
pub(crate) struct Posted {
    /// The PKCS #10 request in DER, as received.
    pub(crate) request: Vec<u8>,
    /// How it was written, and the answer will be.
    pub(crate) style: Style,
    presented: Presented,
    origin: Origin,
}

impl Posted {
    /// Reads a request. Who shows nothing of who it is, is asked before anything is made of what it sent; the body is read
    /// whole before, because the client may go on with the same connection.
    pub(crate) async fn read(service: &Service, call: &mut Call) -> Result<Self, EstError> {
        let limit = service.config.body_bytes_max;
        let received = call.body(limit).await?;
        check_content_type(&call.headers)?;
        let presented = Presented::of(&call.headers, &call.peer)?;
        if presented.is_empty() {
            return Err(EstError::Nobody);
        }
        let decoded = body::decode(&received, limit)?;
        let origin = Origin {
            node: service.ra.node(),
            address: Some(call.peer.address),
            request: Some(call.request_id),
        };
        Ok(Self {
            request: decoded.der,
            style: decoded.style,
            presented,
            origin,
        })
    }

    /// The certificate that the connection was made with, if it was made with one.
    pub(crate) fn certificate(&self) -> Option<&[u8]> {
        self.presented.certificate()
    }

    /// The same as the RA takes it.
    pub(crate) fn asking(self, site: &Site, operation: Operation) -> EnrollmentRequest {
        EnrollmentRequest {
            endpoint: site.endpoint.clone(),
            operation,
            credential: self.presented.credential,
            handle: Handle::SameRequest,
            request: self.request,
            channel: self.presented.channel,
            key_maker: None,
            profile_hint: None,
            not_before: None,
            not_after: None,
            origin: self.origin,
            alongside: Alongside::default(),
        }
    }
}

/// Asks the RA, and says what it answers (RFC 7030 section 4.2.3).
pub(crate) async fn enroll(
    service: &Service,
    site: &Site,
    (posted, operation): (Posted, Operation),
) -> Result<Reply, EstError> {
    let style = posted.style;
    let disposition = service.ra.enroll(posted.asking(site, operation)).await?;
    Ok(match Outcome::of(disposition) {
        Outcome::Issued(issuance) => render::issued(&issuance, style),
        Outcome::None(reply) => reply,
    })
}

/// What a request led to.
pub(crate) enum Outcome {
    /// The certificate.
    Issued(Box<Issuance>),
    /// None, yet or ever: the answer that says so.
    None(Reply),
}

impl Outcome {
    /// What the RA answered.
    pub(crate) fn of(disposition: Disposition) -> Self {
        match disposition {
            Disposition::Issued(issuance) => Self::Issued(issuance),
            Disposition::Pending {
                retry_after, waiting, ..
            } => Self::None(render::pending(waiting, retry_after)),
            Disposition::Refused(refusal) => Self::None(of_refusal(&refusal)),
        }
    }
}

/// RFC 7030 section 4.2.1. Parameters change nothing.
fn check_content_type(headers: &HeaderMap) -> Result<(), EstError> {
    let content_type = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .unwrap_or_default();
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    if essence.eq_ignore_ascii_case("application/pkcs10") {
        Ok(())
    } else {
        Err(EstError::ContentType)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types() {
        let rows = [
            ("as RFC 7030 has it", Some("application/pkcs10"), true),
            ("upper case", Some("Application/PKCS10"), true),
            ("with a parameter", Some("application/pkcs10; charset=x"), true),
            ("with a blank", Some("application/pkcs10 ;smime-type=x"), true),
            ("text", Some("text/plain"), false),
            ("something longer", Some("application/pkcs10x"), false),
            ("another", Some("application/pkcs7-mime"), false),
            ("empty", Some(""), false),
            ("absent", None, false),
        ];
        for (name, value, accepted) in rows {
            let headers = value
                .map(|value| (CONTENT_TYPE, value.parse().unwrap()))
                .into_iter()
                .collect();
            assert_eq!(check_content_type(&headers).is_ok(), accepted, "{name}");
        }
    }
}
