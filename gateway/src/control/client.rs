//! Calls over the control socket.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
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
    /// The socket is not that of a gateway of ours: somebody else could be listening to what is said there.
    #[error("{path} is not trusted: {reason}; nothing was sent")]
    Untrusted {
        /// The socket.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
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
            Self::NotRunning { .. } | Self::Untrusted { .. } | Self::Answer(_) => false,
        }
    }
}

/// Somebody at the other end of the control socket.
#[derive(Clone, Debug)]
pub struct ControlClient {
    path: PathBuf,
    owners: Vec<u32>,
}

impl ControlClient {
    /// For the gateway behind this socket; nothing is opened yet. It is only talked to when the socket, and the process
    /// that listens, belong to this user or to root.
    pub fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            owners: vec![0, rustix::process::geteuid().as_raw()],
        }
    }

    /// For root, who may talk to gateways of other users: trusts the owner of this data directory as well, which whoever
    /// runs the command has named.
    #[must_use]
    pub fn of_data_dir(mut self, data_dir: &Path) -> Self {
        let owner = std::fs::metadata(data_dir).map(|found| found.uid());
        if rustix::process::geteuid().is_root() {
            self.owners.extend(owner);
        }
        self
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
        self.connect().await.is_ok()
    }

    /// A connection to a process of an owner that is trusted. The file is looked at before anything is opened, and the
    /// process at the other end before anything is sent, since the file may have been replaced in between.
    async fn connect(&self) -> Result<UnixStream, ClientError> {
        let found = std::fs::symlink_metadata(&self.path).map_err(|source| self.unreachable(source))?;
        if !found.file_type().is_socket() {
            return Err(self.untrusted("it is a link, or no socket".to_owned()));
        }
        self.check_owner("it belongs", found.uid())?;
        if found.mode() & 0o022 != 0 {
            let mode = found.mode() & 0o7777;
            return Err(self.untrusted(format!("others may use it (mode {mode:04o}, not 0600)")));
        }
        let stream = UnixStream::connect(&self.path)
            .await
            .map_err(|source| self.unreachable(source))?;
        let peer = stream.peer_cred().map_err(|source| self.unreachable(source))?;
        self.check_owner("who listens there belongs", peer.uid())?;
        Ok(stream)
    }

    fn check_owner(&self, what: &str, uid: u32) -> Result<(), ClientError> {
        if self.owners.contains(&uid) {
            return Ok(());
        }
        Err(self.untrusted(format!(
            "{what} to user {uid}, not to you or root: run this command as that user if you know it"
        )))
    }

    fn untrusted(&self, reason: String) -> ClientError {
        let path = self.path.clone();
        ClientError::Untrusted { path, reason }
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
        let stream = self.connect().await?;
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

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::PermissionsExt;
    use tokio::net::UnixListener;

    async fn reason(client: &ControlClient) -> String {
        match client.connect().await {
            Ok(_) => "trusted".to_owned(),
            Err(error) => error.to_string(),
        }
    }

    #[tokio::test]
    async fn only_a_socket_of_our_own_is_talked_to() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("s");
        let client = ControlClient::new(&path);
        assert!(reason(&client).await.contains("is it running?"));
        std::fs::write(&path, "").unwrap();
        assert!(reason(&client).await.contains("or no socket"));
        std::fs::remove_file(&path).unwrap();
        let _listener = UnixListener::bind(&path).unwrap();
        for (mode, expected) in [(0o600, "trusted"), (0o660, "mode 0660"), (0o602, "mode 0602")] {
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
            let said = reason(&client).await;
            assert!(said.contains(expected), "{mode:o}: {said}");
        }
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
        let own = rustix::process::geteuid().as_raw();
        let stranger = ControlClient {
            path: path.clone(),
            owners: vec![own.wrapping_add(1)],
        };
        assert!(reason(&stranger).await.contains(&format!("user {own}")));
        assert!(!stranger.is_running().await);
        let link = directory.path().join("link");
        std::os::unix::fs::symlink(&path, &link).unwrap();
        assert!(
            reason(&ControlClient::new(&link)).await.contains("a link"),
            "a link to one"
        );
    }
}
