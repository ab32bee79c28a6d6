//! What every interop test needs: a DNS server, a gateway that asks it, and a folder. The tests are in `tests/`, one
//! file per client; they are ignored unless asked for, because they need the clients that `cargo xtask tools` installs.

pub mod person;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::time::Duration;

use portreeve_harness::HarnessError;
use portreeve_harness::clients::{Certificate, Challtest, revoked_serials};
use portreeve_harness::postgres::{OWNER, PostgresServer};
use portreeve_harness::process::{DevOptions, Gateway, attempt, free_port, until};
use portreeve_harness::redis::Redis;
use serde_json::Value;
use tempfile::TempDir;

const LIST_AWAITING: [&str; 6] = [
    "request",
    "list",
    "--state",
    "awaiting_approval",
    "--output",
    "json",
];

const COMMAND_LIMIT: Duration = Duration::from_secs(180);
const PUBLICATION_LIMIT: Duration = Duration::from_secs(120);

/// A gateway of its own for one test, with everything around it.
#[derive(Debug)]
pub struct Site {
    /// The gateway that clients come to; dropped first.
    pub gateway: Gateway,
    /// The node that judges, publishes and is asked by operators, when that is another one.
    others: Option<Gateway>,
    /// PostgreSQL and Redis, when there are several nodes.
    _servers: Option<(PostgresServer, Redis)>,
    /// The DNS server its validation asks.
    pub dns: Challtest,
    folder: TempDir,
}

impl Site {
    /// Starts both.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub fn start() -> Result<Self, HarnessError> {
        Self::start_with(Vec::new())
    }

    /// The same with these settings of `dev`, each `KEY=VALUE`.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub fn start_with(settings: Vec<String>) -> Result<Self, HarnessError> {
        let folder = new_folder()?;
        let dns = Challtest::start()?;
        let gateway = Gateway::start_dev(DevOptions {
            dns: Some(dns.dns()),
            settings,
            ..DevOptions::default()
        })?;
        Ok(Self {
            gateway,
            others: None,
            _servers: None,
            dns,
            folder,
        })
    }

    /// Starts a node that does everything else, and one that only receives, under the database role of an edge, on
    /// PostgreSQL and Redis.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub fn start_nodes() -> Result<Self, HarnessError> {
        Self::start_nodes_with(Vec::new())
    }

    /// The same with these settings of `dev`, each `KEY=VALUE`.
    ///
    /// # Errors
    /// When one of them does not come up.
    pub fn start_nodes_with(more: Vec<String>) -> Result<Self, HarnessError> {
        let folder = new_folder()?;
        let dns = Challtest::start()?;
        let (server, redis) = (PostgresServer::start()?, Redis::start()?);
        let url = server.database()?;
        let (port, http_port) = (free_port(), free_port());
        let settings = [
            format!("keyset.kek={{ file = {:?} }}", folder.path().join("kek")),
            format!("server.external_url=\"https://127.0.0.1:{port}\""),
            format!("server.status_url=\"http://127.0.0.1:{http_port}\""),
            format!("redis.url={}", redis.url()),
        ];
        let node = |roles: &str, own: &[String]| DevOptions {
            data_dir: Some(folder.path().join(roles)),
            dns: Some(dns.dns()),
            database: Some(url.clone()),
            roles: Some(roles.to_owned()),
            settings: settings.iter().chain(&more).chain(own).cloned().collect(),
            ..DevOptions::default()
        };
        let listener = |name: &str, port: u16| format!("server.listeners.{name}.addr=\"127.0.0.1:{port}\"");
        let others = Gateway::start_dev(node("worker,status,console", &[listener("http", http_port)]))?;
        let mut script = others.command(&["migrate", "roles"]);
        let script = attempt(&mut script, COMMAND_LIMIT)?.success()?.stdout;
        let database = url.rsplit('/').next().unwrap_or_default();
        server.sql(database, &script)?;
        let role = "CREATE ROLE front LOGIN PASSWORD 'front' IN ROLE portreeve_edge";
        server.sql(database, role)?;
        let mut edge = node("edge", &[listener("public", port)]);
        edge.database = Some(url.replace(OWNER, "front:front"));
        let gateway = Gateway::start_dev(edge)?;
        Ok(Self {
            gateway,
            others: Some(others),
            _servers: Some((server, redis)),
            dns,
            folder,
        })
    }

    /// The node that operators ask.
    pub fn console(&self) -> &Gateway {
        self.others.as_ref().unwrap_or(&self.gateway)
    }

    /// The id of the one request that waits for a decision, when there is one.
    ///
    /// # Errors
    /// When none comes in time, or the list cannot be read.
    pub fn waiting_request(&self) -> Result<String, HarnessError> {
        until("a request that waits", PUBLICATION_LIMIT, || {
            let listed = self.console().control(&LIST_AWAITING)?.success()?;
            Ok(awaiting(&listed.stdout).pop())
        })
    }

    /// A path in the test's own folder.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Waits until a certificate stands in the revocation list.
    ///
    /// # Errors
    /// When it does not in time, or the list cannot be read.
    pub fn wait_until_revoked(&self, certificate: &Certificate) -> Result<(), HarnessError> {
        until(
            &format!("{} in the revocation list", certificate.serial),
            PUBLICATION_LIMIT,
            || Ok(self.is_revoked(certificate)?.then_some(())),
        )
    }

    /// Whether a certificate stands in the revocation list now.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub fn is_revoked(&self, certificate: &Certificate) -> Result<bool, HarnessError> {
        Ok(revoked_serials(&self.gateway)?.contains(&certificate.serial))
    }
}

/// The ids in a list of requests.
fn awaiting(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap_or_default();
    let items = list.get("items").and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| item.get("id").and_then(Value::as_str))
        .map(str::to_owned)
        .collect()
}

fn new_folder() -> Result<TempDir, HarnessError> {
    TempDir::with_prefix("portreeve-interop-").map_err(|source| HarnessError::File {
        path: "/tmp".into(),
        source,
    })
}

/// Names as a set, to compare with [`Certificate::names`].
pub fn names(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|name| (*name).to_owned()).collect()
}
