//! Ports that nothing listens on.

use std::fs::File;
use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Mutex, PoisonError};

/// Below the range from which systems take the ports of outgoing connections.
const FIRST: u16 = 18_000;
const COUNT: u16 = 14_000;

static NEXT: AtomicU16 = AtomicU16::new(0);

/// Locked files that keep ports from other test processes of this machine until this one ends.
static HELD: Mutex<Vec<File>> = Mutex::new(Vec::new());

/// A port of 127.0.0.1 that is free for TCP and UDP; no other call of this process gets the same one, and none of
/// another test process while this one runs, even if nothing listens there for a while.
/// With nothing free it is 0, and whatever is started then chooses by itself.
pub fn free_port() -> u16 {
    let start = u16::try_from(std::process::id() % u32::from(COUNT)).unwrap_or(0);
    for _ in 0..COUNT {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = FIRST + (start.wrapping_mul(37) % COUNT + step % COUNT) % COUNT;
        let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, port));
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, port));
        if tcp.is_ok() && udp.is_ok() && hold(port) {
            return port;
        }
    }
    0
}

/// Takes the lock of a port. Where locks cannot be made, a port counts as taken by nobody.
fn hold(port: u16) -> bool {
    let directory = std::env::temp_dir().join("portreeve-test-ports");
    let file =
        std::fs::create_dir_all(&directory).and_then(|()| File::create(directory.join(port.to_string())));
    let Ok(file) = file else { return true };
    let free = file.try_lock().is_ok();
    if free {
        HELD.lock().unwrap_or_else(PoisonError::into_inner).push(file);
    }
    free
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_free_and_given_out_once() {
        let ports: Vec<u16> = (0..20).map(|_| free_port()).collect();
        let unique: std::collections::BTreeSet<u16> = ports.iter().copied().collect();
        assert_eq!(unique.len(), ports.len());
        let taken = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))
            .unwrap()
            .local_addr()
            .unwrap()
            .port();
        assert!(!unique.contains(&taken));
    }
}
