//! The cable between a node and a server: while it is cut nothing gets through, and nobody is told.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use crate::FaultError;

/// Octets taken at once.
const OCTETS: usize = 16 * 1024;

/// Carries connections to a port of 127.0.0.1 as long as it is whole.
pub struct Cable {
    port: u16,
    whole: watch::Sender<bool>,
}

impl Cable {
    /// A cable to a server at this port of 127.0.0.1.
    pub async fn to(server: u16) -> Result<Self, FaultError> {
        let failed = FaultError::system("cable");
        let listener = TcpListener::bind("127.0.0.1:0").await.map_err(failed)?;
        let port = listener.local_addr().map_err(FaultError::system("cable"))?.port();
        let (whole, seen) = watch::channel(true);
        tokio::spawn(run(listener, server, seen));
        Ok(Self { port, whole })
    }

    /// Where its near end is, on 127.0.0.1.
    pub const fn port(&self) -> u16 {
        self.port
    }

    /// From now on what is sent does not arrive: it is held, as by a network that tries again and again.
    pub fn cut(&self) {
        self.whole.send_replace(false);
    }

    /// From now on it arrives, with what was held.
    pub fn mend(&self) {
        self.whole.send_replace(true);
    }
}

async fn run(listener: TcpListener, server: u16, whole: watch::Receiver<bool>) {
    while let Ok((near, _)) = listener.accept().await {
        tokio::spawn(carry(near, server, whole.clone()));
    }
}

async fn carry(near: TcpStream, server: u16, mut whole: watch::Receiver<bool>) {
    if whole.wait_for(|whole| *whole).await.is_err() {
        return;
    }
    let Ok(far) = TcpStream::connect(("127.0.0.1", server)).await else {
        return;
    };
    let ((near_read, near_write), (far_read, far_write)) = (near.into_split(), far.into_split());
    tokio::join!(
        pump(near_read, far_write, whole.clone()),
        pump(far_read, near_write, whole)
    );
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, mut whole: watch::Receiver<bool>) {
    let mut octets = vec![0; OCTETS];
    loop {
        let count = from.read(&mut octets).await.unwrap_or(0);
        if whole.wait_for(|whole| *whole).await.is_err() {
            return;
        }
        let sent = match octets.get(..count) {
            Some(taken) if count > 0 => to.write_all(taken).await,
            _ => {
                // The end, which travels as well.
                let _ = to.shutdown().await;
                return;
            }
        };
        if sent.is_err() {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[tokio::test]
    async fn what_is_sent_while_it_is_cut_arrives_when_it_is_mended() {
        let server = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let cable = Cable::to(server.local_addr().unwrap().port()).await.unwrap();
        let mut near = TcpStream::connect(("127.0.0.1", cable.port())).await.unwrap();
        let (mut far, _) = server.accept().await.unwrap();
        let mut octet = [0];
        near.write_all(b"a").await.unwrap();
        far.read_exact(&mut octet).await.unwrap();
        cable.cut();
        near.write_all(b"b").await.unwrap();
        let held = tokio::time::timeout(Duration::from_millis(100), far.read_exact(&mut octet)).await;
        assert!(held.is_err(), "{octet:?}");
        cable.mend();
        far.read_exact(&mut octet).await.unwrap();
        assert_eq!(&octet, b"b");
        drop(near);
        assert_eq!(far.read(&mut octet).await.unwrap(), 0, "the end arrives as well");
    }
}
