//! Opening a socket to an address that was checked, never to a name.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use portreeve_acme::validator::ValidationFailure;
use tokio::net::TcpStream;

use super::target::Target;
use crate::deadline::{Deadline, TimedOut};

/// Tries the addresses in order until one accepts.
pub(super) async fn first_reachable(
    addresses: &[IpAddr],
    target: &Target,
    limit: Duration,
    deadline: Deadline,
) -> Result<(TcpStream, IpAddr), ValidationFailure> {
    let mut reason = "no address";
    for address in addresses {
        let socket = SocketAddr::new(*address, target.port());
        match deadline.within(limit, TcpStream::connect(socket)).await {
            Ok(Ok(stream)) => return Ok((stream, *address)),
            Ok(Err(error)) => reason = reason_of(&error),
            Err(TimedOut) => reason = "no connection in time",
        }
    }
    let tried = addresses.len();
    Err(ValidationFailure::Connection(
        format!("{target}: {reason} (addresses tried: {tried})").into(),
    ))
}

fn reason_of(error: &io::Error) -> &'static str {
    match error.kind() {
        io::ErrorKind::ConnectionRefused => "connection refused",
        io::ErrorKind::ConnectionReset => "connection reset",
        io::ErrorKind::HostUnreachable | io::ErrorKind::NetworkUnreachable => "unreachable",
        io::ErrorKind::TimedOut => "no connection in time",
        _ => "the connection failed",
    }
}
