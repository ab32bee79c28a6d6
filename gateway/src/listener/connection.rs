//! One connection: handshake, then requests one after the other until it ends.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use portreeve_edge::TlsPeer;

use super::guard::{Observed, ObservedIo, Overseer, Patience, Phase};
use super::tls;
use crate::config::LimitsSection;
use crate::router::{Arrival, Router};

/// The largest read buffer of a connection; heads are bounded further by `header_bytes_max`.
const BUFFER_MAX: usize = 64 * 1024;

/// Bounds on one connection.
#[derive(Copy, Clone, Debug)]
pub struct Bounds {
    handshake: Duration,
    patience: Patience,
    header_bytes_max: usize,
}

impl Bounds {
    /// The bounds in the configuration.
    pub fn of(limits: &LimitsSection) -> Self {
        Self {
            handshake: limits.handshake_timeout.0,
            patience: Patience {
                header: limits.header_timeout.0,
                idle: limits.idle_timeout.0,
            },
            header_bytes_max: limits.header_bytes_max,
        }
    }
}

/// What a connection meets on our side.
pub(super) struct Side {
    /// TLS, if spoken.
    pub(super) tls: Option<TlsAcceptor>,
    /// What answers.
    pub(super) router: Arc<Router>,
}

/// Answers the requests of one TCP connection.
pub(super) async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    side: Side,
    (bounds, stop): (Bounds, CancellationToken),
) {
    let router = side.router;
    let service = |tls: Option<TlsPeer>| {
        let arrival = Arrival { peer: peer.ip(), tls };
        service_fn(move |request: Request<Incoming>| {
            let (router, arrival) = (Arc::clone(&router), arrival.clone());
            async move { Ok::<_, Infallible>(router.respond(request, arrival).await) }
        })
    };
    let Some(acceptor) = side.tls else {
        return serve_connection(stream, service(None), bounds, stop).await;
    };
    let handshake = tokio::time::timeout(bounds.handshake, acceptor.accept(stream));
    let shaken = tokio::select! {
        shaken = handshake => shaken,
        () = stop.cancelled() => return,
    };
    match shaken {
        Ok(Ok(stream)) => {
            let known = tls::peer(stream.get_ref().1);
            serve_connection(stream, service(known), bounds, stop).await;
        }
        Ok(Err(error)) => debug!(peer = %peer.ip(), %error, "TLS handshake failed"),
        Err(_) => debug!(peer = %peer.ip(), "TLS handshake took too long"),
    }
}

/// Serves HTTP/1.1 on a stream until it ends, fails, exceeds its bounds, or is to stop and idle.
pub async fn serve_connection<I, S, B>(stream: I, service: S, bounds: Bounds, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = http::Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let observed = Arc::new(Observed::default());
    let stream = ObservedIo::new(stream, Arc::clone(&observed));
    let service = service_fn(|request| {
        observed.enter(Phase::Request);
        let answer = service.call(request);
        let observed = Arc::clone(&observed);
        async move {
            let answer = answer.await;
            observed.enter(Phase::Idle);
            answer
        }
    });
    let connection = http1::Builder::new()
        .max_header_size(bounds.header_bytes_max)
        .max_buf_size(BUFFER_MAX.max(bounds.header_bytes_max))
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let mut overseer = Overseer::new(Arc::clone(&observed), bounds.patience);
    let mut stopping = false;
    loop {
        tokio::select! {
            biased;
            ended = connection.as_mut() => {
                if let Err(error) = ended {
                    debug!(%error, "connection failed");
                }
                return;
            }
            () = &mut overseer => {
                debug!("the peer took too long");
                return;
            }
            () = stop.cancelled(), if !stopping => {
                stopping = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    }
}
