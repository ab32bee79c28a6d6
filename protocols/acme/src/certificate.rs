//! Downloading a certificate (RFC 8555 section 7.4.2): the leaf and its issuers as PEM, without the root.

use std::sync::Arc;

use http::StatusCode;
use portreeve_pkix::pem;
use portreeve_ra::Issuance;

use crate::authenticate::AccountRequest;
use crate::document::{Order, Progress, Stored};
use crate::error::AcmeError;
use crate::order::{self, OrderStatus};
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// RFC 8555 section 9.1.
const PEM_CHAIN: &str = "application/pem-certificate-chain";

pub(crate) async fn handle(
    service: &Arc<Service>,
    site: &Site,
    by: AccountRequest,
    order: Option<Stored<Order>>,
) -> Result<Reply, AcmeError> {
    by.request.only_reads()?;
    let order = order::owned(site, &by, order)?;
    if !matches!(order.value.progress, Progress::Finalized { .. }) {
        return Err(AcmeError::NotFound);
    }
    match order::status(service, site, &by, &order).await? {
        OrderStatus::Valid(issuance) => Ok(Reply::of(StatusCode::OK, PEM_CHAIN, chain(&issuance))),
        OrderStatus::Pending
        | OrderStatus::Ready
        | OrderStatus::Processing { .. }
        | OrderStatus::Invalid(_) => Err(AcmeError::NotFound),
    }
}

fn chain(issuance: &Issuance) -> String {
    let certificates = std::iter::once(&issuance.certificate).chain(&issuance.chain);
    certificates
        .map(|certificate| pem::encode("CERTIFICATE", certificate.der()))
        .collect()
}
