//! Problem documents (RFC 9457).

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderValue, StatusCode};
use portreeve_ra::{Error, Refusal};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// Why a call failed.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// Nobody signed in.
    #[error("no principal: sign in first")]
    NoPrincipal,
    /// There is no such resource.
    #[error("no {0} with this name")]
    NotFound(&'static str),
    /// The path has no such method.
    #[error("the resource has no such method")]
    NoSuchMethod,
    /// A parameter or the body is not what it should be.
    #[error("{0}")]
    Malformed(String),
    /// The cursor is not one that this list gave.
    #[error("the cursor is not one that this list gave")]
    BadCursor,
    /// An object cannot be read.
    #[error("{0}")]
    Object(String),
    /// The request waits for nobody's decision.
    #[error("the request waits for no decision, its state is {0}")]
    NothingToDecide(&'static str),
    /// The request still goes on, or its certificate is in force.
    #[error(
        "the request has not ended for good: it goes on, its certificate is in force, or a denial still counts"
    )]
    NotEnded,
    /// The RA says no, not now, or fails.
    #[error(transparent)]
    Ra(#[from] Error),
}

/// The body of a failed call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct ProblemDocument {
    /// `about:blank`: the code says more than a URL would.
    #[serde(rename = "type")]
    pub kind: String,
    /// The status in words.
    pub title: String,
    /// The status.
    pub status: u16,
    /// What happened, for people.
    pub detail: String,
    /// What happened, for programs. Stable.
    pub code: String,
}

impl Problem {
    fn code(&self) -> &'static str {
        match self {
            Self::NoPrincipal => "no_principal",
            Self::NotFound(_) => "not_found",
            Self::NoSuchMethod => "no_such_method",
            Self::Malformed(_) => "malformed",
            Self::BadCursor => "bad_cursor",
            Self::Object(_) => "object_rejected",
            Self::NothingToDecide(_) => "nothing_to_decide",
            Self::NotEnded => "not_ended",
            Self::Ra(Error::Refused(refusal)) => refusal.code(),
            Self::Ra(Error::Unavailable { .. }) => "unavailable",
            Self::Ra(Error::Internal(_)) => "internal",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoPrincipal => StatusCode::UNAUTHORIZED,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) | Self::BadCursor => StatusCode::BAD_REQUEST,
            Self::Object(_) => StatusCode::UNPROCESSABLE_ENTITY,
            Self::NothingToDecide(_) | Self::NotEnded => StatusCode::CONFLICT,
            Self::Ra(Error::Refused(refusal)) => status_of(refusal),
            Self::Ra(Error::Unavailable { .. }) => StatusCode::SERVICE_UNAVAILABLE,
            Self::Ra(Error::Internal(_)) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn detail(&self) -> String {
        match self {
            Self::Ra(Error::Internal(_)) => "internal error; the gateway's log says more".to_owned(),
            Self::Ra(Error::Refused(refusal)) => refusal.to_string(),
            other => other.to_string(),
        }
    }

    fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Ra(
                Error::Unavailable { retry_after } | Error::Refused(Refusal::RateLimited(retry_after)),
            ) => Some(*retry_after),
            _ => None,
        }
    }
}

/// The status of each refusal.
const fn status_of(refusal: &Refusal) -> StatusCode {
    match refusal {
        Refusal::UnknownEndpoint
        | Refusal::UnknownProfile(_)
        | Refusal::AccountUnknown
        | Refusal::UnknownRequest
        | Refusal::UnknownCertificate => StatusCode::NOT_FOUND,
        Refusal::AccountDeactivated | Refusal::NotAuthorized | Refusal::Denied => StatusCode::FORBIDDEN,
        Refusal::KeyInUse(_)
        | Refusal::ClaimConflict
        | Refusal::AlreadySpent
        | Refusal::AlreadyRevoked
        | Refusal::NotHeld
        | Refusal::AlreadyDecided
        | Refusal::DigestMismatch
        | Refusal::Expired => StatusCode::CONFLICT,
        Refusal::Malformed(_) => StatusCode::BAD_REQUEST,
        Refusal::RateLimited(_) => StatusCode::TOO_MANY_REQUESTS,
        Refusal::PossessionWeak
        | Refusal::PossessionNotProven
        | Refusal::Key(_)
        | Refusal::Names(_)
        | Refusal::NamesUnproven(_)
        | Refusal::Subject(_)
        | Refusal::Validity(_)
        | Refusal::Extension(_)
        | Refusal::Condition(_)
        | Refusal::CaRejected
        | Refusal::NotIssued
        | Refusal::CannotRevoke
        | Refusal::RevocationReason => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        if let Self::Ra(Error::Internal(source)) = &self {
            tracing::error!(error = %source, "operator call failed");
        }
        let status = self.status();
        let document = ProblemDocument {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("error").to_owned(),
            status: status.as_u16(),
            detail: self.detail(),
            code: self.code().to_owned(),
        };
        let mut response = (status, Json(document)).into_response();
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(wait) = self.retry_after() {
            headers.insert(RETRY_AFTER, HeaderValue::from(wait.as_secs().max(1)));
        }
        response
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

impl From<QueryRejection> for Problem {
    fn from(rejection: QueryRejection) -> Self {
        Self::Malformed(rejection.body_text())
    }
}

pub(crate) async fn no_such_path() -> Problem {
    Problem::NotFound("resource")
}

pub(crate) async fn no_such_method() -> Problem {
    Problem::NoSuchMethod
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_ra::InternalError;

    #[test]
    fn failures_have_a_status_and_a_stable_code() {
        let unavailable = Error::Unavailable {
            retry_after: Duration::from_millis(200),
        };
        let internal = Error::Internal(InternalError::NoBackend("secret-name".to_owned()));
        let rows = [
            (Problem::NoPrincipal, 401, "no_principal", None),
            (Problem::NotFound("request"), 404, "not_found", None),
            (Problem::BadCursor, 400, "bad_cursor", None),
            (Problem::NothingToDecide("issued"), 409, "nothing_to_decide", None),
            (
                Problem::Ra(Refusal::DigestMismatch.into()),
                409,
                "digest_mismatch",
                None,
            ),
            (
                Problem::Ra(Refusal::UnknownRequest.into()),
                404,
                "unknown_request",
                None,
            ),
            (Problem::Ra(unavailable), 503, "unavailable", Some("1")),
            (
                Problem::Ra(Refusal::RateLimited(Duration::from_secs(7)).into()),
                429,
                "rate_limited",
                Some("7"),
            ),
            (Problem::Ra(internal), 500, "internal", None),
        ];
        for (problem, status, code, retry) in rows {
            let named = problem.to_string();
            assert_eq!(problem.code(), code, "{named}");
            assert!(!problem.detail().contains("secret-name"), "{named}");
            let response = problem.into_response();
            assert_eq!(response.status().as_u16(), status, "{named}");
            assert_eq!(
                response.headers()[CONTENT_TYPE],
                "application/problem+json",
                "{named}"
            );
            let after = response
                .headers()
                .get(RETRY_AFTER)
                .map(|value| value.to_str().unwrap());
            assert_eq!(after, retry, "{named}");
        }
    }
}
