//! Answers, before the headers that all of them carry are added.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, HeaderName, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::problem::Problem;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply(Response<Bytes>);

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self(portreeve_edge::empty(status))
    }

    /// An answer with a body of this type.
    pub(crate) fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self(portreeve_edge::answer(status, content_type, body.into()))
    }

    /// An object.
    pub(crate) fn json(status: StatusCode, object: &impl Serialize) -> Self {
        Self::written(status, "application/json", object)
    }

    /// A problem document.
    pub(crate) fn problem(problem: &Problem) -> Self {
        let mut reply = Self::written(problem.status(), "application/problem+json", &problem.json());
        if let Some(wait) = problem.retry_after {
            reply = reply.retry_after(wait);
        }
        if let Some(location) = &problem.location {
            reply = reply.location(location);
        }
        if let Some(allow) = problem.allow {
            reply = reply.header(ALLOW, allow);
        }
        if let Some(terms) = &problem.terms {
            reply = reply.link(terms, "terms-of-service");
        }
        reply
    }

    fn written(status: StatusCode, content_type: &'static str, object: &impl Serialize) -> Self {
        match serde_json::to_vec(object) {
            Ok(body) => Self::of(status, content_type, body),
            Err(error) => {
                tracing::error!(%error, "an answer could not be written");
                Self::empty(StatusCode::INTERNAL_SERVER_ERROR)
            }
        }
    }

    /// With `Location`.
    #[must_use]
    pub(crate) fn location(self, url: &str) -> Self {
        self.append(LOCATION, url)
    }

    /// With one more `Link` (RFC 8288).
    #[must_use]
    pub(crate) fn link(self, url: &str, relation: &str) -> Self {
        self.append(LINK, &format!("<{url}>;rel=\"{relation}\""))
    }

    /// With `Retry-After`.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        self.insert(RETRY_AFTER, portreeve_edge::retry_after(wait))
    }

    /// With a nonce for the next request.
    #[must_use]
    pub(crate) fn nonce(self, nonce: &str) -> Self {
        self.append(REPLAY_NONCE, nonce)
    }

    /// With a fixed header.
    #[must_use]
    pub(crate) fn header(self, name: HeaderName, value: &'static str) -> Self {
        self.insert(name, HeaderValue::from_static(value))
    }

    fn insert(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    fn append(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.0.headers_mut().append(name, value);
            }
            Err(error) => tracing::error!(%error, %name, "a header could not be written"),
        }
        self
    }

    /// The response.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_add_up_and_bad_ones_are_left_out() {
        let reply = Reply::empty(StatusCode::OK)
            .link("https://ra.example/a", "up")
            .link("https://ra.example/b", "index")
            .link("https://ra.example/\n", "bad");
        let response = reply.into_response();
        let links: Vec<&HeaderValue> = response.headers().get_all(LINK).iter().collect();
        assert_eq!(
            links,
            [
                "<https://ra.example/a>;rel=\"up\"",
                "<https://ra.example/b>;rel=\"index\""
            ]
        );
    }
}
