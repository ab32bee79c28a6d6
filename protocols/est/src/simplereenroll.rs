//! A certificate in place of one that the client has (RFC 7030 section 4.2.2).
//!
//! The certificate to be renewed is the one that the connection was made with. Whether the names are its names, the time has
//! come and the key may stay is judged by the RA.

use portreeve_edge::Call;

use crate::error::EstError;
use crate::posted::{Posted, enroll};
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) async fn handle(service: &Service, site: &Site, call: &mut Call) -> Result<Reply, EstError> {
    let posted = Posted::read(service, call).await?;
    enroll(service, site, (posted, portreeve_ra::Operation::Renew)).await
}
