//! A web server that answers as told, plain and over TLS on one port, and notes what it was asked.

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::ServerConfig;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;

use super::KEY_AUTHORIZATION;

/// One request as it came in.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The address it was sent to.
    pub to: IpAddr,
    /// Whether it came over TLS.
    pub tls: bool,
    /// Request line and header.
    pub head: String,
}

impl Hit {
    /// The request target.
    pub fn path(&self) -> &str {
        self.head.split(' ').nth(1).unwrap()
    }
}

/// What is sent, and what happens then.
#[derive(Debug, Clone)]
pub struct Script {
    pub bytes: Vec<u8>,
    pub then: Then,
}

#[derive(Debug, Clone, Copy)]
pub enum Then {
    Close,
    /// Keep the connection open and say nothing more.
    Hang,
    /// Go on with `x` until the client is gone.
    Endless,
}

/// The right answer.
pub fn ok() -> Script {
    answer(200, "", KEY_AUTHORIZATION)
}

/// An answer with its length, after which the connection is closed.
pub fn answer(status: u16, header: &str, body: &str) -> Script {
    let len = body.len();
    raw(format!(
        "HTTP/1.1 {status} Any\r\nContent-Length: {len}\r\n{header}\r\n{body}"
    ))
}

/// A redirect.
pub fn redirect(status: u16, location: &str) -> Script {
    answer(status, &format!("Location: {location}\r\n"), "")
}

/// Any bytes.
pub fn raw(bytes: impl Into<Vec<u8>>) -> Script {
    Script {
        bytes: bytes.into(),
        then: Then::Close,
    }
}

impl Script {
    pub fn then(self, then: Then) -> Self {
        Self { then, ..self }
    }
}

type Handler = dyn Fn(&Hit) -> Script + Send + Sync;

pub struct Web {
    port: u16,
    hits: Arc<Mutex<Vec<Hit>>>,
    _tasks: JoinSet<()>,
}

impl Web {
    /// Serves on 127.0.0.1.
    pub async fn start(handler: impl Fn(&Hit) -> Script + Send + Sync + 'static) -> Self {
        Self::start_on(&["127.0.0.1"], handler).await
    }

    /// Serves on 127.0.0.1 and takes a TLS client for a mistaken one.
    pub async fn start_without_tls(handler: impl Fn(&Hit) -> Script + Send + Sync + 'static) -> Self {
        Self::serve(listeners(&["127.0.0.1"]).await, None, Arc::new(handler))
    }

    /// Serves on several addresses under one port.
    pub async fn start_on(
        addresses: &[&str],
        handler: impl Fn(&Hit) -> Script + Send + Sync + 'static,
    ) -> Self {
        Self::serve(listeners(addresses).await, Some(acceptor()), Arc::new(handler))
    }

    fn serve(listeners: Vec<TcpListener>, tls: Option<TlsAcceptor>, handler: Arc<Handler>) -> Self {
        let port = listeners[0].local_addr().unwrap().port();
        let hits = Arc::new(Mutex::new(Vec::new()));
        let mut tasks = JoinSet::new();
        for listener in listeners {
            tasks.spawn(accept(
                listener,
                tls.clone(),
                Arc::clone(&hits),
                Arc::clone(&handler),
            ));
        }
        Self {
            port,
            hits,
            _tasks: tasks,
        }
    }

    pub fn port(&self) -> u16 {
        self.port
    }

    pub fn hits(&self) -> Vec<Hit> {
        self.hits.lock().unwrap().clone()
    }
}

async fn listeners(addresses: &[&str]) -> Vec<TcpListener> {
    'ports: loop {
        let mut listeners: Vec<TcpListener> = Vec::new();
        for address in addresses {
            let port = listeners
                .first()
                .map_or(0, |first| first.local_addr().unwrap().port());
            match TcpListener::bind(SocketAddr::new(address.parse().unwrap(), port)).await {
                Ok(listener) => listeners.push(listener),
                // The port is taken on this address: begin again with another.
                Err(_) if port != 0 => continue 'ports,
                Err(error) => panic!("{address}: {error}"),
            }
        }
        return listeners;
    }
}

/// A certificate that no client has reason to trust, for another name than any test uses.
fn acceptor() -> TlsAcceptor {
    let CertifiedKey { cert, signing_key } =
        generate_simple_self_signed(["elsewhere.example".to_owned()]).unwrap();
    let key = PrivateKeyDer::try_from(signing_key.serialize_der()).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key)
        .unwrap();
    TlsAcceptor::from(Arc::new(config))
}

async fn accept(
    listener: TcpListener,
    tls: Option<TlsAcceptor>,
    hits: Arc<Mutex<Vec<Hit>>>,
    handler: Arc<Handler>,
) {
    let mut connections = JoinSet::new();
    loop {
        let (stream, _) = listener.accept().await.unwrap();
        let (tls, hits, handler) = (tls.clone(), Arc::clone(&hits), Arc::clone(&handler));
        connections.spawn(async move {
            let to = stream.local_addr().unwrap().ip();
            if is_tls(&stream).await {
                let Some(tls) = tls else {
                    return refuse(stream).await;
                };
                let Ok(stream) = tls.accept(stream).await else {
                    return;
                };
                converse(stream, to, true, |hit| note(hit, &hits, &handler)).await;
            } else {
                converse(stream, to, false, |hit| note(hit, &hits, &handler)).await;
            }
        });
    }
}

async fn refuse(mut stream: TcpStream) {
    let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").await;
}

async fn is_tls(stream: &TcpStream) -> bool {
    let mut first = [0];
    matches!(stream.peek(&mut first).await, Ok(1)) && first == [0x16]
}

fn note(hit: Hit, hits: &Mutex<Vec<Hit>>, handler: &Arc<Handler>) -> Script {
    hits.lock().unwrap().push(hit.clone());
    handler(&hit)
}

async fn converse<S>(mut stream: S, to: IpAddr, tls: bool, mut script: impl FnMut(Hit) -> Script)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read_u8().await {
            Ok(byte) => head.push(byte),
            Err(_) => return,
        }
    }
    let Script { bytes, then } = script(Hit {
        to,
        tls,
        head: String::from_utf8(head).unwrap(),
    });
    if stream.write_all(&bytes).await.is_err() {
        return;
    }
    let _ = stream.flush().await;
    match then {
        Then::Close => drop(stream.shutdown().await),
        // Ends when the client closes: nothing more is expected from it.
        Then::Hang => drop(stream.read_u8().await),
        Then::Endless => while stream.write_all(&[b'x'; 4096]).await.is_ok() {},
    }
}
