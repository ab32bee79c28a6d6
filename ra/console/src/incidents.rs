//! `incidents`: what a person must look at.

use axum::Json;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Query, State};
use portreeve_pkix::Timestamp;
use serde::{Deserialize, Serialize};

use crate::ConsoleParts;
use crate::paging::{List, PageQuery};
use crate::principal::Principal;
use crate::problem::Problem;

/// One incident.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct IncidentView {
    /// What is wrong: a stable word.
    pub what: String,
    /// Where.
    pub subject: String,
    /// In words.
    pub detail: String,
    /// When it was raised.
    pub raised_at: Timestamp,
    /// When somebody dealt with it.
    pub closed_at: Option<Timestamp>,
}

pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    _: Principal,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<IncidentView>>, Problem> {
    let Query(page) = query?;
    let found = parts.ra.incidents(page.cursor()?.as_ref(), page.limit()).await?;
    let items = found.items.into_iter().map(|standing| IncidentView {
        what: standing.incident.what.as_str().to_owned(),
        subject: standing.incident.subject.to_string(),
        detail: standing.incident.detail,
        raised_at: standing.raised_at,
        closed_at: standing.closed_at,
    });
    Ok(Json(List::new(items.collect(), found.next)))
}
