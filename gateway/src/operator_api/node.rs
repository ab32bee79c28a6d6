//! What only the gateway itself can tell of a node: how it is, and which CAs there are.

use std::sync::Arc;

use axum::extract::State;
use axum::{Json, Router};
use portreeve_console::{Problem, SignedIn};
use portreeve_ra::access::Target;
use portreeve_ra::{Error, InternalError, RegistrationAuthority, Right};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::authorities::AuthorityView;
use crate::doctor::{self, Inside};
use crate::health::{Health, Report};
use crate::wiring::Node;

/// What the calls work with.
#[derive(Clone)]
pub(super) struct NodeApi {
    ra: Arc<RegistrationAuthority>,
    health: Arc<Health>,
    inside: Inside,
}

impl NodeApi {
    pub(super) fn of(node: &Node) -> Self {
        Self {
            ra: Arc::clone(&node.ra),
            health: Arc::clone(&node.health),
            inside: node.inside.clone(),
        }
    }

    pub(super) fn router(self) -> Router {
        routes().split_for_parts().0.with_state(self)
    }

    async fn may(&self, signed_in: &SignedIn, right: Right) -> Result<(), Problem> {
        signed_in.require(&self.ra, right, Target::Installation).await
    }
}

pub(super) fn routes() -> OpenApiRouter<NodeApi> {
    OpenApiRouter::new()
        .routes(routes!(health))
        .routes(routes!(examine))
        .routes(routes!(authorities))
}

/// Whether the node that answers can do its work, and why not: the same as `/readyz` says, whatever it says with 200.
#[utoipa::path(get, path = "/api/v1/health", tag = "system", responses((status = 200, body = Report), Problem))]
async fn health(State(api): State<NodeApi>, signed_in: SignedIn) -> Result<Json<Report>, Problem> {
    api.may(&signed_in, Right::SystemRead).await?;
    Ok(Json(api.health.report().await))
}

/// What is wrong with the installation, as the node that answers sees it.
#[utoipa::path(get, path = "/api/v1/doctor", tag = "system",
    responses((status = 200, body = Vec<doctor::Finding>), Problem))]
async fn examine(
    State(api): State<NodeApi>,
    signed_in: SignedIn,
) -> Result<Json<Vec<doctor::Finding>>, Problem> {
    api.may(&signed_in, Right::SystemRead).await?;
    Ok(Json(api.inside.checks().await))
}

/// Every CA of the installation, by name.
#[utoipa::path(get, path = "/api/v1/authorities", tag = "system",
    responses((status = 200, body = Vec<AuthorityView>), Problem))]
async fn authorities(
    State(api): State<NodeApi>,
    signed_in: SignedIn,
) -> Result<Json<Vec<AuthorityView>>, Problem> {
    api.may(&signed_in, Right::ConfigurationRead).await?;
    let found = api.inside.authority_views().await;
    found.map(Json).map_err(|error| {
        tracing::error!(%error, "CAs cannot be listed");
        Problem::Ra(Error::Internal(InternalError::Store(
            "CAs cannot be listed".to_owned(),
        )))
    })
}
