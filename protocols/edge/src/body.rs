//! Request bodies: read only when an edge asks, and never beyond its limit.

use std::pin::Pin;
use std::sync::{Mutex, PoisonError};

use bytes::{Bytes, BytesMut};
use http_body_util::BodyExt;

/// Why a request body was not read.
#[derive(Copy, Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum BodyRefusal {
    /// It is, or says it will be, larger than the limit.
    #[error("the request body is too large")]
    TooLarge,
    /// It did not arrive in time.
    #[error("the request body did not arrive in time")]
    TimedOut,
    /// The connection broke, or the framing is wrong.
    #[error("the request body did not arrive whole")]
    Broken,
}

type Inner = Pin<Box<dyn http_body::Body<Data = Bytes, Error = BodyRefusal> + Send>>;

/// A body that has not been read yet.
///
/// The mutex is never locked: it makes the call `Sync`, so that it may be borrowed across an await.
pub(crate) struct Unread(Mutex<Inner>);

impl Unread {
    pub(crate) fn new<B>(body: B) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyRefusal> + Send + 'static,
    {
        Self(Mutex::new(Box::pin(body)))
    }

    /// Reads all of it, at most `limit` octets.
    pub(crate) async fn read(&mut self, limit: usize) -> Result<Bytes, BodyRefusal> {
        let body = self.0.get_mut().unwrap_or_else(PoisonError::into_inner);
        let limit_wide = u64::try_from(limit).unwrap_or(u64::MAX);
        if http_body::Body::size_hint(body).lower() > limit_wide {
            return Err(BodyRefusal::TooLarge);
        }
        let mut first = Bytes::new();
        let mut rest = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let Ok(piece) = frame?.into_data() else { continue };
            if first.len().saturating_add(rest.len()).saturating_add(piece.len()) > limit {
                return Err(BodyRefusal::TooLarge);
            }
            if first.is_empty() {
                first = piece;
            } else {
                rest.extend_from_slice(&piece);
            }
        }
        if rest.is_empty() {
            return Ok(first);
        }
        let mut whole = BytesMut::with_capacity(first.len() + rest.len());
        whole.extend_from_slice(&first);
        whole.extend_from_slice(&rest);
        Ok(whole.freeze())
    }
}
