//! Starting the signer process and asking it for things.

use std::ffi::OsString;
use std::fmt;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portreeve_keyset::KekSource;
use portreeve_ra::ports::{SignError, ToSign};
use tokio::sync::watch;

use super::connection::{Connection, Message, NoReply};
use super::soft_signer::SoftSigner;
use super::supervisor;
use crate::soft_key::{SealedKey, SoftKeyAlgorithm};
use crate::wire::{Content, Failure, KeyName, Reply, Request};

/// Making an RSA key of 4096 bits can take this long on a busy machine.
const GENERATE_PATIENCE: Duration = Duration::from_secs(120);
const PATIENCE: Duration = Duration::from_secs(10);
/// A request is sent again once, to a new child, if its child was lost.
const ATTEMPTS: u32 = 2;

/// Where the child finds the key encryption keys. It reads them itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerKek {
    /// The shared one, which authenticates the keyset.
    pub shared: KekSource,
    /// The one of purpose `ca`, if it has its own.
    pub ca: Option<KekSource>,
}

/// How to start the signer process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignerCommand {
    /// The program; the gateway itself.
    pub program: PathBuf,
    /// The arguments that make it call [`child::run`](crate::child::run).
    pub args: Vec<OsString>,
    /// Where the key encryption keys are.
    pub kek: SignerKek,
    /// The directory of the journal; made if absent. Never shared and never restored from an older copy.
    pub journal: PathBuf,
    /// How long a signature may take before the child counts as hung.
    pub patience: Duration,
}

impl SignerCommand {
    /// With the usual patience of ten seconds.
    pub const fn new(program: PathBuf, args: Vec<OsString>, kek: SignerKek, journal: PathBuf) -> Self {
        Self {
            program,
            args,
            kek,
            journal,
            patience: PATIENCE,
        }
    }
}

/// The signer process could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The program does not run.
    #[error("cannot run the signer process: {0}")]
    Spawn(#[from] std::io::Error),
    /// It runs and refuses: wrong key encryption key, unusable journal.
    #[error("signer process refuses to start: {0}")]
    Refused(String),
    /// It ended or said nothing.
    #[error("signer process does not answer")]
    Silent,
}

/// A key that was made, to be stored.
#[derive(Clone, Debug)]
pub struct GeneratedKey {
    /// The sealed key, with its public half.
    pub sealed: SealedKey,
}

/// How the child is.
#[derive(Clone)]
pub(super) enum Condition {
    Up { connection: Arc<Connection>, pid: u32 },
    Down(String),
}

/// What requests and the supervisor share.
pub(super) struct Shared {
    pub(super) command: SignerCommand,
    pub(super) keyset: Vec<u8>,
    /// Sealed keys that every new child is given.
    pub(super) keys: Mutex<Vec<SealedKey>>,
    pub(super) condition: watch::Sender<Condition>,
    /// How often a child took the place of another.
    pub(super) restarts: AtomicU64,
}

/// A signer process that is kept running: when it dies or hangs, another one takes its place. Cheap to clone; the child
/// ends when the last clone and the last [`SoftSigner`] are gone.
#[derive(Clone)]
pub struct SignerProcess {
    shared: Arc<Shared>,
    /// The supervisor ends when all of these are dropped.
    alive: Arc<watch::Sender<()>>,
}

impl SignerProcess {
    /// Starts the child and gives it the wrapped keyset, of which it opens purpose `ca`.
    ///
    /// Returns when the child is ready, or the reason why it never will be.
    pub async fn start(command: SignerCommand, keyset: Vec<u8>) -> Result<Self, StartError> {
        let condition = watch::Sender::new(Condition::Down("not started".to_owned()));
        let shared = Arc::new(Shared {
            command,
            keyset,
            keys: Mutex::default(),
            condition,
            restarts: AtomicU64::new(0),
        });
        let running = supervisor::launch(&shared).await?;
        let (alive, ended) = watch::channel(());
        tokio::spawn(supervisor::supervise(Arc::clone(&shared), running, ended));
        Ok(Self {
            shared,
            alive: Arc::new(alive),
        })
    }

    /// Makes a key. Store the sealed form, then [`load`](Self::load) it.
    pub async fn generate(&self, algorithm: SoftKeyAlgorithm) -> Result<GeneratedKey, SignError> {
        match self
            .call(&Request::Generate { algorithm }, GENERATE_PATIENCE)
            .await?
        {
            Reply::Generated { sealed } => {
                let sealed = SealedKey::parse(&sealed).map_err(|_| unexpected("another form of key"))?;
                Ok(GeneratedKey { sealed })
            }
            reply => Err(failure(reply)),
        }
    }

    /// Opens a sealed key in the child, and again in every child that takes its place.
    pub async fn load(&self, sealed: SealedKey) -> Result<SoftSigner, SignError> {
        self.lock_keys(|keys| {
            if !keys.contains(&sealed) {
                keys.push(sealed.clone());
            }
        });
        match self
            .call(
                &Request::Load {
                    sealed: sealed.to_bytes(),
                },
                PATIENCE,
            )
            .await?
        {
            Reply::Loaded => Ok(SoftSigner::new(self.clone(), sealed)),
            reply => {
                let error = failure(reply);
                if matches!(error, SignError::Refused(_)) {
                    self.lock_keys(|keys| keys.retain(|key| *key != sealed));
                }
                Err(error)
            }
        }
    }

    /// Whether the child answers; else why not.
    pub async fn health(&self) -> Result<(), SignError> {
        match self.call(&Request::Ping, self.shared.command.patience).await? {
            Reply::Pong => Ok(()),
            reply => Err(failure(reply)),
        }
    }

    /// How often the child was replaced.
    pub fn restarts(&self) -> u64 {
        self.shared.restarts.load(Ordering::Relaxed)
    }

    /// Returns when nobody looks after the child any more, which happens only by a panic: it is not replaced then.
    pub async fn ended(&self) {
        self.alive.closed().await;
    }

    /// The process id of the child that runs now.
    pub fn pid(&self) -> Option<u32> {
        match &*self.shared.condition.borrow() {
            Condition::Up { pid, .. } => Some(*pid),
            Condition::Down(_) => None,
        }
    }

    /// A process whose child is played by the test.
    #[cfg(test)]
    pub(super) fn played_by(connection: Arc<Connection>) -> Self {
        let kek = SignerKek {
            shared: KekSource::Environment(String::new()),
            ca: None,
        };
        let command = SignerCommand::new(PathBuf::new(), Vec::new(), kek, PathBuf::new());
        let condition = watch::Sender::new(Condition::Up { connection, pid: 0 });
        let shared = Arc::new(Shared {
            command,
            keyset: Vec::new(),
            keys: Mutex::default(),
            condition,
            restarts: AtomicU64::new(0),
        });
        Self {
            shared,
            alive: Arc::new(watch::Sender::new(())),
        }
    }

    pub(super) async fn sign(&self, key: KeyName, what: &ToSign) -> Result<Vec<u8>, SignError> {
        let patience = self.shared.command.patience;
        let patience_millis = u32::try_from(patience.as_millis()).unwrap_or(u32::MAX);
        let content = match what {
            ToSign::Certificate { enrollment, tbs } => Content::Certificate {
                enrollment: *enrollment.as_bytes(),
                tbs: tbs.clone(),
            },
            ToSign::RevocationList { tbs } => Content::RevocationList { tbs: tbs.clone() },
        };
        match self
            .call(
                &Request::Sign {
                    key,
                    patience_millis,
                    content,
                },
                patience,
            )
            .await?
        {
            Reply::Signature(signature) => Ok(signature),
            reply => Err(failure(reply)),
        }
    }

    /// Every request may be sent twice: the same bytes are signed again, a key is opened again, another one is made.
    async fn call(&self, request: &Request, patience: Duration) -> Result<Reply, SignError> {
        let message = Message::of(request).map_err(|error| SignError::Refused(error.to_string()))?;
        // The child drops what is late by itself, so a child that is later than that hangs.
        let at_most = patience.saturating_add(patience / 2);
        for _ in 0..ATTEMPTS {
            let connection = self.connected(patience).await?;
            match connection.call(message.clone(), at_most).await {
                Ok(reply) => return Ok(reply),
                Err(NoReply::Lost) => {}
                Err(NoReply::TimedOut) => connection.break_off(),
            }
        }
        Err(SignError::Unavailable(
            "signer process was lost while it worked on this".to_owned(),
        ))
    }

    async fn connected(&self, at_most: Duration) -> Result<Arc<Connection>, SignError> {
        let mut condition = self.shared.condition.subscribe();
        let up = condition.wait_for(|condition| match condition {
            Condition::Up { connection, .. } => !connection.is_broken(),
            Condition::Down(_) => false,
        });
        let found = match tokio::time::timeout(at_most, up).await {
            Ok(Ok(condition)) => Some(condition.clone()),
            Ok(Err(_)) | Err(_) => None,
        };
        match found.unwrap_or_else(|| self.shared.condition.borrow().clone()) {
            Condition::Up { connection, .. } => Ok(connection),
            Condition::Down(reason) => Err(SignError::Unavailable(reason)),
        }
    }

    fn lock_keys(&self, change: impl FnOnce(&mut Vec<SealedKey>)) {
        change(&mut self.shared.keys.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

impl fmt::Debug for SignerProcess {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SignerProcess")
            .field("pid", &self.pid())
            .finish_non_exhaustive()
    }
}

fn failure(reply: Reply) -> SignError {
    match reply {
        Reply::Failed(Failure::Unavailable(reason)) => SignError::Unavailable(reason),
        Reply::Failed(Failure::SecondContent) => SignError::SecondContent,
        Reply::Failed(Failure::Refused(reason)) => SignError::Refused(reason),
        Reply::Ready | Reply::Loaded | Reply::Generated { .. } | Reply::Signature(_) | Reply::Pong => {
            unexpected("another kind of reply")
        }
    }
}

fn unexpected(what: &str) -> SignError {
    SignError::Unavailable(format!("signer process gave {what} than was asked for"))
}
