//! The router: finds the edge for a path, enforces what no edge may forget, and survives an edge that fails.

mod body;
mod proxies;

use std::net::IpAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use futures_util::FutureExt;
use http::header::{ALLOW, CONTENT_LENGTH, CONTENT_TYPE, HOST};
use http::{HeaderName, HeaderValue, Method, Request, Response, StatusCode, Version};
use http_body_util::Full;
use ipnet::IpNet;
use portreeve_edge::{BodyRefusal, Call, Edge, Mount, Peer, TlsPeer};
use portreeve_ra::ports::Clock;
use tracing::{debug, error};
use uuid::Uuid;

use crate::config::Transport;
use crate::telemetry::GatewayMetrics;

pub use body::TimedBody;

/// No request body is larger, whatever an edge would read.
const BODY_BYTES_MAX: u64 = 1024 * 1024;

/// The longest path that is looked up.
const PATH_BYTES_MAX: usize = 8192;

/// The header that carries the request's id to the client.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What a connection says about a request.
#[derive(Clone, Debug)]
pub struct Arrival {
    /// The address at the other end of the connection.
    pub peer: IpAddr,
    /// What TLS knows about it; `None` for plain HTTP.
    pub tls: Option<TlsPeer>,
}

/// What the router of every listener needs.
#[derive(Clone)]
pub struct RouterParts {
    /// Counts requests.
    pub metrics: Arc<GatewayMetrics>,
    /// Says when a request arrived.
    pub clock: Arc<dyn Clock>,
    /// Proxies whose `X-Forwarded-For` is believed.
    pub trusted_proxies: Vec<IpNet>,
    /// Time for a request body.
    pub body_timeout: Duration,
}

/// An edge under its short name.
#[derive(Clone)]
pub struct NamedEdge {
    /// The name in metrics and logs.
    pub name: &'static str,
    /// The edge.
    pub edge: Arc<dyn Edge>,
}

/// The mount table of one listener.
pub struct Router {
    table: Vec<(Mount, NamedEdge)>,
    parts: RouterParts,
}

impl Router {
    /// A table of everything these edges mount; over plain HTTP only what may be served there.
    pub fn new(edges: &[NamedEdge], transport: Transport, parts: RouterParts) -> Self {
        let mut table: Vec<(Mount, NamedEdge)> = edges
            .iter()
            .flat_map(|named| {
                named
                    .edge
                    .mounts()
                    .into_iter()
                    .map(|mount| (mount, named.clone()))
            })
            .filter(|(mount, _)| transport == Transport::Tls || mount.plain_http)
            .collect();
        // The longest prefix stands first, so the first match is the one that counts.
        table.sort_by_key(|(mount, _)| std::cmp::Reverse(mount.prefix.len()));
        Self { table, parts }
    }

    /// Answers one request. Never fails and never panics: what goes wrong inside becomes a status 500.
    pub async fn respond<B>(&self, request: Request<B>, arrival: Arrival) -> Response<Full<Bytes>>
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        let started = Instant::now();
        let id = Uuid::now_v7();
        let method = request.method().clone();
        let (name, answered) = self.dispatch(request, arrival, id).await;
        let mut response = answered.map(Full::new);
        let shown = id.as_simple().to_string();
        if let Ok(value) = HeaderValue::from_str(&shown) {
            response.headers_mut().insert(REQUEST_ID, value);
        }
        let status = response.status().as_u16();
        self.parts.metrics.request(name, status, started.elapsed());
        debug!(
            request = %shown, mount = name, %method, status,
            duration_ms = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
            "request answered"
        );
        response
    }

    async fn dispatch<B>(
        &self,
        request: Request<B>,
        arrival: Arrival,
        id: Uuid,
    ) -> (&'static str, Response<Bytes>)
    where
        B: http_body::Body<Data = Bytes> + Send + 'static,
    {
        if !names_one_host(&request) {
            return ("none", text(StatusCode::BAD_REQUEST, "one Host, please\n"));
        }
        let path = request.uri().path();
        if path.len() > PATH_BYTES_MAX {
            return ("none", text(StatusCode::URI_TOO_LONG, "URI too long\n"));
        }
        let Some(named) = self.find(path) else {
            return if path == "/" {
                ("root", root(request.method()))
            } else {
                ("none", text(StatusCode::NOT_FOUND, "not found\n"))
            };
        };
        if announced(&request) > BODY_BYTES_MAX {
            return (named.name, named.edge.refuse(BodyRefusal::TooLarge, path));
        }
        let address = proxies::client_address(arrival.peer, request.headers(), &self.parts.trusted_proxies);
        let peer = Peer {
            address,
            tls: arrival.tls,
        };
        let timeout = self.parts.body_timeout;
        let request = request.map(|body| TimedBody::new(body, timeout));
        let call = Call::new(request, peer, id.into_bytes(), self.parts.clock.now());
        let handled = AssertUnwindSafe(named.edge.handle(call)).catch_unwind().await;
        let response = handled.unwrap_or_else(|_| {
            error!(request = %id.as_simple(), mount = named.name, "an edge panicked while answering");
            text(StatusCode::INTERNAL_SERVER_ERROR, "internal error\n")
        });
        (named.name, response)
    }

    fn find(&self, path: &str) -> Option<&NamedEdge> {
        self.table
            .iter()
            .find(|(mount, _)| mount.matches(path))
            .map(|(_, named)| named)
    }
}

/// RFC 9112 section 3.2: a request of HTTP/1.1 has one Host. Nothing here depends on it, but something in front may.
fn names_one_host<B>(request: &Request<B>) -> bool {
    let hosts = request.headers().get_all(HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
}

/// The size a request says its body has.
fn announced<B>(request: &Request<B>) -> u64 {
    let length = request
        .headers()
        .get(CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok());
    length.and_then(|text| text.parse().ok()).unwrap_or(0)
}

fn root(method: &Method) -> Response<Bytes> {
    if method == Method::GET || method == Method::HEAD {
        return text(StatusCode::OK, "up\n");
    }
    let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
    response
        .headers_mut()
        .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

fn text(status: StatusCode, words: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(words.as_bytes()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        CONTENT_TYPE,
        HeaderValue::from_static("text/plain; charset=utf-8"),
    );
    response
}

#[cfg(test)]
mod tests;
