//! The operator API of a node on its host's socket, one call after the other. For what would start too many processes with
//! the command line.

use std::path::{Path, PathBuf};

use bytes::Bytes;
use http::header::{CONTENT_TYPE, HOST};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;

use crate::FaultError;

/// The socket of one node. Whoever is behind it is the principal `host:root`.
pub struct Console {
    socket: PathBuf,
    calls: http1::SendRequest<Full<Bytes>>,
}

impl Console {
    /// Connects to this socket.
    pub async fn at(socket: &Path) -> Result<Self, FaultError> {
        Ok(Self {
            calls: connect(socket).await?,
            socket: socket.to_owned(),
        })
    }

    /// What a path below `/api/v1/` shows.
    pub async fn get(&mut self, path: &str) -> Result<(StatusCode, Value), FaultError> {
        self.call((Method::GET, path), None).await
    }

    /// What a call with this body came to.
    pub async fn post(&mut self, path: &str, body: &Value) -> Result<(StatusCode, Value), FaultError> {
        self.call((Method::POST, path), Some(body)).await
    }

    async fn call(
        &mut self,
        (method, path): (Method, &str),
        body: Option<&Value>,
    ) -> Result<(StatusCode, Value), FaultError> {
        let body = body.map(|body| Bytes::from(body.to_string())).unwrap_or_default();
        let request = Request::builder()
            .method(method)
            .uri(format!("/api/v1/{path}"))
            .header(HOST, "localhost")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(instant_acme::Error::Http)?;
        // A gateway ends connections that have carried many calls.
        if self.calls.ready().await.is_err() {
            self.calls = connect(&self.socket).await?;
        }
        let answer = self.calls.send_request(request).await.map_err(broken)?;
        let status = answer.status();
        let body = answer.into_body().collect().await.map_err(broken)?.to_bytes();
        let unreadable = |_| FaultError::Unreadable("answer of the operator API");
        Ok((status, serde_json::from_slice(&body).map_err(unreadable)?))
    }
}

async fn connect(socket: &Path) -> Result<http1::SendRequest<Full<Bytes>>, FaultError> {
    let named = || socket.display().to_string();
    let stream = UnixStream::connect(socket)
        .await
        .map_err(FaultError::system(named()))?;
    let (calls, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    tokio::spawn(connection);
    Ok(calls)
}

fn broken(error: hyper::Error) -> FaultError {
    FaultError::system("the operator API")(std::io::Error::other(error))
}
