//! `profiles` and `endpoints`: what an installation offers.

use axum::Json;
use axum::extract::State;
use axum::extract::rejection::JsonRejection;
use portreeve_ra::access::Target;
use portreeve_ra::objects::Publisher;
use portreeve_ra::{Actor, BackendName, ObjectKind, ObjectVersion, On, ProfileName, Right};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::paging::List;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;
use crate::{ConsoleParts, ProposedObject};

/// The version of an object that is in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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

#[utoipa::path(get, path = "/api/v1/profiles", tag = "profiles",
    responses((status = 200, body = List<ObjectView>), Problem))]
pub(crate) async fn list_profiles(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
) -> Result<Json<List<ObjectView>>, Problem> {
    list(&parts, &signed_in, ObjectKind::Profile).await
}

#[utoipa::path(get, path = "/api/v1/endpoints", tag = "endpoints",
    responses((status = 200, body = List<ObjectView>), Problem))]
pub(crate) async fn list_endpoints(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
) -> Result<Json<List<ObjectView>>, Problem> {
    list(&parts, &signed_in, ObjectKind::Endpoint).await
}

#[utoipa::path(get, path = "/api/v1/approval-policies", tag = "approval-policies",
    responses((status = 200, body = List<ObjectView>), Problem))]
pub(crate) async fn list_approval_policies(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
) -> Result<Json<List<ObjectView>>, Problem> {
    list(&parts, &signed_in, ObjectKind::ApprovalPolicy).await
}

#[utoipa::path(post, path = "/api/v1/approval-policies", tag = "approval-policies", request_body = Publication,
    responses((status = 200, body = ObjectView), Problem))]
pub(crate) async fn publish_approval_policy(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    body: Result<Json<Publication>, JsonRejection>,
) -> Result<Json<ObjectView>, Problem> {
    let Json(publication) = body?;
    publish(&parts, ObjectKind::ApprovalPolicy, (principal, publication)).await
}

#[utoipa::path(post, path = "/api/v1/profiles", tag = "profiles", request_body = Publication,
    responses((status = 200, body = ObjectView), Problem))]
pub(crate) async fn publish_profile(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    body: Result<Json<Publication>, JsonRejection>,
) -> Result<Json<ObjectView>, Problem> {
    let Json(publication) = body?;
    publish(&parts, ObjectKind::Profile, (principal, publication)).await
}

#[utoipa::path(post, path = "/api/v1/endpoints", tag = "endpoints", request_body = Publication,
    responses((status = 200, body = ObjectView), Problem))]
pub(crate) async fn publish_endpoint(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    body: Result<Json<Publication>, JsonRejection>,
) -> Result<Json<ObjectView>, Problem> {
    let Json(publication) = body?;
    publish(&parts, ObjectKind::Endpoint, (principal, publication)).await
}

async fn list(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    kind: ObjectKind,
) -> Result<Json<List<ObjectView>>, Problem> {
    signed_in
        .require(&parts.ra, Right::ConfigurationRead, Target::Installation)
        .await?;
    let found = parts.ra.objects().list(kind).await?;
    Ok(Json(List::new(found.into_iter().map(view).collect(), None)))
}

async fn publish(
    parts: &ConsoleParts,
    kind: ObjectKind,
    (principal, publication): (SignedIn, Publication),
) -> Result<Json<ObjectView>, Problem> {
    principal
        .require(&parts.ra, Right::ConfigurationWrite, Target::Installation)
        .await?;
    let reason = in_full("reason", publication.reason.clone())?;
    let proposed = ProposedObject {
        kind,
        name: &publication.name,
        body: &publication.body,
    };
    let in_force = beside(parts, kind).await?;
    parts.check.check(&proposed, &in_force).map_err(Problem::Object)?;
    for (backend, profile) in reach(parts, kind, &publication) {
        let on = On {
            backend: backend.as_ref(),
            profile: Some(&profile),
            team: None,
        };
        principal
            .require(&parts.ra, Right::ConfigurationWrite, Target::Object(on))
            .await?;
    }
    let by = Publisher {
        actor: Actor::Operator(principal.principal().clone()),
        origin: principal.origin(&parts.ra),
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

/// What an object of this kind is used with: a profile at endpoints, an endpoint with its profiles and its approval policy.
async fn beside(parts: &ConsoleParts, kind: ObjectKind) -> Result<Vec<ObjectVersion>, Problem> {
    match kind {
        ObjectKind::Profile => Ok(parts.ra.objects().list(ObjectKind::Endpoint).await?),
        ObjectKind::Endpoint => {
            let mut beside = parts.ra.objects().list(ObjectKind::Profile).await?;
            beside.extend(parts.ra.objects().list(ObjectKind::ApprovalPolicy).await?);
            Ok(beside)
        }
        _ => Ok(Vec::new()),
    }
}

/// The CAs and profiles that a text is about, each of which its author must have the right on.
fn reach(
    parts: &ConsoleParts,
    kind: ObjectKind,
    publication: &Publication,
) -> Vec<(Option<BackendName>, ProfileName)> {
    if kind == ObjectKind::Profile {
        let name = ProfileName::new(&publication.name).ok();
        return name.map(|name| (None, name)).into_iter().collect();
    }
    let version = ObjectVersion {
        kind,
        name: publication.name.clone(),
        version: 1,
        body: publication.body.clone(),
    };
    let Ok(endpoint) = parts.ra.policy().endpoint(&version) else {
        return Vec::new();
    };
    let backend = &endpoint.backend;
    let profiles = endpoint.profiles.iter();
    profiles
        .map(|profile| (Some(backend.clone()), profile.clone()))
        .collect()
}

pub(crate) fn view(version: ObjectVersion) -> ObjectView {
    ObjectView {
        sha256: hex::encode(version.digest()),
        name: version.name,
        version: version.version,
        body: version.body,
    }
}
