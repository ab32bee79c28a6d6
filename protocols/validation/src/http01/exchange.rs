//! One HTTP/1.1 request and its answer, over a stream that is already open.

use std::error::Error;
use std::io;

use bytes::{Bytes, BytesMut};
use http::header::{ACCEPT, ACCEPT_ENCODING, CONNECTION, HOST, LOCATION, USER_AGENT};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Empty};
use hyper::body::{Body, Incoming};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portreeve_acme::validator::ValidationFailure;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinSet;

use super::target::Target;

/// The most header fields, and the most bytes of them, an answer may have.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// What a server said, as far as http-01 cares.
#[derive(Debug)]
pub(super) enum Answer {
    /// 200 with a body no longer than asked for.
    Content(Bytes),
    /// 200 with a longer body; the rest of it was not read.
    TooLong,
    /// 301, 302, 307 or 308 and its `Location`.
    Redirect(String),
    /// Anything else.
    Status(StatusCode),
}

/// Sends the GET and reads what is needed of the answer; bounded in bytes here, in time by the caller.
pub(super) async fn ask<S>(
    stream: S,
    target: &Target,
    body_len_max: usize,
) -> Result<Answer, ValidationFailure>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let failed = |error: hyper::Error| {
        ValidationFailure::Connection(format!("{target}: {}", reason_of(&error)).into())
    };
    let request = request(target)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .handshake::<_, Empty<Bytes>>(TokioIo::new(stream))
        .await
        .map_err(failed)?;
    // Drives the socket until this function ends: dropping the set aborts it and closes the socket.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(failed)?;
    match response.status() {
        StatusCode::OK => content(response.into_body(), body_len_max).await.map_err(failed),
        StatusCode::MOVED_PERMANENTLY
        | StatusCode::FOUND
        | StatusCode::TEMPORARY_REDIRECT
        | StatusCode::PERMANENT_REDIRECT => location(&response, target),
        status => Ok(Answer::Status(status)),
    }
}

fn request(target: &Target) -> Result<Request<Empty<Bytes>>, ValidationFailure> {
    Request::get(target.path_and_query())
        .header(HOST, target.host_header())
        .header(USER_AGENT, "portreeve")
        .header(ACCEPT, "*/*")
        .header(ACCEPT_ENCODING, "identity")
        .header(CONNECTION, "close")
        .body(Empty::new())
        .map_err(|_| {
            ValidationFailure::Connection(format!("{target}: no request can be made of its URL").into())
        })
}

fn location(response: &Response<Incoming>, target: &Target) -> Result<Answer, ValidationFailure> {
    let location = response
        .headers()
        .get(LOCATION)
        .and_then(|value| value.to_str().ok());
    let location = location.ok_or_else(|| {
        let status = response.status().as_u16();
        ValidationFailure::Connection(format!("{target} answered {status} without a usable Location").into())
    })?;
    Ok(Answer::Redirect(location.to_owned()))
}

async fn content(mut body: Incoming, len_max: usize) -> Result<Answer, hyper::Error> {
    if body.size_hint().lower() > len_max as u64 {
        return Ok(Answer::TooLong);
    }
    let mut content = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(data) = frame?.into_data() else { continue };
        if content.len() + data.len() > len_max {
            return Ok(Answer::TooLong);
        }
        content.extend_from_slice(&data);
    }
    Ok(Answer::Content(content.freeze()))
}

fn reason_of(error: &hyper::Error) -> &'static str {
    if error.is_parse_too_large() {
        "the header of its answer is too large"
    } else if error.is_parse() {
        "its answer is not HTTP/1.1"
    } else if error.is_incomplete_message() || ended_early(error) {
        "it closed the connection before its answer was complete"
    } else {
        "the HTTP exchange failed"
    }
}

/// Whether the connection ended within a body.
fn ended_early(error: &hyper::Error) -> bool {
    let cause = error
        .source()
        .and_then(|source| source.downcast_ref::<io::Error>());
    cause.is_some_and(|cause| {
        matches!(
            cause.kind(),
            io::ErrorKind::UnexpectedEof | io::ErrorKind::ConnectionReset
        )
    })
}
