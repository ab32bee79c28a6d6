//! Calls to the operator API over TLS, with whatever a test wants to show.

use std::net::SocketAddr;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use portreeve::Running;

/// An answer.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Value,
}

impl Answer {
    /// Status and code of a problem document; the code is empty for anything else.
    pub(crate) fn problem(&self) -> (u16, &str) {
        (self.status, self.body["code"].as_str().unwrap_or_default())
    }

    /// A header, by its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines
            .into_iter()
            .find(|(found, _)| found.eq_ignore_ascii_case(name))
            .map(|(_, value)| value)
    }
}

/// A key and what certifies it.
pub(crate) struct Identity {
    pub(crate) chain: Vec<Vec<u8>>,
    pub(crate) key: rcgen::KeyPair,
}

/// Somebody who calls.
#[derive(Clone)]
pub(crate) struct Caller {
    address: SocketAddr,
    config: Arc<ClientConfig>,
    headers: String,
}

impl Caller {
    /// Without anything to show.
    pub(crate) fn new(running: &Running) -> Self {
        Self {
            address: running.addresses()["admin"],
            config: Arc::new(config(running, None)),
            headers: String::new(),
        }
    }

    /// With a client certificate.
    pub(crate) fn with_certificate(running: &Running, identity: &Identity) -> Self {
        Self {
            config: Arc::new(config(running, Some(identity))),
            ..Self::new(running)
        }
    }

    /// With one more header.
    pub(crate) fn header(&self, name: &str, value: &str) -> Self {
        Self {
            headers: format!("{}{name}: {value}\r\n", self.headers),
            ..self.clone()
        }
    }

    pub(crate) fn token(&self, token: &str) -> Self {
        self.header("authorization", &format!("Bearer {}", token.trim()))
    }

    pub(crate) fn password(&self, name: &str, password: &str) -> Self {
        let both = STANDARD.encode(format!("{name}:{}", password.trim()));
        self.header("authorization", &format!("Basic {both}"))
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.call("GET", path, &Value::Null).await
    }

    pub(crate) async fn post(&self, path: &str, body: Value) -> Answer {
        self.call("POST", path, &body).await
    }

    pub(crate) async fn call(&self, method: &str, path: &str, body: &Value) -> Answer {
        let name = ServerName::try_from("127.0.0.1").unwrap();
        let stream = TcpStream::connect(self.address).await.unwrap();
        let stream = TlsConnector::from(Arc::clone(&self.config))
            .connect(name, stream)
            .await
            .unwrap();
        let body = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let request = format!(
            "{method} /api/v1/{path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n{}\r\n{body}",
            body.len(),
            self.headers
        );
        let (mut reader, mut writer) = tokio::io::split(stream);
        let mut answer = Vec::new();
        // A server may answer and close before it has read everything, and without TLS's own goodbye.
        let _ = tokio::join!(
            writer.write_all(request.as_bytes()),
            reader.read_to_end(&mut answer)
        );
        let answer = String::from_utf8(answer).unwrap();
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        Answer {
            status: head.split(' ').nth(1).unwrap().parse().unwrap(),
            head: head.to_owned(),
            body: serde_json::from_str(body).unwrap_or_default(),
        }
    }
}

fn config(running: &Running, identity: Option<&Identity>) -> ClientConfig {
    let manifest = running.manifest().unwrap();
    let mut roots = RootCertStore::empty();
    let pem = std::fs::read(&manifest.tls_root).unwrap();
    roots.add(CertificateDer::from_pem_slice(&pem).unwrap()).unwrap();
    let builder = ClientConfig::builder().with_root_certificates(roots);
    match identity {
        None => builder.with_no_client_auth(),
        Some(identity) => {
            let chain = identity.chain.iter().cloned().map(CertificateDer::from).collect();
            let key = PrivateKeyDer::try_from(identity.key.serialize_der()).unwrap();
            builder.with_client_auth_cert(chain, key).unwrap()
        }
    }
}
