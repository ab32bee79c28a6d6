//! A scripted EST server: what it was asked is kept, what it answers is said beforehand.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use portreeve_wire::cms::certs_only;
use portreeve_wire::est::body::{self, Style};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair, SanType};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// What happens with the next connection.
pub(super) enum Step {
    /// The request is read and this is written.
    Answer(Vec<u8>),
    /// The request is read and this is asked for the answer.
    Made(Box<dyn Fn() -> Vec<u8> + Send>),
    /// The request is read and the connection closed.
    CloseAfterRequest,
    /// The connection is closed before TLS.
    CloseAtOnce,
}

/// An answer with this status, these further header lines, and a body.
pub(super) fn answer(status: &str, headers: &[&str], body: &str) -> Step {
    let mut text = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n", body.len());
    for header in headers {
        text.push_str(header);
        text.push_str("\r\n");
    }
    text.push_str("\r\n");
    text.push_str(body);
    Step::Answer(text.into_bytes())
}

/// 200 with these certificates.
pub(super) fn certificates(all: &[&[u8]]) -> Step {
    let body = body::encode(&certs_only::encode(all), Style::Unwrapped);
    answer(
        "200 OK",
        &["Content-Type: application/pkcs7-mime; smime-type=certs-only"],
        &body,
    )
}

/// Whether the server wants a client certificate.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum ClientCertificates {
    Ignored,
    Demanded,
}

pub(super) struct Peer {
    port: u16,
    root: Vec<u8>,
    identity: (Vec<u8>, String),
    script: Arc<Mutex<VecDeque<Step>>>,
    seen: Arc<Mutex<Vec<String>>>,
}

impl Peer {
    pub(super) async fn start(script: Vec<Step>) -> Self {
        Self::start_with(script, ClientCertificates::Ignored).await
    }

    pub(super) async fn start_with(script: Vec<Step>, clients: ClientCertificates) -> Self {
        let (root, issuer) = tls_root();
        let (chain, key) = leaf(&issuer, SanType::IpAddress([127, 0, 0, 1].into()));
        let (client, client_key) = leaf(&issuer, SanType::DnsName("gateway".try_into().expect("name")));
        let config = server_config(&root, chain, key, clients);
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listen");
        let port = listener.local_addr().expect("address").port();
        let script = Arc::new(Mutex::new(VecDeque::from(script)));
        let seen = Arc::new(Mutex::new(Vec::new()));
        tokio::spawn(serve(listener, acceptor, Arc::clone(&script), Arc::clone(&seen)));
        Self {
            port,
            root,
            identity: (client, client_key.serialize_pem()),
            script,
            seen,
        }
    }

    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/.well-known/est/devices", self.port)
    }

    /// What its own certificate comes from.
    pub(super) fn root(&self) -> Vec<u8> {
        self.root.clone()
    }

    /// A client certificate that it accepts, and its key in PEM.
    pub(super) fn identity(&self) -> (Vec<u8>, String) {
        self.identity.clone()
    }

    pub(super) fn then(&self, step: Step) {
        self.script.lock().expect("script").push_back(step);
    }

    /// The requests so far, head and body.
    pub(super) fn seen(&self) -> Vec<String> {
        self.seen.lock().expect("seen").clone()
    }
}

fn tls_root() -> (Vec<u8>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("root");
    (certificate.der().to_vec(), Issuer::new(params, key))
}

fn leaf(issuer: &Issuer<'static, KeyPair>, name: SanType) -> (Vec<u8>, KeyPair) {
    let key = KeyPair::generate().expect("key");
    let mut params = CertificateParams::default();
    params.subject_alt_names = vec![name];
    let certificate = params.signed_by(&key, issuer).expect("certificate");
    (certificate.der().to_vec(), key)
}

fn server_config(root: &[u8], chain: Vec<u8>, key: KeyPair, clients: ClientCertificates) -> ServerConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ServerConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .expect("versions");
    let builder = match clients {
        ClientCertificates::Ignored => builder.with_no_client_auth(),
        ClientCertificates::Demanded => {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from(root.to_vec())).expect("root");
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
            builder.with_client_cert_verifier(verifier.build().expect("verifier"))
        }
    };
    let key = PrivateKeyDer::try_from(key.serialize_der()).expect("key");
    builder
        .with_single_cert(vec![CertificateDer::from(chain)], key)
        .expect("certificate")
}

async fn serve(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    script: Arc<Mutex<VecDeque<Step>>>,
    seen: Arc<Mutex<Vec<String>>>,
) {
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            return;
        };
        let step = script.lock().expect("script").pop_front();
        if matches!(step, Some(Step::CloseAtOnce)) {
            continue;
        }
        let Ok(mut stream) = acceptor.accept(stream).await else {
            continue;
        };
        let Some(request) = read_request(&mut stream).await else {
            continue;
        };
        seen.lock().expect("seen").push(request);
        match step {
            Some(Step::Answer(bytes)) => drop(stream.write_all(&bytes).await),
            Some(Step::Made(make)) => {
                let bytes = make();
                drop(stream.write_all(&bytes).await);
            }
            _ => {}
        }
        let _ = tokio::time::timeout(Duration::from_secs(5), stream.shutdown()).await;
    }
}

async fn read_request(stream: &mut TlsStream<tokio::net::TcpStream>) -> Option<String> {
    let mut bytes = Vec::new();
    loop {
        let mut piece = [0; 4096];
        let count = stream.read(&mut piece).await.ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&piece[..count]);
        let text = String::from_utf8_lossy(&bytes).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else {
            continue;
        };
        let length = head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse::<usize>().ok())?
        });
        if body.len() >= length.unwrap_or(0) {
            return Some(text);
        }
    }
}
