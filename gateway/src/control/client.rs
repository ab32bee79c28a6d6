//! Calls to a gateway: over the control socket of this host, or over HTTPS.

use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HOST, IF_MATCH, IF_NONE_MATCH};
use http::{Method, Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::rt::TokioIo;
use portreeve_console::{ProblemDocument, ProposalView};
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::UnixStream;

use super::https::{Https, HttpsOptions};

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
    /// Nobody answers elsewhere, or whoever does is not trusted.
    #[error("no gateway answers on {address}: {source}")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        source: std::io::Error,
    },
    /// What was given for HTTPS cannot be used.
    #[error("{0}")]
    Setup(String),
    /// The gateway says no.
    #[error("{} ({})", .0.detail, .0.code)]
    Problem(Box<ProblemDocument>),
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
            Self::NotRunning { .. }
            | Self::Untrusted { .. }
            | Self::Unreachable { .. }
            | Self::Setup(_)
            | Self::Answer(_) => false,
        }
    }
}

/// A gateway that is asked.
#[derive(Clone, Debug)]
pub struct ControlClient(Route);

#[derive(Clone, Debug)]
enum Route {
    Socket(Socket),
    Https(Arc<Https>),
}

/// The control socket of a gateway.
#[derive(Clone, Debug)]
struct Socket {
    path: PathBuf,
    owners: Vec<u32>,
}

/// A change is made only while this version is in force; 0 while none is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct OnlyIf(pub u32);

/// What became of what was wanted.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Done<T> {
    /// It is done.
    Now(T),
    /// People must agree first.
    Waits(Box<ProposalView>),
}

impl ControlClient {
    /// For the gateway behind this socket; nothing is opened yet. It is only talked to when the socket, and the process
    /// that listens, belong to this user or to root.
    pub fn new(path: &Path) -> Self {
        Self(Route::Socket(Socket {
            path: path.to_owned(),
            owners: vec![0, rustix::process::geteuid().as_raw()],
        }))
    }

    /// For a gateway elsewhere; nothing is opened yet.
    pub fn https(options: &HttpsOptions) -> Result<Self, ClientError> {
        Ok(Self(Route::Https(Arc::new(Https::new(options)?))))
    }

    /// For root, who may talk to gateways of other users: trusts the owner of this data directory as well, which whoever
    /// runs the command has named.
    #[must_use]
    pub fn of_data_dir(mut self, data_dir: &Path) -> Self {
        let owner = std::fs::metadata(data_dir).map(|found| found.uid());
        if let Route::Socket(socket) = &mut self.0
            && rustix::process::geteuid().is_root()
        {
            socket.owners.extend(owner);
        }
        self
    }

    /// Reads a resource.
    pub async fn read<T: DeserializeOwned>(&self, path: &str) -> Result<T, ClientError> {
        self.call(Method::GET, path, (Bytes::new(), None)).await
    }

    /// Posts to a resource.
    pub async fn post<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<T, ClientError> {
        self.call(Method::POST, path, (encoded(body)?, None)).await
    }

    /// Posts to a resource what is done only while that version is in force.
    pub async fn post_if<T: DeserializeOwned>(
        &self,
        path: &str,
        (body, condition): (&(impl Serialize + Sync), OnlyIf),
    ) -> Result<T, ClientError> {
        self.call(Method::POST, path, (encoded(body)?, Some(condition)))
            .await
    }

    /// Posts to a resource what people may have to agree to first.
    pub async fn ask<T: DeserializeOwned>(
        &self,
        path: &str,
        body: &(impl Serialize + Sync),
    ) -> Result<Done<T>, ClientError> {
        self.call_or_wait(Method::POST, path, (encoded(body)?, None))
            .await
    }

    /// Puts a resource in the place of what was there, which people may have to agree to first.
    pub async fn ask_to_put<T: DeserializeOwned>(
        &self,
        path: &str,
        (body, condition): (&(impl Serialize + Sync), Option<OnlyIf>),
    ) -> Result<Done<T>, ClientError> {
        self.call_or_wait(Method::PUT, path, (encoded(body)?, condition))
            .await
    }

    /// Puts a resource in the place of what was there. Without a condition it is there no matter what was before.
    pub async fn put<T: DeserializeOwned>(
        &self,
        path: &str,
        (body, condition): (&(impl Serialize + Sync), Option<OnlyIf>),
    ) -> Result<T, ClientError> {
        self.call(Method::PUT, path, (encoded(body)?, condition)).await
    }

    /// Removes a resource.
    pub async fn delete(&self, path: &str, condition: Option<OnlyIf>) -> Result<(), ClientError> {
        self.call(Method::DELETE, path, (Bytes::new(), condition)).await
    }

    /// Reads a file.
    pub async fn download(&self, path: &str) -> Result<Bytes, ClientError> {
        let (_, octets) = self.octets(Method::GET, path, (Bytes::new(), None)).await?;
        Ok(octets)
    }

    /// Whether somebody answers.
    pub async fn is_running(&self) -> bool {
        match &self.0 {
            Route::Socket(socket) => socket.connect().await.is_ok(),
            Route::Https(https) => https.connect().await.is_ok(),
        }
    }

    async fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        asked: (Bytes, Option<OnlyIf>),
    ) -> Result<T, ClientError> {
        let (_, octets) = self.octets(method, path, asked).await?;
        decoded(&octets)
    }

    async fn call_or_wait<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        asked: (Bytes, Option<OnlyIf>),
    ) -> Result<Done<T>, ClientError> {
        match self.octets(method, path, asked).await? {
            (StatusCode::ACCEPTED, octets) => decoded(&octets).map(Done::Waits),
            (_, octets) => decoded(&octets).map(Done::Now),
        }
    }

    async fn octets(
        &self,
        method: Method,
        path: &str,
        asked: (Bytes, Option<OnlyIf>),
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let exchange = tokio::time::timeout(CALL_TIMEOUT, self.exchange(method, path, asked));
        let (status, octets) = exchange
            .await
            .map_err(|_| ClientError::Answer("it took too long".to_owned()))??;
        if status.is_success() {
            return Ok((status, octets));
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
        (body, condition): (Bytes, Option<OnlyIf>),
    ) -> Result<(StatusCode, Bytes), ClientError> {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(CONTENT_TYPE, "application/json");
        request = match condition {
            Some(OnlyIf(0)) => request.header(IF_NONE_MATCH, "*"),
            Some(OnlyIf(version)) => request.header(IF_MATCH, format!("\"v{version}\"")),
            None => request.header(IF_MATCH, "*"),
        };
        let finish = |request: http::request::Builder| {
            let built = request.body(Full::new(body));
            built.map_err(|error| ClientError::Answer(error.to_string()))
        };
        match &self.0 {
            Route::Socket(socket) => {
                let request = finish(request.header(HOST, "localhost"))?;
                send(socket.connect().await?, request).await
            }
            Route::Https(https) => {
                request = request.header(HOST, &https.host);
                if let Some(value) = &https.authorization {
                    request = request.header(AUTHORIZATION, value);
                }
                send(https.connect().await?, finish(request)?).await
            }
        }
    }
}

fn decoded<T: DeserializeOwned>(octets: &[u8]) -> Result<T, ClientError> {
    let text: &[u8] = if octets.is_empty() { b"null" } else { octets };
    serde_json::from_slice(text).map_err(|error| ClientError::Answer(error.to_string()))
}

fn encoded(body: &impl Serialize) -> Result<Bytes, ClientError> {
    let body = serde_json::to_vec(body).map_err(|error| ClientError::Answer(error.to_string()))?;
    Ok(Bytes::from(body))
}

async fn send(
    stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static,
    request: Request<Full<Bytes>>,
) -> Result<(StatusCode, Bytes), ClientError> {
    let failed = |error: &dyn std::fmt::Display| ClientError::Answer(error.to_string());
    let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
        .await
        .map_err(|error| failed(&error))?;
    tokio::spawn(async move {
        // How it ended shows in the answer, or in its absence.
        let _ = connection.await;
    });
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

impl Socket {
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
        let Route::Socket(socket) = &client.0 else {
            panic!("a socket")
        };
        match socket.connect().await {
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
        let stranger = ControlClient(Route::Socket(Socket {
            path: path.clone(),
            owners: vec![own.wrapping_add(1)],
        }));
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
