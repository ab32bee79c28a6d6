//! The connection that commands go over, kept up in the background.
//!
//! Nobody waits for a connection to be made: while there is none, a question fails at once.

use std::collections::BTreeMap;
use std::mem::discriminant;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use redis::{Cmd, FromRedisValue, Pipeline, Value};
use tokio::sync::{Notify, watch};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::error::RedisError;
use super::server::{Connection, RedisServer};

/// How often a connection that nobody has trouble with is looked after.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// How long a connection may take to answer before it counts as broken.
pub(crate) const PING_TIMEOUT: Duration = Duration::from_secs(1);

/// Pause before the second attempt to connect, and the longest one.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(2));

/// Whether there is a connection.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkState {
    /// The first attempt is under way.
    Connecting,
    /// It answers.
    Up,
    /// It does not, for this reason.
    Down(RedisError),
}

impl LinkState {
    /// Whether both are the same in kind.
    fn is_like(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Down(one), Self::Down(another)) => discriminant(one) == discriminant(another),
            _ => self == other,
        }
    }
}

/// What a server that answers may refuse.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Use {
    /// Hints for other nodes.
    Writing,
    /// Hints of other nodes.
    Reading,
    /// Counters of limits.
    Limits,
    /// Heartbeats.
    Heartbeats,
}

/// A connection kept up in the background.
pub(crate) struct Link {
    server: RedisServer,
    connection: watch::Sender<Option<Connection>>,
    state: watch::Sender<LinkState>,
    trouble: Notify,
    refusals: Mutex<BTreeMap<Use, RedisError>>,
    ping_micros: AtomicU64,
}

impl Link {
    /// Not connected yet: [`Link::keep`] does that.
    pub(crate) fn new(server: RedisServer) -> Self {
        Self {
            server,
            connection: watch::Sender::new(None),
            state: watch::Sender::new(LinkState::Connecting),
            trouble: Notify::new(),
            refusals: Mutex::default(),
            ping_micros: AtomicU64::new(0),
        }
    }

    pub(crate) const fn server(&self) -> &RedisServer {
        &self.server
    }

    pub(crate) fn state(&self) -> LinkState {
        self.state.borrow().clone()
    }

    /// Changes of the state from now on.
    pub(crate) fn states(&self) -> watch::Receiver<LinkState> {
        self.state.subscribe()
    }

    /// Whether commands can be sent.
    pub(crate) fn is_up(&self) -> bool {
        self.connection.borrow().is_some()
    }

    /// How long the last look took.
    pub(crate) fn ping_time(&self) -> Duration {
        Duration::from_micros(self.ping_micros.load(Ordering::Relaxed))
    }

    /// What a server that answers refuses, for want of rights or memory for example.
    pub(crate) fn refusal(&self) -> Option<RedisError> {
        self.refusals().values().next().cloned()
    }

    /// Takes note of how a use of the server ended; one line in the log for each change.
    pub(crate) fn used<'a>(&self, what: Use, errors: impl IntoIterator<Item = &'a RedisError>) {
        let refused = |error: &&RedisError| matches!(error, RedisError::Denied(_) | RedisError::Refused(_));
        let error = errors.into_iter().find(refused);
        let mut refusals = self.refusals();
        if refusals.get(&what) == error {
            return;
        }
        match error {
            Some(error) => {
                warn!(server = %self.server.target(), ?what, %error, "Redis refuses");
                refusals.insert(what, error.clone());
            }
            None => {
                info!(server = %self.server.target(), ?what, "Redis refuses no more");
                refusals.remove(&what);
            }
        }
    }

    fn refusals(&self) -> MutexGuard<'_, BTreeMap<Use, RedisError>> {
        self.refusals.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The answer to a command, within this time.
    pub(crate) async fn ask<T: FromRedisValue>(
        &self,
        command: &Cmd,
        within: Duration,
    ) -> Result<T, RedisError> {
        let mut connection = self.connection()?;
        self.judged(
            tokio::time::timeout(within, connection.ask(command)).await,
            within,
        )
    }

    /// The answers to several commands, within this time.
    pub(crate) async fn ask_all(
        &self,
        commands: &Pipeline,
        within: Duration,
    ) -> Result<Vec<Result<Value, RedisError>>, RedisError> {
        let mut connection = self.connection()?;
        self.judged(
            tokio::time::timeout(within, connection.ask_all(commands)).await,
            within,
        )
    }

    fn connection(&self) -> Result<Connection, RedisError> {
        self.connection.borrow().clone().ok_or(RedisError::Disconnected)
    }

    /// Lets go of a connection that is broken or too slow: the next question fails at once, until the connection has
    /// been looked after.
    fn judged<T>(
        &self,
        answer: Result<Result<T, RedisError>, tokio::time::error::Elapsed>,
        within: Duration,
    ) -> Result<T, RedisError> {
        let answer = answer.unwrap_or(Err(RedisError::Late(within)));
        if answer.as_ref().is_err_and(RedisError::breaks) {
            self.connection.send_replace(None);
            self.trouble.notify_one();
        }
        answer
    }

    /// Connects, and connects again whenever that is needed, until told to stop.
    pub(crate) async fn keep(&self, stop: &CancellationToken) {
        let kept = async {
            let mut pause = BACKOFF.0;
            loop {
                let error = match self.server.connect().await {
                    Ok(connection) => {
                        pause = BACKOFF.0;
                        self.look_after(connection).await
                    }
                    Err(error) => error,
                };
                self.connection.send_replace(None);
                self.note(LinkState::Down(error));
                tokio::time::sleep(pause).await;
                pause = (pause * 2).min(BACKOFF.1);
            }
        };
        tokio::select! {
            () = stop.cancelled() => {}
            () = kept => {}
        }
        self.connection.send_replace(None);
    }

    /// Uses a connection until it breaks, and says why.
    async fn look_after(&self, mut connection: Connection) -> RedisError {
        loop {
            let asked = Instant::now();
            match tokio::time::timeout(PING_TIMEOUT, connection.ping()).await {
                Ok(Ok(())) => {}
                Ok(Err(error)) => return error,
                Err(_) => {
                    return RedisError::connection(self.server.target(), RedisError::Late(PING_TIMEOUT));
                }
            }
            let micros = u64::try_from(asked.elapsed().as_micros()).unwrap_or(u64::MAX);
            self.ping_micros.store(micros, Ordering::Relaxed);
            if !self.is_up() {
                self.connection.send_replace(Some(connection.clone()));
            }
            self.note(LinkState::Up);
            tokio::select! {
                () = self.trouble.notified() => {}
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
        }
    }

    /// One line in the log for each change, however many questions meet it and in however many words it is said.
    fn note(&self, new: LinkState) {
        let mut changed = false;
        self.state.send_if_modified(|state| {
            changed = !state.is_like(&new);
            let modified = *state != new;
            state.clone_from(&new);
            modified
        });
        let server = self.server.target();
        match new {
            LinkState::Up if changed => info!(%server, "Redis answers"),
            LinkState::Down(error) if changed => {
                warn!(%server, %error, "Redis does not answer: everything goes on by looking into the store");
            }
            _ => {}
        }
    }
}
