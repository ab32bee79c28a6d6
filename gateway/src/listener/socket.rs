//! Binding.

use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

/// Connections the system keeps until they are accepted.
const BACKLOG: u32 = 1024;

/// Whether other processes may bind the same address.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Sharing {
    /// No.
    Exclusive,
    /// Yes (SO_REUSEPORT).
    ReusePort,
}

/// An address that cannot be listened on.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}: {source}")]
pub struct BindError {
    /// The address.
    pub address: SocketAddr,
    /// Why.
    pub source: std::io::Error,
}

/// Listens on this address; port 0 picks a free one.
pub fn bind(address: SocketAddr, sharing: Sharing) -> Result<TcpListener, BindError> {
    let listen = || -> std::io::Result<TcpListener> {
        let socket = if address.is_ipv4() {
            TcpSocket::new_v4()?
        } else {
            TcpSocket::new_v6()?
        };
        socket.set_reuseaddr(true)?;
        if sharing == Sharing::ReusePort {
            socket.set_reuseport(true)?;
        }
        socket.bind(address)?;
        socket.listen(BACKLOG)
    };
    listen().map_err(|source| BindError { address, source })
}
