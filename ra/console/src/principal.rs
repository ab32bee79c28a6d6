//! Who asks.

use axum::extract::FromRequestParts;
use http::request::Parts;

use crate::problem::Problem;

/// Whoever mounts the router has found out that this principal is asking, and says so in an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Principal(pub String);

impl<S: Send + Sync> FromRequestParts<S> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Problem::NoPrincipal)
    }
}
