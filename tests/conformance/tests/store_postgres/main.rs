//! The suite of the store on PostgreSQL, and what is particular to it. One server for all tests, a database for each.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod gathered;
mod growth;
mod locks;
mod outage;
mod roles;
mod schema;
mod sealing;
mod sessions;
mod tls;

use std::sync::Arc;

use async_trait::async_trait;
use portreeve_conformance::fakes::{FreshRandom, HandClock, OneKeySealer};
use portreeve_conformance::store::StoreUnderTest;
use portreeve_harness::pace::PATIENCE;
use portreeve_harness::postgres::PostgresServer;
use portreeve_ra::ports::{
    AuditLog, CommitError, Documents, Leases, Sealer, Sealing, Store, StoreError, Tasks,
};
use portreeve_store::{
    MadeBy, OpenError, Options, PendingMigrations, PostgresDatabase, PostgresOptions, PostgresStore,
    PostgresUrl, StoreTime,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

struct Postgres {
    url: PostgresUrl,
    raw_url: String,
    clock: HandClock,
    sealer: Arc<dyn Sealer>,
    store: Arc<PostgresStore>,
}

impl Postgres {
    async fn new() -> Self {
        Self::at(&empty_database()).await
    }

    async fn at(raw_url: &str) -> Self {
        let url: PostgresUrl = raw_url.parse().unwrap();
        let (clock, sealer) = (HandClock::default(), Arc::new(OneKeySealer::default()));
        let database = open(&url, || options(&clock)).await.unwrap();
        let store = database.into_store(sealer.clone());
        Self {
            url,
            raw_url: raw_url.to_owned(),
            clock,
            sealer,
            store,
        }
    }

    async fn open(&self) -> Result<Arc<PostgresStore>, OpenError> {
        let database = open(&self.url, || options(&self.clock)).await?;
        Ok(database.into_store(Arc::clone(&self.sealer)))
    }
}

/// Opens a database. A server that is there may take long to answer on a busy machine.
async fn open(
    url: &PostgresUrl,
    options: impl Fn() -> PostgresOptions,
) -> Result<PostgresDatabase, OpenError> {
    let begun = std::time::Instant::now();
    loop {
        match PostgresDatabase::open(url, options()).await {
            Err(OpenError::Unreachable { reason })
                if reason.contains("no answer within") && begun.elapsed() < PATIENCE => {}
            opened => return opened,
        }
    }
}

/// The URL of a new database on the server that all tests share.
fn empty_database() -> String {
    tokio::task::block_in_place(|| PostgresServer::shared().unwrap().database().unwrap())
}

fn options(clock: &HandClock) -> PostgresOptions {
    PostgresOptions {
        common: Options {
            made_by: MadeBy::Dev,
            pending: PendingMigrations::Apply,
            clock: Arc::new(clock.clone()),
            random: Arc::new(FreshRandom),
        },
        connections_max: 8,
        time: StoreTime::Given(Arc::new(clock.clone())),
    }
}

/// The suite writes octets as SQLite does.
fn translated(sql: &str) -> String {
    let mut text = sql.replace("AS BLOB", "AS bytea");
    while let Some(at) = text.find(" x'") {
        text.replace_range(at..at + 3, r" '\x");
    }
    text
}

async fn rows(url: &str, sql: &str) -> Vec<String> {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let rows = connection.fetch_all(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

fn unavailable(outcome: &Result<(), CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Store(StoreError::Unavailable { .. })))
}

async fn execute(url: &str, sql: &str) -> u64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
    done.rows_affected()
}

#[async_trait]
impl StoreUnderTest for Postgres {
    fn clock(&self) -> HandClock {
        self.clock.clone()
    }
    fn store(&self) -> Arc<dyn Store> {
        Arc::clone(&self.store) as Arc<dyn Store>
    }
    fn tasks(&self) -> Arc<dyn Tasks> {
        Arc::clone(&self.store) as Arc<dyn Tasks>
    }
    fn documents(&self) -> Arc<dyn Documents> {
        Arc::clone(&self.store) as Arc<dyn Documents>
    }
    fn leases(&self) -> Arc<dyn Leases> {
        Arc::clone(&self.store) as Arc<dyn Leases>
    }
    fn audit_log(&self) -> Arc<dyn AuditLog> {
        self.store.audit_log()
    }
    fn sealing(&self) -> Arc<dyn Sealing> {
        Arc::clone(&self.store) as Arc<dyn Sealing>
    }
    async fn restart(&mut self) {
        self.store.close().await;
        self.store = self.open().await.unwrap();
    }
    async fn tamper(&self, sql: &str) -> u64 {
        execute(&self.raw_url, &translated(sql)).await
    }
}

portreeve_conformance::store_suite!(super::Postgres::new);
