//! Who asks.

use axum::extract::FromRequestParts;
use http::request::Parts;
use portreeve_ra::{Principal, Standing};

use crate::problem::Problem;

/// Whoever mounts the router has found out who is asking and what they may do, and says so in an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn(pub Standing);

impl SignedIn {
    /// Who.
    pub(crate) fn principal(&self) -> &Principal {
        &self.0.principal
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SignedIn {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parts
            .extensions
            .get::<Self>()
            .cloned()
            .ok_or(Problem::NoPrincipal)
    }
}
