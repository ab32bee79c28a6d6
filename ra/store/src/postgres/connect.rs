//! Connecting: the hosts of a URL in turn, and the first of them that may be written to.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgRow};
use sqlx::{ConnectOptions, Executor, PgConnection, Row};

use super::failure::Failure;
use super::url::PostgresUrl;

/// All hosts together have this long to let us in.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(4);

/// The same for a program that starts, on a server that may be starting as well.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// The oldest server that has what the schema needs, as `server_version_num` says it.
pub(crate) const SERVER_VERSION_MIN: i64 = 130_000;

/// What a connection is for: how long its statements may take.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(crate) enum Session {
    /// Serving: short statements, each within the time a client waits.
    Serving,
    /// Changing the schema.
    Schema,
}

impl Session {
    /// Sets up a session in one round trip, and asks where it has ended up. A commit is acknowledged when it is on
    /// disk, or later if the server is set so; never earlier. Names are looked up in the store's schema and among the
    /// server's own: nothing of another schema is run, however well its arguments fit.
    const fn statement(self) -> &'static str {
        match self {
            Self::Serving => {
                "SELECT pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit') \
                 WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false), \
                 pg_catalog.set_config('statement_timeout', '3500', false), pg_catalog.set_config('lock_timeout', '2000', false), \
                 pg_catalog.set_config('idle_in_transaction_session_timeout', '5000', false), \
                 pg_catalog.set_config('default_transaction_isolation', 'read committed', false), \
                 pg_catalog.set_config('client_min_messages', 'warning', false), pg_catalog.set_config('jit', 'off', false), \
                 pg_catalog.set_config('search_path', coalesce(pg_catalog.quote_ident(pg_catalog.current_schema()::text) || ', pg_temp', \
                 pg_catalog.current_setting('search_path')), false), \
                 pg_catalog.set_config('plan_cache_mode', 'force_generic_plan', false), \
                 pg_catalog.current_setting('transaction_read_only') AS read_only, \
                 pg_catalog.current_setting('server_version_num') AS version"
            }
            Self::Schema => {
                "SELECT pg_catalog.set_config('synchronous_commit', CASE pg_catalog.current_setting('synchronous_commit') \
                 WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false), \
                 pg_catalog.set_config('statement_timeout', '600000', false), pg_catalog.set_config('lock_timeout', '30000', false), \
                 pg_catalog.set_config('idle_in_transaction_session_timeout', '60000', false), \
                 pg_catalog.set_config('default_transaction_isolation', 'read committed', false), \
                 pg_catalog.set_config('client_min_messages', 'warning', false), pg_catalog.set_config('jit', 'off', false), \
                 pg_catalog.set_config('search_path', coalesce(pg_catalog.quote_ident(pg_catalog.current_schema()::text) || ', pg_temp', \
                 pg_catalog.current_setting('search_path')), false), \
                 pg_catalog.current_setting('transaction_read_only') AS read_only, \
                 pg_catalog.current_setting('server_version_num') AS version"
            }
        }
    }
}

/// A database server, or several of which one is written to.
#[derive(Debug)]
pub(crate) struct Server {
    hosts: Vec<(String, PgConnectOptions)>,
    /// The host that was good last is tried first.
    preferred: AtomicUsize,
}

impl Server {
    pub(crate) fn new(url: &PostgresUrl) -> Self {
        let hosts = url.hosts().iter();
        Self {
            hosts: hosts.map(|host| (host.to_string(), url.options(host))).collect(),
            preferred: AtomicUsize::new(0),
        }
    }

    /// A connection to the first host that lets us in and may be written to.
    pub(crate) async fn connect(&self, session: Session) -> Result<PgConnection, Failure> {
        self.connect_within(session, CONNECT_TIMEOUT).await
    }

    /// The same for a program that starts, whom nobody waits for: it had better wait than end.
    pub(crate) async fn connect_patiently(&self, session: Session) -> Result<PgConnection, Failure> {
        self.connect_within(session, START_TIMEOUT).await
    }

    async fn connect_within(&self, session: Session, at_most: Duration) -> Result<PgConnection, Failure> {
        let count = self.hosts.len().max(1);
        let each = at_most / u32::try_from(count).unwrap_or(1);
        let first = self.preferred.load(Ordering::Relaxed);
        let mut reasons = Vec::new();
        for index in (0..count).map(|turn| (first + turn) % count) {
            let Some((name, options)) = self.hosts.get(index) else {
                continue;
            };
            let outcome = match tokio::time::timeout(each, enter(options, session)).await {
                Ok(outcome) => outcome,
                Err(_) => Err(Failure::Lost(format!("no answer within {each:?}"))),
            };
            match outcome {
                Ok(connection) => {
                    self.preferred.store(index, Ordering::Relaxed);
                    return Ok(connection);
                }
                Err(
                    Failure::Lost(reason)
                    | Failure::Busy(reason)
                    | Failure::Tangled(reason)
                    | Failure::Broken(reason),
                ) => reasons.push(format!("{name}: {reason}")),
                Err(conflict @ Failure::Conflict { .. }) => return Err(conflict),
            }
        }
        Err(Failure::Lost(reasons.join("; ")))
    }
}

async fn enter(options: &PgConnectOptions, session: Session) -> Result<PgConnection, Failure> {
    let mut connection = options.connect().await?;
    let rows = connection.fetch_all(session.statement()).await?;
    let word = |row: &PgRow, name: &str| row.try_get::<String, _>(name).unwrap_or_default();
    let (read_only, version) = rows
        .first()
        .map(|row| (word(row, "read_only"), word(row, "version")))
        .unwrap_or_default();
    if version.parse::<i64>().unwrap_or(0) < SERVER_VERSION_MIN {
        return Err(Failure::Lost(format!(
            "server version {version} is too old: PostgreSQL 13 or later is needed"
        )));
    }
    if read_only != "off" {
        return Err(Failure::Lost("it cannot be written to: a standby".to_owned()));
    }
    Ok(connection)
}
