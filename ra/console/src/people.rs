//! `operators`, `roles` and `teams` as texts: list, show, create, replace, remove.

use axum::Json;
use axum::extract::rejection::JsonRejection;
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use portreeve_ra::access::Target;
use portreeve_ra::configuration::{Changed, Outcome};
use portreeve_ra::operators::{Condition, PeopleChange};
use portreeve_ra::{CertificateMatch, Error, InternalError, ObjectKind, ObjectVersion, Right, RoleName};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::ConsoleParts;
use crate::approvals::{ProposalView, accepted};
use crate::configuration::{ChangeView, change_view};
use crate::etag::{Expected, tag};
use crate::objects::{ObjectView, Publication, view};
use crate::operators::ReasonBody;
use crate::paging::List;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

/// A text to put in force.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TextBody {
    /// The text, TOML.
    pub body: String,
    /// Why.
    #[serde(default)]
    pub reason: String,
    /// Only says what it would come to: nothing is changed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub check: bool,
}

/// An operator, as the text in force says.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct OperatorView {
    /// Their name.
    pub name: String,
    /// The version of their text.
    pub version: u32,
    /// What they are called, for people.
    pub title: String,
    /// The roles they hold.
    pub roles: Vec<String>,
    /// Their teams.
    pub teams: Vec<String>,
    /// The client certificates they sign in with, in words.
    pub certificates: Vec<String>,
    /// Whether they may not sign in.
    pub disabled: bool,
    /// Whether they have a password.
    pub has_password: bool,
    /// Their text, TOML.
    pub body: String,
    /// Who wrote it, or what it came from, and was not confirmed by another person.
    #[serde(default)]
    pub unconfirmed_authors: Vec<String>,
}

/// The text that is shown of the role that has none.
const SUPERADMIN: &str = "# Built in: every right on everything.\n";

#[rustfmt::skip]
macro_rules! texts {
    ($kind:ident, $tag:tt, ($all:tt, $one:tt, $confirm:tt), ($shown:ident, $view:ident),
     $list_fn:ident, $show_fn:ident, $create_fn:ident, $replace_fn:ident, $remove_fn:ident, $confirm_fn:ident) => {
        #[utoipa::path(get, path = $all, tag = $tag,
            responses((status = 200, body = List<$shown>), Problem))]
        pub(crate) async fn $list_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
        ) -> Result<Json<List<$shown>>, Problem> {
            let mut items = Vec::new();
            for version in list(&parts, &signed_in, ObjectKind::$kind).await? {
                items.push($view(&parts, version).await?);
            }
            Ok(Json(List::new(items, None)))
        }

        #[utoipa::path(get, path = $one, tag = $tag, params(("name" = String, Path)),
            responses((status = 200, body = $shown), Problem))]
        pub(crate) async fn $show_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
            Path(name): Path<String>,
        ) -> Result<impl IntoResponse, Problem> {
            let version = current(&parts, &signed_in, (ObjectKind::$kind, &name)).await?;
            Ok((tag(version.version), Json($view(&parts, version).await?)))
        }

        #[utoipa::path(post, path = $all, tag = $tag, request_body = Publication,
            responses((status = 201, body = $shown), (status = 202, body = ProposalView),
                      (status = 200, body = ChangeView), Problem))]
        pub(crate) async fn $create_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
            body: Result<Json<Publication>, JsonRejection>,
        ) -> Result<Response, Problem> {
            let Json(body) = body?;
            let location = format!("{}/{}", $all, body.name);
            let version = match create(&parts, &signed_in, (ObjectKind::$kind, body)).await? {
                Written::InForce(version) => version,
                Written::Other(answer) => return Ok(answer),
            };
            let (created, at) = (StatusCode::CREATED, [(LOCATION, location)]);
            let tag = tag(version.version);
            Ok((created, tag, at, Json($view(&parts, version).await?)).into_response())
        }

        #[utoipa::path(put, path = $one, tag = $tag, params(("name" = String, Path), Expected), request_body = TextBody,
            responses((status = 200, body = $shown), (status = 202, body = ProposalView), Problem))]
        pub(crate) async fn $replace_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
            Path(name): Path<String>,
            expected: Expected,
            body: Result<Json<TextBody>, JsonRejection>,
        ) -> Result<Response, Problem> {
            let Json(body) = body?;
            let change = PeopleChange {
                kind: ObjectKind::$kind,
                name,
                text: Some(body.body),
                condition: expected.0,
            };
            let version = match written(&parts, &signed_in, (change, &body.reason, body.check)).await? {
                Written::InForce(version) => version,
                Written::Other(answer) => return Ok(answer),
            };
            Ok((tag(version.version), Json($view(&parts, version).await?)).into_response())
        }

        #[utoipa::path(delete, path = $one, tag = $tag, params(("name" = String, Path), Expected),
            responses((status = 204), Problem))]
        pub(crate) async fn $remove_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
            Path(name): Path<String>,
            expected: Expected,
        ) -> Result<StatusCode, Problem> {
            let change = PeopleChange {
                kind: ObjectKind::$kind,
                name,
                text: None,
                condition: expected.0,
            };
            changed(&parts, &signed_in, (change, "removed")).await?;
            Ok(StatusCode::NO_CONTENT)
        }

        /// Agrees to the version in force and to all it came from. Needs `configuration.approve` on everything, of somebody
        /// who is none of their authors, nor the operator whom it is about. Doing so again changes nothing.
        #[utoipa::path(post, path = $confirm, tag = $tag, params(("name" = String, Path), ("version" = u32, Path)),
            request_body = ReasonBody, responses((status = 200, body = $shown), Problem))]
        pub(crate) async fn $confirm_fn(
            State(parts): State<ConsoleParts>,
            signed_in: SignedIn,
            Path((name, number)): Path<(String, String)>,
            body: Result<Json<ReasonBody>, JsonRejection>,
        ) -> Result<Json<$shown>, Problem> {
            let Json(body) = body?;
            let what = (ObjectKind::$kind, name.as_str(), number.as_str());
            let version = confirmed(&parts, &signed_in, (what, body.reason)).await?;
            Ok(Json($view(&parts, version).await?))
        }
    };
}

texts!(
    Role,
    "roles",
    (
        "/api/v1/roles",
        "/api/v1/roles/{name}",
        "/api/v1/roles/{name}/versions/{version}/confirm"
    ),
    (ObjectView, object_view),
    list_roles,
    show_role,
    create_role,
    replace_role,
    remove_role,
    confirm_role
);
texts!(
    Team,
    "teams",
    (
        "/api/v1/teams",
        "/api/v1/teams/{name}",
        "/api/v1/teams/{name}/versions/{version}/confirm"
    ),
    (ObjectView, object_view),
    list_teams,
    show_team,
    create_team,
    replace_team,
    remove_team,
    confirm_team
);
texts!(
    Operator,
    "operators",
    (
        "/api/v1/operators",
        "/api/v1/operators/{name}",
        "/api/v1/operators/{name}/versions/{version}/confirm"
    ),
    (OperatorView, operator_view),
    list_operators,
    show_operator,
    create_operator,
    replace_operator,
    remove_operator,
    confirm_operator
);

async fn object_view(parts: &ConsoleParts, version: ObjectVersion) -> Result<ObjectView, Problem> {
    let authors = unconfirmed(parts, &version).await?;
    Ok(view(version, authors))
}

async fn unconfirmed(parts: &ConsoleParts, version: &ObjectVersion) -> Result<Vec<String>, Problem> {
    let history = parts.ra.objects().history(version.kind, &version.name).await?;
    let authors = history
        .iter()
        .flat_map(|history| history.unconfirmed_authors(version.version));
    Ok(authors.map(ToString::to_string).collect())
}

async fn confirmed(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    ((kind, name, number), reason): ((ObjectKind, &str, &str), String),
) -> Result<ObjectVersion, Problem> {
    let number = number.parse().map_err(|_| Problem::NotFound("version"))?;
    if kind == ObjectKind::Role && name == RoleName::superadmin().as_str() {
        return Err(Problem::NotFound("object"));
    }
    let reason = in_full("reason", reason)?;
    let by = signed_in.acting(&parts.ra, &reason);
    Ok(parts.ra.confirm_object(&by, (kind, name), number).await?)
}

pub(crate) async fn operator_view(
    parts: &ConsoleParts,
    version: ObjectVersion,
) -> Result<OperatorView, Problem> {
    let read = parts.ra.policy().operator(&version);
    let operator = read.map_err(|error| Problem::Object(error.reason))?;
    let has_password = match parts.ra.password(&operator.name).await {
        Ok(password) => password.is_some(),
        // Nobody signs in with one that does not verify.
        Err(Error::Internal(InternalError::Tampered { .. })) => false,
        Err(error) => return Err(error.into()),
    };
    let certificates = operator.certificates.iter().map(|one| match one {
        CertificateMatch::Spki(key) => format!("key {}", hex::encode(key)),
        CertificateMatch::Names { issuer, subject } => format!("subject {subject} of issuer {issuer}"),
    });
    Ok(OperatorView {
        unconfirmed_authors: unconfirmed(parts, &version).await?,
        name: version.name,
        version: version.version,
        title: operator.title.clone(),
        roles: operator.roles.iter().map(ToString::to_string).collect(),
        teams: operator.teams.iter().map(ToString::to_string).collect(),
        certificates: certificates.collect(),
        disabled: operator.disabled,
        has_password,
        body: version.body,
    })
}

async fn list(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    kind: ObjectKind,
) -> Result<Vec<ObjectVersion>, Problem> {
    signed_in
        .require(&parts.ra, Right::OperatorRead, Target::Installation)
        .await?;
    let mut found = parts.ra.objects().list(kind).await?;
    if kind == ObjectKind::Role {
        found.retain(|version| version.name != RoleName::superadmin().as_str());
        found.push(superadmin());
    }
    Ok(found)
}

fn superadmin() -> ObjectVersion {
    ObjectVersion {
        kind: ObjectKind::Role,
        name: RoleName::superadmin().to_string(),
        version: 0,
        body: SUPERADMIN.to_owned(),
    }
}

/// The version in force.
pub(crate) async fn current(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, name): (ObjectKind, &str),
) -> Result<ObjectVersion, Problem> {
    signed_in
        .require(&parts.ra, Right::OperatorRead, Target::Installation)
        .await?;
    if kind == ObjectKind::Role && name == RoleName::superadmin().as_str() {
        return Ok(superadmin());
    }
    let found = parts.ra.objects().current(kind, name).await?;
    found.ok_or(Problem::NotFound("object"))
}

/// What came of a text.
pub(crate) enum Written {
    /// It is in force.
    InForce(ObjectVersion),
    /// It waits for people, or was only looked at.
    Other(Response),
}

async fn create(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, body): (ObjectKind, Publication),
) -> Result<Written, Problem> {
    let change = PeopleChange {
        kind,
        name: body.name,
        text: Some(body.body),
        condition: Condition::Absent,
    };
    let created = written(parts, signed_in, (change, &body.reason, body.check)).await;
    created.map_err(|problem| match problem {
        Problem::PreconditionFailed => Problem::Exists,
        other => other,
    })
}

/// Makes a change, or says what it would come to.
pub(crate) async fn written(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (change, reason, check): (PeopleChange, &str, bool),
) -> Result<Written, Problem> {
    if check {
        let acting = signed_in.acting(&parts.ra, reason);
        let changed = Changed {
            outcome: parts.ra.preview_people(&acting, &change).await?,
            remarks: Vec::new(),
        };
        return Ok(Written::Other(
            Json(change_view(&change.name, changed)).into_response(),
        ));
    }
    match changed(parts, signed_in, (change, reason)).await? {
        Outcome::InForce(version) | Outcome::Unchanged(version) | Outcome::Drafted(version) => {
            Ok(Written::InForce(version))
        }
        Outcome::Proposed(_, proposal) => Ok(Written::Other(accepted(parts, signed_in, proposal).await?)),
        Outcome::Retired => Err(Problem::NotFound("object")),
    }
}

/// Makes a change, and tells those who serve by it.
pub(crate) async fn changed(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (change, reason): (PeopleChange, &str),
) -> Result<Outcome, Problem> {
    let reason = in_full("reason", reason.to_owned())?;
    let (kind, acting) = (change.kind, signed_in.acting(&parts.ra, &reason));
    let outcome = parts.ra.change_people(&acting, change).await?;
    (parts.published)(kind);
    Ok(outcome)
}
