//! Listening on the control socket.

use std::os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use axum::Router;
use http::Request;
use hyper::body::Incoming;
use hyper::service::{Service, service_fn};
use hyper_util::service::TowerToHyperService;
use portreeve_console::SignedIn;
use portreeve_ra::{Principal, Standing};
use tokio::net::{UnixListener, UnixStream};
use tracing::{debug, warn};
use uuid::Uuid;

use super::place::{OWN_DIRECTORY, PATH_BYTES_MAX, fits};
use crate::listener::{Bounds, Drain, serve_connection};

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// The path is too long for a socket.
    #[error("{0} is longer than {PATH_BYTES_MAX} octets: set server.control_socket to a shorter path")]
    TooLong(PathBuf),
    /// Somebody answers there.
    #[error("another gateway answers on {0}: stop it first, or choose another data directory")]
    InUse(PathBuf),
    /// The directory belongs to somebody else, or others may write into it.
    #[error("{0} is not a directory of our own: remove it or set server.control_socket")]
    Foreign(PathBuf),
    /// The system refuses.
    #[error("control socket {path}: {source}")]
    Io {
        /// The socket or its directory.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A bound control socket; its file goes with it.
pub struct ControlSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ControlSocket {
    /// Listens on this path, for this user and root only. A socket nobody answers on is replaced.
    pub fn bind(path: &Path) -> Result<Self, ControlError> {
        if !fits(path.as_os_str()) {
            return Err(ControlError::TooLong(path.to_owned()));
        }
        let io = |source| ControlError::Io {
            path: path.to_owned(),
            source,
        };
        if let Some(directory) = path.parent() {
            prepare_directory(directory)?;
        }
        if path.exists() {
            if std::os::unix::net::UnixStream::connect(path).is_ok() {
                return Err(ControlError::InUse(path.to_owned()));
            }
            std::fs::remove_file(path).map_err(io)?;
        }
        let listener = UnixListener::bind(path).map_err(io)?;
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).map_err(io)?;
        Ok(Self {
            listener,
            path: path.to_owned(),
        })
    }

    /// Where it lies.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Answers until told to stop.
    pub async fn run(self, api: Router, bounds: Bounds, drain: Drain) {
        loop {
            let accepted = tokio::select! {
                () = drain.stop.cancelled() => break,
                accepted = self.listener.accept() => accepted,
            };
            match accepted {
                Ok((stream, _)) if is_allowed(&stream) => {
                    let service = with_principal(api.clone());
                    drain
                        .open
                        .spawn(serve_connection(stream, service, bounds, drain.stop.clone()));
                }
                Ok(_) => warn!("another user tried to use the control socket"),
                Err(error) => {
                    debug!(%error, "cannot accept on the control socket");
                    tokio::time::sleep(std::time::Duration::from_millis(100)).await;
                }
            }
        }
    }
}

impl Drop for ControlSocket {
    fn drop(&mut self) {
        let _ = std::fs::remove_file(&self.path);
        // Our own directory goes as well when nothing else is in it; one that an operator named stays.
        let named_by_us = |directory: &&Path| {
            directory
                .file_name()
                .is_some_and(|name| name.as_encoded_bytes().starts_with(OWN_DIRECTORY.as_bytes()))
        };
        let _ = self.path.parent().filter(named_by_us).map(std::fs::remove_dir);
    }
}

/// A directory that only we can write into, made if absent.
fn prepare_directory(directory: &Path) -> Result<(), ControlError> {
    let io = |source| ControlError::Io {
        path: directory.to_owned(),
        source,
    };
    match std::fs::metadata(directory) {
        Ok(found) => {
            let ours = found.uid() == rustix::process::geteuid().as_raw();
            if found.is_dir() && ours && found.mode() & 0o022 == 0 {
                Ok(())
            } else {
                Err(ControlError::Foreign(directory.to_owned()))
            }
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => std::fs::DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(io),
        Err(error) => Err(io(error)),
    }
}

/// Whether the process at the other end runs as this user or as root.
fn is_allowed(stream: &UnixStream) -> bool {
    let own = rustix::process::geteuid().as_raw();
    stream
        .peer_cred()
        .is_ok_and(|peer| peer.uid() == own || peer.uid() == 0)
}

/// Everybody who is let in is one principal.
fn with_principal(
    api: Router,
) -> impl Service<
    Request<Incoming>,
    Response = axum::response::Response,
    Error = std::convert::Infallible,
    Future = impl Future<Output = Result<axum::response::Response, std::convert::Infallible>> + Send,
> + Send {
    let api = TowerToHyperService::new(api);
    service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(SignedIn::host(
            Standing::superadmin(Principal::Host),
            Uuid::now_v7().into_bytes(),
        ));
        api.call(request)
    })
}
