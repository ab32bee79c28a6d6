//! Calls over the control socket.

use std::path::{Path, PathBuf};
use std::time::Duration;

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use portreeve_console::ProblemDocument;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::net::UnixStream;

/// No answer is larger.
const ANSWER_BYTES_MAX: usize = 64 * 1024 * 1024;

/// No call takes longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Why a call gave nothing.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Nobody listens.
    #[error("no gateway answers on {path}: {source}; is it running?")]
    NotRunning {
        /// The socket.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The socket belongs to another user.
    #[error("{path} belongs to another user: run this command as that user or as root")]
    NotAllowed {
        /// The socket.
        path: PathBuf,
    },
    /// The gateway says no.
    #[error("{} ({})", .0.detail, .0.code)]
    Problem(ProblemDocument),
    /// The gateway hung up, took too long, or said something that cannot be read.
    #[error("the gateway's answer cannot be used: {0}")]
    Answer(String),
}

impl ClientError {
    /// Whether the principal may not do this.
    pub fn is_denied(&self) -> bool {
        match self {
            Self::NotAllowed { .. } => true,
            Self::Problem(problem) => matches!(problem.status, 401 | 403),
            Self::NotRunning { .. } | Self::Answer(_) => false,
        }
    }
}

/// Somebody at the other end of the control socket.
#[derive(Clone, Debug)]
pub struct ControlClient {
    path: PathBuf,
}

impl ControlClient {
    /// For the gateway behind this socket; nothing is opened yet.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
        }
    }

    /// Reads a resource.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, Bytes::new()).await
    }

    /// Posts to a resource.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
        self.call(Method::POST, path, Bytes::from(body)).await
    }

    /// Whether somebody answers.
    pub async fn is_running(&self) -> bool {
        UnixStream::connect(&self.path).await.is_ok()
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<T, ClientError> {
        let exchange = tokio::time::timeout(CALL_TIMEOUT, self.exchange(method, path, body));
        let (status, octets) = exchange
            .await
            .map_err(|_| ClientError::Answer("it took too long".to_owned()))??;
        if status.is_success() {
            return serde_json::from_slice(&octets).map_err(|error| ClientError::Answer(error.to_string()));
        }
        match serde_json::from_slice(&octets) {
            Ok(problem) => Err(ClientError::Problem(problem)),
            Err(_) => Err(ClientError::Answer(format!("status {status}"))),
        }
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let failed = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|source| self.unreachable(source))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        tokio::spawn(async move {
            // How it ended shows in the answer, or in its absence.
            let _ = connection.await;
        });
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|error| failed(&error))?;
        let response: Response<Incoming> = sender
            .send_request(request)
            .await
            .map_err(|error| failed(&error))?;
        let status = response.status();
        let octets = Limited::new(response.into_body(), ANSWER_BYTES_MAX)
            .collect()
            .await
            .map_err(|error| failed(&error))?
            .to_bytes();
        Ok((status, octets))
    }

    fn unreachable(&self, source: std::io::Error) -> ClientError {
        let path = self.path.clone();
        if source.kind() == std::io::ErrorKind::PermissionDenied {
            return ClientError::NotAllowed { path };
        }
        ClientError::NotRunning { path, source }
    }
}
