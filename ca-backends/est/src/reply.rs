//! What the server answered.

use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, Response, StatusCode};
use http_body_util::{BodyExt, LengthLimitError, Limited};
use hyper::body::Incoming;
use time::macros::format_description;
use time::{OffsetDateTime, PrimitiveDateTime};

/// Largest body of an answer.
const BODY_BYTES_MAX: usize = 1024 * 1024;
/// Characters of an error text that are kept for the log.
const TEXT_CHARS_MAX: usize = 200;
/// Shortest and longest time that a server can ask to wait.
const WAIT: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(24 * 3600));

/// An answer, read to its end.
#[derive(Clone, Debug)]
pub(crate) struct Reply {
    pub(crate) status: StatusCode,
    /// When to ask again, if it says so.
    pub(crate) retry_after: Option<Duration>,
    /// Without parameters, in lower case.
    pub(crate) content_type: String,
    pub(crate) body: Bytes,
}

/// Why an answer cannot be read.
pub(crate) enum Unreadable {
    /// The connection ended in it.
    Broken(hyper::Error),
    /// It is larger than is accepted.
    TooLarge,
}

impl Reply {
    pub(crate) async fn read(response: Response<Incoming>) -> Result<Self, Unreadable> {
        let (head, body) = response.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX).collect().await;
        let body = body.map_err(|error| match error.downcast::<hyper::Error>() {
            Ok(broken) => Unreadable::Broken(*broken),
            Err(other) => {
                debug_assert!(other.is::<LengthLimitError>());
                Unreadable::TooLarge
            }
        })?;
        Ok(Self {
            status: head.status,
            retry_after: retry_after(&head.headers, OffsetDateTime::now_utc()),
            content_type: content_type(&head.headers),
            body: body.to_bytes(),
        })
    }

    /// What it says in words: for the log, harmless and short.
    pub(crate) fn text(&self) -> String {
        let words = String::from_utf8_lossy(self.body.get(..4 * TEXT_CHARS_MAX).unwrap_or(&self.body));
        let is_text = self.content_type == "text/plain";
        let words: String = words
            .chars()
            .filter(|c| is_text && !c.is_control())
            .take(TEXT_CHARS_MAX)
            .collect();
        if words.is_empty() {
            self.status.to_string()
        } else {
            format!("{}: {words}", self.status.as_u16())
        }
    }
}

fn content_type(headers: &HeaderMap) -> String {
    let value = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let bare = value.unwrap_or_default().split(';').next().unwrap_or_default();
    bare.trim().to_ascii_lowercase()
}

/// Seconds, or a date (RFC 9110 section 10.2.3).
fn retry_after(headers: &HeaderMap, now: OffsetDateTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    let seconds = match text.parse::<u64>() {
        Ok(seconds) => seconds,
        Err(_) => {
            let form = format_description!(
                "[weekday repr:short], [day] [month repr:short] [year] [hour]:[minute]:[second] GMT"
            );
            let at = PrimitiveDateTime::parse(text, form).ok()?.assume_utc();
            u64::try_from((at - now).whole_seconds()).unwrap_or_default()
        }
    };
    Some(Duration::from_secs(seconds).clamp(WAIT.0, WAIT.1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;
    use time::macros::datetime;

    #[test]
    fn rfc_9110_section_10_2_3_when_to_ask_again() {
        let now = datetime!(2026-11-28 18:00:00 UTC);
        let rows = [
            ("seconds", "120", Some(120)),
            ("blanks", " 5 ", Some(5)),
            ("none", "0", Some(1)),
            ("a year", "31536000", Some(86_400)),
            ("a date", "Sat, 28 Nov 2026 18:00:30 GMT", Some(30)),
            ("a past date", "Sat, 28 Nov 2026 17:00:30 GMT", Some(1)),
            ("words", "soon", None),
            ("negative", "-1", None),
        ];
        for (name, text, expected) in rows {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_static(text));
            assert_eq!(
                retry_after(&headers, now),
                expected.map(Duration::from_secs),
                "{name}"
            );
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn words_for_the_log() {
        let reply = |content_type: &str, body: &str| Reply {
            status: StatusCode::FORBIDDEN,
            retry_after: None,
            content_type: content_type.to_owned(),
            body: Bytes::copy_from_slice(body.as_bytes()),
        };
        assert_eq!(
            reply("text/plain", "no\nsuch\x1b[31m name").text(),
            "403: nosuch[31m name"
        );
        assert_eq!(reply("text/html", "<p>no").text(), "403 Forbidden");
        assert_eq!(reply("text/plain", &"x".repeat(999)).text().len(), 205);
    }
}
