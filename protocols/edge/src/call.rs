//! One request as an edge receives it.

use std::fmt;
use std::net::IpAddr;

use bytes::Bytes;
use http::{HeaderMap, Method, Request};
use portreeve_pkix::Timestamp;

use crate::body::{BodyRefusal, Unread};

/// The TLS version of a connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TlsVersion {
    /// RFC 5246.
    Tls12,
    /// RFC 8446.
    Tls13,
}

/// What the TLS layer knows about the other side. It proves possession of keys and nothing about trust.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsPeer {
    /// The client's certificates as sent, its own first; empty when it sent none.
    pub certificates: Vec<Vec<u8>>,
    /// The name the client asked for.
    pub sni: Option<String>,
    /// Exported keying material for channel binding (RFC 9266), when it was computed.
    pub exporter: Option<[u8; 32]>,
    /// The version agreed on.
    pub version: TlsVersion,
}

/// Who is at the other end of the connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Peer {
    /// The client's address; a trusted proxy's word is taken into account already.
    pub address: IpAddr,
    /// `None` for plain HTTP.
    pub tls: Option<TlsPeer>,
}

/// One request. The body stays on the wire until [`Call::body`] asks for it.
pub struct Call {
    /// The method.
    pub method: Method,
    /// The path as received, percent-encoding and all; begins with `/`.
    pub path: String,
    /// What stands after `?`.
    pub query: Option<String>,
    /// The headers.
    pub headers: HeaderMap,
    /// Who asks.
    pub peer: Peer,
    /// The id under which the gateway logs this call.
    pub request_id: [u8; 16],
    /// When the head was received.
    pub received: Timestamp,
    body: Unread,
}

impl Call {
    /// A call from a request whose body reports its own time-outs and faults as [`BodyRefusal`].
    pub fn new<B>(request: Request<B>, peer: Peer, request_id: [u8; 16], received: Timestamp) -> Self
    where
        B: http_body::Body<Data = Bytes, Error = BodyRefusal> + Send + 'static,
    {
        let (parts, body) = request.into_parts();
        Self {
            method: parts.method,
            path: parts.uri.path().to_owned(),
            query: parts.uri.query().map(str::to_owned),
            headers: parts.headers,
            peer,
            request_id,
            received,
            body: Unread::new(body),
        }
    }

    /// Reads the body, at most `limit` octets. Once only: a second reading finds it empty.
    pub async fn body(&mut self, limit: usize) -> Result<Bytes, BodyRefusal> {
        self.body.read(limit).await
    }

    /// Path and query as received.
    pub fn path_and_query(&self) -> String {
        match &self.query {
            Some(query) => format!("{}?{query}", self.path),
            None => self.path.clone(),
        }
    }
}

impl fmt::Debug for Call {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call")
            .field("method", &self.method)
            .field("path", &self.path)
            .field("peer", &self.peer.address)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::convert::Infallible;
    use std::future::Future;
    use std::pin::{Pin, pin};
    use std::task::{Context, Poll, Waker};

    use http_body::Frame;
    use http_body_util::{BodyExt, Full};

    use super::*;

    fn call<B>(body: B) -> Call
    where
        B: http_body::Body<Data = Bytes, Error = BodyRefusal> + Send + 'static,
    {
        let request = Request::post("https://ra.example/acme/default/order/new?a=b")
            .body(body)
            .unwrap();
        let peer = Peer {
            address: [192, 0, 2, 1].into(),
            tls: None,
        };
        Call::new(request, peer, [7; 16], Timestamp::default())
    }

    fn full(text: &'static str) -> impl http_body::Body<Data = Bytes, Error = BodyRefusal> + Send + 'static {
        Full::new(Bytes::from_static(text.as_bytes())).map_err(|never: Infallible| match never {})
    }

    /// A body in pieces that says nothing about its size, and may end in a fault.
    struct Pieces(Vec<Result<&'static str, BodyRefusal>>);

    impl http_body::Body for Pieces {
        type Data = Bytes;
        type Error = BodyRefusal;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            _: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, BodyRefusal>>> {
            if self.0.is_empty() {
                return Poll::Ready(None);
            }
            let next = self.0.remove(0);
            Poll::Ready(Some(
                next.map(|text| Frame::data(Bytes::from_static(text.as_bytes()))),
            ))
        }
    }

    /// Polls a future that is never pending.
    fn now<T>(future: impl Future<Output = T>) -> T {
        match pin!(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(value) => value,
            Poll::Pending => panic!("pending"),
        }
    }

    #[test]
    fn bodies_are_read_up_to_the_limit() {
        let rows = [
            ("empty", vec![], Ok("")),
            ("one piece", vec![Ok("12345")], Ok("12345")),
            ("pieces", vec![Ok("12"), Ok(""), Ok("345")], Ok("12345")),
            (
                "too large at once",
                vec![Ok("123456")],
                Err(BodyRefusal::TooLarge),
            ),
            (
                "too large in pieces",
                vec![Ok("123"), Ok("456")],
                Err(BodyRefusal::TooLarge),
            ),
            (
                "too slow",
                vec![Ok("123"), Err(BodyRefusal::TimedOut)],
                Err(BodyRefusal::TimedOut),
            ),
            ("broken", vec![Err(BodyRefusal::Broken)], Err(BodyRefusal::Broken)),
        ];
        for (name, pieces, expected) in rows {
            let read = now(call(Pieces(pieces)).body(5));
            assert_eq!(
                read,
                expected.map(|text| Bytes::from_static(text.as_bytes())),
                "{name}"
            );
        }
    }

    #[test]
    fn an_announced_size_is_refused_unread() {
        assert_eq!(now(call(full("123456")).body(5)), Err(BodyRefusal::TooLarge));
        assert_eq!(now(call(full("12345")).body(5)), Ok(Bytes::from_static(b"12345")));
    }

    #[test]
    fn the_head_is_kept_as_received() {
        let call = call(full(""));
        assert_eq!(
            (call.path.as_str(), call.query.as_deref()),
            ("/acme/default/order/new", Some("a=b"))
        );
        assert_eq!(call.path_and_query(), "/acme/default/order/new?a=b");
        fn shared<T: Send + Sync>(_: &T) {}
        shared(&call);
    }
}
