//! A certificate and the key that it is for (RFC 7030 section 4.4).
//!
//! The request's own key is ignored, its names are a request like any other. The private key is made when the RA has
//! admitted whoever asks, stays in memory until the answer is written, and is neither stored nor logged. Who asks again,
//! gets another.

mod maker;
mod protection;

use std::sync::Arc;

use portreeve_edge::Call;
use portreeve_pkix::CertificationRequest;
use portreeve_ra::Operation;
use portreeve_wire::est::multipart::{self, KeyPart};

use crate::error::EstError;
use crate::posted::{Outcome, Posted};
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

use maker::Maker;
use protection::Protection;

pub(crate) async fn handle(service: &Service, site: &Site, call: &mut Call) -> Result<Reply, EstError> {
    let posted = Posted::read(service, call).await?;
    let style = posted.style;
    let request = CertificationRequest::from_der(&posted.request)?;
    // What cannot be encrypted as it is asked is refused before a key is made.
    let protection = Protection::asked_by(&request, posted.certificate())?;
    let maker = Arc::new(Maker::new(Arc::clone(&service.key_pairs)));
    let mut asking = posted.asking(site, Operation::GenerateKey);
    asking.key_maker = Some(Arc::clone(&maker) as _);
    let issuance = match Outcome::of(service.ra.enroll(asking).await?) {
        Outcome::Issued(issuance) => issuance,
        Outcome::None(reply) => return Ok(reply),
    };
    let pair = maker
        .take()
        .filter(|pair| pair.public_key() == issuance.certificate.public_key())
        .ok_or(EstError::KeyGone)?;
    let certificate = render::leaf(&issuance);
    let body = match protection.seal(&pair, service.key_origin.as_ref())? {
        None => multipart::encode(&KeyPart::Plain(pair.pkcs8()), &certificate, style),
        Some(message) => multipart::encode(&KeyPart::Protected(&message), &certificate, style),
    };
    Ok(Reply::multipart(multipart::CONTENT_TYPE, body))
}
