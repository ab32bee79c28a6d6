//! One HTTPS connection that is kept alive and opened again when it breaks.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::error::LoadError;

const ANSWER_LIMIT: Duration = Duration::from_secs(60);
const BODY_BYTES_MAX: usize = 256 * 1024;

/// Where connections go.
#[derive(Clone)]
pub(crate) struct Target {
    /// Where it all begins: the directory of ACME, the base of EST.
    pub(crate) url: String,
    authority: String,
    address: SocketAddr,
    server: ServerName<'static>,
    tls: TlsConnector,
}

impl Target {
    /// Reads a URL and the root it is trusted by.
    ///
    /// Load is for gateways on this machine: only loopback addresses are accepted.
    pub(crate) fn new(url: &str, root: &Path) -> Result<Self, LoadError> {
        Self::with(url, tls(root)?)
    }

    /// The same as a device that shows this certificate and speaks TLS 1.3 on P-256, without resuming what it did before.
    pub(crate) fn of_device(
        url: &str,
        root: &Path,
        (chain, key): (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>),
    ) -> Result<Self, LoadError> {
        let provider = CryptoProvider {
            kx_groups: vec![aws_lc_rs::kx_group::SECP256R1],
            ..aws_lc_rs::default_provider()
        };
        let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(&[&rustls::version::TLS13])?
            .with_root_certificates(roots(root)?)
            .with_client_auth_cert(chain, key)?;
        config.resumption = Resumption::disabled();
        Self::with(url, config)
    }

    fn with(url: &str, tls: ClientConfig) -> Result<Self, LoadError> {
        let wrong = LoadError::Usage("it must be an https URL with a loopback address or localhost");
        let uri: Uri = url
            .parse()
            .map_err(|_| LoadError::Usage("what was given is not a URL"))?;
        let (Some("https"), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
            return Err(wrong);
        };
        let host = authority.host().trim_matches(['[', ']']);
        let ip = if host == "localhost" { "127.0.0.1" } else { host };
        let address = match ip.parse::<std::net::IpAddr>() {
            Ok(ip) if ip.is_loopback() => SocketAddr::new(ip, authority.port_u16().unwrap_or(443)),
            _ => return Err(wrong),
        };
        Ok(Self {
            url: url.to_owned(),
            authority: authority.as_str().to_owned(),
            address,
            server: ServerName::try_from(host.to_owned()).map_err(|_| wrong)?,
            tls: TlsConnector::from(Arc::new(tls)),
        })
    }

    async fn connect(&self) -> Result<SendRequest<Full<Bytes>>, LoadError> {
        let fail = |source| LoadError::Network {
            what: "connect",
            source,
        };
        let stream = TcpStream::connect(self.address).await.map_err(fail)?;
        stream.set_nodelay(true).map_err(fail)?;
        let stream = self
            .tls
            .connect(self.server.clone(), stream)
            .await
            .map_err(fail)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(sender)
    }
}

fn tls(root: &Path) -> Result<ClientConfig, LoadError> {
    let provider = Arc::new(aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(builder.with_root_certificates(roots(root)?).with_no_client_auth())
}

fn roots(root: &Path) -> Result<RootCertStore, LoadError> {
    let unusable = || LoadError::NoCertificate(root.to_path_buf());
    let mut roots = RootCertStore::empty();
    for certificate in read_pem(root)? {
        roots.add(certificate).map_err(|_| unusable())?;
    }
    if roots.is_empty() {
        return Err(unusable());
    }
    Ok(roots)
}

/// The certificates in a PEM file.
pub(crate) fn read_pem(path: &Path) -> Result<Vec<CertificateDer<'static>>, LoadError> {
    let unusable = || LoadError::NoCertificate(PathBuf::from(path));
    let bytes = std::fs::read(path).map_err(|source| LoadError::File {
        path: path.into(),
        source,
    })?;
    CertificateDer::pem_slice_iter(&bytes)
        .collect::<Result<_, _>>()
        .map_err(|_| unusable())
}

/// A connection, opened when it is first needed.
pub(crate) struct Connection {
    target: Target,
    sender: Option<SendRequest<Full<Bytes>>>,
}

impl Connection {
    /// Not yet open.
    pub(crate) fn new(target: Target) -> Self {
        Self { target, sender: None }
    }

    /// Ends the connection; the next request opens another.
    pub(crate) fn close(&mut self) {
        self.sender = None;
    }

    /// Opens the connection unless it is open.
    pub(crate) async fn open(&mut self) -> Result<(), LoadError> {
        let sender = self.ready().await?;
        self.sender = Some(sender);
        Ok(())
    }

    /// Sends a request and reads the whole answer; a connection that broke is opened again next time.
    pub(crate) async fn send(&mut self, request: Request<Full<Bytes>>) -> Result<Response<Bytes>, LoadError> {
        let exchanged = tokio::time::timeout(ANSWER_LIMIT, self.exchange(request)).await;
        let answer = exchanged.unwrap_or(Err(LoadError::Timeout));
        if answer.is_err() {
            self.sender = None;
        }
        answer
    }

    async fn exchange(&mut self, mut request: Request<Full<Bytes>>) -> Result<Response<Bytes>, LoadError> {
        let path = self.path(request.uri())?;
        *request.uri_mut() = path;
        let host = self
            .target
            .authority
            .parse()
            .map_err(|_| LoadError::Answer("URL"))?;
        request.headers_mut().insert(header::HOST, host);
        let mut sender = self.ready().await?;
        let (parts, body) = sender.send_request(request).await?.into_parts();
        let body = Limited::new(body, BODY_BYTES_MAX)
            .collect()
            .await
            .map_err(|_| LoadError::Answer("body"))?;
        self.sender = Some(sender);
        Ok(Response::from_parts(parts, body.to_bytes()))
    }

    async fn ready(&mut self) -> Result<SendRequest<Full<Bytes>>, LoadError> {
        if let Some(mut sender) = self.sender.take()
            && sender.ready().await.is_ok()
        {
            return Ok(sender);
        }
        self.target.connect().await
    }

    /// The path of a URL on this server; a URL of another server is refused.
    fn path(&self, uri: &Uri) -> Result<Uri, LoadError> {
        let here = uri
            .authority()
            .is_some_and(|authority| authority.as_str() == self.target.authority);
        let path = uri
            .path_and_query()
            .filter(|_| here)
            .ok_or(LoadError::Answer("URL on this server"))?;
        path.as_str().parse().map_err(|_| LoadError::Answer("URL"))
    }
}
