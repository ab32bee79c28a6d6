//! `Idempotency-Key`: a POST that is sent again is not done again.
//!
//! The first call with a key leaves a sealed document, which holds the digest of what was asked and later the answer. The
//! same call again gets that answer; another call with the same key is refused. What failed leaves nothing and may be
//! tried again. An answer that shows a secret is not kept: the call is refused the second time, and says why.

use std::time::Duration;

use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use http::header::CONTENT_TYPE;
use http::{HeaderName, HeaderValue, Method, StatusCode};
use portreeve_pkix::sha256;
use portreeve_ra::Error;
use portreeve_ra::ports::{Batch, CommitError, Conflict, DocumentId, DocumentWrite};
use serde::{Deserialize, Serialize};

use crate::problem::Problem;
use crate::signed_in::SignedIn;
use crate::{BODY_BYTES_MAX, ConsoleParts};

const KEY: HeaderName = HeaderName::from_static("idempotency-key");
/// Says that an answer is that of an earlier call.
const REPLAYED: HeaderName = HeaderName::from_static("idempotency-replayed");
/// Characters of a key, at most.
const KEY_MAX: usize = 128;
/// Octets of an answer that are kept, at most.
const ANSWER_MAX: usize = 128 * 1024;
/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(86_400);
/// How long a call that was cut off blocks its key.
const BLOCKED: Duration = Duration::from_secs(600);

/// Put into the extensions of an answer that shows a secret.
#[derive(Copy, Clone, Debug)]
pub(crate) struct ShowsSecret;

#[derive(Serialize, Deserialize)]
struct Kept {
    /// SHA-256 of what was asked, in hex.
    asked: String,
    /// What was answered, once it was.
    answer: Option<Answer>,
}

#[derive(Serialize, Deserialize)]
struct Answer {
    status: u16,
    /// `None` when it showed a secret.
    body: Option<String>,
}

/// Looks after the key of a POST.
pub(crate) async fn once(State(parts): State<ConsoleParts>, request: Request, next: Next) -> Response {
    if request.method() != Method::POST || !request.headers().contains_key(&KEY) {
        return next.run(request).await;
    }
    match guarded(&parts, request, next).await {
        Ok(response) => response,
        Err(problem) => problem.into_response(),
    }
}

async fn guarded(parts: &ConsoleParts, request: Request, next: Next) -> Result<Response, Problem> {
    let (head, body) = request.into_parts();
    let signed_in = head.extensions.get::<SignedIn>().cloned();
    let signed_in = signed_in.ok_or(Problem::NoPrincipal)?;
    let key = head.headers.get(&KEY).and_then(|key| key.to_str().ok());
    let key = key.filter(|key| !key.is_empty() && key.len() <= KEY_MAX);
    let bad = || Problem::Malformed("Idempotency-Key has 1 to 128 printable ASCII characters".to_owned());
    let key = key.ok_or_else(bad)?.to_owned();
    let body = to_bytes(body, BODY_BYTES_MAX)
        .await
        .map_err(|_| Problem::TooLarge)?;
    let path = head.uri.path_and_query().map_or("", |path| path.as_str());
    let asked = hex::encode(sha256(&[path.as_bytes(), b"\0", &body].concat()));
    let document = document(&signed_in.principal().to_string(), &key);
    if let Some(answer) = begun(parts, &document, asked.clone()).await? {
        return answer;
    }
    let response = next.run(Request::from_parts(head, Body::from(body))).await;
    finished(parts, (document, asked), response).await
}

/// Named by the principal and the key, so that nobody meets the keys of others.
fn document(principal: &str, key: &str) -> DocumentId {
    let digest = sha256(&[principal.as_bytes(), b"\0", key.as_bytes()].concat());
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    DocumentId {
        kind: "console.replay",
        id,
    }
}

/// Takes the key, or says how an earlier call with it ended.
async fn begun(
    parts: &ConsoleParts,
    document: &DocumentId,
    asked: String,
) -> Result<Option<Result<Response, Problem>>, Problem> {
    let kept = Kept { asked, answer: None };
    match write(parts, document, (1, Some(&kept), BLOCKED)).await {
        Ok(()) => return Ok(None),
        Err(CommitError::Conflict(Conflict::Document(_))) => {}
        Err(CommitError::Store(error)) => return Err(Error::from(error).into()),
        Err(CommitError::Conflict(_)) => return Err(Problem::KeyInProgress),
    }
    let found = parts.documents.document(document).await.map_err(Error::from)?;
    // Gone since: whoever had it failed, and the caller may come again.
    let found = found.ok_or(Problem::KeyInProgress)?;
    let earlier: Kept = serde_json::from_slice(&found.body).map_err(|_| Problem::KeyInProgress)?;
    if earlier.asked != kept.asked {
        return Err(Problem::KeyReused);
    }
    let answer = earlier.answer.ok_or(Problem::KeyInProgress)?;
    let body = answer.body.ok_or(Problem::ShownBefore)?;
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::from_u16(answer.status).unwrap_or(StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    Ok(Some(Ok(response)))
}

/// Keeps the answer of a call that was done; one that failed leaves its key free.
async fn finished(
    parts: &ConsoleParts,
    (document, asked): (DocumentId, String),
    response: Response,
) -> Result<Response, Problem> {
    let (head, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
    let secret = head.extensions.get::<ShowsSecret>().is_some();
    let written = if head.status.is_success() {
        let kept = Kept {
            asked,
            answer: Some(Answer {
                status: head.status.as_u16(),
                body: readable(&body).filter(|_| !secret),
            }),
        };
        write(parts, &document, (2, Some(&kept), KEPT)).await
    } else {
        write(parts, &document, (2, None, BLOCKED)).await
    };
    if let Err(error) = written {
        // It was done all the same; the key stays blocked for a while.
        tracing::warn!(%error, "the answer for an Idempotency-Key could not be kept");
    }
    Ok(Response::from_parts(head, Body::from(body)))
}

fn readable(body: &Bytes) -> Option<String> {
    let text = std::str::from_utf8(body).ok()?;
    (text.len() <= ANSWER_MAX).then(|| text.to_owned())
}

async fn write(
    parts: &ConsoleParts,
    document: &DocumentId,
    (version, kept, lifetime): (u64, Option<&Kept>, Duration),
) -> Result<(), CommitError> {
    let body = kept.and_then(|kept| serde_json::to_vec(kept).ok());
    let write = DocumentWrite {
        id: document.clone(),
        version,
        body,
        keys: Vec::new(),
        expires_at: Some(parts.ra.now().saturating_add(lifetime)),
    };
    let batch = Batch {
        documents: vec![write],
        ..Batch::default()
    };
    parts.ra.store().commit(batch).await
}
