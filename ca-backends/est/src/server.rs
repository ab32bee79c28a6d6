//! One exchange with the server: a connection of its own each, so that it is always known whether anything was sent.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::header::{ACCEPT, AUTHORIZATION, CONNECTION, CONTENT_TYPE, HOST, HeaderValue, USER_AGENT};
use http::{Method, Request};
use http_body_util::Full;
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::task::JoinSet;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;
use zeroize::Zeroizing;

use crate::config::{BadEstCa, EstCaConfig, Password, URL_LENGTH_MAX};
use crate::reply::{Reply, Unreadable};

/// How long opening a connection may take, TLS included.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);
/// How long the server may take to answer. With the connection it stays below what the RA waits for.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(25);
/// Most header fields of an answer, and most bytes of them.
const HEADERS_MAX: usize = 64;
const HEADER_BYTES_MAX: usize = 16 * 1024;

/// An EST server.
pub(crate) struct Server {
    host: HeaderValue,
    authorization: Option<HeaderValue>,
    address: (String, u16),
    name: ServerName<'static>,
    tls: TlsConnector,
    /// The path of the operations, without a slash at its end.
    path: String,
}

/// What the server is asked.
#[derive(Copy, Clone, Debug, PartialEq, Eq)]
pub(crate) enum Operation<'a> {
    /// `/cacerts`.
    CaCertificates,
    /// `/simpleenroll` with this body.
    Enroll(&'a str),
}

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    /// The server could not be reached: nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// One side does not trust the other's certificate: nothing was decided.
    #[error("TLS: {0}")]
    Untrusted(String),
    /// The request was sent, in whole or in part, and no answer came that can be read.
    #[error("no answer: {0}")]
    Lost(String),
}

impl std::fmt::Debug for Server {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Server({}:{}{})", self.address.0, self.address.1, self.path)
    }
}

impl Server {
    pub(crate) fn new(config: &EstCaConfig) -> Result<Self, BadEstCa> {
        if config.password.is_none() && config.identity.is_none() {
            return Err(BadEstCa::NoCredential);
        }
        let bad_url = || BadEstCa::Url(config.url.chars().take(URL_LENGTH_MAX).collect());
        let url = Url::parse(&config.url).map_err(|_| bad_url())?;
        let plain = url.query().is_none() && url.fragment().is_none() && url.username().is_empty();
        let usable = url.scheme() == "https"
            && plain
            && url.password().is_none()
            && config.url.len() <= URL_LENGTH_MAX;
        let host = url.host_str().filter(|_| usable).ok_or_else(bad_url)?;
        let port = url.port_or_known_default().unwrap_or(443);
        let bare = host.trim_matches(['[', ']']).to_owned();
        let host_header = match url.port() {
            None => host.to_owned(),
            Some(port) => format!("{host}:{port}"),
        };
        Ok(Self {
            host: HeaderValue::from_str(&host_header).map_err(|_| bad_url())?,
            authorization: config.password.as_ref().map(basic).transpose()?,
            name: ServerName::try_from(bare.clone()).map_err(|_| bad_url())?,
            address: (bare, port),
            tls: TlsConnector::from(Arc::new(client_config(config)?)),
            path: url.path().trim_end_matches('/').to_owned(),
        })
    }

    /// Asks and reads the answer, bounded in time and size. Redirections are answers like any other.
    pub(crate) async fn ask(&self, operation: Operation<'_>) -> Result<Reply, Failure> {
        let request = self.request(operation)?;
        let connected = tokio::time::timeout(CONNECT_TIMEOUT, self.connect()).await;
        let stream = connected.map_err(|_| Failure::Unreachable("no connection in time".to_owned()))??;
        match tokio::time::timeout(ANSWER_TIMEOUT, exchange(stream, request)).await {
            Ok(answer) => answer,
            Err(_) => Err(Failure::Lost(format!("within {} s", ANSWER_TIMEOUT.as_secs()))),
        }
    }

    fn request(&self, operation: Operation<'_>) -> Result<Request<Full<Bytes>>, Failure> {
        let (method, leaf, body) = match operation {
            Operation::CaCertificates => (Method::GET, "cacerts", ""),
            Operation::Enroll(body) => (Method::POST, "simpleenroll", body),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(format!("{}/{leaf}", self.path))
            .header(HOST, self.host.clone())
            .header(USER_AGENT, "portreeve")
            .header(ACCEPT, "*/*")
            .header(CONNECTION, "close");
        if let Operation::Enroll(_) = operation {
            request = request.header(CONTENT_TYPE, "application/pkcs10");
            if let Some(authorization) = &self.authorization {
                request = request.header(AUTHORIZATION, authorization.clone());
            }
        }
        let body = Full::new(Bytes::copy_from_slice(body.as_bytes()));
        request
            .body(body)
            .map_err(|error| Failure::Unreachable(error.to_string()))
    }

    async fn connect(&self) -> Result<TlsStream<TcpStream>, Failure> {
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port))
            .await
            .map_err(|error| Failure::Unreachable(format!("{host}:{port}: {error}")))?;
        self.tls
            .connect(self.name.clone(), stream)
            .await
            .map_err(|error| trust(&error).unwrap_or_else(|| Failure::Unreachable(error.to_string())))
    }
}

/// A distrust that TLS speaks of. The server's alert about our certificate comes after the handshake in TLS 1.3.
fn trust(error: &(dyn std::error::Error + 'static)) -> Option<Failure> {
    let mut next = Some(error);
    while let Some(error) = next {
        let inner = error
            .downcast_ref::<io::Error>()
            .and_then(io::Error::get_ref)
            .and_then(|inner| inner.downcast_ref::<rustls::Error>());
        match inner.or_else(|| error.downcast_ref::<rustls::Error>()) {
            Some(rustls::Error::InvalidCertificate(reason)) => {
                return Some(Failure::Untrusted(format!(
                    "the server's certificate: {reason:?}"
                )));
            }
            Some(rustls::Error::AlertReceived(alert)) if is_about_identity(*alert) => {
                return Some(Failure::Untrusted(format!("the server sent the alert {alert:?}")));
            }
            _ => next = error.source(),
        }
    }
    None
}

/// Alerts by which a server refuses the client's certificate before it reads any request.
fn is_about_identity(alert: rustls::AlertDescription) -> bool {
    use rustls::AlertDescription as Alert;
    matches!(
        alert,
        Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
            | Alert::CertificateRequired
            | Alert::HandshakeFailure
            | Alert::ProtocolVersion
    )
}

async fn exchange(stream: TlsStream<TcpStream>, request: Request<Full<Bytes>>) -> Result<Reply, Failure> {
    let lost = |error: hyper::Error| trust(&error).unwrap_or_else(|| Failure::Lost(reason(&error)));
    let (mut sender, connection) = http1::Builder::new()
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEADER_BYTES_MAX)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| Failure::Unreachable(reason(&error)))?;
    // Drives the socket until this function ends: dropping the set aborts it and closes the socket.
    let mut driver = JoinSet::new();
    driver.spawn(connection);
    let response = sender.send_request(request).await.map_err(lost)?;
    Reply::read(response).await.map_err(|error| match error {
        Unreadable::Broken(error) => lost(error),
        Unreadable::TooLarge => Failure::Lost("the answer is too large".to_owned()),
    })
}

/// The error and what is behind it, in one line.
fn reason(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut next = error.source();
    while let Some(source) = next {
        words.push_str(": ");
        words.push_str(&source.to_string());
        next = source.source();
    }
    words
}

fn basic(password: &Password) -> Result<HeaderValue, BadEstCa> {
    let user = &password.user;
    let fits = !user.is_empty() && !user.contains(':') && user.chars().all(|c| c.is_ascii_graphic());
    let secret = std::str::from_utf8(password.password.expose()).map_err(|_| BadEstCa::Password)?;
    if !fits || secret.chars().any(char::is_control) {
        return Err(BadEstCa::Password);
    }
    let pair = Zeroizing::new(format!("{user}:{secret}"));
    let text = Zeroizing::new(format!("Basic {}", STANDARD.encode(pair.as_bytes())));
    let mut value = HeaderValue::from_str(&text).map_err(|_| BadEstCa::Password)?;
    value.set_sensitive(true);
    Ok(value)
}

fn client_config(config: &EstCaConfig) -> Result<ClientConfig, BadEstCa> {
    if config.server_roots.is_empty() {
        return Err(BadEstCa::NoRoots);
    }
    let mut roots = RootCertStore::empty();
    for der in &config.server_roots {
        roots.add(CertificateDer::from(der.clone()))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_root_certificates(roots);
    let mut tls = match &config.identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = identity.chain.iter().cloned().map(CertificateDer::from).collect();
            let key = PrivateKeyDer::from_pem_slice(identity.key.expose()).map_err(|_| BadEstCa::Key)?;
            builder.with_client_auth_cert(chain, key)?
        }
    };
    // Every request proves itself anew; a request must never travel in early data.
    tls.resumption = rustls::client::Resumption::disabled();
    tls.enable_early_data = false;
    Ok(tls)
}
