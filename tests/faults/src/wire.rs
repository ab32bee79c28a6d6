//! HTTPS, and HTTP where a URL says so, for the clients: one connection per request, and a note of every exchange.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::header::{HOST, RETRY_AFTER};
use http::uri::{Authority, Scheme};
use http::{HeaderValue, Method, Request, Response, StatusCode, Uri};
use http_body_util::{BodyExt, Full};
use hyper::rt::{Read, Write};
use hyper_util::rt::TokioIo;
use instant_acme::{BodyWrapper, BytesResponse, HttpClient};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio_rustls::TlsConnector;

use crate::FaultError;

/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(90);

type AnyError = Box<dyn std::error::Error + Send + Sync>;

/// A request that was answered.
#[derive(Clone, Debug)]
pub struct Exchange {
    /// The method.
    pub method: Method,
    /// The path.
    pub path: String,
    /// The status of the answer.
    pub status: StatusCode,
    /// Its `Retry-After`, if it has one.
    pub retry_after: Option<String>,
    /// Its `Replay-Nonce`, if it has one.
    pub nonce: Option<String>,
    /// Its `Location`, if it has one.
    pub location: Option<String>,
    /// Its body.
    pub body: Bytes,
}

impl Exchange {
    /// The type of the problem in the body, without the prefix; empty when there is none.
    pub fn problem(&self) -> String {
        let body: serde_json::Value = serde_json::from_slice(&self.body).unwrap_or_default();
        let kind = body
            .get("type")
            .and_then(serde_json::Value::as_str)
            .unwrap_or_default();
        kind.strip_prefix("urn:ietf:params:acme:error:")
            .unwrap_or(kind)
            .to_owned()
    }
}

#[derive(Default)]
struct Notes {
    exchanges: Mutex<Vec<Exchange>>,
    nonces: Mutex<VecDeque<String>>,
    servers: Mutex<BTreeSet<Vec<u8>>>,
    sent: watch::Sender<u64>,
}

/// HTTPS that trusts one root. All clones write into the same notes.
#[derive(Clone)]
pub struct Wire {
    tls: TlsConnector,
    notes: Arc<Notes>,
}

impl Wire {
    /// HTTPS that trusts this root.
    pub fn trusting(root: &Path) -> Result<Self, FaultError> {
        let certificate =
            CertificateDer::from_pem_file(root).map_err(|_| FaultError::Unreadable("TLS root"))?;
        let mut roots = RootCertStore::empty();
        roots.add(certificate)?;
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
        let config = config.with_root_certificates(roots).with_no_client_auth();
        Ok(Self {
            tls: TlsConnector::from(Arc::new(config)),
            notes: Arc::default(),
        })
    }

    /// Every exchange so far.
    pub fn exchanges(&self) -> Vec<Exchange> {
        self.notes
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests were begun so far.
    pub fn sent(&self) -> u64 {
        *self.notes.sent.borrow()
    }

    /// Every certificate the server has shown, in DER.
    pub fn servers(&self) -> Vec<Vec<u8>> {
        self.notes
            .servers
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .iter()
            .cloned()
            .collect()
    }

    /// Waits until this many requests were begun.
    pub async fn reached(&self, count: u64) {
        let _ = self.notes.sent.subscribe().wait_for(|sent| *sent >= count).await;
    }

    /// The next one who asks for a nonce gets this one, and the server is not asked.
    pub fn offer_nonce(&self, nonce: String) {
        self.notes
            .nonces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push_back(nonce);
    }

    /// A plain GET.
    pub async fn get(&self, url: &str) -> Result<Exchange, FaultError> {
        let request = Request::builder().uri(url).body(BodyWrapper::default());
        let request = request.map_err(instant_acme::Error::Http)?;
        self.exchange(request)
            .await
            .map_err(|error| FaultError::Acme(instant_acme::Error::Other(error)))
    }

    async fn exchange(&self, request: Request<BodyWrapper<Bytes>>) -> Result<Exchange, AnyError> {
        let (method, uri) = (request.method().clone(), request.uri().clone());
        let response = match self.offered(&method, &uri) {
            Some(response) => response,
            None => {
                self.notes.sent.send_modify(|sent| *sent += 1);
                tokio::time::timeout(LIMIT, self.clone().send(request)).await??
            }
        };
        let header = |name: &str| {
            response
                .headers()
                .get(name)
                .and_then(|value| value.to_str().ok())
                .map(str::to_owned)
        };
        let (retry_after, nonce) = (header(RETRY_AFTER.as_str()), header("replay-nonce"));
        let (path, status, location) = (uri.path().to_owned(), response.status(), header("location"));
        let body = response.into_body();
        let exchange = Exchange {
            method,
            path,
            status,
            retry_after,
            nonce,
            location,
            body,
        };
        self.notes
            .exchanges
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .push(exchange.clone());
        Ok(exchange)
    }

    fn offered(&self, method: &Method, uri: &Uri) -> Option<Response<Bytes>> {
        if method != Method::HEAD || !uri.path().ends_with("/new-nonce") {
            return None;
        }
        let nonce = self
            .notes
            .nonces
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop_front()?;
        Response::builder()
            .header("replay-nonce", nonce)
            .body(Bytes::new())
            .ok()
    }

    fn remember_server(&self, session: &rustls::ClientConnection) {
        if let Some(certificate) = session.peer_certificates().and_then(<[_]>::first) {
            let mut servers = self.notes.servers.lock().unwrap_or_else(PoisonError::into_inner);
            servers.insert(certificate.to_vec());
        }
    }

    async fn send(self, request: Request<BodyWrapper<Bytes>>) -> Result<Response<Bytes>, AnyError> {
        let authority = request
            .uri()
            .authority()
            .cloned()
            .ok_or("no authority in the URL")?;
        let is_plain = request.uri().scheme() == Some(&Scheme::HTTP);
        let port = authority.port_u16().unwrap_or(443);
        let stream = TcpStream::connect((authority.host(), port)).await?;
        stream.set_nodelay(true)?;
        if is_plain {
            return over(TokioIo::new(stream), request, &authority).await;
        }
        let name = ServerName::try_from(authority.host().to_owned())?;
        let stream = self.tls.connect(name, stream).await?;
        self.remember_server(stream.get_ref().1);
        over(TokioIo::new(stream), request, &authority).await
    }
}

/// One request and its answer over a new connection.
async fn over(
    stream: impl Read + Write + Send + Unpin + 'static,
    mut request: Request<BodyWrapper<Bytes>>,
    authority: &Authority,
) -> Result<Response<Bytes>, AnyError> {
    let (mut sender, connection) = hyper::client::conn::http1::handshake(stream).await?;
    tokio::spawn(connection);
    let headers = request.headers_mut();
    headers.insert(HOST, HeaderValue::from_str(authority.as_str())?);
    let path = request.uri().path_and_query().cloned();
    *request.uri_mut() = Uri::from(path.ok_or("no path in the URL")?);
    let (parts, body) = sender.send_request(request).await?.into_parts();
    Ok(Response::from_parts(parts, body.collect().await?.to_bytes()))
}

impl HttpClient for Wire {
    fn request(
        &self,
        request: Request<BodyWrapper<Bytes>>,
    ) -> Pin<Box<dyn Future<Output = Result<BytesResponse, instant_acme::Error>> + Send>> {
        let this = self.clone();
        Box::pin(async move {
            let exchange = this.exchange(request).await.map_err(instant_acme::Error::Other)?;
            exchange
                .response()
                .map(BytesResponse::from)
                .map_err(instant_acme::Error::Http)
        })
    }
}

impl Exchange {
    /// What the ACME client looks at: status, nonce, location, time to come back, body.
    fn response(self) -> Result<Response<Full<Bytes>>, http::Error> {
        let headers = [
            ("replay-nonce", self.nonce),
            ("location", self.location),
            (RETRY_AFTER.as_str(), self.retry_after),
        ];
        let mut response = Response::builder().status(self.status);
        for (name, value) in headers {
            if let Some(value) = value {
                response = response.header(name, value);
            }
        }
        response.body(Full::new(self.body))
    }
}
