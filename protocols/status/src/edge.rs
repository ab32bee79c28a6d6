//! GET and HEAD of `/crl/{ca}.crl` and `/ca/{ca}.cer`.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http::header::{
    ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, ETAG, HeaderName, IF_MODIFIED_SINCE, IF_NONE_MATCH,
    LAST_MODIFIED, RETRY_AFTER,
};
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode};
use portreeve_edge::{BodyRefusal, Call, Edge, Mount, empty, retry_after};
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::Clock;

use crate::config::StatusConfig;
use crate::date;
use crate::shelf::{Published, Shelf};

/// How long caches may keep a CA certificate, at most.
const CERTIFICATE_CACHE_MAX: Duration = Duration::from_secs(24 * 3600);

/// When a client that asks for a CRL that is not there yet may come back.
const LIST_RETRY: Duration = Duration::from_secs(5);

/// Serves what the shelf holds, from memory.
pub struct StatusEdge {
    shelf: Arc<Shelf>,
    clock: Arc<dyn Clock>,
    config: StatusConfig,
}

impl StatusEdge {
    /// An edge over this shelf.
    pub fn new(shelf: Arc<Shelf>, clock: Arc<dyn Clock>, config: StatusConfig) -> Self {
        Self { shelf, clock, config }
    }

    /// What a path names, with its media type and the longest time a cache may keep it.
    fn find(&self, path: &str) -> Option<(Arc<Published>, &'static str, Duration)> {
        if let Some(ca) = list_name(path) {
            return Some((
                self.shelf.list(ca)?,
                "application/pkix-crl",
                self.config.cache_max,
            ));
        }
        let ca = path.strip_prefix("/ca/")?.strip_suffix(".cer")?;
        Some((
            self.shelf.certificate(ca)?,
            "application/pkix-cert",
            CERTIFICATE_CACHE_MAX,
        ))
    }

    /// A CRL that its CA has not signed yet is only late; whatever else is not on the shelf does not exist.
    fn absent(&self, path: &str) -> Response<Bytes> {
        if !list_name(path).is_some_and(|ca| self.shelf.is_listed(ca)) {
            return empty(StatusCode::NOT_FOUND);
        }
        let mut response = empty(StatusCode::SERVICE_UNAVAILABLE);
        response
            .headers_mut()
            .insert(RETRY_AFTER, retry_after(LIST_RETRY));
        set(response.headers_mut(), CACHE_CONTROL, "no-store");
        response
    }

    fn answer(&self, method: &Method, path: &str, asked: &HeaderMap) -> Response<Bytes> {
        if !matches!(*method, Method::GET | Method::HEAD) {
            let mut response = empty(StatusCode::METHOD_NOT_ALLOWED);
            response
                .headers_mut()
                .insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
            return response;
        }
        let Some((published, media_type, cache_max)) = self.find(path) else {
            return self.absent(path);
        };
        let fresh = published.until.since(self.clock.now()).min(cache_max).as_secs();
        let known = is_known(&published, asked);
        let mut response = empty(if known {
            StatusCode::NOT_MODIFIED
        } else {
            StatusCode::OK
        });
        let headers = response.headers_mut();
        set(headers, CACHE_CONTROL, &format!("public, max-age={fresh}"));
        set(headers, ETAG, &published.etag);
        if let Some(modified) = date::write(published.modified) {
            set(headers, LAST_MODIFIED, &modified);
        }
        if known {
            return response;
        }
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(media_type));
        if *method == Method::HEAD {
            set(headers, CONTENT_LENGTH, &published.body.len().to_string());
        } else {
            *response.body_mut() = published.body.clone();
        }
        response
    }
}

#[async_trait]
impl Edge for StatusEdge {
    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::any("/crl/"), Mount::any("/ca/")]
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        self.answer(&call.method, &call.path, &call.headers)
    }

    fn refuse(&self, why: BodyRefusal, _path: &str) -> Response<Bytes> {
        empty(match why {
            BodyRefusal::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            BodyRefusal::TimedOut => StatusCode::REQUEST_TIMEOUT,
            BodyRefusal::Broken => StatusCode::BAD_REQUEST,
        })
    }
}

/// The CA whose CRL a path names.
fn list_name(path: &str) -> Option<&str> {
    path.strip_prefix("/crl/")?.strip_suffix(".crl")
}

/// Whether the client has it already (RFC 9110 section 13.2.2: the ETag comes first).
fn is_known(published: &Published, asked: &HeaderMap) -> bool {
    let text = |name| asked.get(name).and_then(|value| value.to_str().ok());
    if let Some(tags) = text(IF_NONE_MATCH) {
        return tags
            .split(',')
            .map(str::trim)
            .any(|tag| tag == "*" || tag.strip_prefix("W/").unwrap_or(tag) == published.etag);
    }
    let since: Option<Timestamp> = text(IF_MODIFIED_SINCE).and_then(date::read);
    since.is_some_and(|since| published.modified.floor_to_second() <= since)
}

fn set(headers: &mut HeaderMap, name: HeaderName, value: &str) {
    if let Ok(value) = HeaderValue::from_str(value) {
        headers.insert(name, value);
    }
}

#[cfg(test)]
#[path = "edge/tests.rs"]
mod tests;
