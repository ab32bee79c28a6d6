//! An authorization: read (RFC 8555 section 7.5) and deactivated (section 7.5.2).

use std::sync::Arc;

use http::StatusCode;
use portreeve_ra::accounts::Change;
use serde::Deserialize;

use crate::attempts::{self, is_contended};
use crate::authenticate::AccountRequest;
use crate::document::{Authorization, Standing, Stored};
use crate::error::AcmeError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// How often a lost race is run again.
const RACES_MAX: u32 = 5;

#[derive(Deserialize)]
struct Update {
    status: Option<String>,
}

pub(crate) async fn handle(
    service: &Arc<Service>,
    site: &Site,
    by: AccountRequest,
    stored: Option<Stored<Authorization>>,
) -> Result<Reply, AcmeError> {
    let mut stored = owned(site, &by, stored)?;
    if by.request.is_read() {
        attempts::take_up(service, &stored, &by);
    } else {
        let wish: Update = by.request.object()?;
        if wish.status.as_deref() != Some("deactivated") {
            return Err(AcmeError::Malformed("an authorization can only be deactivated"));
        }
        stored = deactivate(service, site, &by, stored).await?;
    }
    let reply = Reply::json(
        StatusCode::OK,
        &render::authorization(site, &stored, service.now()),
    );
    Ok(if stored.value.is_pending_at(service.now()) {
        reply.retry_after(service.config.retry_after.authorization)
    } else {
        reply
    })
}

/// The authorization, if it is one of this account. A foreign one and a missing one look the same.
pub(crate) fn owned(
    site: &Site,
    by: &AccountRequest,
    stored: Option<Stored<Authorization>>,
) -> Result<Stored<Authorization>, AcmeError> {
    stored
        .filter(|stored| stored.value.account == by.id && stored.value.endpoint == site.endpoint)
        .ok_or(AcmeError::NotFound)
}

/// Ends it. The proof behind it ends in the same transaction, and with it the right to the name in every other order.
async fn deactivate(
    service: &Service,
    site: &Site,
    by: &AccountRequest,
    mut stored: Stored<Authorization>,
) -> Result<Stored<Authorization>, AcmeError> {
    for _ in 0..RACES_MAX {
        match stored.value.standing {
            Standing::Deactivated => return Ok(stored),
            Standing::Invalid => return Err(AcmeError::AuthorizationClosed),
            Standing::Pending | Standing::Valid if service.now() >= stored.value.expires_at => {
                return Err(AcmeError::AuthorizationClosed);
            }
            Standing::Pending | Standing::Valid => {}
        }
        let mut next = stored.with(Authorization {
            standing: Standing::Deactivated,
            ..stored.value.clone()
        });
        let alongside = by.request.alongside(vec![next.write(&service.config)?]);
        let result = if stored.value.standing == Standing::Valid {
            let change = Change {
                origin: by.request.origin.clone(),
                alongside,
            };
            service
                .ra
                .proofs()
                .withdraw(&next.value.requester(), &next.value.identifier(), change)
                .await
        } else {
            service.ra.keep(alongside).await
        };
        match result {
            Ok(()) => {
                tracing::info!(endpoint = %site.endpoint, account = %by.id, identifier = %next.value.name, "authorization deactivated");
                next.version = next.version.saturating_add(1);
                return Ok(next);
            }
            Err(error) if is_contended(&error) => {
                stored = owned(site, by, service.document(stored.id).await?)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Err(AcmeError::Document("authorization"))
}
