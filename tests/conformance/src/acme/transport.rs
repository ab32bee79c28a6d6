//! HTTP/1.1 over TLS, written out by hand so that a test decides about every octet.

use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::version::{TLS12, TLS13};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned, SupportedProtocolVersion};

/// No answer takes longer, or the test has failed.
const ANSWER_LIMIT: Duration = Duration::from_secs(90);
/// Connections that were idle for longer may have been closed by the other side.
const IDLE_MAX: Duration = Duration::from_secs(20);

type Stream = BufReader<StreamOwned<ClientConnection, TcpStream>>;

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Message<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub target: &'a str,
    /// Headers besides `Host` and `Content-Length`.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a [u8],
}

/// What came back, unjudged.
#[derive(Debug, Clone, Default)]
pub struct Received {
    /// The status.
    pub status: u16,
    /// The headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// Connections to one server, kept and used again.
#[derive(Debug)]
pub struct Transport {
    authority: String,
    tls: Arc<ClientConfig>,
    idle: Mutex<Vec<(Instant, Stream)>>,
}

impl Transport {
    /// To the server of this `https` URL, whose certificate leads to a root in this PEM file.
    pub fn new(url: &str, root: &Path) -> Self {
        Self::with((url, root), None, &[&TLS13, &TLS12])
    }

    /// The same with a certificate and its key (PKCS #8), with one of these versions of TLS.
    pub fn with(
        (url, root): (&str, &Path),
        identity: Option<&(Vec<CertificateDer<'static>>, Vec<u8>)>,
        versions: &[&'static SupportedProtocolVersion],
    ) -> Self {
        let rest = url.strip_prefix("https://").expect("it is spoken over HTTPS");
        let authority = rest.split('/').next().unwrap_or_default().to_owned();
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(root).expect("the root of the gateway's TLS") {
            roots.add(certificate.expect("PEM")).expect("a usable root");
        }
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let builder = ClientConfig::builder_with_provider(provider).with_protocol_versions(versions);
        let builder = builder.expect("TLS versions").with_root_certificates(roots);
        let tls = match identity {
            None => builder.with_no_client_auth(),
            Some((chain, key)) => {
                let key = PrivateKeyDer::try_from(key.clone()).expect("a private key");
                builder
                    .with_client_auth_cert(chain.clone(), key)
                    .expect("a certificate and its key")
            }
        };
        Self {
            authority,
            tls: Arc::new(tls),
            idle: Mutex::default(),
        }
    }

    /// Host and port.
    pub fn authority(&self) -> &str {
        &self.authority
    }

    /// Path and query of a URL of this server.
    pub fn target<'a>(&self, url: &'a str) -> &'a str {
        let below = url
            .strip_prefix("https://")
            .and_then(|rest| rest.strip_prefix(self.authority.as_str()));
        below.unwrap_or_else(|| panic!("{url} is not on https://{}", self.authority))
    }

    /// Sends a request and reads the answer.
    pub fn send(&self, message: &Message<'_>) -> Received {
        let mut octets = format!(
            "{} {} HTTP/1.1\r\nHost: {}\r\n",
            message.method, message.target, self.authority
        );
        for (name, value) in &message.headers {
            octets.push_str(&format!("{name}: {value}\r\n"));
        }
        octets.push_str(&format!("Content-Length: {}\r\n\r\n", message.body.len()));
        let octets = [octets.as_bytes(), message.body].concat();
        self.send_octets(&octets, message.method)
            .unwrap_or_else(|| panic!("no answer to {} {}", message.method, message.target))
    }

    /// Sends octets as they are. `None` when the other side closes without an answer.
    pub fn send_octets(&self, octets: &[u8], method: &str) -> Option<Received> {
        let mut stream = self.take();
        // The server may answer, and close, before it has read everything.
        let _ = stream
            .get_mut()
            .write_all(octets)
            .and_then(|()| stream.get_mut().flush());
        let received = receive(&mut stream, method)?;
        if received
            .header("connection")
            .is_none_or(|value| !value.eq_ignore_ascii_case("close"))
        {
            self.idle.lock().unwrap().push((Instant::now(), stream));
        }
        Some(received)
    }

    /// Opens a connection and sends on it what is made of the value that names it (RFC 9266).
    pub fn send_linked(&self, request: impl FnOnce([u8; 32]) -> Vec<u8>) -> Received {
        let mut stream = self.open();
        let tls = stream.get_mut();
        while tls.conn.is_handshaking() {
            tls.conn.complete_io(&mut tls.sock).expect("a handshake");
        }
        let value = tls
            .conn
            .export_keying_material([0; 32], b"EXPORTER-Channel-Binding", Some(&[]))
            .expect("keying material");
        let written = tls.write_all(&request(value));
        written.and_then(|()| tls.flush()).expect("sent");
        receive(&mut stream, "POST").expect("an answer")
    }

    /// Sends one request after the other on one connection, whatever is answered, until the other side closes it.
    pub fn converse(&self, requests: &[Vec<u8>]) -> Vec<Received> {
        let mut stream = self.open();
        let mut answers = Vec::new();
        for octets in requests {
            let written = stream.get_mut().write_all(octets);
            let _ = written.and_then(|()| stream.get_mut().flush());
            match receive(&mut stream, "POST") {
                Some(received) => answers.push(received),
                None => break,
            }
        }
        answers
    }

    /// Sends octets and hangs up without waiting for an answer.
    pub fn abandon(&self, octets: &[u8]) {
        let mut stream = self.open();
        stream
            .get_mut()
            .write_all(octets)
            .and_then(|()| stream.get_mut().flush())
            .expect("sent");
    }

    fn take(&self) -> Stream {
        let mut idle = self.idle.lock().unwrap();
        idle.retain(|(since, stream)| since.elapsed() < IDLE_MAX && is_open(stream));
        let known = idle.pop();
        drop(idle);
        known.map_or_else(|| self.open(), |(_, stream)| stream)
    }

    fn open(&self) -> Stream {
        let address: SocketAddr = self.authority.parse().expect("an address and a port");
        let socket = TcpStream::connect(address).expect("the gateway accepts connections");
        socket.set_read_timeout(Some(ANSWER_LIMIT)).unwrap();
        socket.set_nodelay(true).unwrap();
        let name = ServerName::from(address.ip());
        let session = ClientConnection::new(Arc::clone(&self.tls), name).expect("TLS");
        BufReader::new(StreamOwned::new(session, socket))
    }
}

/// Whether an idle connection is one still. Whatever can be read from it is its end: nothing was asked.
fn is_open(stream: &Stream) -> bool {
    let socket = &stream.get_ref().sock;
    let silent = |socket: &TcpStream| {
        socket.set_nonblocking(true)?;
        let seen = socket.peek(&mut [0]);
        socket.set_nonblocking(false)?;
        seen
    };
    matches!(silent(socket), Err(error) if error.kind() == ErrorKind::WouldBlock)
}

impl Received {
    /// The first header of this name.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

fn receive(stream: &mut Stream, method: &str) -> Option<Received> {
    let status_line = line(stream)?;
    let status = status_line
        .split(' ')
        .nth(1)
        .and_then(|status| status.parse().ok());
    let status: u16 = status.unwrap_or_else(|| panic!("not a status line: {status_line:?}"));
    let mut received = Received {
        status,
        ..Received::default()
    };
    loop {
        let text = line(stream).expect("a whole header");
        if text.is_empty() {
            break;
        }
        let (name, value) = text.split_once(':').expect("a header field");
        received
            .headers
            .push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    if status == 100 {
        // The answer itself follows.
        return receive(stream, method);
    }
    if method != "HEAD" && !matches!(status, 204 | 304) {
        received.body = body(stream, &received);
    }
    Some(received)
}

fn body(stream: &mut Stream, received: &Received) -> Vec<u8> {
    let mut body = Vec::new();
    if received
        .header("transfer-encoding")
        .is_some_and(|value| value.eq_ignore_ascii_case("chunked"))
    {
        loop {
            let size = usize::from_str_radix(&line(stream).expect("a chunk"), 16).expect("its size");
            let mut chunk = vec![0; size];
            stream.read_exact(&mut chunk).expect("a whole chunk");
            body.append(&mut chunk);
            line(stream).expect("the end of the chunk");
            if size == 0 {
                return body;
            }
        }
    }
    let length = received
        .header("content-length")
        .expect("a length")
        .parse()
        .expect("a number");
    body.resize(length, 0);
    stream.read_exact(&mut body).expect("a whole body");
    body
}

/// One line without its end; `None` when the connection was closed instead.
fn line(stream: &mut Stream) -> Option<String> {
    let mut text = String::new();
    match stream.read_line(&mut text) {
        Ok(0) => None,
        Ok(_) => Some(text.trim_end().to_owned()),
        Err(error)
            if matches!(
                error.kind(),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe | ErrorKind::UnexpectedEof
            ) =>
        {
            None
        }
        Err(error) => panic!("the answer cannot be read: {error}"),
    }
}
