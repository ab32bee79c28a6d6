//! Time in tests. A verdict must not depend on how fast the machine is: tests wait for what they want to see, for
//! [`PATIENCE`] at most, and claims about time are tried where somebody asks for them.

use std::time::{Duration, Instant};

/// What happens at all has happened by then, on a machine that is slow and busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// How soon something must have happened that takes no longer than `limit` where nothing else runs: within that when
/// `PORTREEVE_STRICT_TIMES` is set, else within [`PATIENCE`].
pub fn within(limit: Duration) -> Duration {
    if std::env::var_os("PORTREEVE_STRICT_TIMES").is_some() {
        limit
    } else {
        limit.max(PATIENCE)
    }
}

/// Between two looks.
const PAUSE: Duration = Duration::from_millis(10);

/// Asks again and again until there is an answer; panics when none is there within [`PATIENCE`].
pub async fn until<T, F: Future<Output = Option<T>>>(what: &str, mut ask: impl FnMut() -> F) -> T {
    let begun = Instant::now();
    loop {
        if let Some(answer) = ask().await {
            return answer;
        }
        assert!(begun.elapsed() < PATIENCE, "never happened: {what}");
        tokio::time::sleep(PAUSE).await;
    }
}
