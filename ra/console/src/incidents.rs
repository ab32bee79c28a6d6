//! `incidents`: what a person must look at.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use portreeve_pkix::Timestamp;
use portreeve_ra::Right;
use portreeve_ra::access::Target;
use portreeve_ra::authority::IncidentStanding;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ConsoleParts;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::requests::commented;
use crate::signed_in::SignedIn;

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct IncidentView {
    /// Its id, in hex.
    #[serde(default)]
    pub id: String,
    /// What is wrong: a stable word.
    pub what: String,
    /// Where.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// When it was raised.
    #[schema(value_type = String, format = DateTime)]
    pub raised_at: Timestamp,
    /// When somebody dealt with it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed_at: Option<Timestamp>,
}

/// What a principal closes an incident with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ClosingBody {
    /// What was done; must not be empty, at most 1,024 characters count.
    pub comment: String,
}

#[utoipa::path(post, path = "/api/v1/incidents/{id}/close", tag = "incidents", params(("id" = String, Path)),
    request_body = ClosingBody, responses((status = 200, body = IncidentView), Problem))]
pub(crate) async fn close(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<ClosingBody>, JsonRejection>,
) -> Result<Json<IncidentView>, Problem> {
    let Json(body) = body?;
    principal
        .require(&parts.ra, Right::RequestResolve, Target::Installation)
        .await?;
    let mut octets = [0; 16];
    hex::decode_to_slice(&id, &mut octets).map_err(|_| Problem::NotFound("incident"))?;
    let request = commented(&parts.ra, principal, body.comment)?;
    Ok(Json(view(parts.ra.close_incident(octets, request).await?)))
}

#[utoipa::path(get, path = "/api/v1/incidents", tag = "incidents", params(PageQuery),
    responses((status = 200, body = List<IncidentView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<IncidentView>>, Problem> {
    let Query(page) = query?;
    signed_in
        .require(&parts.ra, Right::SystemRead, Target::Installation)
        .await?;
    let (ra, limit) = (&parts.ra, page.limit()?);
    let found = paging::read(
        &page,
        |after| async move { ra.incidents(after.as_ref(), limit).await },
    )
    .await?;
    let items = found.items.into_iter().map(view);
    Ok(Json(List::new(items.collect(), found.next)))
}

fn view(standing: IncidentStanding) -> IncidentView {
    IncidentView {
        id: hex::encode(standing.id),
        what: standing.incident.what.as_str().to_owned(),
        subject: standing.incident.subject.to_string(),
        detail: standing.incident.detail,
        raised_at: standing.raised_at,
        closed_at: standing.closed_at,
    }
}
