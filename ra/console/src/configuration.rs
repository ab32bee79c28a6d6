//! `profiles`, `endpoints`, `approval-policies` and `trust-anchors`: texts with versions, from draft to retired.

mod change;
mod read;
mod trial;
mod views;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::Response;
use http::StatusCode;
use portreeve_ra::ObjectKind;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::ConsoleParts;
use crate::etag::{Expected, ExpectedIfSaid};
use crate::operators::ReasonBody;
use crate::paging::List;
use crate::problem::Problem;
use crate::signed_in::SignedIn;

pub use change::{ChangeView, WriteBody, WriteMode};
pub(crate) use change::{remarks, view as change_view, worded};
pub use trial::{FindingView, Trial, TrialBody, TrialView, Workbench};
pub use views::{AssentView, ConfigurationView, DiffEntry, DiffView, RemarkView, VersionView};

/// Which objects to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
    /// `in_force` when not given; `draft` for those with drafts that wait, `retired`, `all`.
    state: Option<String>,
}

/// Which versions to compare.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct DiffQuery {
    /// The old one; the one in force when not given.
    from: Option<u32>,
    /// The new one; the latest when not given.
    to: Option<u32>,
}

/// Why something is retired.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct RetireQuery {
    /// Why.
    #[serde(default)]
    reason: String,
}

/// An object in a path: that of an endpoint has two parts.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct NamePath {
    protocol: Option<String>,
    name: String,
}

impl NamePath {
    fn name(self) -> String {
        match self.protocol {
            Some(protocol) => format!("{protocol}/{}", self.name),
            None => self.name,
        }
    }
}

/// A version in a path.
#[derive(Clone, Debug, Deserialize)]
pub(crate) struct VersionPath {
    protocol: Option<String>,
    name: String,
    version: String,
}

impl VersionPath {
    /// The name and the number; what is no number is not there.
    fn split(self) -> Result<(String, u32), Problem> {
        let number = self.version.parse().map_err(|_| Problem::NotFound("version"))?;
        let name = NamePath {
            protocol: self.protocol,
            name: self.name,
        };
        Ok((name.name(), number))
    }
}

macro_rules! resource {
    ($module:ident, $kind:ident, $tag:tt, [$($param:tt),*],
     $all:tt, $one:tt, $versions:tt, $version:tt, $publish:tt, $confirm:tt, $diff:tt) => {
        pub(crate) mod $module {
            use super::*;

            const KIND: ObjectKind = ObjectKind::$kind;

            #[utoipa::path(get, path = $all, tag = $tag, params(ListQuery),
                           responses((status = 200, body = List<ConfigurationView>), Problem))]
            pub(crate) async fn list(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                query: Result<Query<ListQuery>, QueryRejection>,
            ) -> Result<Json<List<ConfigurationView>>, Problem> {
                let Query(query) = query?;
                read::list(&parts, &signed_in, (KIND, query)).await.map(Json)
            }

            #[utoipa::path(post, path = $all, tag = $tag, params(ExpectedIfSaid), request_body = WriteBody,
                           responses((status = 200, body = ChangeView, description = "nothing changed, or only looked at"),
                                     (status = 201, body = ChangeView, description = "there is a new version"),
                                     (status = 202, body = ChangeView, description = "it waits for approval"), Problem))]
            pub(crate) async fn write(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                expected: ExpectedIfSaid,
                body: Result<Json<WriteBody>, JsonRejection>,
            ) -> Result<Response, Problem> {
                let Json(body) = body?;
                change::write(&parts, &signed_in, (KIND, expected.0, body)).await
            }

            #[utoipa::path(get, path = $one, tag = $tag, params($($param),*),
                           responses((status = 200, body = ConfigurationView), Problem))]
            pub(crate) async fn show(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<NamePath>,
            ) -> Result<Response, Problem> {
                read::show(&parts, &signed_in, (KIND, &path.name())).await
            }

            #[utoipa::path(delete, path = $one, tag = $tag, params($($param,)* RetireQuery, Expected),
                           responses((status = 204, description = "it is no longer in force"), Problem))]
            pub(crate) async fn retire(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<NamePath>,
                expected: Expected,
                query: Result<Query<RetireQuery>, QueryRejection>,
            ) -> Result<StatusCode, Problem> {
                let Query(query) = query?;
                let what = (KIND, path.name(), expected.0);
                change::retire(&parts, &signed_in, (what, &query.reason)).await
            }

            #[utoipa::path(get, path = $versions, tag = $tag, params($($param),*),
                           responses((status = 200, body = List<VersionView>), Problem))]
            pub(crate) async fn versions(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<NamePath>,
            ) -> Result<Json<List<VersionView>>, Problem> {
                read::versions(&parts, &signed_in, (KIND, &path.name())).await.map(Json)
            }

            #[utoipa::path(get, path = $version, tag = $tag, params($($param,)* ("version" = u32, Path)),
                           responses((status = 200, body = VersionView), Problem))]
            pub(crate) async fn version(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<VersionPath>,
            ) -> Result<Json<VersionView>, Problem> {
                let (name, number) = path.split()?;
                read::version(&parts, &signed_in, (KIND, &name, number)).await.map(Json)
            }

            #[utoipa::path(post, path = $publish, tag = $tag,
                           params($($param,)* ("version" = u32, Path), ExpectedIfSaid),
                           request_body = ReasonBody,
                           responses((status = 200, body = ChangeView, description = "it is in force"),
                                     (status = 202, body = ChangeView, description = "it waits for approval"), Problem))]
            pub(crate) async fn publish(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<VersionPath>,
                expected: ExpectedIfSaid,
                body: Result<Json<ReasonBody>, JsonRejection>,
            ) -> Result<Response, Problem> {
                let Json(body) = body?;
                let (name, number) = path.split()?;
                let what = (KIND, name, expected.0);
                change::release(&parts, &signed_in, (what, number, &body.reason)).await
            }

            #[utoipa::path(post, path = $confirm, tag = $tag, params($($param,)* ("version" = u32, Path)),
                           request_body = ReasonBody,
                           responses((status = 200, body = VersionView), Problem))]
            pub(crate) async fn confirm(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<VersionPath>,
                body: Result<Json<ReasonBody>, JsonRejection>,
            ) -> Result<Json<VersionView>, Problem> {
                let Json(body) = body?;
                let (name, number) = path.split()?;
                change::confirm(&parts, &signed_in, ((KIND, &name, number), &body.reason)).await.map(Json)
            }

            #[utoipa::path(get, path = $diff, tag = $tag, params($($param,)* DiffQuery),
                           responses((status = 200, body = DiffView), Problem))]
            pub(crate) async fn diff(
                State(parts): State<ConsoleParts>,
                signed_in: SignedIn,
                Path(path): Path<NamePath>,
                query: Result<Query<DiffQuery>, QueryRejection>,
            ) -> Result<Json<DiffView>, Problem> {
                let Query(query) = query?;
                read::diff(&parts, &signed_in, ((KIND, &path.name()), query)).await.map(Json)
            }

            pub(crate) fn routes() -> OpenApiRouter<ConsoleParts> {
                OpenApiRouter::new()
                    .routes(routes!(list, write))
                    .routes(routes!(show, retire))
                    .routes(routes!(versions))
                    .routes(routes!(version))
                    .routes(routes!(publish))
                    .routes(routes!(confirm))
                    .routes(routes!(diff))
            }
        }
    };
}

resource!(
    profiles,
    Profile,
    "profiles",
    [("name" = String, Path)],
    "/api/v1/profiles",
    "/api/v1/profiles/{name}",
    "/api/v1/profiles/{name}/versions",
    "/api/v1/profiles/{name}/versions/{version}",
    "/api/v1/profiles/{name}/versions/{version}/publish",
    "/api/v1/profiles/{name}/versions/{version}/confirm",
    "/api/v1/profiles/{name}/diff"
);
resource!(
    endpoints,
    Endpoint,
    "endpoints",
    [("protocol" = String, Path), ("name" = String, Path)],
    "/api/v1/endpoints",
    "/api/v1/endpoints/{protocol}/{name}",
    "/api/v1/endpoints/{protocol}/{name}/versions",
    "/api/v1/endpoints/{protocol}/{name}/versions/{version}",
    "/api/v1/endpoints/{protocol}/{name}/versions/{version}/publish",
    "/api/v1/endpoints/{protocol}/{name}/versions/{version}/confirm",
    "/api/v1/endpoints/{protocol}/{name}/diff"
);
resource!(
    approval_policies,
    ApprovalPolicy,
    "approval-policies",
    [("name" = String, Path)],
    "/api/v1/approval-policies",
    "/api/v1/approval-policies/{name}",
    "/api/v1/approval-policies/{name}/versions",
    "/api/v1/approval-policies/{name}/versions/{version}",
    "/api/v1/approval-policies/{name}/versions/{version}/publish",
    "/api/v1/approval-policies/{name}/versions/{version}/confirm",
    "/api/v1/approval-policies/{name}/diff"
);
resource!(
    trust_anchors,
    TrustAnchors,
    "trust-anchors",
    [("name" = String, Path)],
    "/api/v1/trust-anchors",
    "/api/v1/trust-anchors/{name}",
    "/api/v1/trust-anchors/{name}/versions",
    "/api/v1/trust-anchors/{name}/versions/{version}",
    "/api/v1/trust-anchors/{name}/versions/{version}/publish",
    "/api/v1/trust-anchors/{name}/versions/{version}/confirm",
    "/api/v1/trust-anchors/{name}/diff"
);

#[utoipa::path(post, path = "/api/v1/profiles/{name}/test", tag = "profiles", params(("name" = String, Path)),
               request_body = TrialBody, responses((status = 200, body = TrialView), Problem))]
pub(crate) async fn test(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(name): Path<String>,
    body: Result<Json<TrialBody>, JsonRejection>,
) -> Result<Json<TrialView>, Problem> {
    let Json(body) = body?;
    trial::test(&parts, &signed_in, (name, body)).await.map(Json)
}

/// Every call about configuration.
pub(crate) fn routes() -> OpenApiRouter<ConsoleParts> {
    OpenApiRouter::new()
        .merge(profiles::routes())
        .merge(endpoints::routes())
        .merge(approval_policies::routes())
        .merge(trust_anchors::routes())
        .routes(routes!(test))
}

/// Where an object of this kind is found.
fn resource(kind: ObjectKind) -> &'static str {
    match kind {
        ObjectKind::Profile => "/api/v1/profiles",
        ObjectKind::Endpoint => "/api/v1/endpoints",
        ObjectKind::ApprovalPolicy => "/api/v1/approval-policies",
        ObjectKind::TrustAnchors => "/api/v1/trust-anchors",
        ObjectKind::Role => "/api/v1/roles",
        ObjectKind::Team => "/api/v1/teams",
        ObjectKind::Operator => "/api/v1/operators",
        ObjectKind::Ca => "/api/v1/authorities",
    }
}
