//! `/livez`, `/readyz` and `/metrics`, as one more edge.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE};
use http::{HeaderValue, Method, Response, StatusCode};
use portreeve_audit::SealWatch;
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::Clock;
use portreeve_signer::SignerProcess;
use portreeve_status::Shelf;
use portreeve_store::OpenStore;

use crate::health::Health;
use crate::queue::Queue;
use crate::telemetry::{GatewayMetrics, Scrape};

const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// What the management paths show.
pub struct Management {
    /// Whether this gateway can do its work.
    pub health: Arc<Health>,
    /// What is counted.
    pub metrics: Arc<GatewayMetrics>,
    /// Background work and commits.
    pub store: OpenStore,
    /// The CRLs that are served.
    pub shelf: Arc<Shelf>,
    /// How sealing stands, where this node could seal.
    pub audit: Option<Arc<SealWatch>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The signer, where there is one.
    pub signer: Option<SignerProcess>,
    /// Hints, limits and other nodes.
    pub queue: Queue,
}

impl Management {
    async fn ready(&self) -> Response<Bytes> {
        let report = self.health.report().await;
        let status = if report.ready {
            StatusCode::OK
        } else {
            StatusCode::SERVICE_UNAVAILABLE
        };
        let body = serde_json::to_vec(&report).unwrap_or_default();
        respond(status, "application/json", Bytes::from(body))
    }

    async fn metrics(&self) -> Response<Bytes> {
        let task_delay = match self.store.tasks.next_due().await {
            Ok(Some(next)) => next.delay(),
            Ok(None) | Err(_) => Duration::ZERO,
        };
        let scrape = Scrape {
            task_delay,
            signer: self.signer.as_ref().and_then(SignerProcess::pid),
            signer_restarts: self.signer.as_ref().map_or(0, SignerProcess::restarts),
            store: self.store.statistics(),
            redis: self.queue.statistics(),
        };
        for list in self.shelf.lists() {
            let left = seconds_left(list.until, self.clock.now());
            self.metrics.crl_left(list.ca, left);
        }
        if let Some(watch) = &self.audit {
            let standing = watch.standing(self.clock.now());
            self.metrics.sealing(standing.size, standing.lag);
        }
        match self.metrics.encode(scrape) {
            Ok(text) => respond(StatusCode::OK, METRICS_TYPE, Bytes::from(text)),
            Err(_) => text(StatusCode::INTERNAL_SERVER_ERROR, "metrics cannot be written\n"),
        }
    }
}

#[async_trait]
impl Edge for Management {
    fn mounts(&self) -> Vec<Mount> {
        ["/livez", "/readyz", "/metrics"].map(Mount::any).to_vec()
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        if call.method != Method::GET && call.method != Method::HEAD {
            let mut response = text(StatusCode::METHOD_NOT_ALLOWED, "method not allowed\n");
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        match call.path.as_str() {
            "/livez" => text(StatusCode::OK, "alive\n"),
            "/readyz" => self.ready().await,
            _ => self.metrics().await,
        }
    }

    fn refuse(&self, why: BodyRefusal, _path: &str) -> Response<Bytes> {
        match why {
            BodyRefusal::TooLarge => text(StatusCode::PAYLOAD_TOO_LARGE, "no body is wanted here\n"),
            BodyRefusal::TimedOut => text(StatusCode::REQUEST_TIMEOUT, "no body is wanted here\n"),
            BodyRefusal::Broken => text(StatusCode::BAD_REQUEST, "no body is wanted here\n"),
        }
    }
}

/// Of a CRL's life; 0 when there is none.
fn seconds_left(until: Option<Timestamp>, now: Timestamp) -> f64 {
    let Some(until) = until else { return 0.0 };
    until.since(now).as_secs_f64() - now.since(until).as_secs_f64()
}

fn text(status: StatusCode, words: &'static str) -> Response<Bytes> {
    respond(
        status,
        "text/plain; charset=utf-8",
        Bytes::from_static(words.as_bytes()),
    )
}

fn respond(status: StatusCode, kind: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    response
        .headers_mut()
        .insert(CONTENT_TYPE, HeaderValue::from_static(kind));
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
