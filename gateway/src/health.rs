//! Whether this gateway can do its work.

mod neighbours;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use portreeve_audit::{LAG_MAX, SealStanding, SealWatch};
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{CaBackend, CaHealth, Clock, Store};
use portreeve_ra::{Role, Roles};
use portreeve_signer::SignerProcess;
use portreeve_status::Shelf;
use portreeve_store::{OpenStore, ServerFacts, Verdict};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::intake::Intake;
use crate::queue::Queue;
use neighbours::Neighbours;

/// How long the findings of one look count, so that probing costs little.
const FRESH: Duration = Duration::from_secs(1);

/// How long one check may take.
const CHECK_TIMEOUT: Duration = Duration::from_secs(3);

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HealthCheck)]
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
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = HealthReport)]
pub struct Report {
    /// Whether requests can be answered: whether every check was passed, those of the CRLs excepted.
    pub ready: bool,
    /// Whether something works less well than it should: Redis is away, a CRL is overdue or missing, the audit log is
    /// not sealed in time. No reason to send
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
    audit: Option<Arc<SealWatch>>,
    neighbours: Neighbours,
    queue: Queue,
    roles: Roles,
    intake: Arc<Intake>,
    last: Mutex<Option<(Instant, Report)>>,
}

impl Health {
    /// Of these parts; the store twice: as the RA has it, and as the engine it is.
    pub fn new(
        (store, engine): (Arc<dyn Store>, OpenStore),
        backends: Vec<Arc<dyn CaBackend>>,
        (clock, signer): (Arc<dyn Clock>, Option<SignerProcess>),
        (queue, intake): (Queue, Arc<Intake>),
    ) -> Self {
        Self {
            store,
            engine,
            backends,
            clock,
            signer,
            shelf: Arc::default(),
            audit: None,
            neighbours: Neighbours::default(),
            queue,
            roles: Roles::ALL,
            intake,
            last: Mutex::new(None),
        }
    }

    /// Looks after these CRLs as well.
    #[must_use]
    pub fn with_lists(self, shelf: Arc<Shelf>) -> Self {
        Self { shelf, ..self }
    }

    /// Looks after sealing as well.
    #[must_use]
    pub fn with_audit(self, audit: Option<Arc<SealWatch>>) -> Self {
        Self { audit, ..self }
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
        let mut checks = vec![
            self.store().await,
            finding("clock".to_owned(), self.intake.clock()),
        ];
        if let Some(process) = &self.signer {
            checks.push(signer(process).await);
        }
        // A server that has just not answered is not waited for again.
        if checks.first().is_some_and(|store| store.ok) {
            checks.extend(self.server().await);
        }
        if self.roles.has(Role::Worker) {
            checks.push(less_well("tasks".to_owned(), self.intake.claims()));
        }
        for backend in &self.backends {
            checks.push(self.backend(backend.as_ref()).await);
        }
        if let Some(redis) = self.queue.redis() {
            checks.push(neighbours::redis(redis));
            checks.push(self.neighbours.check(self.queue.nodes.as_ref()).await);
        }
        let now = self.clock.now();
        let lists = self.shelf.lists().into_iter();
        checks.extend(lists.map(|one| list(one.ca, one.until, (one.late(now), now))));
        if let Some(watch) = &self.audit {
            checks.push(audit_log(&watch.standing(self.clock.now())));
        }
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
        Some(match tokio::time::timeout(CHECK_TIMEOUT, asked).await {
            Ok(answer) => match answer? {
                Ok(facts) => database(&facts),
                Err(error) => finding("database".to_owned(), Err(error.to_string())),
            },
            Err(_) => finding("database".to_owned(), Err("no answer in time".to_owned())),
        })
    }

    /// Orders wait for a CA that may be long about them; one that has to answer at once is missed at once.
    async fn backend(&self, backend: &dyn CaBackend) -> Finding {
        let state = match tokio::time::timeout(CHECK_TIMEOUT, backend.health()).await {
            Ok(CaHealth::Ready) => Ok("ready".to_owned()),
            Ok(CaHealth::NotReady(reason)) => Err(reason),
            Err(_) => Err("no answer in time".to_owned()),
        };
        let check = format!("backend {}", backend.name());
        if backend.capabilities().defers {
            less_well(check, state)
        } else {
            finding(check, state)
        }
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

/// What a database server says of itself. A clock that is some seconds away, or a right that was given to this role since
/// it started, is a reason to look, not to send clients elsewhere.
fn database(facts: &ServerFacts) -> Finding {
    let (clock, _) = facts.clock();
    let said = [facts.answer(), facts.clock(), facts.durability()];
    let wrong = said.iter().any(|(verdict, _)| *verdict == Verdict::Wrong);
    let rights = facts.creator.as_ref().map(|creator| format!("; {creator}"));
    let mut words = said.map(|(_, words)| words).join("; ");
    if clock != Verdict::Fine {
        words.push_str("; set the clocks of this node and of the database by the same source");
    }
    words.push_str(rights.as_deref().unwrap_or_default());
    Finding {
        degraded: clock == Verdict::Doubtful || rights.is_some(),
        ..finding("database".to_owned(), if wrong { Err(words) } else { Ok(words) })
    }
}

/// Whether a CRL is there and not overdue, and the next one not due for long.
fn list(ca: &str, until: Option<Timestamp>, (late, now): (Option<Timestamp>, Timestamp)) -> Finding {
    let state = match (until, late) {
        (Some(until), None) if until > now => Ok(format!("valid until {until}")),
        (Some(until), Some(since)) if until > now => Err(format!(
            "valid until {until}; the next one has been due since {since} and no node signs it: look at the log of the \
             status nodes"
        )),
        (Some(until), _) => Err(format!("overdue since {until}")),
        (None, _) => Err("there is none; the log says why".to_owned()),
    };
    less_well(format!("CRL {ca}"), state)
}

/// What is no reason to send clients elsewhere.
fn less_well(check: String, state: Result<String, String>) -> Finding {
    Finding {
        ok: true,
        degraded: state.is_err(),
        ..finding(check, state)
    }
}

/// Whether the audit log is sealed in time and its checkpoints go outside.
fn audit_log(standing: &SealStanding) -> Finding {
    let lag = standing.lag.as_secs();
    let state = match &standing.trouble {
        Some(trouble) => Err(trouble.clone()),
        None if standing.lag > LAG_MAX => Err(format!(
            "{} records are sealed, and later ones wait for {lag} s",
            standing.size
        )),
        None => Ok(format!("{} records are sealed", standing.size)),
    };
    Finding {
        ok: true,
        degraded: state.is_err(),
        ..finding("audit log".to_owned(), state)
    }
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
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let later = now.saturating_add(Duration::from_secs(1));
        let rows = [
            ("fresh", Some(later), None, false),
            ("not renewed", Some(later), Some(now), true),
            ("overdue", Some(now), None, true),
            ("none", None, None, true),
        ];
        for (name, until, late, degraded) in rows {
            let found = list(name, until, (late, now));
            assert_eq!((found.ok, found.degraded), (true, degraded), "{name}");
        }
    }

    #[test]
    fn sealing_that_is_behind_is_found() {
        let rows = [
            ("in time", 10, None, false),
            ("behind", 11, None, true),
            ("in trouble", 0, Some("file: disk full"), true),
        ];
        for (name, lag, trouble, degraded) in rows {
            let found = audit_log(&SealStanding {
                lag: Duration::from_secs(lag),
                trouble: trouble.map(str::to_owned),
                ..SealStanding::default()
            });
            assert_eq!((found.ok, found.degraded), (true, degraded), "{name}");
        }
    }

    #[test]
    fn a_clock_some_seconds_away_is_a_reason_to_look() {
        let rows = [
            ("the same", 0, (true, false)),
            ("a second", 1_000, (true, false)),
            ("more", -1_001, (true, true)),
            ("half a minute", 30_000, (true, true)),
            ("more than that", 30_001, (false, false)),
        ];
        for (name, clock_offset_millis, expected) in rows {
            let found = database(&ServerFacts {
                version: "15.18".to_owned(),
                version_number: 150_018,
                latency: Duration::from_millis(1),
                clock_offset_millis,
                not_durable: Vec::new(),
                standby: false,
                encrypted: false,
                creator: None,
            });
            assert_eq!((found.ok, found.degraded), expected, "{name}");
        }
    }
}
