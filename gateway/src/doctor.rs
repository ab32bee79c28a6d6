//! Examines an installation, running or not. Nothing is changed; of a running one the store's lock is left alone and
//! the gateway itself is asked.

mod backends;
mod files;
mod inside;
mod offline;
mod online;
mod redis;
mod server;

use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::Roles;
use portreeve_store::StoreUrl;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::config::Config;
use crate::control::ControlClient;

pub use inside::Inside;

/// How long a connection to an own address may take.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

/// A certificate that ends within this time is worth a warning.
const EXPIRY_WARNING: Duration = Duration::from_secs(14 * 86_400);

/// A CA that ends within this time is worth a warning: what it signs is cut short.
const CA_EXPIRY_WARNING: Duration = Duration::from_secs(180 * 86_400);

/// How bad it is.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = DoctorSeverity)]
pub enum Severity {
    /// All is well.
    Ok,
    /// Nothing to look at here.
    Skipped,
    /// Look at it soon.
    Warning,
    /// It does not work, or soon will not.
    Error,
}

/// What one check found.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = DoctorFinding)]
pub struct Finding {
    /// What was looked at.
    pub check: String,
    /// How bad it is.
    pub severity: Severity,
    /// What was found, and what to do about it.
    pub detail: String,
}

impl Finding {
    fn new(check: impl Into<String>, severity: Severity, detail: impl Into<String>) -> Self {
        Self {
            check: check.into(),
            severity,
            detail: detail.into(),
        }
    }
}

/// Which installation is examined.
pub struct Patient {
    /// Its configuration.
    pub config: Config,
    /// Where the running gateway would answer.
    pub client: ControlClient,
    /// Whether `dev` has made it.
    pub made_by_dev: bool,
    /// What the node does, unless it runs and says so itself.
    pub roles: Roles,
}

/// Makes every check there is.
pub async fn examine(patient: &Patient, now: Timestamp) -> Vec<Finding> {
    let config = &patient.config;
    let data_dir = config.data_dir();
    let is_running = patient.client.is_running().await;
    let said = match is_running {
        true => online::roles(&patient.client).await,
        false => None,
    };
    let roles = said.unwrap_or(patient.roles);
    let mut findings = vec![clock(now)];
    if !data_dir.exists() {
        let advice = "does not exist: run `portreeve ca create`, or `portreeve dev` for trials";
        findings.push(Finding::new(
            "data directory",
            Severity::Error,
            format!("{} {advice}", data_dir.display()),
        ));
        return findings;
    }
    findings.push(files::data_directory(data_dir));
    findings.push(files::disk_space(data_dir));
    findings.extend(files::key_encryption_keys(&config.keyset, data_dir, roles));
    match config.database.store(data_dir) {
        Ok(store) => {
            findings.push(schema(&store).await);
            findings.extend(server::checks(&store).await);
        }
        Err(error) => findings.push(Finding::new("store", Severity::Error, error.to_string())),
    }
    let mut server = config.server.clone();
    server.keep_listeners_of(roles);
    let remarks = server.remarks().into_iter();
    findings.extend(remarks.map(|remark| Finding::new("client certificates", Severity::Warning, remark)));
    let listeners = server.listeners.iter();
    if is_running {
        findings.push(Finding::new(
            "gateway",
            Severity::Ok,
            format!("running as {roles}"),
        ));
        findings.extend(online::checks(&patient.client).await);
        findings.extend(listeners.map(|(name, listener)| reachable(name, listener.addr)));
    } else {
        findings.push(Finding::new("gateway", Severity::Skipped, "not running"));
        findings.extend(offline::checks(patient).await);
        findings.extend(listeners.map(|(name, listener)| free(name, listener.addr, server.reuse_port)));
    }
    findings
}

/// The worst of all.
pub fn worst(findings: &[Finding]) -> Severity {
    findings
        .iter()
        .map(|finding| finding.severity)
        .max()
        .unwrap_or(Severity::Ok)
}

fn clock(now: Timestamp) -> Finding {
    // 2026-01-01 and 2100-01-01.
    if (1_767_225_600..4_102_444_800).contains(&now.unix_seconds()) {
        Finding::new("clock", Severity::Ok, now.to_string())
    } else {
        Finding::new(
            "clock",
            Severity::Error,
            format!("{now} cannot be right: set the clock"),
        )
    }
}

async fn schema(store: &StoreUrl) -> Finding {
    use portreeve_store::SchemaStatus as S;
    let (severity, detail) = match store.status().await {
        Ok(S::Current { version }) => (Severity::Ok, format!("schema version {version}")),
        Ok(S::Empty) => (
            Severity::Error,
            "no installation yet: run `portreeve ca create`".to_owned(),
        ),
        Ok(S::Pending { found, known }) => (
            Severity::Error,
            format!("schema version {found}, {known} is needed: run `portreeve migrate apply`"),
        ),
        Ok(S::Newer { found, known }) => (
            Severity::Error,
            format!("schema version {found}, this program knows {known}: run the newer program"),
        ),
        Ok(S::Foreign { reason }) => (Severity::Error, format!("another program's database: {reason}")),
        Ok(S::Altered { version }) => (
            Severity::Error,
            format!("schema version {version} was not made by this program"),
        ),
        Err(error) => (Severity::Error, error.to_string()),
    };
    Finding::new("store", severity, detail)
}

/// A certificate's end, judged against how early a warning is due.
fn expiry(check: String, not_after: Timestamp, (now, early): (Timestamp, Duration)) -> Finding {
    let severity = if not_after <= now {
        Severity::Error
    } else if not_after.since(now) < early {
        Severity::Warning
    } else {
        Severity::Ok
    };
    Finding::new(check, severity, format!("valid until {not_after}"))
}

fn reachable(name: &str, address: std::net::SocketAddr) -> Finding {
    let check = format!("listener {name}");
    match TcpStream::connect_timeout(&address, CONNECT_TIMEOUT) {
        Ok(_) => Finding::new(check, Severity::Ok, format!("{address} answers")),
        Err(error) => Finding::new(check, Severity::Warning, format!("{address}: {error}")),
    }
}

fn free(name: &str, address: std::net::SocketAddr, is_shared: bool) -> Finding {
    let check = format!("listener {name}");
    if is_shared {
        // Listening there would take connections from a node that runs.
        let detail = format!("{address} may be shared with other nodes");
        return Finding::new(check, Severity::Skipped, detail);
    }
    match TcpListener::bind(address) {
        Ok(_) => Finding::new(check, Severity::Ok, format!("{address} is free")),
        Err(error) => Finding::new(
            check,
            Severity::Error,
            format!("{address} cannot be listened on: {error}"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expiry_is_judged_by_what_is_left() {
        let now = Timestamp::from_unix_seconds(1_800_000_000);
        let day = Duration::from_secs(86_400);
        let rows = [
            ("long", now.saturating_add(day * 30), Severity::Ok),
            ("soon", now.saturating_add(day * 13), Severity::Warning),
            ("over", now, Severity::Error),
        ];
        for (name, not_after, severity) in rows {
            assert_eq!(
                expiry("x".to_owned(), not_after, (now, EXPIRY_WARNING)).severity,
                severity,
                "{name}"
            );
        }
    }

    #[test]
    fn the_worst_finding_counts() {
        let finding = |severity| Finding::new("x", severity, "");
        assert_eq!(worst(&[]), Severity::Ok);
        assert_eq!(
            worst(&[finding(Severity::Warning), finding(Severity::Ok)]),
            Severity::Warning
        );
        assert_eq!(
            worst(&[finding(Severity::Error), finding(Severity::Warning)]),
            Severity::Error
        );
    }
}
