//! Whether this node's clock can be trusted with work that others could do as well.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Clock, StoreError};
use portreeve_store::{OpenStore, Verdict};

/// How long a comparison with the database's clock counts.
const COMPARED: Duration = Duration::from_secs(5);

/// How long a comparison may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// How far the clock may go back before it is wrong.
const BACK_MAX: Duration = Duration::from_secs(60);

/// A clock before this is wrong: 2026-01-01.
const CLOCK_MIN: i64 = 1_767_225_600;

/// A clock to compare with.
#[async_trait]
pub trait Reference: Send + Sync {
    /// How far `clock` is from it, in words; `None` when there is no other clock.
    async fn compare(&self, clock: &dyn Clock) -> Option<Result<(Verdict, String), StoreError>>;
}

#[async_trait]
impl Reference for OpenStore {
    async fn compare(&self, clock: &dyn Clock) -> Option<Result<(Verdict, String), StoreError>> {
        let facts = self.server(|| clock.now()).await?;
        Some(facts.map(|facts| facts.clock()))
    }
}

/// Watches a clock: by itself, and against the database's.
pub struct ClockWatch {
    clock: Arc<dyn Clock>,
    reference: Arc<dyn Reference>,
    latest: Mutex<Timestamp>,
    compared: Mutex<Compared>,
}

#[derive(Default)]
struct Compared {
    at: Option<Instant>,
    wrong: Option<String>,
    told: bool,
}

impl ClockWatch {
    /// Watches this clock.
    pub fn new(clock: Arc<dyn Clock>, reference: Arc<dyn Reference>) -> Self {
        Self {
            latest: Mutex::new(clock.now()),
            clock,
            reference,
            compared: Mutex::default(),
        }
    }

    /// The time, or what is wrong with it, as far as it shows without asking anybody.
    pub fn own(&self) -> Result<String, String> {
        let now = self.clock.now();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let state = check(now, *latest);
        *latest = (*latest).max(now);
        state
    }

    /// Whether work may be taken by this clock. Asks the database now and then; while it does not answer, what it said last
    /// counts.
    pub async fn may_be_trusted(&self) -> bool {
        if self.is_outdated() {
            let asked = self.reference.compare(self.clock.as_ref());
            let answer = tokio::time::timeout(TIMEOUT, asked).await;
            let mut compared = self.compared();
            compared.at = Some(Instant::now());
            match answer {
                Ok(None | Some(Ok((Verdict::Fine | Verdict::Doubtful, _)))) => compared.wrong = None,
                Ok(Some(Ok((Verdict::Wrong, words)))) => {
                    compared.wrong = Some(format!("the database's clock is {words}"));
                }
                Ok(Some(Err(_))) | Err(_) => {}
            }
        }
        let own = self.own().err();
        let mut compared = self.compared();
        let wrong = own.or_else(|| compared.wrong.clone());
        match &wrong {
            Some(reason) if !compared.told => {
                tracing::error!(reason, "no work is taken: set the clock of this node");
            }
            None if compared.told => tracing::info!("the clock is right again: work is taken"),
            Some(_) | None => {}
        }
        compared.told = wrong.is_some();
        wrong.is_none()
    }

    /// Whether it is time to compare again; then the caller does.
    fn is_outdated(&self) -> bool {
        let mut compared = self.compared();
        let is_outdated = compared.at.is_none_or(|at| at.elapsed() >= COMPARED);
        if is_outdated {
            compared.at = Some(Instant::now());
        }
        is_outdated
    }

    fn compared(&self) -> MutexGuard<'_, Compared> {
        self.compared.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn check(now: Timestamp, latest: Timestamp) -> Result<String, String> {
    if now.unix_seconds() < CLOCK_MIN {
        return Err(format!("{now} lies before this program was written"));
    }
    let back = latest.since(now);
    if back > BACK_MAX {
        return Err(format!("went back by {} s", back.as_secs()));
    }
    Ok(now.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks() {
        let base = Timestamp::from_unix_seconds(CLOCK_MIN + 1000);
        let rows = [
            ("goes on", base, base, true),
            (
                "a little back",
                base,
                base.saturating_add(Duration::from_secs(59)),
                true,
            ),
            (
                "far back",
                base,
                base.saturating_add(Duration::from_secs(61)),
                false,
            ),
            ("never set", Timestamp::default(), Timestamp::default(), false),
        ];
        for (name, now, latest, ok) in rows {
            assert_eq!(check(now, latest).is_ok(), ok, "{name}");
        }
    }
}
