//! The operator API from outside, as one more edge: who signs in is asked here, what they may do in the API itself.

use std::convert::Infallible;
use std::sync::Arc;

use async_trait::async_trait;
use axum::body::Body;
use bytes::Bytes;
use http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY, STRICT_TRANSPORT_SECURITY,
    X_CONTENT_TYPE_OPTIONS,
};
use http::{HeaderName, HeaderValue, Method, Request, Response};
use portreeve_console::auth::{Authenticator, Presented};
use portreeve_console::{BODY_BYTES_MAX, Problem, openapi};
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use tower_service::Service;

use crate::operator_api;

/// Octets of an answer, at most: a page of a list is far smaller.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// What every answer says to a browser: nothing of this may be shown in a page, kept, or guessed at.
const HEADERS: [(HeaderName, &str); 6] = [
    (STRICT_TRANSPORT_SECURITY, "max-age=31536000"),
    (X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (CACHE_CONTROL, "no-store"),
    (REFERRER_POLICY, "no-referrer"),
    (
        CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// The operator API for those who sign in.
pub struct AdminApi {
    api: axum::Router,
    authenticator: Authenticator,
    description: Arc<str>,
}

impl AdminApi {
    /// This API for whom this lets in.
    pub fn new(api: axum::Router, authenticator: Authenticator) -> Self {
        Self {
            api,
            authenticator,
            description: operator_api::description().into(),
        }
    }

    async fn answer(&self, mut call: Call) -> Result<Response<Bytes>, Problem> {
        if call.path == openapi::PATH && (call.method == Method::GET || call.method == Method::HEAD) {
            let mut response = Response::new(Bytes::copy_from_slice(self.description.as_bytes()));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            return Ok(response);
        }
        // A browser says when the page of another site makes it call; its certificate or password would come along.
        let site = call.headers.get("sec-fetch-site");
        if site.is_some_and(|site| site == "cross-site") {
            return Err(Problem::Reserved("calls from pages of other sites are refused"));
        }
        let certificates = call.peer.tls.as_ref().map(|tls| tls.certificates.as_slice());
        let presented = Presented {
            headers: &call.headers,
            certificates: certificates.unwrap_or_default(),
            address: call.peer.address,
            request: call.request_id,
        };
        let signed_in = self.authenticator.sign_in(&presented).await?;
        let body = call.body(BODY_BYTES_MAX).await.map_err(refusal)?;
        let malformed = |error: http::Error| Problem::Malformed(error.to_string());
        let mut request = Request::builder()
            .method(call.method.clone())
            .uri(call.path_and_query())
            .body(Body::from(body))
            .map_err(malformed)?;
        *request.headers_mut() = call.headers;
        request.extensions_mut().insert(signed_in);
        let answered: Result<_, Infallible> = self.api.clone().call(request).await;
        let (head, body) = answered.unwrap_or_else(|never| match never {}).into_parts();
        let body = axum::body::to_bytes(body, ANSWER_BYTES_MAX)
            .await
            .unwrap_or_default();
        Ok(Response::from_parts(head, body))
    }
}

#[async_trait]
impl Edge for AdminApi {
    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::tls_only("/api/")]
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let answered = self.answer(call).await;
        with_headers(answered.unwrap_or_else(|problem| problem.rendered()))
    }

    fn refuse(&self, why: BodyRefusal, _path: &str) -> Response<Bytes> {
        with_headers(refusal(why).rendered())
    }
}

fn refusal(why: BodyRefusal) -> Problem {
    match why {
        BodyRefusal::TooLarge => Problem::TooLarge,
        BodyRefusal::TimedOut | BodyRefusal::Broken => Problem::Malformed(why.to_string()),
    }
}

fn with_headers(mut response: Response<Bytes>) -> Response<Bytes> {
    for (name, value) in HEADERS {
        response
            .headers_mut()
            .insert(name, HeaderValue::from_static(value));
    }
    response
}
