//! The list of an account's orders (RFC 8555 section 7.1.2.1), newest first, page by page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use portreeve_ra::AccountId;
use portreeve_ra::ports::{Cursor, Page, StoreError, StoredDocument};
use serde_json::json;

use crate::authenticate::AccountRequest;
use crate::document::{Authorization, Document, Order, OrderId, Progress, Stored, by_account};
use crate::error::AcmeError;
use crate::order::OrderStatus;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// The longest cursor that is read.
const CURSOR_MAX: usize = 256;

const NOT_OURS: AcmeError = AcmeError::Malformed("the cursor is not one of ours");

pub(crate) async fn handle(
    service: &Service,
    site: &Site,
    by: AccountRequest,
    (id, query): (AccountId, Option<String>),
) -> Result<Reply, AcmeError> {
    if by.id != id {
        return Err(AcmeError::NotFound);
    }
    by.request.only_reads()?;
    let after = query.as_deref().map(cursor).transpose()?;
    let page = page(service, id, after.as_ref()).await?;
    let mut orders = Vec::with_capacity(page.items.len());
    for document in &page.items {
        orders.push(Stored::<Order>::read(document)?);
    }
    orders.retain(|order| order.value.endpoint == site.endpoint);
    let urls: Vec<String> = without_invalid(service, orders)
        .await?
        .iter()
        .map(|order| site.order(OrderId::from_bytes(order.id)))
        .collect();
    let reply = Reply::json(StatusCode::OK, &json!({ "orders": urls }));
    Ok(match page.next {
        Some(Cursor(next)) => {
            let next = URL_SAFE_NO_PAD.encode(next);
            reply.link(&format!("{}?cursor={next}", site.orders(id)), "next")
        }
        None => reply,
    })
}

/// A page of all orders of an account. A cursor that the store cannot use, where it can read the list, is not ours.
async fn page(
    service: &Service,
    id: AccountId,
    after: Option<&Cursor>,
) -> Result<Page<StoredDocument>, AcmeError> {
    let limit = service.config.orders_per_page.max(1);
    let key = by_account(id);
    let found = service.documents.find(Order::KIND, &key, after, limit).await;
    if after.is_some() && matches!(found, Err(StoreError::Broken(_))) {
        service.documents.find(Order::KIND, &key, None, limit).await?;
        return Err(NOT_OURS);
    }
    Ok(found?)
}

/// RFC 8555 section 7.1.2.1: orders that are invalid should be left out. How a finalized one ended is not asked: the
/// RA would have to verify each.
async fn without_invalid(
    service: &Service,
    orders: Vec<Stored<Order>>,
) -> Result<Vec<Stored<Order>>, AcmeError> {
    let now = service.now();
    let is_open = |order: &Order| order.progress == Progress::Open && now < order.expires_at;
    let mut ids = Vec::new();
    for order in orders.iter().filter(|order| is_open(&order.value)) {
        ids.extend(order.value.authorizations.iter().map(|id| *id.as_bytes()));
    }
    let mut authorizations = service.documents::<Authorization>(ids.into_iter()).await?;
    let mut kept = Vec::with_capacity(orders.len());
    for order in orders {
        let is_listed = if is_open(&order.value) {
            let id = OrderId::from_bytes(order.id);
            let own: Vec<_> = authorizations
                .extract_if(.., |authorization| authorization.value.order == id)
                .collect();
            !matches!(
                OrderStatus::of_open(&order.value, &own, now),
                OrderStatus::Invalid(_)
            )
        } else {
            matches!(order.value.progress, Progress::Finalized { .. })
        };
        if is_listed {
            kept.push(order);
        }
    }
    Ok(kept)
}

fn cursor(query: &str) -> Result<Cursor, AcmeError> {
    let text = query
        .strip_prefix("cursor=")
        .filter(|text| text.len() <= CURSOR_MAX);
    let octets = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    octets.map(Cursor).ok_or(NOT_OURS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors() {
        let long = format!("cursor={}", "A".repeat(CURSOR_MAX + 1));
        let rows = [
            ("ours", "cursor=AAEC", Some(vec![0, 1, 2])),
            ("another parameter", "page=2", None),
            ("not base64url", "cursor=a/b", None),
            ("too long", &long, None),
            ("more parameters", "cursor=AAEC&x=y", None),
        ];
        for (name, query, expected) in rows {
            assert_eq!(cursor(query).ok(), expected.map(Cursor), "{name}");
        }
    }
}
