//! The certificates of the CA (RFC 7030 section 4.1). Anybody may have them: a client that knows nothing yet begins here.

use portreeve_edge::Call;

use crate::error::EstError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) async fn handle(service: &Service, site: &Site, call: &Call) -> Result<Reply, EstError> {
    let style = site.style(&call.headers, &service.config);
    let certificates = service.authorities.of(&site.endpoint).await?;
    Ok(render::certificates(&certificates, style))
}
