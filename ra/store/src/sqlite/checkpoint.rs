//! Checkpoints: moving the write-ahead log into the database without holding up commits.
//!
//! A checkpoint in a commit makes that commit wait for as long as everything before it takes to be copied. So a
//! second connection copies the bulk while commits go on, and the writer afterwards copies the little that was
//! added meanwhile, which empties the log and lets it start over. If all this fails, SQLite's own automatic
//! checkpoint bounds the log.

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions, Connection, Executor, SqliteConnection};
use tokio::sync::Notify;

/// Copies as much as it can without waiting for anybody.
const CHECKPOINT: &str = "PRAGMA wal_checkpoint(PASSIVE)";

/// Batches between two checkpoints.
const BATCHES: usize = 512;

const IDLE: u8 = 0;
const COPYING: u8 = 1;
const COPIED: u8 = 2;
const OVER: u8 = 3;

#[derive(Debug)]
struct Shared {
    state: AtomicU8,
    wake: Notify,
}

/// The writer's side.
#[derive(Debug)]
pub(crate) struct Checkpoints {
    shared: Arc<Shared>,
    batches_since: usize,
}

impl Checkpoints {
    /// Starts the task that copies the bulk. It ends when this is dropped.
    pub(crate) fn start(options: SqliteConnectOptions) -> Self {
        let shared = Arc::new(Shared {
            state: AtomicU8::new(IDLE),
            wake: Notify::new(),
        });
        tokio::spawn(copy_when_woken(options, Arc::clone(&shared)));
        Self {
            shared,
            batches_since: 0,
        }
    }

    /// To be called between transactions; `true` when a checkpoint was completed.
    pub(crate) async fn after_group(&mut self, batches: usize, connection: &mut SqliteConnection) -> bool {
        self.batches_since += batches;
        match self.shared.state.load(Ordering::Acquire) {
            IDLE if self.batches_since >= BATCHES => {
                self.batches_since = 0;
                self.shared.state.store(COPYING, Ordering::Release);
                self.shared.wake.notify_one();
                false
            }
            COPIED => {
                self.shared.state.store(IDLE, Ordering::Release);
                copy(connection).await
            }
            _ => false,
        }
    }
}

impl Drop for Checkpoints {
    fn drop(&mut self) {
        self.shared.state.store(OVER, Ordering::Release);
        self.shared.wake.notify_one();
    }
}

async fn copy_when_woken(options: SqliteConnectOptions, shared: Arc<Shared>) {
    let mut connection = None;
    loop {
        shared.wake.notified().await;
        if connection.is_none() {
            connection = options.connect().await.ok();
        }
        if let Some(open) = &mut connection
            && shared.state.load(Ordering::Acquire) == COPYING
        {
            copy(open).await;
        }
        // The writer's own checkpoint follows even when this one failed: then it copies everything.
        let over = shared
            .state
            .compare_exchange(COPYING, COPIED, Ordering::AcqRel, Ordering::Acquire);
        if over == Err(OVER) {
            break;
        }
    }
    if let Some(open) = connection {
        let _ = open.close().await;
    }
}

async fn copy(connection: &mut SqliteConnection) -> bool {
    match connection.fetch_all(CHECKPOINT).await {
        Ok(_) => true,
        Err(error) => {
            tracing::warn!(%error, "checkpoint failed");
            false
        }
    }
}
