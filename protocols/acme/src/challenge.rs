//! Answering a challenge (RFC 8555 section 7.5.1), and reading one.

use std::sync::Arc;

use http::StatusCode;
use serde_json::{Map, Value};

use crate::attempts::{self, Role, Settled};
use crate::authenticate::AccountRequest;
use crate::authorization;
use crate::document::{Authorization, AuthorizationId, ChallengeState, Standing, Stored};
use crate::error::AcmeError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;
use crate::validator::ChallengeKind;

pub(crate) async fn handle(
    service: &Arc<Service>,
    site: &Site,
    by: AccountRequest,
    (stored, kind): (Option<Stored<Authorization>>, ChallengeKind),
) -> Result<Reply, AcmeError> {
    let mut stored = authorization::owned(site, &by, stored)?;
    if by.request.is_read() {
        attempts::take_up(service, &stored, &by);
    } else {
        by.request.object::<Map<String, Value>>()?;
        stored = answer(service, &by, stored, kind).await?;
    }
    reply(service, site, &stored, kind)
}

/// Begins the validation and waits a moment for its result. An answer to what is decided changes nothing.
async fn answer(
    service: &Arc<Service>,
    by: &AccountRequest,
    stored: Stored<Authorization>,
    kind: ChallengeKind,
) -> Result<Stored<Authorization>, AcmeError> {
    let challenge = stored.value.challenge(kind).ok_or(AcmeError::NotFound)?;
    if stored.value.standing != Standing::Pending || attempts::is_running(service, &challenge.state) {
        return Ok(stored);
    }
    if !stored.value.is_pending_at(service.now()) {
        return Err(AcmeError::AuthorizationClosed);
    }
    let spends = by.request.alongside(Vec::new()).spends;
    let what = (&by.account, by.request.origin.clone(), spends);
    let (role, first) = attempts::begin(service, &stored, kind, what)?;
    match first.await {
        Settled::At(stored) => Ok((*stored).clone()),
        Settled::Unavailable(retry_after) => Err(portreeve_ra::Error::Unavailable { retry_after }.into()),
        Settled::NonceSpent if role == Role::Started => Err(AcmeError::NonceInvalid),
        Settled::NonceSpent => Ok(stored),
        Settled::Broken(reason) => Err(AcmeError::Validation(reason)),
    }
}

fn reply(
    service: &Service,
    site: &Site,
    stored: &Stored<Authorization>,
    kind: ChallengeKind,
) -> Result<Reply, AcmeError> {
    let id = AuthorizationId::from_bytes(stored.id);
    let challenge = stored.value.challenge(kind).ok_or(AcmeError::NotFound)?;
    let reply = Reply::json(StatusCode::OK, &render::challenge(site, id, challenge))
        .link(&site.authorization(id), "up");
    Ok(match challenge.state {
        ChallengeState::Pending | ChallengeState::Processing { .. } => {
            reply.retry_after(service.config.retry_after.challenge)
        }
        ChallengeState::Valid { .. } | ChallengeState::Invalid { .. } => reply,
    })
}
