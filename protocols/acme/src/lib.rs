//! ACME edge (RFC 8555), for any number of endpoints.
//!
//! Translates between ACME and the Registration Authority and decides nothing about certificates. Accounts and proofs
//! are signed streams of the RA; orders and authorizations are documents that only say where a client stands.
//! Each operation has a file of its own; `README.md` beside this crate lists them with their clauses.

mod account;
mod attempts;
mod authenticate;
mod authorization;
mod certificate;
mod challenge;
mod config;
mod contact;
mod directory;
mod document;
mod error;
mod external_account;
mod finalize;
#[cfg(fuzzing)]
pub mod fuzzing;
mod identifiers;
mod key_change;
mod names;
mod new_account;
mod new_nonce;
mod new_order;
mod nonce;
mod open_orders;
mod order;
mod orders;
mod problem;
mod render;
mod reply;
mod resource;
mod revoke;
mod service;
mod site;
pub mod validator;

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{
    ACCESS_CONTROL_ALLOW_HEADERS, ACCESS_CONTROL_ALLOW_METHODS, ACCESS_CONTROL_ALLOW_ORIGIN,
    ACCESS_CONTROL_EXPOSE_HEADERS, CACHE_CONTROL,
};
use http::{Method, Response, StatusCode};
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_ra::ports::{Clock, Documents, Random, Sealer, Spawn};
use portreeve_ra::{BadName, EndpointName, RegistrationAuthority};

use crate::document::{Authorization, Order};
use crate::error::AcmeError;
use crate::nonce::Nonces;
use crate::open_orders::OpenOrders;
use crate::problem::{Failure, ProblemType};
use crate::reply::Reply;
use crate::resource::Resource;
use crate::service::Service;
use crate::site::Site;
use crate::validator::Validator;

pub use config::{AcmeConfig, RetryAfter};
pub use names::{NameCheck, RejectedName};
pub use service::KeyCheck;
pub use site::EndpointFace;

/// What an ACME edge is made of.
pub struct AcmeParts {
    /// Decides.
    pub ra: Arc<RegistrationAuthority>,
    /// Reads orders and authorizations.
    pub documents: Arc<dyn Documents>,
    /// Makes the MACs of nonces; purpose `edge`.
    pub sealer: Arc<dyn Sealer>,
    /// Looks at the network.
    pub validator: Arc<dyn Validator>,
    /// Judges account keys.
    pub key_check: Arc<KeyCheck>,
    /// Judges names before an order is made.
    pub names: Arc<dyn NameCheck>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Lets validations go on without their client.
    pub spawn: Arc<dyn Spawn>,
    /// The knobs.
    pub config: AcmeConfig,
    /// The endpoints.
    pub endpoints: Vec<EndpointFace>,
}

/// The ACME edge.
pub struct AcmeEdge {
    service: Arc<Service>,
}

impl AcmeEdge {
    /// An edge of these parts. Fails when an endpoint's name is none.
    pub fn new(parts: AcmeParts) -> Result<Self, BadName> {
        let sites = sites(&parts.endpoints, &parts.config)?;
        let nonces = Nonces::new(
            parts.sealer,
            Arc::clone(&parts.random),
            Arc::clone(&parts.clock),
            parts.config.nonce_lifetime,
        );
        let service = Service {
            ra: parts.ra,
            documents: parts.documents,
            validator: parts.validator,
            key_check: parts.key_check,
            names: parts.names,
            random: parts.random,
            clock: parts.clock,
            spawn: parts.spawn,
            nonces: Arc::new(nonces),
            attempts: Arc::default(),
            open_orders: Arc::new(OpenOrders::new(parts.config.orders_pending_max)),
            config: parts.config,
            sites,
        };
        Ok(Self {
            service: Arc::new(service),
        })
    }

    /// The same edge over other endpoints. It knows the nonces that were spent, the validations under way and the orders
    /// that are open, so that changing the endpoints forgets nothing.
    pub fn with_endpoints(&self, endpoints: &[EndpointFace]) -> Result<Self, BadName> {
        let sites = sites(endpoints, &self.service.config)?;
        let service = Service {
            sites,
            ..Service::clone(&self.service)
        };
        Ok(Self {
            service: Arc::new(service),
        })
    }
}

fn sites(endpoints: &[EndpointFace], config: &AcmeConfig) -> Result<BTreeMap<String, Site>, BadName> {
    let site = |face: &EndpointFace| {
        let endpoint = EndpointName::new(&format!("acme/{}", face.name))?;
        let site = Site::new(endpoint, &config.external_url, face.clone());
        Ok((face.name.clone(), site))
    };
    endpoints.iter().map(site).collect()
}

#[async_trait]
impl Edge for AcmeEdge {
    /// HTTPS only (RFC 8555 section 6.1).
    fn mounts(&self) -> Vec<Mount> {
        self.service
            .sites
            .values()
            .map(|site| Mount::tls_only(site.prefix.clone()))
            .collect()
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let Some((site, below)) = self.service.site(&call.path) else {
            return nowhere(&self.service.config);
        };
        let resource = Resource::parse(below);
        let carries_nonce = call.method == Method::POST;
        let request_id = call.request_id;
        match dispatch(&self.service, site, resource, call).await {
            Ok(reply) if carries_nonce => self.service.with_nonce(reply).complete(site, resource),
            Ok(reply) => reply.complete(site, resource),
            Err(error) => {
                report(&error, site, &request_id);
                let reply = Reply::problem(&error.problem(site));
                self.service.with_nonce(reply).complete(site, resource)
            }
        }
    }

    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes> {
        let Some((site, below)) = self.service.site(path) else {
            return nowhere(&self.service.config);
        };
        let reply = Reply::problem(&AcmeError::from(why).problem(site));
        self.service
            .with_nonce(reply)
            .complete(site, Resource::parse(below))
    }
}

/// The answer where no endpoint is. It says what a directory's URL looks like, and not which there are.
fn nowhere(config: &AcmeConfig) -> Response<Bytes> {
    let detail = format!(
        "there is no ACME endpoint under this path: the URL of a directory is {}/acme/NAME/directory, with the name of \
         an endpoint that is published",
        config.external_url
    );
    let failure = Failure::new(StatusCode::NOT_FOUND, ProblemType::Malformed, detail);
    Reply::problem(&failure.into())
        .header(CACHE_CONTROL, "no-store")
        .header(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
        .into_response()
}

/// One arm per operation.
async fn dispatch(
    service: &Arc<Service>,
    site: &Site,
    resource: Option<Resource>,
    call: Call,
) -> Result<Reply, AcmeError> {
    let resource = resource.ok_or(AcmeError::NotFound)?;
    match call.method {
        Method::POST => {}
        Method::GET | Method::HEAD if resource.is_open() => {
            return open(service, site, resource, &call.method);
        }
        Method::OPTIONS => return Ok(preflight()),
        _ => {
            return Err(AcmeError::Method {
                allow: resource.methods(),
            });
        }
    }
    match resource {
        Resource::NewAccount => new_account::handle(service, site, service.by_key(site, call).await?).await,
        Resource::RevokeCertificate => {
            revoke::handle(service, site, service.by_either(site, call).await?).await
        }
        Resource::Orders(id) => {
            let query = call.query.clone();
            orders::handle(service, site, service.by_account(site, call).await?, (id, query)).await
        }
        Resource::NewOrder => {
            let endpoint = service.ra.endpoint(&site.endpoint);
            let (by, endpoint) = service.by_account_with(site, call, endpoint).await?;
            let endpoint = endpoint?;
            new_order::handle(service, site, by, &endpoint).await
        }
        Resource::Order(id) => {
            let (by, order) = service.about::<Order>(site, call, *id.as_bytes()).await?;
            order::handle(service, site, by, order).await
        }
        Resource::Finalize(id) => {
            let (by, order) = service.about::<Order>(site, call, *id.as_bytes()).await?;
            finalize::handle(service, site, by, order).await
        }
        Resource::Certificate(id) => {
            let (by, order) = service.about::<Order>(site, call, *id.as_bytes()).await?;
            certificate::handle(service, site, by, order).await
        }
        Resource::Authorization(id) => {
            let (by, stored) = service.about::<Authorization>(site, call, *id.as_bytes()).await?;
            authorization::handle(service, site, by, stored).await
        }
        Resource::Challenge(id, kind) => {
            let (by, stored) = service.about::<Authorization>(site, call, *id.as_bytes()).await?;
            challenge::handle(service, site, by, (stored, kind)).await
        }
        Resource::Directory | Resource::NewNonce => {
            let by = service.by_account(site, call).await?;
            by.request.only_reads()?;
            open(service, site, resource, &Method::POST)
        }
        Resource::Account(id) => {
            let by = service.by_account(site, call).await?;
            account::handle(service, site, by, id).await
        }
        Resource::KeyChange => key_change::handle(service, site, service.by_account(site, call).await?).await,
    }
}

/// The two resources that need no signature.
fn open(service: &Service, site: &Site, resource: Resource, method: &Method) -> Result<Reply, AcmeError> {
    match resource {
        Resource::NewNonce => new_nonce::handle(service, method),
        _ => Ok(directory::handle(service, site)),
    }
}

/// What a browser asks before it sends a signed request (RFC 8555 section 6.1).
fn preflight() -> Reply {
    Reply::empty(StatusCode::NO_CONTENT)
        .header(ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD, POST")
        .header(ACCESS_CONTROL_ALLOW_HEADERS, "Content-Type")
}

/// A fault of ours is logged once, here; what the client did wrong only on request.
fn report(error: &AcmeError, site: &Site, request_id: &[u8; 16]) {
    let request = hex::encode(request_id);
    if error.is_internal() {
        tracing::error!(endpoint = %site.endpoint, request, %error, "request failed");
    } else {
        tracing::debug!(endpoint = %site.endpoint, request, %error, "request refused");
    }
}

impl Service {
    /// The answer with a nonce for the next request (RFC 8555 section 6.5).
    fn with_nonce(&self, reply: Reply) -> Reply {
        match self.nonces.issue() {
            Ok(nonce) => reply.nonce(&nonce),
            Err(error) => {
                tracing::error!(%error, "a nonce could not be made");
                reply
            }
        }
    }
}

impl Reply {
    /// The headers that every answer carries.
    fn complete(self, site: &Site, resource: Option<Resource>) -> Response<Bytes> {
        let reply = match resource {
            Some(Resource::Directory) => self.header(CACHE_CONTROL, "public, no-cache"),
            _ => self
                .header(CACHE_CONTROL, "no-store")
                .link(&site.directory(), "index"),
        };
        reply
            .header(ACCESS_CONTROL_ALLOW_ORIGIN, "*")
            .header(
                ACCESS_CONTROL_EXPOSE_HEADERS,
                "Link, Location, Replay-Nonce, Retry-After",
            )
            .into_response()
    }
}
