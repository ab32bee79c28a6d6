//! One connection: handshake, then requests one after the other until it ends.

use std::convert::Infallible;
use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::{Service, service_fn};
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use portreeve_edge::{ComesBack, TlsPeer};

use super::guard::{Observed, ObservedIo, Overseer, Patience, Phase};
use super::spelling::Spelling;
use super::tls::{self, ChannelBinding};
use crate::config::LimitsSection;
use crate::router::{Arrival, Router};

/// The largest read buffer of a connection; heads are bounded further by `header_bytes_max`.
const BUFFER_MAX: usize = 64 * 1024;

/// How long a peer may take to begin a request after the one that it said was its last.
const RETURN_WAIT: Duration = Duration::from_secs(2);

/// How long a peer may go on sending what it was told is not wanted.
const LINGER_WAIT: Duration = Duration::from_secs(2);

/// How much of that is taken, in octets.
const LINGER_MAX: usize = 1024 * 1024;

/// Octets that are taken at a time of what is not wanted.
const LINGER_STEP: usize = 16 * 1024;

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
    /// What is exported of a connection.
    pub(super) binding: ChannelBinding,
    /// What answers.
    pub(super) router: Arc<Router>,
    /// How names of headers are written where it matters.
    pub(super) spelling: Spelling,
}

/// Answers the requests of one TCP connection.
pub(super) async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    side: Side,
    (bounds, stop): (Bounds, CancellationToken),
) {
    let (router, spelling) = (side.router, side.spelling);
    let service = |tls: Option<TlsPeer>| {
        let arrival = Arrival { peer: peer.ip(), tls };
        service_fn(move |request: Request<Incoming>| {
            let (router, arrival, spelling) = (Arc::clone(&router), arrival.clone(), spelling.clone());
            async move { Ok::<_, Infallible>(spelling.of(router.respond(request, arrival).await)) }
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
            let known = tls::peer(stream.get_ref().1, side.binding);
            serve_connection(stream, service(known), bounds, stop).await;
        }
        Ok(Err(error)) => debug!(peer = %peer.ip(), %error, "TLS handshake failed"),
        Err(_) => debug!(peer = %peer.ip(), "TLS handshake took too long"),
    }
}

/// Serves HTTP/1.1 on a stream until it ends, fails, exceeds its bounds, or is to stop and idle.
///
/// A peer that said it was sending its last request and was answered with [`ComesBack`] is listened to once more, for a
/// short time: others wait for the end of the connection before they make anything of the answer.
pub async fn serve_connection<I, S, B>(stream: I, service: S, bounds: Bounds, stop: CancellationToken)
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = http::Response<B>>,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let observed = Arc::new(Observed::default());
    let service = service_fn(|request| {
        observed.enter(Phase::Request);
        let answer = service.call(request);
        let observed = Arc::clone(&observed);
        Box::pin(async move {
            let answer = answer.await;
            let marked = |answer: &http::Response<B>| answer.extensions().get::<ComesBack>().is_some();
            observed.comes_back(answer.as_ref().is_ok_and(marked));
            observed.enter(Phase::Idle);
            answer
        })
    });
    let mut overseer = Overseer::new(Arc::clone(&observed), bounds.patience);
    let stream = ObservedIo::new(stream, Arc::clone(&observed));
    let over = stop.clone().cancelled_owned();
    let mut served = serve_requests(stream, &service, (bounds, over), &mut overseer).await;
    if let Served::All(stream) = served {
        served = if observed.is_expected_back() && !stop.is_cancelled() {
            observed.enter(Phase::Return);
            let over = returned_or_stopped(&observed, &stop);
            serve_requests(stream, &service, (bounds, over), &mut overseer).await
        } else {
            Served::All(stream)
        };
    }
    if let Served::All(mut stream) | Served::NoRequest(mut stream) = served {
        tokio::select! {
            closed = close(&mut stream, &stop) => if let Err(error) = closed {
                debug!(%error, "connection failed");
            },
            () = &mut overseer => debug!("the peer took too long"),
        }
    }
}

/// Says that nothing more comes, and takes what the peer still sends, up to [`LINGER_MAX`] and [`LINGER_WAIT`]: a system
/// that closes a connection with unread octets resets it, and the peer would lose the answer that tells it to send less
/// (RFC 9112, 9.6). A gateway that stops does not wait.
async fn close<I>(stream: &mut ObservedIo<I>, stop: &CancellationToken) -> std::io::Result<()>
where
    I: AsyncRead + AsyncWrite + Unpin,
{
    stream.shutdown().await?;
    let unwanted = async {
        let mut step = vec![0; LINGER_STEP];
        let mut left = LINGER_MAX;
        while left > 0 {
            match stream.read(&mut step).await? {
                0 => break,
                taken => left = left.saturating_sub(taken),
            }
        }
        Ok(())
    };
    tokio::select! {
        taken = unwanted => taken,
        () = tokio::time::sleep(LINGER_WAIT) => Ok(()),
        () = stop.cancelled() => Ok(()),
    }
}

/// Ends when the gateway stops, or a peer that was expected to come back has not begun to.
async fn returned_or_stopped(observed: &Observed, stop: &CancellationToken) {
    tokio::select! {
        () = tokio::time::sleep(RETURN_WAIT) => if observed.phase() != Phase::Return {
            stop.cancelled().await;
        },
        () = stop.cancelled() => {}
    }
}

/// How serving requests ended.
enum Served<I> {
    /// No further request is to come.
    All(ObservedIo<I>),
    /// What came was no request, or one with too large a head, and was answered so.
    NoRequest(ObservedIo<I>),
    /// The stream broke, or the peer took too long.
    Broken,
}

/// Serves HTTP/1.1 until no further request is to come, which is so when `over` has ended and the last one is answered.
async fn serve_requests<I, S, B>(
    stream: ObservedIo<I>,
    service: S,
    (bounds, over): (Bounds, impl Future<Output = ()>),
    overseer: &mut Overseer,
) -> Served<I>
where
    I: AsyncRead + AsyncWrite + Unpin,
    S: Service<Request<Incoming>, Response = http::Response<B>> + Unpin,
    S::Future: Unpin,
    S::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
    B: Body + 'static,
    B::Error: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let mut connection = http1::Builder::new()
        .max_header_size(bounds.header_bytes_max)
        .max_buf_size(BUFFER_MAX.max(bounds.header_bytes_max))
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let mut over = pin!(over);
    let mut stopping = false;
    let ended = loop {
        tokio::select! {
            biased;
            ended = poll_fn(|cx| connection.poll_without_shutdown(cx)) => break ended,
            () = &mut *overseer => {
                debug!("the peer took too long");
                return Served::Broken;
            }
            () = &mut over, if !stopping => {
                stopping = true;
                std::pin::Pin::new(&mut connection).graceful_shutdown();
            }
        }
    };
    let parts = connection.into_parts();
    let stream = parts.io.into_inner().with_ahead(parts.read_buf);
    match ended {
        Ok(()) => Served::All(stream),
        Err(error) => {
            debug!(%error, "connection failed");
            if error.is_parse() {
                Served::NoRequest(stream)
            } else {
                Served::Broken
            }
        }
    }
}
