//! `whoami`: who the caller is, and what they may do.

use axum::Json;
use portreeve_ra::{Right, TeamName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// Who the caller is.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct WhoAmI {
    /// `host:root` or `operator:NAME`.
    pub principal: String,
    /// How they signed in: `host`, `certificate`, `password`, `token` or `bootstrap`.
    pub method: String,
    /// The roles in force.
    pub roles: Vec<String>,
    /// Their teams.
    pub teams: Vec<String>,
    /// What they may do on something, as they signed in now.
    pub rights: Vec<String>,
    /// SHA-256 of the SubjectPublicKeyInfo of the client certificate that was accepted, in hex.
    pub key_sha256: Option<String>,
}

#[utoipa::path(get, path = "/api/v1/whoami", tag = "operators",
    responses((status = 200, body = WhoAmI), Problem))]
pub(crate) async fn show(signed_in: SignedIn) -> Json<WhoAmI> {
    let SignedIn(standing, arrival) = &signed_in;
    let rights = Right::ALL.iter().filter(|right| standing.may_somewhere(**right));
    Json(WhoAmI {
        principal: standing.principal.to_string(),
        method: arrival.method.as_str().to_owned(),
        roles: standing.roles.iter().map(|role| role.name.to_string()).collect(),
        teams: standing.teams.iter().map(TeamName::to_string).collect(),
        rights: rights.map(|right| right.as_str().to_owned()).collect(),
        key_sha256: arrival.key.map(hex::encode),
    })
}
