//! One address in front of several nodes.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};

use crate::FaultError;

/// No node.
const NONE: usize = usize::MAX;

/// Takes each connection to the next node, as a balancer does; to another one when that is away.
pub struct Front {
    port: u16,
    nodes: OnceLock<Vec<u16>>,
    turn: AtomicUsize,
    /// The node that gets every connection; [`NONE`] when they take turns.
    only: AtomicUsize,
}

impl Front {
    /// Takes an address. Connections wait until [`Self::open`].
    pub async fn bind() -> Result<(Arc<Self>, TcpListener), FaultError> {
        let failed = FaultError::system("front");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(FaultError::system("front"))?.port();
        let front = Self {
            port,
            nodes: OnceLock::new(),
            turn: AtomicUsize::new(0),
            only: AtomicUsize::new(NONE),
        };
        Ok((Arc::new(front), listener))
    }

    /// Its port on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on connections go to nodes at these ports of 127.0.0.1.
    pub fn open(self: &Arc<Self>, listener: TcpListener, nodes: Vec<u16>) {
        let _ = self.nodes.set(nodes);
        tokio::spawn(Arc::clone(self).run(listener));
    }

    /// From now on every connection goes to the node at this place; with `None` they take turns again.
    pub fn only(&self, node: Option<usize>) {
        self.only.store(node.unwrap_or(NONE), Ordering::SeqCst);
    }

    async fn run(self: Arc<Self>, listener: TcpListener) {
        while let Ok((near, _)) = listener.accept().await {
            tokio::spawn(Arc::clone(&self).carry(near));
        }
    }

    async fn carry(self: Arc<Self>, mut near: TcpStream) {
        let nodes = self.nodes.get().map(Vec::as_slice).unwrap_or_default();
        let first = match self.only.load(Ordering::SeqCst) {
            NONE => self.turn.fetch_add(1, Ordering::SeqCst),
            only => only,
        };
        for offset in 0..nodes.len() {
            let Some(port) = nodes.get((first + offset) % nodes.len().max(1)) else {
                return;
            };
            if let Ok(mut far) = TcpStream::connect(("127.0.0.1", *port)).await {
                let _ = copy_bidirectional(&mut near, &mut far).await;
                return;
            }
        }
    }
}
