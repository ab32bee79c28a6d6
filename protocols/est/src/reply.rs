//! Answers, before the headers that all of them carry are added.

use std::time::Duration;

use bytes::Bytes;
use http::header::{ALLOW, CACHE_CONTROL, RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, Response, StatusCode};
use portreeve_edge::{ComesBack, SpelledOut};
use portreeve_pkix::Secret;

/// Redundant since RFC 8951 section 3, and looked for by clients that are older.
const TRANSFER_ENCODING: HeaderName = HeaderName::from_static("content-transfer-encoding");

/// How a client is asked who it is. One scheme alone, with nothing but a realm: some clients read the first header of this
/// name and no parameter that they do not know.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Challenge {
    /// By a name and a password (RFC 7617).
    Basic,
    /// By a token (RFC 6750).
    Bearer,
    /// Not at all: only certificates are accepted, and TLS has asked for one.
    None,
}

impl Challenge {
    const fn header(self) -> Option<HeaderValue> {
        match self {
            Self::Basic => Some(HeaderValue::from_static("Basic realm=\"est\"")),
            Self::Bearer => Some(HeaderValue::from_static("Bearer realm=\"est\"")),
            Self::None => None,
        }
    }
}

/// Octets of an answer that are wiped when nobody needs them any more.
struct Wiped(Secret);

impl AsRef<[u8]> for Wiped {
    fn as_ref(&self) -> &[u8] {
        self.0.expose()
    }
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply(Response<Bytes>);

impl Reply {
    /// An answer without a body.
    pub(crate) fn empty(status: StatusCode) -> Self {
        Self(portreeve_edge::empty(status))
    }

    /// A document in base64.
    pub(crate) fn document(content_type: &'static str, body: impl Into<Bytes>) -> Self {
        let encoding = HeaderValue::from_static("base64");
        Self::of(StatusCode::OK, content_type, body.into()).insert(TRANSFER_ENCODING, encoding)
    }

    /// A document of several parts, each with an encoding of its own. It is wiped when it was sent.
    pub(crate) fn multipart(content_type: &'static str, body: Secret) -> Self {
        Self::of(StatusCode::OK, content_type, Bytes::from_owner(Wiped(body)))
    }

    /// A few words (RFC 8951 section 5).
    pub(crate) fn text(status: StatusCode, words: &str) -> Self {
        Self::of(status, "text/plain; charset=utf-8", format!("{words}\n").into())
    }

    fn of(status: StatusCode, content_type: &'static str, body: Bytes) -> Self {
        Self(portreeve_edge::answer(status, content_type, body))
    }

    fn insert(mut self, name: HeaderName, value: HeaderValue) -> Self {
        self.0.headers_mut().insert(name, value);
        self
    }

    /// With `Retry-After`.
    #[must_use]
    pub(crate) fn retry_after(self, wait: Duration) -> Self {
        self.insert(RETRY_AFTER, portreeve_edge::retry_after(wait))
    }

    /// With the methods that are answered.
    #[must_use]
    pub(crate) fn allow(self, methods: &'static str) -> Self {
        self.insert(ALLOW, HeaderValue::from_static(methods))
    }

    /// The response. Whoever is asked who it is may answer on the same connection; where nothing could be answered, the
    /// request is forbidden.
    pub(crate) fn into_response(self, challenge: Challenge) -> Response<Bytes> {
        let mut response = self.0;
        response
            .headers_mut()
            .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        response.extensions_mut().insert(SpelledOut);
        if response.status() == StatusCode::UNAUTHORIZED {
            match challenge.header() {
                Some(header) => {
                    response.headers_mut().insert(WWW_AUTHENTICATE, header);
                    response.extensions_mut().insert(ComesBack);
                }
                None => *response.status_mut() = StatusCode::FORBIDDEN,
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_asked_may_come_back() {
        use Challenge::{Basic, Bearer, None as Nothing};
        let rows = [
            (StatusCode::UNAUTHORIZED, Basic, 401, Some("Basic realm=\"est\"")),
            (
                StatusCode::UNAUTHORIZED,
                Bearer,
                401,
                Some("Bearer realm=\"est\""),
            ),
            (StatusCode::UNAUTHORIZED, Nothing, 403, None),
            (StatusCode::FORBIDDEN, Basic, 403, None),
        ];
        for (status, challenge, expected, asked) in rows {
            let response = Reply::text(status, "no").into_response(challenge);
            let header = response.headers().get(WWW_AUTHENTICATE);
            let header = header.map(|value| value.to_str().unwrap());
            assert_eq!(
                (response.status().as_u16(), header),
                (expected, asked),
                "{status} {challenge:?}"
            );
            let comes_back = response.extensions().get::<ComesBack>().is_some();
            assert_eq!(comes_back, asked.is_some(), "{status} {challenge:?}");
            assert_eq!(response.body().as_ref(), b"no\n");
        }
    }
}
