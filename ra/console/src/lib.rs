//! The operator API: what people look at and decide.
//!
//! An axum router that the gateway mounts. It knows nothing about how somebody signed in: whoever mounts it puts a
//! [`Principal`] into the extensions of each request, and a request without one is refused. Failures are problem
//! documents (RFC 9457) whose `code` is stable; that of a refusal is [`portreeve_ra::Refusal::code`].

mod certificates;
mod incidents;
mod objects;
mod paging;
mod principal;
mod problem;
mod requests;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::routing::{get, post};
use portreeve_ra::{ObjectKind, RegistrationAuthority};

pub use certificates::CertificateView;
pub use incidents::{ClosingBody, IncidentView};
pub use objects::{ObjectView, Publication};
pub use paging::List;
pub use principal::Principal;
pub use problem::{Problem, ProblemDocument};
pub use requests::{
    DecisionBody, DecisionView, ProposalView, RequestSummary, RequestView, ResolutionBody, ResolutionWord,
};

/// Octets of a request body, at most: an object's text is at most 64 KiB and JSON may double it.
const BODY_BYTES_MAX: usize = 160 * 1024;

/// Reads the text of an object before it is published: what cannot be read must never be in force.
pub trait ObjectCheck: Send + Sync {
    /// Whether this text is an object of this kind; if not, why, for the operator.
    fn check(&self, kind: ObjectKind, name: &str, body: &str) -> Result<(), String>;
}

/// What the API works with.
#[derive(Clone)]
pub struct ConsoleParts {
    /// The Registration Authority.
    pub ra: Arc<RegistrationAuthority>,
    /// Reads objects before they are published.
    pub check: Arc<dyn ObjectCheck>,
    /// Is told that an object of this kind was published.
    pub published: Arc<dyn Fn(ObjectKind) + Send + Sync>,
}

/// The operator API below `/api/v1`.
pub fn router(parts: ConsoleParts) -> Router {
    Router::new()
        .route("/api/v1/requests", get(requests::list))
        .route("/api/v1/requests/{id}", get(requests::show))
        .route("/api/v1/requests/{id}/approve", post(requests::approve))
        .route("/api/v1/requests/{id}/reject", post(requests::reject))
        .route("/api/v1/requests/{id}/resolve", post(requests::resolve))
        .route("/api/v1/certificates", get(certificates::list))
        .route(
            "/api/v1/profiles",
            get(objects::list_profiles).post(objects::publish_profile),
        )
        .route(
            "/api/v1/endpoints",
            get(objects::list_endpoints).post(objects::publish_endpoint),
        )
        .route("/api/v1/incidents", get(incidents::list))
        .route("/api/v1/incidents/{id}/close", post(incidents::close))
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .with_state(parts)
}
