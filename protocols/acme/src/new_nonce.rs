//! A fresh nonce (RFC 8555 section 7.2): 200 for HEAD, 204 for GET.

use http::{Method, StatusCode};

use crate::error::AcmeError;
use crate::reply::Reply;
use crate::service::Service;

pub(crate) fn handle(service: &Service, method: &Method) -> Result<Reply, AcmeError> {
    let status = if *method == Method::HEAD {
        StatusCode::OK
    } else {
        StatusCode::NO_CONTENT
    };
    // An answer to a POST gets its nonce where all of them do.
    if *method == Method::POST {
        return Ok(Reply::empty(status));
    }
    let nonce = service.nonces.issue().map_err(portreeve_ra::Error::from)?;
    Ok(Reply::empty(status).nonce(&nonce))
}
