//! Keeps a child running.

use std::os::fd::OwnedFd;
use std::os::unix::net::UnixStream as StdUnixStream;
use std::process::Stdio;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::{Duration, Instant};

use portreeve_keyset::KekSource;
use tokio::net::UnixStream;
use tokio::process::{Child, Command};
use tokio::sync::watch;

use super::connection::{Connection, Message};
use super::process::{Condition, Shared, SignerCommand, StartError};
use crate::soft_key::SealedKey;
use crate::wire::{Configuration, Failure, Reply, Request};

/// Reading a journal of millions of entries takes a while.
const START_PATIENCE: Duration = Duration::from_secs(30);
const DELAY_FIRST: Duration = Duration::from_millis(100);
const DELAY_MAX: Duration = Duration::from_secs(5);
/// A child that ran this long was healthy.
const HEALTHY_AFTER: Duration = Duration::from_secs(30);

/// A child that is ready.
pub(super) struct Running {
    child: Child,
    connection: Arc<Connection>,
    since: Instant,
}

/// Starts a child, configures it and gives it the keys.
pub(super) async fn launch(shared: &Shared) -> Result<Running, StartError> {
    let (ours, theirs) = StdUnixStream::pair()?;
    ours.set_nonblocking(true)?;
    let child = spawn(&shared.command, theirs)?;
    let connection = Connection::over(UnixStream::from_std(ours)?);
    let started = configure(shared, &connection).await;
    if let Err(error) = started {
        let mut child = child;
        let _ = child.kill().await;
        return Err(error);
    }
    let pid = child.id().unwrap_or_default();
    shared.condition.send_replace(Condition::Up {
        connection: Arc::clone(&connection),
        pid,
    });
    tracing::info!(signer.pid = pid, "signer process is ready");
    Ok(Running {
        child,
        connection,
        since: Instant::now(),
    })
}

/// The child's standard input is its socket. It gets no environment but the key encryption key, and a process group of
/// its own, so that the interrupt of a terminal reaches the gateway only, which then drains and closes the socket.
fn spawn(command: &SignerCommand, socket: StdUnixStream) -> std::io::Result<Child> {
    let mut process = Command::new(&command.program);
    process
        .args(&command.args)
        .env_clear()
        .stdin(Stdio::from(OwnedFd::from(socket)))
        .stdout(Stdio::null())
        .stderr(Stdio::inherit())
        .process_group(0)
        .kill_on_drop(true);
    for source in std::iter::once(&command.kek.shared).chain(&command.kek.ca) {
        if let KekSource::Environment(name) = source
            && let Some(value) = std::env::var_os(name)
        {
            process.env(name, value);
        }
    }
    process.spawn()
}

async fn configure(shared: &Shared, connection: &Connection) -> Result<(), StartError> {
    let configuration = Configuration {
        keyset: shared.keyset.clone(),
        shared_kek: (&shared.command.kek.shared).into(),
        ca_kek: shared.command.kek.ca.as_ref().map(Into::into),
        journal: std::os::unix::ffi::OsStrExt::as_bytes(shared.command.journal.as_os_str()).to_vec(),
    };
    match ask(connection, &Request::Configure(configuration)).await? {
        Reply::Ready => {}
        Reply::Failed(Failure::Refused(reason) | Failure::Unavailable(reason)) => {
            return Err(StartError::Refused(reason));
        }
        _ => return Err(StartError::Silent),
    }
    let keys: Vec<SealedKey> = shared.keys.lock().unwrap_or_else(PoisonError::into_inner).clone();
    for key in keys {
        let name = key.public_key().clone();
        match ask(
            connection,
            &Request::Load {
                sealed: key.to_bytes(),
            },
        )
        .await?
        {
            Reply::Loaded => {}
            reply => tracing::error!(key = ?name, reply = ?reply, "signer process does not open a key"),
        }
    }
    Ok(())
}

async fn ask(connection: &Connection, request: &Request) -> Result<Reply, StartError> {
    let message = Message::of(request)?;
    connection
        .call(message, START_PATIENCE)
        .await
        .map_err(|_| StartError::Silent)
}

/// Replaces the child whenever it is lost, until nobody uses it any more.
pub(super) async fn supervise(shared: Arc<Shared>, first: Running, mut users: watch::Receiver<()>) {
    let mut running = first;
    let mut failures = 0_u32;
    loop {
        let lost = tokio::select! {
            _ = running.child.wait() => true,
            () = running.connection.ended() => true,
            _ = users.changed() => false,
        };
        running.connection.break_off();
        let status = running.child.kill().await;
        if !lost {
            return;
        }
        let down = "signer process was lost and is being restarted";
        shared.condition.send_replace(Condition::Down(down.to_owned()));
        tracing::warn!(kill = ?status, "{down}");
        failures = if running.since.elapsed() >= HEALTHY_AFTER {
            0
        } else {
            failures.saturating_add(1)
        };
        running = loop {
            tokio::select! {
                () = tokio::time::sleep(delay(failures)) => {}
                _ = users.changed() => return,
            }
            match launch(&shared).await {
                Ok(running) => {
                    shared.restarts.fetch_add(1, Ordering::Relaxed);
                    break running;
                }
                Err(error) => {
                    tracing::error!(%error, "signer process does not start");
                    shared.condition.send_replace(Condition::Down(error.to_string()));
                    failures = failures.saturating_add(1);
                }
            }
        };
    }
}

/// At once after the first loss, then ever later.
fn delay(failures: u32) -> Duration {
    match failures {
        0 | 1 => Duration::ZERO,
        _ => DELAY_FIRST
            .saturating_mul(1 << (failures - 2).min(16))
            .min(DELAY_MAX),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_and_stop_growing() {
        let millis: Vec<u128> = (0..9).map(|failures| delay(failures).as_millis()).collect();
        assert_eq!(millis, [0, 0, 100, 200, 400, 800, 1600, 3200, 5000]);
        assert_eq!(delay(u32::MAX), DELAY_MAX);
    }
}
