//! `pebble-challtestsrv`: a DNS server that answers as a test tells it to.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::error::HarnessError;
use crate::process::{free_port, until};

const START_LIMIT: Duration = Duration::from_secs(120);
const ANSWER_LIMIT: Duration = Duration::from_secs(60);

/// A running DNS server: 127.0.0.1 for every name without a record of its own.
#[derive(Debug)]
pub struct Challtest {
    child: Child,
    dns: SocketAddr,
    management: SocketAddr,
}

impl Challtest {
    /// Starts it on free ports.
    ///
    /// # Errors
    /// When it cannot be started or does not answer.
    pub fn start() -> Result<Self, HarnessError> {
        let local = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let (dns, management) = (local(free_port()), local(free_port()));
        let program = "pebble-challtestsrv";
        let child = Command::new(program)
            .args(["-dns01", &dns.to_string(), "-management", &management.to_string()])
            .args(["-http01", "", "-https01", "", "-tlsalpn01", ""])
            .args(["-defaultIPv4", "127.0.0.1", "-defaultIPv6", ""])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|source| HarnessError::Start {
                program: program.to_owned(),
                source,
            })?;
        let mut server = Self {
            child,
            dns,
            management,
        };
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Where it answers DNS questions, over UDP and TCP.
    pub fn dns(&self) -> SocketAddr {
        self.dns
    }

    /// The URL of its management interface, for scripts that call it themselves.
    pub fn management_url(&self) -> String {
        format!("http://{}", self.management)
    }

    /// Makes one management call, as `set-txt` with `{"host": "N.", "value": "V"}`, and returns what it answers.
    ///
    /// # Errors
    /// When there is no answer or another one than 200.
    pub fn call(&self, name: &str, body: &Value) -> Result<String, HarnessError> {
        let peer = format!("challtestsrv {name}");
        let fail = |source| HarnessError::Network {
            peer: peer.clone(),
            source,
        };
        let answer = self.exchange(name, &body.to_string()).map_err(fail)?;
        let absent = || HarnessError::Absent {
            document: format!("{peer}: {answer}"),
            part: "status 200".to_owned(),
        };
        let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(absent)?;
        if head.split(' ').nth(1) == Some("200") {
            Ok(body.to_owned())
        } else {
            Err(absent())
        }
    }

    fn exchange(&self, name: &str, body: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect_timeout(&self.management, ANSWER_LIMIT)?;
        stream.set_read_timeout(Some(ANSWER_LIMIT))?;
        let length = body.len();
        write!(
            stream,
            "POST /{name} HTTP/1.0\r\nHost: challtestsrv\r\nContent-Length: {length}\r\n\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    }

    fn wait_until_ready(&mut self) -> Result<(), HarnessError> {
        let (child, addresses) = (&mut self.child, [self.management, self.dns]);
        until("a ready pebble-challtestsrv", START_LIMIT, || {
            if let Ok(Some(status)) = child.try_wait() {
                let (program, outcome) = ("pebble-challtestsrv".to_owned(), format!("ended: {status}"));
                return Err(HarnessError::Outcome {
                    program,
                    outcome,
                    output: String::new(),
                });
            }
            let open = addresses
                .iter()
                .all(|address| TcpStream::connect_timeout(address, ANSWER_LIMIT).is_ok());
            Ok(open.then_some(()))
        })
    }
}

impl Drop for Challtest {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
