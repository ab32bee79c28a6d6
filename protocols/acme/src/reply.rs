//! Answers, before the headers that all of them carry are added.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CONTENT_TYPE, HeaderName, LINK, LOCATION, RETRY_AFTER};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use serde::Serialize;

use crate::problem::Problem;

const REPLAY_NONCE: HeaderName = HeaderName::from_static("replay-nonce");

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    status: StatusCode,
    headers: HeaderMap,
    body: Bytes,
}

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self {
            status,
            headers: HeaderMap::new(),
            body: Bytes::new(),
        }
    }

    /// An answer with a body of this type.
    pub(crate) fn of(status: StatusCode, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let mut reply = Self {
            body: body.into(),
            ..Self::empty(status)
        };
        reply
            .headers
            .insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
        reply
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
            reply.headers.insert(ALLOW, HeaderValue::from_static(allow));
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

    /// With `Retry-After` in whole seconds, rounded up and at least one.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        let seconds = wait.as_millis().div_ceil(1000).max(1);
        self.append(RETRY_AFTER, &seconds.to_string())
    }

    /// With a nonce for the next request.
    #[must_use]
    pub(crate) fn nonce(self, nonce: &str) -> Self {
        self.append(REPLAY_NONCE, nonce)
    }

    /// With a fixed header.
    #[must_use]
    pub(crate) fn header(mut self, name: HeaderName, value: &'static str) -> Self {
        self.headers.insert(name, HeaderValue::from_static(value));
        self
    }

    fn append(mut self, name: HeaderName, value: &str) -> Self {
        match HeaderValue::from_str(value) {
            Ok(value) => {
                self.headers.append(name, value);
            }
            Err(error) => tracing::error!(%error, %name, "a header could not be written"),
        }
        self
    }

    /// The response.
    pub(crate) fn into_response(self) -> Response<Bytes> {
        let mut response = Response::new(self.body);
        *response.status_mut() = self.status;
        *response.headers_mut() = self.headers;
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds() {
        let rows = [
            ("none", 0, "1"),
            ("short", 20, "1"),
            ("whole", 3000, "3"),
            ("rounded up", 3001, "4"),
        ];
        for (name, millis, expected) in rows {
            let reply = Reply::empty(StatusCode::OK).retry_after(Duration::from_millis(millis));
            assert_eq!(reply.into_response().headers()[RETRY_AFTER], expected, "{name}");
        }
    }

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
