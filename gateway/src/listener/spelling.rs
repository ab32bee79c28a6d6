//! Names of headers as the standards spell them, for clients that compare them octet by octet.
//!
//! The HTTP library writes names in lower case. It can write them as a message had them that it read, so it is given a
//! message to read in which they stand as they should.

use std::convert::Infallible;
use std::sync::{Arc, OnceLock};

use bytes::Bytes;
use http::{Extensions, Request, Response};
use http_body_util::Empty;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use portreeve_edge::SpelledOut;
use tokio::io::AsyncWriteExt;
use tracing::warn;

/// A message with every header that answers have.
const SAMPLE: &[u8] = b"GET / HTTP/1.1\r\nHost: a\r\nAllow: a\r\nCache-Control: a\r\nContent-Type: a\r\n\
    Content-Transfer-Encoding: a\r\nContent-Length: 0\r\nDate: a\r\nRetry-After: a\r\nWWW-Authenticate: a\r\n\
    X-Request-ID: a\r\nConnection: close\r\n\r\n";

/// How names of headers are written in answers that are marked [`SpelledOut`].
#[derive(Clone)]
pub(super) struct Spelling(Arc<Extensions>);

impl Spelling {
    /// Reads the sample. Should that fail, names are written in lower case.
    pub(super) async fn learn() -> Self {
        let learnt: OnceLock<Extensions> = OnceLock::new();
        let service = service_fn(|request: Request<Incoming>| {
            let _ = learnt.set(request.extensions().clone());
            async { Ok::<_, Infallible>(Response::new(Empty::<Bytes>::new())) }
        });
        let (mut ours, theirs) = tokio::io::duplex(SAMPLE.len().max(4096));
        let written = ours.write_all(SAMPLE).await;
        let served = http1::Builder::new()
            .preserve_header_case(true)
            .serve_connection(TokioIo::new(theirs), service)
            .await;
        if let Err(error) = served {
            warn!(%error, "names of headers are written in lower case");
        }
        drop(written);
        Self(Arc::new(learnt.into_inner().unwrap_or_default()))
    }

    /// The answer, spelled as it asks to be.
    pub(super) fn of<B>(&self, mut response: Response<B>) -> Response<B> {
        if response.extensions().get::<SpelledOut>().is_some() {
            response.extensions_mut().extend(Extensions::clone(&self.0));
        }
        response
    }
}
