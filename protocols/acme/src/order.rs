//! An order: where it stands (RFC 8555 section 7.1.6), and reading it (section 7.4).

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;
use portreeve_pkix::Timestamp;
use portreeve_ra::{ClaimHandle, Credential, Disposition, Issuance, Operation, Origin, Refusal};

use crate::attempts;
use crate::authenticate::AccountRequest;
use crate::document::{Authorization, Order, OrderId, Progress, Standing, Stored};
use crate::error::{AcmeError, of_refusal};
use crate::problem::{Failure, ProblemType};
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// Where an order stands.
#[derive(Debug)]
pub(crate) enum OrderStatus {
    Pending,
    Ready,
    Processing { retry_after: Duration },
    Valid(Box<Issuance>),
    Invalid(Option<Failure>),
}

impl OrderStatus {
    pub(crate) const fn as_str(&self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Ready => "ready",
            Self::Processing { .. } => "processing",
            Self::Valid(_) => "valid",
            Self::Invalid(_) => "invalid",
        }
    }

    /// Of an order that is not finalized: it follows from its authorizations and the time; one that is gone counts for
    /// nothing. It says what the protocol allows next; whether the names are proven is judged by the RA from signed events.
    pub(crate) fn of_open(order: &Order, authorizations: &[Stored<Authorization>], now: Timestamp) -> Self {
        if now >= order.expires_at {
            return Self::Invalid(None);
        }
        let valid = authorizations
            .iter()
            .filter(|stored| stored.value.is_valid_at(now))
            .count();
        let pending = authorizations
            .iter()
            .filter(|stored| stored.value.is_pending_at(now))
            .count();
        match order.authorizations.len() {
            all if valid == all => Self::Ready,
            all if valid + pending == all => Self::Pending,
            _ => Self::Invalid(None),
        }
    }

    /// Of an order that the RA knows.
    pub(crate) fn of_known(disposition: Disposition, site: &Site) -> Self {
        match disposition {
            Disposition::Issued(issuance) => Self::Valid(issuance),
            Disposition::Pending { retry_after, .. } => Self::Processing { retry_after },
            Disposition::Refused(refusal) => Self::Invalid(Some(of_refusal(&refusal, site).failure)),
        }
    }
}

/// The handle under which the RA knows the enrollment of an order.
pub(crate) fn handle_of(order: OrderId) -> ClaimHandle {
    ClaimHandle(order.as_bytes().to_vec())
}

/// The order, if it is one of this account. A foreign one and a missing one look the same.
pub(crate) fn owned(
    site: &Site,
    by: &AccountRequest,
    order: Option<Stored<Order>>,
) -> Result<Stored<Order>, AcmeError> {
    order
        .filter(|order| order.value.account == by.id && order.value.endpoint == site.endpoint)
        .ok_or(AcmeError::NotFound)
}

/// Where an order stands. A validation that was cut off is taken up again.
pub(crate) async fn status(
    service: &Arc<Service>,
    site: &Site,
    by: &AccountRequest,
    order: &Stored<Order>,
) -> Result<OrderStatus, AcmeError> {
    match &order.value.progress {
        Progress::Failed(failure) => Ok(OrderStatus::Invalid(Some(failure.clone()))),
        Progress::Finalized { .. } => {
            known(service, site, (&by.credential(), &by.request.origin), order.id).await
        }
        Progress::Open => {
            let ids = order.value.authorizations.iter().map(|id| *id.as_bytes());
            let authorizations = service.documents::<Authorization>(ids).await?;
            for authorization in authorizations
                .iter()
                .filter(|stored| stored.value.standing == Standing::Pending)
            {
                attempts::take_up(service, authorization, by);
            }
            Ok(OrderStatus::of_open(&order.value, &authorizations, service.now()))
        }
    }
}

/// Where the enrollment of a finalized order stands.
async fn known(
    service: &Service,
    site: &Site,
    who: (&Credential, &Origin),
    id: [u8; 16],
) -> Result<OrderStatus, AcmeError> {
    let handle = handle_of(OrderId::from_bytes(id));
    match service
        .ra
        .resume(&site.endpoint, Operation::Enroll, &handle, who)
        .await
    {
        Ok(disposition) => Ok(OrderStatus::of_known(disposition, site)),
        Err(portreeve_ra::Error::Refused(Refusal::UnknownRequest)) => {
            let detail = "the certificate of this order is no longer kept here";
            let failure = Failure::new(StatusCode::NOT_FOUND, ProblemType::Malformed, detail);
            Ok(OrderStatus::Invalid(Some(failure)))
        }
        Err(error) => Err(error.into()),
    }
}

/// The answer that shows an order, with the time to come back when there is something to wait for.
pub(crate) fn reply(service: &Service, site: &Site, order: &Stored<Order>, status: &OrderStatus) -> Reply {
    let reply = Reply::json(StatusCode::OK, &render::order(site, order, status))
        .location(&site.order(OrderId::from_bytes(order.id)));
    match status {
        OrderStatus::Processing { retry_after } => reply.retry_after(*retry_after),
        OrderStatus::Pending => reply.retry_after(service.config.retry_after.order),
        OrderStatus::Ready | OrderStatus::Valid(_) | OrderStatus::Invalid(_) => reply,
    }
}

pub(crate) async fn handle(
    service: &Arc<Service>,
    site: &Site,
    by: AccountRequest,
    order: Option<Stored<Order>>,
) -> Result<Reply, AcmeError> {
    by.request.only_reads()?;
    let order = owned(site, &by, order)?;
    let status = status(service, site, &by, &order).await?;
    Ok(reply(service, site, &order, &status))
}

#[cfg(test)]
#[path = "order/tests.rs"]
mod tests;
