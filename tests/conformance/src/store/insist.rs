//! Commits of tests in which many race.

use std::time::{Duration, Instant};

use portreeve_harness::pace::PATIENCE;
use portreeve_ra::ports::{Batch, CommitError, Store, StoreError};

/// Commits, and asks again as long as the store says that it has no time: on a busy machine some of many racers may be
/// told so, and who wins is not decided by that.
pub(super) async fn insist(store: &dyn Store, batch: Batch) -> Result<(), CommitError> {
    let begun = Instant::now();
    loop {
        match store.commit(batch.clone()).await {
            Err(CommitError::Store(StoreError::Unavailable { .. })) if begun.elapsed() < PATIENCE => {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
            decided => return decided,
        }
    }
}
