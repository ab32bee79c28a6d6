//! The list of an account's orders (RFC 8555 section 7.1.2.1), newest first, page by page.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::StatusCode;
use portreeve_ra::AccountId;
use portreeve_ra::ports::Cursor;
use serde_json::json;

use crate::authenticate::AccountRequest;
use crate::document::{Document, Order, OrderId, Progress, Stored, by_account};
use crate::error::AcmeError;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// The longest cursor that is read.
const CURSOR_MAX: usize = 256;

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
    let limit = service.config.orders_per_page.max(1);
    let page = service
        .documents
        .find(Order::KIND, &by_account(id), after.as_ref(), limit)
        .await?;
    let mut urls = Vec::with_capacity(page.items.len());
    for document in &page.items {
        let order = Stored::<Order>::read(document)?;
        let expired = order.value.progress == Progress::Open && service.now() >= order.value.expires_at;
        let failed = matches!(order.value.progress, Progress::Failed(_));
        // RFC 8555 section 7.1.2.1: orders that are invalid should be left out.
        if !expired && !failed && order.value.endpoint == site.endpoint {
            urls.push(site.order(OrderId::from_bytes(order.id)));
        }
    }
    let reply = Reply::json(StatusCode::OK, &json!({ "orders": urls }));
    Ok(match page.next {
        Some(Cursor(next)) => {
            let next = URL_SAFE_NO_PAD.encode(next);
            reply.link(&format!("{}?cursor={next}", site.orders(id)), "next")
        }
        None => reply,
    })
}

fn cursor(query: &str) -> Result<Cursor, AcmeError> {
    let text = query
        .strip_prefix("cursor=")
        .filter(|text| text.len() <= CURSOR_MAX);
    let octets = text.and_then(|text| URL_SAFE_NO_PAD.decode(text).ok());
    octets
        .map(Cursor)
        .ok_or(AcmeError::Malformed("the cursor is not one of ours"))
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
