//! The operator API: what people look at and decide.
//!
//! An axum router that the gateway mounts. It knows nothing about how somebody signed in: whoever mounts it puts a
//! [`SignedIn`] into the extensions of each request, and a request without one is refused. Failures are problem
//! documents (RFC 9457) whose `code` is stable; that of a refusal is [`portreeve_ra::Refusal::code`].

mod certificates;
mod incidents;
mod objects;
mod paging;
mod problem;
mod requests;
mod signed_in;

use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_extractor;
use axum::routing::{get, post};
use portreeve_ra::{ObjectKind, ObjectVersion, RegistrationAuthority};

pub use certificates::CertificateView;
pub use incidents::{ClosingBody, IncidentView};
pub use objects::{ObjectView, Publication};
pub use paging::List;
pub use problem::{Problem, ProblemDocument};
pub use requests::{
    DecisionBody, DecisionView, ProposalView, RequestSummary, RequestView, ResolutionBody, ResolutionWord,
};
pub use signed_in::SignedIn;

/// Octets of a request body, at most: an object's text is at most 64 KiB and JSON may double it.
const BODY_BYTES_MAX: usize = 160 * 1024;

/// Reads the text of an object before it is published: what cannot be read, or gives away too much, must never be in
/// force.
pub trait ObjectCheck: Send + Sync {
    /// Whether this text may be published as an object of this kind, beside these profiles and endpoints in force; if
    /// not, why, for the operator.
    fn check(&self, proposed: &ProposedObject<'_>, in_force: &[ObjectVersion]) -> Result<(), String>;
}

/// A text that somebody wants to publish.
#[derive(Clone, Copy, Debug)]
pub struct ProposedObject<'a> {
    /// What kind of object.
    pub kind: ObjectKind,
    /// Its name.
    pub name: &'a str,
    /// Its text.
    pub body: &'a str,
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

/// The operator API below `/api/v1`, with further paths that its mounter answers. Without a [`SignedIn`] none of it is
/// answered.
pub fn router(parts: ConsoleParts, further: Router) -> Router {
    guarded(resources().with_state(parts).merge(further))
}

/// What a node answers that is no console: only these paths, and likewise only to a [`SignedIn`].
pub fn without_resources(further: Router) -> Router {
    guarded(further)
}

/// Refuses whatever comes without a [`SignedIn`], whether or not its path exists.
fn guarded(router: Router) -> Router {
    router
        .fallback(problem::no_such_path)
        .method_not_allowed_fallback(problem::no_such_method)
        .layer(DefaultBodyLimit::max(BODY_BYTES_MAX))
        .layer(from_extractor::<SignedIn>())
}

fn resources() -> Router<ConsoleParts> {
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
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::Body;
    use axum::response::Response;
    use http::Request;
    use portreeve_ra::Standing;
    use std::future::Future;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};
    use tower_service::Service;

    /// The status of a request, with or without somebody signed in.
    fn status(method: &str, path: &str, principal: Option<&str>) -> u16 {
        let mut router = guarded(Router::new().route("/api/v1/further", get(|| async { "fine" })));
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .body(Body::empty())
            .unwrap();
        if let Some(name) = principal {
            request
                .extensions_mut()
                .insert(SignedIn(Standing::superadmin(name.parse().unwrap())));
        }
        let answer = pin!(router.call(request));
        let Poll::Ready(Ok(response)): Poll<Result<Response, _>> =
            answer.poll(&mut Context::from_waker(Waker::noop()))
        else {
            panic!("nothing here waits")
        };
        response.status().as_u16()
    }

    #[test]
    fn nothing_is_answered_without_a_principal() {
        let rows = [
            ("a path of the mounter", "GET", "/api/v1/further", 200),
            ("another method", "POST", "/api/v1/further", 405),
            ("no such path", "GET", "/api/v1/none", 404),
        ];
        for (name, method, path, expected) in rows {
            assert_eq!(status(method, path, None), 401, "{name}: nobody");
            assert_eq!(status(method, path, Some("host:root")), expected, "{name}");
        }
    }
}
