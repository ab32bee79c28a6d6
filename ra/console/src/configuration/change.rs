//! Writing objects: drafts, what is in force, agreement, the end.

use axum::Json;
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use portreeve_ra::configuration::{Changed, ConfigurationError, ObjectChange, Outcome, Step};
use portreeve_ra::operators::Condition;
use portreeve_ra::{ObjectKind, ObjectVersion};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::resource;
use super::views::{self, RemarkView, VersionView};
use crate::ConsoleParts;
use crate::etag::tag;
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

/// What becomes of a text.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum WriteMode {
    /// It is in force, or waits for approval.
    #[default]
    Publish,
    /// It is kept as a draft.
    Draft,
    /// Nothing: only says what publishing it would come to.
    Check,
}

/// A text to write.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct WriteBody {
    /// The name of the object.
    pub name: String,
    /// Its text, TOML.
    pub body: String,
    /// What becomes of it; `publish` when not given.
    #[serde(default)]
    pub mode: WriteMode,
    /// Why.
    #[serde(default)]
    pub reason: String,
}

/// What became of a text.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// The name of the object.
    pub name: String,
    /// `published`, `drafted`, `proposed` (it waits for approval) or `unchanged`.
    pub outcome: String,
    /// The version that the text is, or would be.
    pub version: u32,
    /// SHA-256 of the text, in hex.
    pub sha256: String,
    /// Where people decide on it, when it waits for them.
    pub proposal: Option<String>,
    /// What whoever wrote it should know.
    pub remarks: Vec<RemarkView>,
}

pub(super) async fn write(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (kind, condition, body): (ObjectKind, Condition, WriteBody),
) -> Result<Response, Problem> {
    let reason = in_full("reason", body.reason)?;
    let acting = signed_in.acting(&parts.ra, &reason);
    let step = match body.mode {
        WriteMode::Publish | WriteMode::Check => Step::Publish(body.body),
        WriteMode::Draft => Step::Draft(body.body),
    };
    let change = ObjectChange {
        kind,
        name: body.name,
        step,
        condition,
    };
    if body.mode == WriteMode::Check {
        let changed = parts.ra.preview_object(&acting, &change).await?;
        return Ok(Json(view(&change.name, changed)).into_response());
    }
    let changed = parts.ra.change_object(&acting, &change).await?;
    Ok(answer(
        parts,
        (kind, &change.name),
        (StatusCode::CREATED, changed),
    ))
}

pub(super) async fn release(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    ((kind, name, condition), number, reason): ((ObjectKind, String, Condition), u32, &str),
) -> Result<Response, Problem> {
    let reason = in_full("reason", reason.to_owned())?;
    let acting = signed_in.acting(&parts.ra, &reason);
    let change = ObjectChange {
        kind,
        name,
        step: Step::Release(number),
        condition,
    };
    let changed = parts.ra.change_object(&acting, &change).await?;
    Ok(answer(parts, (kind, &change.name), (StatusCode::OK, changed)))
}

pub(super) async fn retire(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    ((kind, name, condition), reason): ((ObjectKind, String, Condition), &str),
) -> Result<StatusCode, Problem> {
    let reason = in_full("reason", reason.to_owned())?;
    let acting = signed_in.acting(&parts.ra, &reason);
    let change = ObjectChange {
        kind,
        name,
        step: Step::Retire,
        condition,
    };
    parts.ra.change_object(&acting, &change).await?;
    (parts.published)(kind);
    Ok(StatusCode::NO_CONTENT)
}

pub(super) async fn confirm(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    ((kind, name, number), reason): ((ObjectKind, &str, u32), &str),
) -> Result<VersionView, Problem> {
    let reason = in_full("reason", reason.to_owned())?;
    let acting = signed_in.acting(&parts.ra, &reason);
    parts.ra.confirm_object(&acting, (kind, name), number).await?;
    let history = parts.ra.objects().history(kind, name).await?;
    let history = history.ok_or(Problem::NotFound("object"))?;
    let revision = history.revision(number).ok_or(Problem::NotFound("version"))?;
    Ok(views::version(&history, revision))
}

/// Says what became of an object, and tells those who serve by it.
fn answer(
    parts: &ConsoleParts,
    (kind, name): (ObjectKind, &str),
    (made, changed): (StatusCode, Changed),
) -> Response {
    if matches!(changed.outcome, Outcome::InForce(_)) {
        (parts.published)(kind);
    }
    let outcome = changed.outcome.clone();
    let view = view(name, changed);
    let version = format!("{}/{name}/versions/{}", resource(kind), view.version);
    match outcome {
        Outcome::InForce(version_in_force) => {
            let tag = tag(version_in_force.version);
            (made, tag, [(LOCATION, version)], Json(view)).into_response()
        }
        Outcome::Proposed(_, proposal) => {
            let location = format!("/api/v1/approvals/{proposal}");
            (StatusCode::ACCEPTED, [(LOCATION, location)], Json(view)).into_response()
        }
        Outcome::Drafted(_) => (made, [(LOCATION, version)], Json(view)).into_response(),
        Outcome::Unchanged(_) | Outcome::Retired => (StatusCode::OK, Json(view)).into_response(),
    }
}

/// What is shown of a change.
pub(crate) fn view(name: &str, changed: Changed) -> ChangeView {
    let word = changed.outcome.word().to_owned();
    let version = version_of(&changed.outcome);
    ChangeView {
        name: name.to_owned(),
        outcome: word,
        version: version.map_or(0, |version| version.version),
        sha256: version.map_or_else(String::new, |version| hex::encode(version.digest())),
        proposal: match &changed.outcome {
            Outcome::Proposed(_, id) => Some(id.to_string()),
            _ => None,
        },
        remarks: changed.remarks.iter().map(RemarkView::from).collect(),
    }
}

const fn version_of(outcome: &Outcome) -> Option<&ObjectVersion> {
    match outcome {
        Outcome::Unchanged(version)
        | Outcome::Drafted(version)
        | Outcome::InForce(version)
        | Outcome::Proposed(version, _) => Some(version),
        Outcome::Retired => None,
    }
}

impl From<ConfigurationError> for Problem {
    fn from(error: ConfigurationError) -> Self {
        match error {
            ConfigurationError::Forbidden(lacks) => lacks.into(),
            ConfigurationError::Condition => Self::PreconditionFailed,
            ConfigurationError::Unknown => Self::NotFound("object"),
            ConfigurationError::NoVersion(_) => Self::NotFound("version"),
            ConfigurationError::Unreadable(reason) => Self::Object(reason),
            ConfigurationError::Ra(error) => Self::Ra(error),
            other => Self::Configuration(other),
        }
    }
}

/// The stable word and the status of what is left when the usual ones are taken out.
pub(crate) const fn worded(error: &ConfigurationError) -> (&'static str, StatusCode) {
    match error {
        ConfigurationError::Blocked(_) => ("lint_blocked", StatusCode::UNPROCESSABLE_ENTITY),
        ConfigurationError::NotADraft(_) => ("not_a_draft", StatusCode::CONFLICT),
        ConfigurationError::Overtaken { .. } => ("overtaken", StatusCode::CONFLICT),
        ConfigurationError::Unfulfillable(_) => ("nobody_to_approve", StatusCode::UNPROCESSABLE_ENTITY),
        ConfigurationError::Named(_) => ("in_use", StatusCode::CONFLICT),
        ConfigurationError::Guard => ("guards_configuration", StatusCode::CONFLICT),
        ConfigurationError::TooManyDrafts => ("too_many_drafts", StatusCode::CONFLICT),
        ConfigurationError::OwnWork => ("own_work", StatusCode::FORBIDDEN),
        ConfigurationError::Forbidden(_)
        | ConfigurationError::Condition
        | ConfigurationError::Unknown
        | ConfigurationError::NoVersion(_)
        | ConfigurationError::Unreadable(_)
        | ConfigurationError::Kind(_)
        | ConfigurationError::Ra(_) => ("object_rejected", StatusCode::UNPROCESSABLE_ENTITY),
    }
}

/// What was said about a text that must not be in force as it is.
pub(crate) fn remarks(error: &ConfigurationError) -> Vec<RemarkView> {
    match error {
        ConfigurationError::Blocked(remarks) => remarks.iter().map(RemarkView::from).collect(),
        _ => Vec::new(),
    }
}
