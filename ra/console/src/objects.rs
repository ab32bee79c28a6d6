//! `profiles` and `endpoints`: what an installation offers.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use portreeve_ra::objects::Publisher;
use portreeve_ra::{Actor, ObjectKind, ObjectVersion, Origin};
use serde::{Deserialize, Serialize};

use crate::paging::List;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;
use crate::{ConsoleParts, ProposedObject};

/// The version of an object that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ObjectView {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u32,
    /// SHA-256 of its text, in hex.
    pub sha256: String,
    /// Its text, TOML.
    pub body: String,
}

/// A text to publish.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Publication {
    /// The name of the object.
    pub name: String,
    /// Its text, TOML.
    pub body: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

pub(crate) async fn list_profiles(
    State(parts): State<ConsoleParts>,
    _: SignedIn,
) -> Result<Json<List<ObjectView>>, Problem> {
    list(&parts, ObjectKind::Profile).await
}

pub(crate) async fn list_endpoints(
    State(parts): State<ConsoleParts>,
    _: SignedIn,
) -> Result<Json<List<ObjectView>>, Problem> {
    list(&parts, ObjectKind::Endpoint).await
}

pub(crate) async fn publish_profile(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    body: Result<Json<Publication>, JsonRejection>,
) -> Result<Json<ObjectView>, Problem> {
    let Json(publication) = body?;
    publish(&parts, ObjectKind::Profile, (principal, publication)).await
}

pub(crate) async fn publish_endpoint(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    body: Result<Json<Publication>, JsonRejection>,
) -> Result<Json<ObjectView>, Problem> {
    let Json(publication) = body?;
    publish(&parts, ObjectKind::Endpoint, (principal, publication)).await
}

async fn list(parts: &ConsoleParts, kind: ObjectKind) -> Result<Json<List<ObjectView>>, Problem> {
    let found = parts.ra.objects().list(kind).await?;
    Ok(Json(List::new(found.into_iter().map(view).collect(), None)))
}

async fn publish(
    parts: &ConsoleParts,
    kind: ObjectKind,
    (principal, publication): (SignedIn, Publication),
) -> Result<Json<ObjectView>, Problem> {
    let reason = in_full("reason", publication.reason)?;
    let proposed = ProposedObject {
        kind,
        name: &publication.name,
        body: &publication.body,
    };
    let in_force = beside(parts, kind).await?;
    parts.check.check(&proposed, &in_force).map_err(Problem::Object)?;
    let by = Publisher {
        actor: Actor::Operator(principal.principal().clone()),
        origin: Origin::node(parts.ra.node()),
        reason,
    };
    let version = parts
        .ra
        .objects()
        .publish(kind, &publication.name, publication.body, by)
        .await?;
    (parts.published)(kind);
    Ok(Json(view(version)))
}

/// What an object of this kind is used with: a profile at endpoints, an endpoint with its profiles.
async fn beside(parts: &ConsoleParts, kind: ObjectKind) -> Result<Vec<ObjectVersion>, Problem> {
    match kind {
        ObjectKind::Profile => Ok(parts.ra.objects().list(ObjectKind::Endpoint).await?),
        ObjectKind::Endpoint => Ok(parts.ra.objects().list(ObjectKind::Profile).await?),
        _ => Ok(Vec::new()),
    }
}

fn view(version: ObjectVersion) -> ObjectView {
    ObjectView {
        sha256: hex::encode(version.digest()),
        name: version.name,
        version: version.version,
        body: version.body,
    }
}
