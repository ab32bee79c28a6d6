//! Listeners: addresses, TLS, and HTTP/1.1 connections with bounds on time and memory.

mod connection;
mod guard;
mod socket;
mod spelling;
pub mod tls;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{debug, warn};

use crate::config::LimitsSection;
use crate::router::Router;

use spelling::Spelling;

pub use connection::{Bounds, serve_connection};
pub use socket::{BindError, Sharing, bind};

/// How long accepting pauses after the system had no descriptor or memory for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// One listening address with what is served there.
pub struct Listener {
    /// The name in the configuration.
    pub name: String,
    /// The bound socket.
    pub socket: TcpListener,
    /// The TLS side; `None` speaks plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// What is exported of connections for those who answer.
    pub binding: tls::ChannelBinding,
    /// What answers.
    pub router: Arc<Router>,
    /// Bounds on connections and requests.
    pub limits: LimitsSection,
}

/// What the connections of all listeners share: the sign to stop, and who is still at work.
#[derive(Clone, Default)]
pub struct Drain {
    /// Cancelled when no further request is to be begun.
    pub stop: CancellationToken,
    /// Connections that are open.
    pub open: TaskTracker,
}

impl Drain {
    /// Stops beginning requests and waits for those under way, at most this long. Says whether all ended.
    pub async fn finish(&self, at_most: Duration) -> bool {
        self.stop.cancel();
        self.open.close();
        tokio::time::timeout(at_most, self.open.wait()).await.is_ok()
    }
}

impl Listener {
    /// The address that is listened on.
    pub fn address(&self) -> std::io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// Accepts connections until told to stop. A full house leaves further connections in the backlog.
    pub async fn run(self, drain: Drain) {
        let places = Arc::new(Semaphore::new(
            usize::try_from(self.limits.connections_max).unwrap_or(usize::MAX),
        ));
        let bounds = Bounds::of(&self.limits);
        let spelling = Spelling::learn().await;
        loop {
            let place = tokio::select! {
                () = drain.stop.cancelled() => break,
                place = Arc::clone(&places).acquire_owned() => place,
            };
            let Ok(place) = place else { break };
            let accepted = tokio::select! {
                () = drain.stop.cancelled() => break,
                accepted = self.socket.accept() => accepted,
            };
            let (stream, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    warn!(listener = %self.name, %error, "cannot accept a connection");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                }
            };
            if let Err(error) = stream.set_nodelay(true) {
                debug!(%error, "cannot set TCP_NODELAY");
            }
            let answering = connection::answer(
                stream,
                peer,
                connection::Side {
                    tls: self.tls.clone(),
                    binding: self.binding,
                    router: Arc::clone(&self.router),
                    spelling: spelling.clone(),
                },
                (bounds, drain.stop.clone()),
            );
            drain.open.spawn(async move {
                answering.await;
                drop(place);
            });
        }
        debug!(listener = %self.name, "no longer accepting");
    }
}

#[cfg(test)]
mod tests;
