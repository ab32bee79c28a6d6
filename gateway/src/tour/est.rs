//! A certificate by EST, with a password.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Request;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use portreeve_pkix::{
    CertificationRequest, DistinguishedName, DnsName, Extension, GeneralName, KeyAlgorithm, KeyPair, Oid,
    RequestAttribute, encode,
};
use portreeve_wire::cms::certs_only;
use portreeve_wire::est::body::{self, Style};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::{Enrolled, NAME, STEP_TIMEOUT};
use crate::dev::EstPart;

/// Octets of an answer, at most.
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum EstTourError {
    /// The URL is none that is known here.
    #[error("{0} is no URL of EST")]
    Url(String),
    /// The root of the gateway's certificate.
    #[error("the root of TLS cannot be read: {0}")]
    Root(String),
    /// The key or the request.
    #[error(transparent)]
    Key(#[from] portreeve_pkix::KeyPairError),
    /// The network or TLS.
    #[error(transparent)]
    Network(#[from] std::io::Error),
    /// HTTP.
    #[error(transparent)]
    Http(#[from] hyper::Error),
    /// It took too long.
    #[error("no answer within {STEP_TIMEOUT:?}")]
    Late,
    /// It was refused.
    #[error("status {0}: {1}")]
    Refused(u16, String),
    /// The answer cannot be read.
    #[error("the answer cannot be read: {0}")]
    Answer(String),
}

/// Enrols the name of the tour.
pub(super) async fn enrol(part: &EstPart, tls_root: &Path) -> Result<Enrolled, EstTourError> {
    let started = Instant::now();
    let key = KeyPair::generate(KeyAlgorithm::EcP256)?;
    let body = request(&key)?;
    let asked = tokio::time::timeout(STEP_TIMEOUT, post(part, tls_root, body));
    let answer = asked.await.map_err(|_| EstTourError::Late)??;
    let took: Duration = started.elapsed();
    let unreadable = |error: &dyn std::fmt::Display| EstTourError::Answer(error.to_string());
    let decoded = body::decode(&answer, ANSWER_BYTES_MAX).map_err(|error| unreadable(&error))?;
    let certificates = certs_only::decode(&decoded.der).map_err(|error| unreadable(&error))?;
    let certificate = certificates
        .first()
        .ok_or_else(|| unreadable(&"no certificate"))?;
    Ok(Enrolled {
        protocol: "EST",
        operation: "simpleenroll, password",
        serial: certificate.serial().to_hex(),
        took,
    })
}

fn request(key: &KeyPair) -> Result<String, EstTourError> {
    let names: Vec<GeneralName> = DnsName::parse(NAME)
        .ok()
        .map(GeneralName::Dns)
        .into_iter()
        .collect();
    let extension = Extension {
        oid: Oid::SUBJECT_ALT_NAME,
        critical: false,
        value: encode::subject_alt_name(&names),
    };
    let subject = DistinguishedName::common_name(NAME);
    let attributes = [RequestAttribute::Extensions(vec![extension])];
    let request = CertificationRequest::sign(&subject, &attributes, key)?;
    Ok(body::encode(request.der(), Style::Unwrapped))
}

async fn post(part: &EstPart, tls_root: &Path, body: String) -> Result<Bytes, EstTourError> {
    let wrong = || EstTourError::Url(part.url.clone());
    let url = url::Url::parse(&part.url).map_err(|_| wrong())?;
    let host = url
        .host_str()
        .ok_or_else(wrong)?
        .trim_matches(['[', ']'])
        .to_owned();
    let port = url.port_or_known_default().ok_or_else(wrong)?;
    let name = ServerName::try_from(host.clone()).map_err(|_| wrong())?;
    let stream = TcpStream::connect((host.as_str(), port)).await?;
    let stream = TlsConnector::from(Arc::new(tls(tls_root)?))
        .connect(name, stream)
        .await?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    tokio::spawn(connection);
    let pair = STANDARD.encode(format!("{}:{}", part.username, part.password));
    let request = Request::post(format!("{}/simpleenroll", url.path()))
        .header(HOST, format!("{host}:{port}"))
        .header(AUTHORIZATION, format!("Basic {pair}"))
        .header(CONTENT_TYPE, "application/pkcs10")
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| wrong())?;
    let (head, body) = sender.send_request(request).await?.into_parts();
    let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
    let body = body
        .map_err(|error| EstTourError::Answer(error.to_string()))?
        .to_bytes();
    if head.status.is_success() && head.status.as_u16() == 200 {
        Ok(body)
    } else {
        let words = String::from_utf8_lossy(&body).trim().to_owned();
        Err(EstTourError::Refused(head.status.as_u16(), words))
    }
}

fn tls(root: &Path) -> Result<ClientConfig, EstTourError> {
    let unreadable = |error: &dyn std::fmt::Display| EstTourError::Root(error.to_string());
    let mut roots = RootCertStore::empty();
    let found = CertificateDer::pem_file_iter(root).map_err(|error| unreadable(&error))?;
    for certificate in found {
        let certificate = certificate.map_err(|error| unreadable(&error))?;
        roots.add(certificate).map_err(|error| unreadable(&error))?;
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| unreadable(&error))?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
