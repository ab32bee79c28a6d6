//! Whether this gateway can do its work.

mod neighbours;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portreeve_pkix::Timestamp;
use portreeve_ra::Roles;
use portreeve_ra::ports::{CaBackend, CaHealth, Clock, Store};
use portreeve_signer::SignerProcess;
use portreeve_status::Shelf;
use portreeve_store::{OpenStore, Verdict};
use serde::{Deserialize, Serialize};

use crate::queue::Queue;
use neighbours::Neighbours;

/// How long the findings of one look count, so that probing costs little.
const FRESH: Duration = Duration::from_secs(1);

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// How far the clock may go back before the gateway is not ready.
const CLOCK_BACK_MAX: Duration = Duration::from_secs(60);

/// A clock before this is wrong: 2026-01-01.
const CLOCK_MIN: i64 = 1_767_225_600;

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// Whether it works.
    pub ok: bool,
    /// Whether it works less well than it should: nothing fails, and somebody should look.
    #[serde(default)]
    pub degraded: bool,
    /// In words.
    pub detail: String,
}

/// Whether this gateway can do its work, and why not.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Report {
    /// Whether requests can be answered: whether every check was passed, those of the CRLs excepted.
    pub ready: bool,
    /// Whether something works less well than it should: Redis is away, a CRL is overdue or missing. No reason to send
    /// clients elsewhere, who would not even get the last one, but a reason to look at once.
    #[serde(default)]
    pub degraded: bool,
    /// What this node does, as `--roles` says it.
    #[serde(default)]
    pub roles: Vec<String>,
    /// Each check.
    pub checks: Vec<Finding>,
}

/// Looks after everything this node depends on.
pub struct Health {
    store: Arc<dyn Store>,
    engine: OpenStore,
    backends: Vec<Arc<dyn CaBackend>>,
    clock: Arc<dyn Clock>,
    signer: Option<SignerProcess>,
    shelf: Arc<Shelf>,
    neighbours: Neighbours,
    queue: Queue,
    roles: Roles,
    latest: Mutex<Timestamp>,
    last: Mutex<Option<(Instant, Report)>>,
}

impl Health {
    /// Of these parts; the store twice: as the RA has it, and as the engine it is.
    pub fn new(
        (store, engine): (Arc<dyn Store>, OpenStore),
        backends: Vec<Arc<dyn CaBackend>>,
        (clock, signer): (Arc<dyn Clock>, Option<SignerProcess>),
        queue: Queue,
    ) -> Self {
        let latest = Mutex::new(clock.now());
        Self {
            store,
            engine,
            backends,
            clock,
            signer,
            shelf: Arc::default(),
            neighbours: Neighbours::default(),
            queue,
            roles: Roles::ALL,
            latest,
            last: Mutex::new(None),
        }
    }

    /// Looks after these CRLs as well.
    #[must_use]
    pub fn with_lists(self, shelf: Arc<Shelf>) -> Self {
        Self { shelf, ..self }
    }

    /// Says that it is a node with these roles; without, that it plays all of them.
    #[must_use]
    pub fn with_roles(self, roles: Roles) -> Self {
        Self { roles, ..self }
    }

    /// Looks, or answers with what was found less than a second ago.
    pub async fn report(&self) -> Report {
        if let Some((at, report)) = self.last.lock().unwrap_or_else(PoisonError::into_inner).as_ref()
            && at.elapsed() < FRESH
        {
            return report.clone();
        }
        let mut checks = vec![self.store().await, self.clock()];
        if let Some(process) = &self.signer {
            checks.push(signer(process).await);
        }
        // A server that has just not answered is not waited for again.
        if checks.first().is_some_and(|store| store.ok) {
            checks.extend(self.server().await);
        }
        for backend in &self.backends {
            checks.push(self.backend(backend.as_ref()).await);
        }
        if let Some(redis) = self.queue.redis() {
            checks.push(neighbours::redis(redis));
            checks.push(self.neighbours.check(self.queue.nodes.as_ref()).await);
        }
        checks.extend(lists(&self.shelf.lists(), self.clock.now()));
        let report = Report {
            degraded: checks.iter().any(|check| check.degraded),
            ready: checks.iter().all(|check| check.ok),
            roles: self.roles.iter().map(|role| role.to_string()).collect(),
            checks,
        };
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), report.clone()));
        report
    }

    async fn store(&self) -> Finding {
        let state = match tokio::time::timeout(CHECK_TIMEOUT, self.store.probe()).await {
            Ok(Ok(took)) => Ok(format!("written and read in {} ms", took.as_millis())),
            Ok(Err(error)) => Err(error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        finding("store".to_owned(), state)
    }

    /// Whether the database server, if there is one, can be trusted with a commit and with the time. It has been
    /// reached just now, with the store.
    async fn server(&self) -> Option<Finding> {
        let asked = self.engine.server(|| self.clock.now());
        let state = match tokio::time::timeout(CHECK_TIMEOUT, asked).await {
            Ok(answer) => answer?.map_err(|error| error.to_string()),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let state = state.and_then(|facts| {
            let said = [facts.answer(), facts.clock(), facts.durability()];
            let wrong = said.iter().any(|(verdict, _)| *verdict == Verdict::Wrong);
            let words = said.map(|(_, words)| words).join("; ");
            if wrong { Err(words) } else { Ok(words) }
        });
        Some(finding("database".to_owned(), state))
    }

    async fn backend(&self, backend: &dyn CaBackend) -> Finding {
        let state = match tokio::time::timeout(CHECK_TIMEOUT, backend.health()).await {
            Ok(CaHealth::Ready) => Ok("ready".to_owned()),
            Ok(CaHealth::NotReady(reason)) => Err(reason),
            Err(_) => Err("no answer in time".to_owned()),
        };
        finding(format!("backend {}", backend.name()), state)
    }

    fn clock(&self) -> Finding {
        let now = self.clock.now();
        let mut latest = self.latest.lock().unwrap_or_else(PoisonError::into_inner);
        let state = check_clock(now, *latest);
        *latest = (*latest).max(now);
        finding("clock".to_owned(), state)
    }
}

async fn signer(process: &SignerProcess) -> Finding {
    let state = match tokio::time::timeout(CHECK_TIMEOUT, process.health()).await {
        Ok(Ok(())) => Ok("answers".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer in time".to_owned()),
    };
    finding("signer".to_owned(), state)
}

fn check_clock(now: Timestamp, latest: Timestamp) -> Result<String, String> {
    if now.unix_seconds() < CLOCK_MIN {
        return Err(format!("{now} lies before this program was written"));
    }
    let back = latest.since(now);
    if back > CLOCK_BACK_MAX {
        return Err(format!("went back by {} s", back.as_secs()));
    }
    Ok(now.to_string())
}

/// Whether each CRL is there and not overdue.
fn lists(lists: &[(&str, Option<Timestamp>)], now: Timestamp) -> Vec<Finding> {
    let look = |(ca, until): &(&str, Option<Timestamp>)| {
        let state = match until {
            Some(until) if *until > now => Ok(format!("valid until {until}")),
            Some(until) => Err(format!("overdue since {until}")),
            None => Err("there is none; the log says why".to_owned()),
        };
        Finding {
            ok: true,
            degraded: state.is_err(),
            ..finding(format!("CRL {ca}"), state)
        }
    };
    lists.iter().map(look).collect()
}

fn finding(check: String, state: Result<String, String>) -> Finding {
    let ok = state.is_ok();
    Finding {
        check,
        ok,
        degraded: false,
        detail: state.unwrap_or_else(|reason| reason),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_that_is_overdue_or_missing_is_found() {
        let now = Timestamp::from_unix_seconds(CLOCK_MIN);
        let later = now.saturating_add(Duration::from_secs(1));
        let found = lists(
            &[("fresh", Some(later)), ("late", Some(now)), ("none", None)],
            now,
        );
        let degraded: Vec<(&str, bool)> = found
            .iter()
            .map(|one| (one.check.as_str(), one.degraded))
            .collect();
        assert_eq!(
            degraded,
            [("CRL fresh", false), ("CRL late", true), ("CRL none", true)]
        );
        assert!(found.iter().all(|one| one.ok), "clients are not sent elsewhere");
    }

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
            assert_eq!(check_clock(now, latest).is_ok(), ok, "{name}");
        }
    }
}
