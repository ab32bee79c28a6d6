//! Checkpoints as messages of syslog (RFC 5424), each in one datagram.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portreeve_audit::checkpoint::one_line;
use portreeve_audit::{Outside, SignedNote};
use portreeve_ra::ports::Clock;
use tokio::net::{UdpSocket, UnixDatagram};

use crate::config::SyslogTarget;

/// Facility 13 (log audit) and severity 5 (notice).
const PRIORITY: u32 = 13 * 8 + 5;

/// How long a name may take to be found.
const TIMEOUT: Duration = Duration::from_secs(3);

/// A syslog server.
pub struct Syslog {
    target: SyslogTarget,
    name: String,
    host: String,
    clock: Arc<dyn Clock>,
}

impl Syslog {
    /// This server.
    pub fn new(target: SyslogTarget, clock: Arc<dyn Clock>) -> Self {
        Self {
            name: format!("syslog {target}"),
            host: host_name(),
            target,
            clock,
        }
    }

    /// The message: the note in one line, its line feeds as `\n`.
    fn message(&self, note: &SignedNote) -> String {
        let (now, process) = (self.clock.now(), std::process::id());
        let words = one_line(note);
        format!(
            "<{PRIORITY}>1 {now} {} portreeve {process} checkpoint - {words}",
            self.host
        )
    }

    async fn send(&self, message: &[u8]) -> std::io::Result<()> {
        match &self.target {
            SyslogTarget::Unix(path) => UnixDatagram::unbound()?.send_to(message, path).await?,
            SyslogTarget::Udp(address) => {
                let mut found = tokio::net::lookup_host(address).await?;
                let address = found
                    .next()
                    .ok_or_else(|| std::io::Error::other("the host has no address"))?;
                let own = if address.is_ipv6() { "[::]:0" } else { "0.0.0.0:0" };
                UdpSocket::bind(own).await?.send_to(message, address).await?
            }
        };
        Ok(())
    }
}

#[async_trait]
impl Outside for Syslog {
    fn name(&self) -> &str {
        &self.name
    }

    /// Nobody can be asked.
    async fn last(&self, _: &str) -> Result<Option<SignedNote>, String> {
        Ok(None)
    }

    async fn publish(&self, note: &SignedNote) -> Result<(), String> {
        let message = self.message(note);
        match tokio::time::timeout(TIMEOUT, self.send(message.as_bytes())).await {
            Ok(sent) => sent.map_err(|error| error.to_string()),
            Err(_) => Err("it took too long".to_owned()),
        }
    }
}

/// The name of this machine, or `-`, which stands for none.
fn host_name() -> String {
    let read = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name: String = read
        .trim()
        .chars()
        .filter(char::is_ascii_graphic)
        .take(255)
        .collect();
    if name.is_empty() { "-".to_owned() } else { name }
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_audit::checkpoint::{notes, unfold};
    use portreeve_audit::{Checkpoint, VerifierKey};
    use portreeve_queue::SystemClock;

    fn note() -> SignedNote {
        let (origin, size, root) = ("portreeve/test".to_owned(), 7, [3; 32]);
        let key = VerifierKey::new(&origin, [2; 32]).unwrap();
        let text = Checkpoint { origin, size, root }.to_string();
        SignedNote::new(text, vec![key.signature([4; 64])]).unwrap()
    }

    fn check(message: &[u8]) {
        let message = std::str::from_utf8(message).unwrap();
        let parts: Vec<&str> = message.splitn(8, ' ').collect();
        assert_eq!(
            (parts[0], parts[3], parts[5], parts[6]),
            ("<109>1", "portreeve", "checkpoint", "-")
        );
        assert!(parts[1].ends_with('Z') && !parts[7].contains('\n'), "{message}");
        assert_eq!(notes(&unfold(parts[7])), Ok((vec![note()], false)));
    }

    #[tokio::test]
    async fn one_datagram_on_each_kind_of_socket() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("log");
        let (unix, udp) = (
            UnixDatagram::bind(&path).unwrap(),
            UdpSocket::bind("127.0.0.1:0").await.unwrap(),
        );
        let address = udp.local_addr().unwrap();
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let mut octets = [0; 4_096];
        let server = Syslog::new(SyslogTarget::Unix(path), Arc::clone(&clock));
        server.publish(&note()).await.unwrap();
        let length = unix.recv(&mut octets).await.unwrap();
        check(&octets[..length]);
        let server = Syslog::new(SyslogTarget::Udp(address.to_string()), Arc::clone(&clock));
        server.publish(&note()).await.unwrap();
        let length = udp.recv(&mut octets).await.unwrap();
        check(&octets[..length]);
        let server = Syslog::new(SyslogTarget::Unix(directory.path().join("none")), clock);
        assert!(server.publish(&note()).await.is_err());
    }
}
