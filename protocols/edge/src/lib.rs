//! The edge port: what a protocol crate gives to the gateway, and what the gateway gives to it.
//!
//! An [`Edge`] names the paths it serves ([`Mount`]) and answers each [`Call`] with a response. It never fails:
//! every failure is worded in its own protocol, the limits that the router enforces included
//! ([`Edge::refuse`]). Only `http` types occur here: no server framework, no sockets, no TLS library.

mod answer;
mod body;
mod call;
mod mount;

use async_trait::async_trait;
use bytes::Bytes;
use http::Response;

pub use answer::{answer, empty, retry_after};
pub use body::BodyRefusal;
pub use call::{Call, Peer, TlsPeer, TlsVersion};
pub use mount::{Front, Mount};

/// An extension of an answer: whoever got it may come back on the same connection, even though the request said that it
/// was the last. Some clients announce `Connection: close` with a request that they expect to be answered with 401, and
/// send the next one, with their password, on that very connection.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct ComesBack;

/// An extension of an answer: its headers are written as the standards spell them, `Content-Type` and not `content-type`.
/// Names of headers have no case; some clients of devices compare them octet by octet.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct SpelledOut;

/// A protocol, as the gateway sees it.
#[async_trait]
pub trait Edge: Send + Sync {
    /// The paths this edge serves.
    fn mounts(&self) -> Vec<Mount>;
    /// Answers one call. Infallible: every failure is rendered in the words of the protocol.
    async fn handle(&self, call: Call) -> Response<Bytes>;
    /// Words a limit that the router enforced before the call reached [`Edge::handle`].
    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes>;
}
