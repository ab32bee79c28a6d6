//! Calls to a gateway elsewhere, over HTTPS.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderValue;
use portreeve_pkix::pem;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use url::Url;

use super::client::ClientError;

/// What the caller signs in with besides a client certificate.
pub enum HttpsCredential {
    /// Nothing more.
    None,
    /// A token.
    Token(String),
    /// A name and a password.
    Password(String, String),
}

/// How a gateway elsewhere is reached.
pub struct HttpsOptions {
    /// Such as `https://pki.example.com:8444`; no path.
    pub url: String,
    /// The certificates that its own may come from, PEM.
    pub ca: String,
    /// A client certificate with its chain, and its key, both PEM.
    pub identity: Option<(String, String)>,
    /// What else the caller signs in with.
    pub credential: HttpsCredential,
}

/// A gateway elsewhere.
pub(super) struct Https {
    pub(super) host: HeaderValue,
    pub(super) authorization: Option<HeaderValue>,
    address: (String, u16),
    name: ServerName<'static>,
    tls: TlsConnector,
}

impl std::fmt::Debug for Https {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Https({:?})", self.address)
    }
}

fn setup(what: impl std::fmt::Display) -> ClientError {
    ClientError::Setup(what.to_string())
}

impl Https {
    pub(super) fn new(options: &HttpsOptions) -> Result<Self, ClientError> {
        let url = Url::parse(&options.url).map_err(|error| setup(format!("{}: {error}", options.url)))?;
        let host = url
            .host_str()
            .filter(|_| url.scheme() == "https" && url.path() == "/");
        let host = host.ok_or_else(|| setup(format!("{} is not https://HOST[:PORT]", options.url)))?;
        let port = url.port_or_known_default().unwrap_or(443);
        let bare = host.trim_matches(['[', ']']).to_owned();
        let name = ServerName::try_from(bare.clone()).map_err(setup)?;
        let authorization = match &options.credential {
            HttpsCredential::None => None,
            HttpsCredential::Token(token) => Some(format!("Bearer {token}")),
            HttpsCredential::Password(user, password) => {
                Some(format!("Basic {}", STANDARD.encode(format!("{user}:{password}"))))
            }
        };
        let secret = |text: String| {
            HeaderValue::from_str(&text).map(|mut value| {
                value.set_sensitive(true);
                value
            })
        };
        Ok(Self {
            host: HeaderValue::from_str(&format!("{host}:{port}")).map_err(setup)?,
            authorization: authorization.map(secret).transpose().map_err(setup)?,
            address: (bare, port),
            name,
            tls: TlsConnector::from(Arc::new(client_config(options)?)),
        })
    }

    pub(super) async fn connect(&self) -> Result<TlsStream<TcpStream>, ClientError> {
        let failed = |error: std::io::Error| ClientError::Unreachable {
            address: format!("{}:{}", self.address.0, self.address.1),
            source: error,
        };
        let (host, port) = &self.address;
        let stream = TcpStream::connect((host.as_str(), *port)).await.map_err(failed)?;
        self.tls.connect(self.name.clone(), stream).await.map_err(failed)
    }
}

fn client_config(options: &HttpsOptions) -> Result<ClientConfig, ClientError> {
    let mut roots = RootCertStore::empty();
    for der in pem::decode_all("CERTIFICATE", &options.ca).map_err(setup)? {
        roots.add(CertificateDer::from(der)).map_err(setup)?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(setup)?
        .with_root_certificates(roots);
    let Some((chain, key)) = &options.identity else {
        return Ok(builder.with_no_client_auth());
    };
    let chain = pem::decode_all("CERTIFICATE", chain).map_err(setup)?;
    let chain = chain.into_iter().map(CertificateDer::from).collect();
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(setup)?;
    builder.with_client_auth_cert(chain, key).map_err(setup)
}
