//! What the answers of all protocols have in common.

use std::time::Duration;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Response, StatusCode};

/// An answer without a body.
pub fn empty(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response
}

/// An answer with a body of this media type.
pub fn answer(status: StatusCode, media_type: &'static str, body: Bytes) -> Response<Bytes> {
    let mut response = Response::new(body);
    *response.status_mut() = status;
    let media_type = HeaderValue::from_static(media_type);
    response.headers_mut().insert(CONTENT_TYPE, media_type);
    response
}

/// The value of `Retry-After` (RFC 9110 section 10.2.3): whole seconds, rounded up and at least one, so that nobody comes
/// back before it is worth it.
pub fn retry_after(wait: Duration) -> HeaderValue {
    let seconds = wait.as_millis().div_ceil(1000).max(1);
    HeaderValue::from(u64::try_from(seconds).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_whole_seconds() {
        let rows = [
            ("none", Duration::ZERO, "1"),
            ("short", Duration::from_millis(20), "1"),
            ("whole", Duration::from_millis(3000), "3"),
            ("rounded up", Duration::from_millis(3001), "4"),
            ("for ever", Duration::MAX, "18446744073709551615"),
        ];
        for (name, wait, expected) in rows {
            assert_eq!(retry_after(wait), expected, "{name}");
        }
    }
}
