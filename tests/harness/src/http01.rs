//! A web server for http-01 that answers as told, on one port of several loopback addresses, and notes what it was
//! asked.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crate::error::HarnessError;
use crate::process::free_port;

const PREFIX: &str = "/.well-known/acme-challenge/";
const PATIENCE: Duration = Duration::from_millis(20);
const READ_LIMIT: Duration = Duration::from_secs(60);
const PORTS_TRIED: usize = 20;

/// What a request is answered with.
#[derive(Debug, Clone)]
pub enum WebReply {
    /// 200 with this body.
    Body(Vec<u8>),
    /// A redirect with this status to this URL.
    Redirect(u16, String),
    /// These octets, whatever they are, and the end of the connection.
    Raw(Vec<u8>),
    /// A header that promises a body of which nothing comes, until the other side gives up.
    Stall,
}

/// One request that came in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The address it was sent to.
    pub to: IpAddr,
    /// Its path.
    pub path: String,
}

/// The server; it ends when this is dropped.
#[derive(Debug)]
pub struct WebServer {
    port: u16,
    state: Arc<Mutex<State>>,
    ended: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug, Default)]
struct State {
    replies: HashMap<String, WebReply>,
    hits: Vec<Hit>,
}

impl WebServer {
    /// Starts it on one free port of these addresses.
    ///
    /// # Errors
    /// When no port can be had on all of them.
    pub fn start(addresses: &[Ipv4Addr]) -> Result<Self, HarnessError> {
        let failed = |source| HarnessError::Network {
            peer: "web server of the test".to_owned(),
            source,
        };
        let (port, listeners) = listen(addresses).map_err(failed)?;
        let (state, ended) = (Arc::<Mutex<State>>::default(), Arc::<AtomicBool>::default());
        let mut threads = Vec::new();
        for listener in listeners {
            listener.set_nonblocking(true).map_err(failed)?;
            let (state, ended) = (Arc::clone(&state), Arc::clone(&ended));
            threads.push(std::thread::spawn(move || accept(&listener, &state, &ended)));
        }
        Ok(Self {
            port,
            state,
            ended,
            threads,
        })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Answers requests for this path from now on.
    pub fn set(&self, path: &str, reply: WebReply) {
        lock(&self.state).replies.insert(path.to_owned(), reply);
    }

    /// Answers the challenge with this token.
    pub fn set_challenge(&self, token: &str, reply: WebReply) {
        self.set(&challenge_path(token), reply);
    }

    /// The requests for this path so far.
    pub fn hits(&self, path: &str) -> Vec<Hit> {
        lock(&self.state)
            .hits
            .iter()
            .filter(|hit| hit.path == path)
            .cloned()
            .collect()
    }
}

/// The path under which the response to a challenge is looked for (RFC 8555 section 8.3).
pub fn challenge_path(token: &str) -> String {
    format!("{PREFIX}{token}")
}

impl Drop for WebServer {
    fn drop(&mut self) {
        self.ended.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

fn listen(addresses: &[Ipv4Addr]) -> std::io::Result<(u16, Vec<TcpListener>)> {
    let mut last = std::io::Error::from(std::io::ErrorKind::AddrInUse);
    for _ in 0..PORTS_TRIED {
        let port = free_port();
        let bound: std::io::Result<Vec<_>> = addresses
            .iter()
            .map(|address| TcpListener::bind((*address, port)))
            .collect();
        match bound {
            Ok(listeners) => return Ok((port, listeners)),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn accept(listener: &TcpListener, state: &Arc<Mutex<State>>, ended: &AtomicBool) {
    while !ended.load(Ordering::Relaxed) {
        match listener.accept() {
            Ok((stream, _)) => {
                let state = Arc::clone(state);
                std::thread::spawn(move || {
                    // Whoever hangs up early gets nothing, and nobody else needs to know.
                    let _ = answer(&stream, &state);
                });
            }
            Err(_) => std::thread::sleep(PATIENCE),
        }
    }
}

fn answer(stream: &TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    stream.set_nonblocking(false)?;
    stream.set_read_timeout(Some(READ_LIMIT))?;
    let to = stream.local_addr().map(|address: SocketAddr| address.ip())?;
    let mut lines = BufReader::new(stream).lines();
    let first = lines.next().transpose()?.unwrap_or_default();
    let path = first.split(' ').nth(1).unwrap_or_default().to_owned();
    while lines.next().transpose()?.is_some_and(|line| !line.is_empty()) {}
    let reply = {
        let mut state = lock(state);
        state.hits.push(Hit {
            to,
            path: path.clone(),
        });
        state.replies.get(&path).cloned()
    };
    let mut stream = stream;
    stream.write_all(&encoded(reply.as_ref()))?;
    if matches!(reply, Some(WebReply::Stall)) {
        // Returns when the other side closes, or when it seems not to.
        let _ = lines.next();
    }
    Ok(())
}

fn encoded(reply: Option<&WebReply>) -> Vec<u8> {
    let whole = |head: &str, body: &[u8]| {
        let head = format!(
            "HTTP/1.1 {head}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
            body.len()
        );
        [head.as_bytes(), body].concat()
    };
    match reply {
        None => whole("404 Not Found", b"nothing here"),
        Some(WebReply::Body(body)) => whole("200 OK", body),
        Some(WebReply::Redirect(status, to)) => whole(&format!("{status} Elsewhere\r\nLocation: {to}"), b""),
        Some(WebReply::Raw(octets)) => octets.clone(),
        Some(WebReply::Stall) => b"HTTP/1.1 200 OK\r\nContent-Length: 87\r\n\r\n".to_vec(),
    }
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn fetch(server: &WebServer, address: [u8; 4], path: &str) -> String {
        let mut stream = TcpStream::connect((Ipv4Addr::from(address), server.port())).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: a.test\r\n\r\n").unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer
    }

    #[test]
    fn answers_as_told_on_every_address() {
        let server = WebServer::start(&[Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 2)]).unwrap();
        server.set_challenge("t", WebReply::Body(b"t.thumbprint".to_vec()));
        server.set("/moved", WebReply::Redirect(302, "http://b.test/x".to_owned()));
        for last in [1, 2] {
            assert!(
                fetch(&server, [127, 0, 0, last], &challenge_path("t")).ends_with("\r\n\r\nt.thumbprint")
            );
        }
        assert!(fetch(&server, [127, 0, 0, 1], "/moved").contains("Location: http://b.test/x\r\n"));
        assert!(fetch(&server, [127, 0, 0, 1], "/other").starts_with("HTTP/1.1 404"));
        let hits = server.hits(&challenge_path("t"));
        assert_eq!(
            hits.iter().map(|hit| hit.to.to_string()).collect::<Vec<_>>(),
            ["127.0.0.1", "127.0.0.2"]
        );
    }
}
