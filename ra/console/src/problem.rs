//! Problem documents (RFC 9457).

use axum::body::{Body, Bytes};
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::response::{IntoResponse, Response};
use http::header::{CONTENT_TYPE, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderValue, StatusCode};
use portreeve_ra::access::Forbidden;
use portreeve_ra::authority::SearchError;
use portreeve_ra::configuration::ConfigurationError;
use portreeve_ra::operators::ChangeError;
use portreeve_ra::search::QueryError;
use portreeve_ra::{DecisionRejection, Error, Refusal, Right};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;
use utoipa::ToSchema;
use utoipa::openapi::content::ContentBuilder;
use utoipa::openapi::response::ResponseBuilder;
use utoipa::openapi::{Ref, RefOr};

use crate::auth::NotSignedIn;
use crate::configuration::{RemarkView, remarks, worded};

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
    /// What was shown does not sign in.
    #[error("what you showed does not sign in")]
    BadCredentials,
    /// Only client certificates are accepted.
    #[error("this gateway accepts client certificates of its management CA alone")]
    CertificateRequired,
    /// Too many wrong attempts to sign in.
    #[error("too many wrong attempts to sign in: wait")]
    TooManyAttempts(Duration),
    /// The principal lacks a right.
    #[error("this needs the right {0}")]
    Forbidden(Right),
    /// Only a superadmin may do it, or only the host.
    #[error("{0}")]
    Reserved(&'static str),
    /// It would leave nobody with every right.
    #[error("this is the last superadmin who can sign in: make another one first")]
    LastSuperadmin,
    /// It would leave one with every right, to which others must agree.
    #[error(
        "one superadmin who can sign in would be left: have this one disabled, which others agree to, then remove it"
    )]
    DisableFirst,
    /// There is one with this name.
    #[error("there is one with this name already")]
    Exists,
    /// Another version is in force than the caller looked at.
    #[error("another version is in force than the one you looked at: read it again")]
    PreconditionFailed,
    /// The caller does not say which version it looked at.
    #[error("say with If-Match which version you looked at, or with If-None-Match: * that there is none")]
    PreconditionRequired,
    /// Rights that tokens may not carry.
    #[error("the rights {0} are only for tokens that are bound to a client certificate")]
    ScopeNeedsCertificate(String),
    /// The one-time credential is no longer good.
    #[error("the one-time credential is no longer good")]
    CredentialSpent,
    /// The key of an earlier call with something else in it.
    #[error("this Idempotency-Key was used for another call")]
    KeyReused,
    /// The earlier call has not ended, or nobody knows how.
    #[error("a call with this Idempotency-Key is under way, or was cut off: look before you try again")]
    KeyInProgress,
    /// The earlier call showed a secret, which is not shown again.
    #[error("a call with this Idempotency-Key has made a secret, which was shown then and is not kept")]
    ShownBefore,
    /// The body is too large.
    #[error("the body is too large")]
    TooLarge,
    /// The query cannot be read.
    #[error(transparent)]
    Query(#[from] QueryError),
    /// The serial number that was repeated is another one.
    #[error("expected_serial is not the serial number of this certificate")]
    SerialMismatch,
    /// What is to be revoked is not what was previewed.
    #[error("digest is not that of these certificates and this reason: preview them again")]
    SelectionMismatch,
    /// Several CAs have given the serial number.
    #[error("several CAs have given this serial number: say which with ?backend=, one of {}", .0.join(", "))]
    AmbiguousSerial(Vec<String>),
    /// A change of configuration that is not made.
    #[error("{0}")]
    Configuration(ConfigurationError),
    /// The RA says no, not now, or fails.
    #[error(transparent)]
    Ra(#[from] Error),
}

/// The body of a failed call.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
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
    /// Where a query cannot be read: characters before the place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<usize>,
    /// What was said about a text that must not be in force as it is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<RemarkView>,
}

impl Problem {
    pub(crate) fn code(&self) -> &'static str {
        match self {
            Self::NoPrincipal => "no_principal",
            Self::NotFound(_) => "not_found",
            Self::NoSuchMethod => "no_such_method",
            Self::Malformed(_) => "malformed",
            Self::BadCursor => "bad_cursor",
            Self::Object(_) => "object_rejected",
            Self::NothingToDecide(_) => "nothing_to_decide",
            Self::NotEnded => "not_ended",
            Self::BadCredentials => "bad_credentials",
            Self::CertificateRequired => "certificate_required",
            Self::TooManyAttempts(_) => "too_many_attempts",
            Self::Forbidden(_) => "forbidden",
            Self::Reserved(_) => "reserved",
            Self::LastSuperadmin => "last_superadmin",
            Self::DisableFirst => "approval_needed",
            Self::Exists => "exists",
            Self::PreconditionFailed => "precondition_failed",
            Self::PreconditionRequired => "precondition_required",
            Self::ScopeNeedsCertificate(_) => "scope_needs_certificate",
            Self::CredentialSpent => "credential_spent",
            Self::KeyReused => "idempotency_key_reused",
            Self::KeyInProgress => "idempotency_key_in_progress",
            Self::ShownBefore => "secret_shown_before",
            Self::TooLarge => "too_large",
            Self::Query(_) => "bad_query",
            Self::SerialMismatch => "serial_mismatch",
            Self::SelectionMismatch => "selection_mismatch",
            Self::AmbiguousSerial(_) => "ambiguous_serial",
            Self::Configuration(error) => worded(error).0,
            Self::Ra(Error::Refused(refusal)) => refusal.code(),
            Self::Ra(Error::Unavailable { .. }) => "unavailable",
            Self::Ra(Error::Internal(_)) => "internal",
        }
    }

    fn status(&self) -> StatusCode {
        match self {
            Self::NoPrincipal | Self::BadCredentials | Self::CertificateRequired => StatusCode::UNAUTHORIZED,
            Self::TooManyAttempts(_) => StatusCode::TOO_MANY_REQUESTS,
            Self::Forbidden(_) | Self::Reserved(_) | Self::CredentialSpent => StatusCode::FORBIDDEN,
            Self::LastSuperadmin
            | Self::DisableFirst
            | Self::Exists
            | Self::KeyInProgress
            | Self::ShownBefore => StatusCode::CONFLICT,
            Self::PreconditionFailed => StatusCode::PRECONDITION_FAILED,
            Self::PreconditionRequired => StatusCode::PRECONDITION_REQUIRED,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::NotFound(_) => StatusCode::NOT_FOUND,
            Self::NoSuchMethod => StatusCode::METHOD_NOT_ALLOWED,
            Self::Malformed(_) | Self::BadCursor | Self::Query(_) => StatusCode::BAD_REQUEST,
            Self::Object(_) | Self::ScopeNeedsCertificate(_) | Self::KeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            Self::SerialMismatch | Self::SelectionMismatch | Self::AmbiguousSerial(_) => StatusCode::CONFLICT,
            Self::NothingToDecide(_) | Self::NotEnded => StatusCode::CONFLICT,
            Self::Configuration(error) => worded(error).1,
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
            )
            | Self::TooManyAttempts(retry_after) => Some(*retry_after),
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
        Refusal::AccountDeactivated
        | Refusal::NotAuthorized
        | Refusal::Denied
        | Refusal::CredentialMissing
        | Refusal::CredentialNotAccepted
        | Refusal::CredentialsDisagree
        | Refusal::CertificateRequired
        | Refusal::ClientCertificate(_)
        | Refusal::NotOffered
        | Refusal::NotItsNames => StatusCode::FORBIDDEN,
        Refusal::KeyInUse(_)
        | Refusal::ClaimConflict
        | Refusal::AlreadySpent
        | Refusal::AlreadyRevoked
        | Refusal::NotHeld
        | Refusal::AlreadyDecided
        | Refusal::DigestMismatch
        | Refusal::NameTaken
        | Refusal::RegistrationClosed
        | Refusal::LimitReached
        | Refusal::Expired => StatusCode::CONFLICT,
        Refusal::Decision(rejection) => of_decision(rejection),
        Refusal::Stale => StatusCode::PRECONDITION_FAILED,
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
        | Refusal::RevocationReason
        | Refusal::BindingRequired
        | Refusal::BindingNotOffered
        | Refusal::RenewalTooEarly(_)
        | Refusal::RenewalKeySame
        | Refusal::RenewalKeyOther
        | Refusal::ChannelBinding(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

/// The status of each reason why a decision does not count.
const fn of_decision(rejection: &DecisionRejection) -> StatusCode {
    match rejection {
        DecisionRejection::Right(_) | DecisionRejection::NoStep | DecisionRejection::Excluded(_) => {
            StatusCode::FORBIDDEN
        }
        DecisionRejection::StepLater(_)
        | DecisionRejection::Twice
        | DecisionRejection::Overtaken
        | DecisionRejection::ApprovalNeeded(_) => StatusCode::CONFLICT,
        DecisionRejection::CommentMissing
        | DecisionRejection::EvidenceMissing
        | DecisionRejection::EvidenceInvalid
        | DecisionRejection::Grant(_)
        | DecisionRejection::Nobody(_) => StatusCode::UNPROCESSABLE_ENTITY,
    }
}

impl Problem {
    /// The answer that says it.
    pub fn rendered(&self) -> http::Response<Bytes> {
        if let Self::Ra(Error::Internal(source)) = self {
            tracing::error!(error = %source, "operator call failed");
        }
        let status = self.status();
        let document = ProblemDocument {
            kind: "about:blank".to_owned(),
            title: status.canonical_reason().unwrap_or("error").to_owned(),
            status: status.as_u16(),
            detail: self.detail(),
            code: self.code().to_owned(),
            position: match &self {
                Self::Query(error) => Some(error.position),
                _ => None,
            },
            remarks: match self {
                Self::Configuration(error) => remarks(error),
                _ => Vec::new(),
            },
        };
        let mut response = http::Response::new(serde_json::to_vec(&document).unwrap_or_default().into());
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            for way in [
                "Bearer realm=\"portreeve\"",
                "Basic realm=\"portreeve\", charset=\"UTF-8\"",
            ] {
                headers.append(WWW_AUTHENTICATE, HeaderValue::from_static(way));
            }
        }
        if let Some(wait) = self.retry_after() {
            // Rounded up: who comes back earlier is turned away again.
            let seconds = wait.as_millis().div_ceil(1000).max(1);
            let seconds = u64::try_from(seconds).unwrap_or(u64::MAX);
            headers.insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        self.rendered().map(Body::from)
    }
}

impl From<SearchError> for Problem {
    fn from(error: SearchError) -> Self {
        match error {
            SearchError::Cursor(_) => Self::BadCursor,
            SearchError::Ambiguous(backends) => Self::AmbiguousSerial(backends),
            SearchError::Ra(error) => Self::Ra(error),
        }
    }
}

impl From<JsonRejection> for Problem {
    fn from(rejection: JsonRejection) -> Self {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            return Self::TooLarge;
        }
        Self::Malformed(rejection.body_text())
    }
}

impl From<Forbidden> for Problem {
    fn from(Forbidden(right): Forbidden) -> Self {
        Self::Forbidden(right)
    }
}

impl From<ChangeError> for Problem {
    fn from(error: ChangeError) -> Self {
        match error {
            ChangeError::Forbidden(lacks) => lacks.into(),
            ChangeError::SuperadminOnly => {
                Self::Reserved("only a superadmin may change, make or sign in for a superadmin")
            }
            ChangeError::LastSuperadmin => Self::LastSuperadmin,
            ChangeError::DisableFirst => Self::DisableFirst,
            ChangeError::Condition => Self::PreconditionFailed,
            ChangeError::Unknown => Self::NotFound("object"),
            ChangeError::Unreadable(reason) => Self::Object(reason),
            ChangeError::ScopeNeedsCertificate(rights) => Self::ScopeNeedsCertificate(rights),
            ChangeError::TooManyDrafts => Self::Configuration(ConfigurationError::TooManyDrafts),
            ChangeError::Spent => Self::CredentialSpent,
            ChangeError::Ra(error) => Self::Ra(error),
        }
    }
}

impl From<NotSignedIn> for Problem {
    fn from(reason: NotSignedIn) -> Self {
        match reason {
            NotSignedIn::Nothing => Self::NoPrincipal,
            NotSignedIn::Wrong => Self::BadCredentials,
            NotSignedIn::CertificateNeeded => Self::CertificateRequired,
            NotSignedIn::TooMany(wait) => Self::TooManyAttempts(wait),
            NotSignedIn::Ra(error) => Self::Ra(error),
        }
    }
}

/// In the description of the API, where every call may fail in the same ways.
impl utoipa::IntoResponses for Problem {
    fn responses() -> BTreeMap<String, RefOr<utoipa::openapi::Response>> {
        let document = Ref::from_schema_name("ProblemDocument");
        let content = ContentBuilder::new().schema(Some(document)).build();
        let response = ResponseBuilder::new()
            .description("a problem document: its code says what is wrong")
            .content("application/problem+json", content)
            .build();
        ["4XX", "5XX"]
            .map(|status| (status.to_owned(), RefOr::T(response.clone())))
            .into()
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
mod tests;
