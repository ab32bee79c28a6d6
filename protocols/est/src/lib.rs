//! EST edge (RFC 7030, RFC 8951, RFC 9908), for any number of endpoints.
//!
//! Translates between EST and the Registration Authority and decides nothing about trust, policy or waiting: it extracts
//! credentials and the value of the channel, hands the PKCS #10 request on as it was received, and words the answer.
//! Each operation has a file of its own; `README.md` beside this crate lists them with their clauses.

mod cacerts;
mod config;
mod credential;
mod csrattrs;
mod error;
mod posted;
mod render;
mod reply;
mod route;
mod serverkeygen;
mod service;
mod simpleenroll;
mod simplereenroll;
mod site;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_ra::{BadName, EndpointName, RegistrationAuthority};

use crate::error::EstError;
use crate::reply::Reply;
use crate::route::{Operation, Route, WELL_KNOWN};
use crate::service::Service;
use crate::site::Site;

pub use config::EstConfig;
pub use reply::Challenge;
pub use service::{CaCertificates, KeyOrigin, KeyPairs};
pub use site::EndpointFace;

/// What an EST edge is made of.
pub struct EstParts {
    /// Decides.
    pub ra: Arc<RegistrationAuthority>,
    /// Knows the CAs.
    pub authorities: Arc<dyn CaCertificates>,
    /// Makes keys for clients that do not make their own.
    pub key_pairs: Arc<dyn KeyPairs>,
    /// Signs the keys that are encrypted to clients.
    pub key_origin: Arc<dyn KeyOrigin>,
    /// The knobs.
    pub config: EstConfig,
    /// The endpoints.
    pub endpoints: Vec<EndpointFace>,
}

/// The EST edge.
pub struct EstEdge {
    service: Service,
}

impl EstEdge {
    /// An edge of these parts. Fails when an endpoint's name is none.
    pub fn new(parts: EstParts) -> Result<Self, BadName> {
        let service = Service {
            sites: sites(&parts.endpoints)?,
            ra: parts.ra,
            authorities: parts.authorities,
            key_pairs: parts.key_pairs,
            key_origin: parts.key_origin,
            config: parts.config,
        };
        Ok(Self { service })
    }

    /// The same edge over other endpoints.
    pub fn with_endpoints(&self, endpoints: &[EndpointFace]) -> Result<Self, BadName> {
        let service = Service {
            sites: sites(endpoints)?,
            ..self.service.clone()
        };
        Ok(Self { service })
    }

    /// The paths that every EST edge serves, whatever its endpoints are called. HTTPS only (RFC 7030 section 3.3).
    pub fn all_mounts() -> Vec<Mount> {
        // Some clients can only put a path in front of `.well-known`.
        vec![
            Mount::tls_only(WELL_KNOWN),
            Mount::tls_only(WELL_KNOWN).behind_a_segment(),
        ]
    }

    /// The endpoint that a path names, and what is asked of it.
    fn find(&self, path: &str) -> Option<(&Site, Operation)> {
        let route = Route::parse(path)?;
        Some((self.service.sites.get(route.label)?, route.operation))
    }

    async fn answer(&self, (site, operation): (&Site, Operation), mut call: Call) -> Result<Reply, EstError> {
        let service = &self.service;
        if !operation.allows(&call.method) {
            let allow = operation.methods();
            return Err(EstError::Method { allow });
        }
        if let Some(limit) = site.face.address_limit {
            let (ra, address) = (&service.ra, call.peer.address);
            ra.count_arrival(&site.endpoint, address, limit).await?;
        }
        let answered = match operation {
            Operation::CaCertificates => cacerts::handle(service, site, &call).await,
            Operation::CsrAttributes => csrattrs::handle(service, site, &call).await,
            Operation::SimpleEnroll => simpleenroll::handle(service, site, &mut call).await,
            Operation::SimpleReenroll => simplereenroll::handle(service, site, &mut call).await,
            Operation::ServerKeyGeneration => serverkeygen::handle(service, site, &mut call).await,
        };
        if let Err(error) = &answered {
            report(error, (site, operation), &call.request_id);
        }
        answered
    }
}

fn sites(endpoints: &[EndpointFace]) -> Result<BTreeMap<String, Site>, BadName> {
    let site = |face: &EndpointFace| {
        let endpoint = EndpointName::new(&format!("est/{}", face.name))?;
        let face = face.clone();
        Ok((face.name.clone(), Site { endpoint, face }))
    };
    endpoints.iter().map(site).collect()
}

#[async_trait]
impl Edge for EstEdge {
    fn mounts(&self) -> Vec<Mount> {
        Self::all_mounts()
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let Some((site, operation)) = self.find(&call.path) else {
            return EstError::NotFound.reply().into_response(Challenge::Basic);
        };
        let answered = self.answer((site, operation), call).await;
        let reply = answered.unwrap_or_else(|error| error.reply());
        reply.into_response(site.face.challenge)
    }

    fn refuse(&self, why: BodyRefusal, _path: &str) -> Response<Bytes> {
        EstError::from(why).reply().into_response(Challenge::Basic)
    }
}

/// A fault of ours is logged once, here; what the client did wrong only on request.
fn report(error: &EstError, (site, operation): (&Site, Operation), request_id: &[u8; 16]) {
    let (endpoint, operation) = (&site.endpoint, operation.as_str());
    let request = hex::encode(request_id);
    if error.is_internal() {
        tracing::error!(%endpoint, operation, request, %error, "request failed");
    } else {
        tracing::debug!(%endpoint, operation, request, %error, "request refused");
    }
}
