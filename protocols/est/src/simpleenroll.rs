//! A first certificate (RFC 7030 section 4.2.1).

use portreeve_edge::Call;

use crate::error::EstError;
use crate::posted::{Posted, enroll};
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) async fn handle(service: &Service, site: &Site, call: &mut Call) -> Result<Reply, EstError> {
    let posted = Posted::read(service, call).await?;
    enroll(service, site, (posted, portreeve_ra::Operation::Enroll)).await
}
