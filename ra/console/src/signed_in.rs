//! Who asks, how they signed in, and from where.

use std::net::IpAddr;

use axum::extract::FromRequestParts;
use http::request::Parts;
use portreeve_ra::access::{Acting, Target};
use portreeve_ra::{Origin, Principal, RegistrationAuthority, Right, SecretId, Standing};

use crate::problem::Problem;

/// Whoever mounts the router has found out who is asking and what they may do, and says so in an extension.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SignedIn(pub Standing, pub Arrival);

/// How and from where a principal came.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Arrival {
    /// How they showed who they are.
    pub method: SignInMethod,
    /// The network address; `None` on the host's socket.
    pub address: Option<IpAddr>,
    /// The id under which the gateway logs the request.
    pub request: Option<[u8; 16]>,
    /// SHA-256 of the SubjectPublicKeyInfo of the client certificate that was accepted, if one was.
    pub key: Option<[u8; 32]>,
}

/// How a principal showed who they are.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum SignInMethod {
    /// By being able to use the host's socket.
    Host,
    /// With a client certificate of the management CA.
    Certificate,
    /// With a password.
    Password,
    /// With a token.
    Token,
    /// With the one-time credential made on the host.
    Bootstrap(SecretId),
}

impl SignInMethod {
    /// The word in the API.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Host => "host",
            Self::Certificate => "certificate",
            Self::Password => "password",
            Self::Token => "token",
            Self::Bootstrap(_) => "bootstrap",
        }
    }
}

impl SignedIn {
    /// The one behind the host's socket.
    pub const fn host(standing: Standing, request: [u8; 16]) -> Self {
        let arrival = Arrival {
            method: SignInMethod::Host,
            address: None,
            request: Some(request),
            key: None,
        };
        Self(standing, arrival)
    }

    /// Who.
    pub fn principal(&self) -> &Principal {
        &self.0.principal
    }

    /// From where, as events tell.
    pub fn origin(&self, ra: &RegistrationAuthority) -> Origin {
        Origin {
            address: self.1.address,
            request: self.1.request,
            ..Origin::node(ra.node())
        }
    }

    /// Who acts, for a verb of the RA.
    pub fn acting(&self, ra: &RegistrationAuthority, reason: &str) -> Acting {
        Acting {
            standing: self.0.clone(),
            origin: self.origin(ra),
            reason: reason.to_owned(),
        }
    }

    /// Refuses, and records it, when they lack the right on this.
    pub async fn require(
        &self,
        ra: &RegistrationAuthority,
        right: Right,
        target: Target<'_>,
    ) -> Result<(), Problem> {
        let needed = (target, &self.origin(ra));
        Ok(ra.authorize(&self.0, right, needed).await?)
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
