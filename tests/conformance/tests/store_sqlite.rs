//! The suite of the store on SQLite, and what is particular to it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use portreeve_conformance::fakes::{FreshRandom, HandClock, OneKeySealer};
use portreeve_conformance::store::StoreUnderTest;
use portreeve_conformance::store::fixtures::{document, documents, record, records, stream};
use portreeve_ra::ports::{
    AuditLog, Clock, CommitError, Conflict, Documents, Leases, Sealer, Sealing, Store, StoreError, Tasks,
};
use portreeve_store::{
    Database, MadeBy, Migrated, OpenError, Options, PendingMigrations, SchemaStatus, SqliteStore, StoreUrl,
    migrate, status,
};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Executor, Row};
use tempfile::TempDir;

struct Sqlite {
    directory: TempDir,
    clock: HandClock,
    sealer: Arc<dyn Sealer>,
    store: Arc<SqliteStore>,
}

impl Sqlite {
    async fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let (clock, sealer) = (HandClock::default(), Arc::new(OneKeySealer::default()));
        let store = SqliteStore::open(directory.path(), options(&clock), sealer.clone())
            .await
            .unwrap();
        Self {
            directory,
            clock,
            sealer,
            store,
        }
    }

    async fn open(&self, directory: &Path) -> Result<Arc<SqliteStore>, OpenError> {
        SqliteStore::open(directory, options(&self.clock), Arc::clone(&self.sealer)).await
    }
}

fn options(clock: &HandClock) -> Options {
    Options {
        made_by: MadeBy::Dev,
        pending: PendingMigrations::Apply,
        clock: Arc::new(clock.clone()),
        random: Arc::new(FreshRandom),
    }
}

async fn execute(directory: &Path, sql: &str) -> u64 {
    let file = SqliteConnectOptions::new()
        .filename(directory.join("portreeve.db"))
        .create_if_missing(true);
    let mut connection = file.connect().await.unwrap();
    let done = connection.execute(AssertSqlSafe(sql.to_owned())).await.unwrap();
    connection.close().await.unwrap();
    done.rows_affected()
}

#[async_trait]
impl StoreUnderTest for Sqlite {
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
        self.store = self.open(self.directory.path()).await.unwrap();
    }
    async fn tamper(&self, sql: &str) -> u64 {
        execute(self.directory.path(), sql).await
    }
}

portreeve_conformance::store_suite!(super::Sqlite::new);

fn unavailable(outcome: &Result<(), CommitError>) -> bool {
    matches!(outcome, Err(CommitError::Store(StoreError::Unavailable { .. })))
}

#[tokio::test]
async fn a_second_opener_is_refused_until_the_first_has_gone() {
    let subject = Sqlite::new().await;
    let directory = subject.directory.path();
    let refused = subject.open(directory).await.err();
    assert!(matches!(refused, Some(OpenError::Locked { .. })), "{refused:?}");
    let refused = migrate(directory, subject.clock.now()).await;
    assert!(matches!(refused, Err(OpenError::Locked { .. })), "{refused:?}");
    assert!(
        matches!(status(directory).await, Ok(SchemaStatus::Current { .. })),
        "looking is allowed"
    );
    subject.store.close().await;
    subject.open(directory).await.unwrap();
}

type Expected = fn(&OpenError) -> bool;

#[tokio::test]
async fn schemas_that_are_not_ours_are_refused_and_not_touched() {
    let ours = Sqlite::new().await;
    ours.store.close().await;
    let rows: [(&str, bool, &str, Expected); 5] = [
        (
            "written by a newer program",
            true,
            "INSERT INTO schema_version SELECT version + 1, 'later', digest, applied_at FROM schema_version",
            |error| matches!(error, OpenError::Newer { found: 2, known: 1 }),
        ),
        (
            "a migration of another make",
            true,
            "UPDATE schema_version SET digest = x'00'",
            |error| matches!(error, OpenError::Altered { version: 1 }),
        ),
        (
            "another program's tables",
            false,
            "CREATE TABLE customer (id INTEGER)",
            |error| matches!(error, OpenError::Foreign { .. }),
        ),
        (
            "another program's mark",
            false,
            "PRAGMA application_id = 7",
            |error| matches!(error, OpenError::Foreign { .. }),
        ),
        (
            "our mark on another program's tables",
            true,
            "PRAGMA application_id = 7",
            |error| matches!(error, OpenError::Foreign { .. }),
        ),
    ];
    for (name, from_ours, edit, expected) in rows {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("portreeve.db");
        if from_ours {
            std::fs::copy(ours.directory.path().join("portreeve.db"), &file).unwrap();
        }
        execute(directory.path(), edit).await;
        let before = std::fs::read(&file).unwrap();
        let error = ours.open(directory.path()).await.err().expect(name);
        assert!(expected(&error), "{name}: {error:?}");
        let error = migrate(directory.path(), ours.clock.now()).await.expect_err(name);
        assert!(expected(&error), "{name}: {error:?}");
        assert!(
            std::fs::read(&file).unwrap() == before,
            "{name}: the file is as it was"
        );
    }
    let directory = tempfile::tempdir().unwrap();
    std::fs::write(directory.path().join("portreeve.db"), [b'x'; 4_096]).unwrap();
    let error = ours.open(directory.path()).await.err();
    assert!(
        matches!(error, Some(OpenError::Foreign { .. })),
        "no database at all: {error:?}"
    );
    let error = status(directory.path()).await;
    assert!(
        matches!(error, Err(OpenError::Foreign { .. })),
        "no database at all: {error:?}"
    );
}

#[tokio::test]
async fn migrations_wait_until_they_are_asked_for() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let refusing = || Options {
        pending: PendingMigrations::Refuse,
        made_by: MadeBy::Serve,
        ..options(&clock)
    };
    assert_eq!(status(directory.path()).await.unwrap(), SchemaStatus::Empty);
    let refused = Database::open(directory.path(), refusing()).await.err();
    assert!(
        matches!(refused, Some(OpenError::Pending { found: 0, known: 1 })),
        "{refused:?}"
    );
    assert_eq!(status(directory.path()).await.unwrap(), SchemaStatus::Empty);
    assert_eq!(
        migrate(directory.path(), clock.now()).await.unwrap(),
        Migrated { from: 0, to: 1 }
    );
    assert_eq!(
        migrate(directory.path(), clock.now()).await.unwrap(),
        Migrated { from: 1, to: 1 }
    );
    assert_eq!(
        status(directory.path()).await.unwrap(),
        SchemaStatus::Current { version: 1 }
    );
    let database = Database::open(directory.path(), refusing()).await.unwrap();
    assert_eq!(database.installation().made_by, MadeBy::Serve);
}

#[tokio::test]
async fn installation_and_raw_values_outlive_the_process() {
    let directory = tempfile::tempdir().unwrap();
    let clock = HandClock::default();
    let mut database = Database::open(directory.path(), options(&clock)).await.unwrap();
    let installation = *database.installation();
    assert_eq!(
        (installation.made_by, installation.created_at),
        (MadeBy::Dev, clock.now())
    );
    assert_eq!(database.value("keyset").await.unwrap(), None);
    assert!(database.put_value_if_absent("keyset", b"first").await.unwrap());
    assert!(!database.put_value_if_absent("keyset", b"second").await.unwrap());
    assert_eq!(database.value("keyset").await.unwrap(), Some(b"first".to_vec()));
    database.put_value("keyset", b"third").await.unwrap();
    let store = database
        .into_store(Arc::new(OneKeySealer::default()))
        .await
        .unwrap();
    assert_eq!(store.value("keyset").await.unwrap(), Some(b"third".to_vec()));
    store.put_value("keyset", b"fourth").await.unwrap();
    store.close().await;
    clock.advance(std::time::Duration::from_secs(9));
    let as_serve = Options {
        made_by: MadeBy::Serve,
        ..options(&clock)
    };
    let mut again = Database::open(directory.path(), as_serve).await.unwrap();
    assert_eq!(
        *again.installation(),
        installation,
        "fixed when it was first opened"
    );
    assert_eq!(again.value("keyset").await.unwrap(), Some(b"fourth".to_vec()));
}

#[tokio::test]
async fn a_full_disk_is_unavailable_and_heals() {
    let subject = Sqlite::new().await;
    let large = |number: u64| documents([document(number, 1, &"x".repeat(100_000))]);
    subject.store.commit(large(1)).await.unwrap();
    subject.store.limit_pages(Some(1)).await.unwrap();
    let mut both = large(2);
    both.records.push(record(stream(1), 1));
    let outcome = subject.store.commit(both.clone()).await;
    assert!(unavailable(&outcome), "{outcome:?}");
    assert!(subject.store.statistics().failures > 0);
    let read = |number: u64| {
        let id = document(number, 1, "").id;
        let store = Arc::clone(&subject.store);
        async move { store.document(&id).await.unwrap() }
    };
    assert!(read(1).await.is_some(), "reading goes on");
    assert!(read(2).await.is_none());
    assert!(
        subject.store.load(&[stream(1)]).await.unwrap()[0].is_empty(),
        "nothing of it was written"
    );
    subject.store.limit_pages(None).await.unwrap();
    subject.store.commit(both).await.expect("there is room again");
    assert!(read(2).await.is_some());
}

#[tokio::test]
async fn after_closing_commits_are_turned_away() {
    let subject = Sqlite::new().await;
    let waiting: Vec<_> = (1..=50)
        .map(|number| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move { (number, store.commit(records([record(stream(number), 1)])).await) })
        })
        .collect();
    tokio::task::yield_now().await;
    subject.store.close().await;
    assert!(unavailable(
        &subject.store.commit(records([record(stream(99), 1)])).await
    ));
    assert!(matches!(
        subject.store.load(&[stream(1)]).await,
        Err(StoreError::Unavailable { .. })
    ));
    let reopened = subject.open(subject.directory.path()).await.unwrap();
    for outcome in waiting {
        let (number, outcome) = outcome.await.unwrap();
        let written = !reopened.load(&[stream(number)]).await.unwrap()[0].is_empty();
        assert_eq!(
            outcome.is_ok(),
            written,
            "what was acknowledged is there, what was refused is not"
        );
    }
}

#[tokio::test]
async fn commits_are_grouped_and_a_conflict_fails_alone() {
    let subject = Sqlite::new().await;
    let before = subject.store.statistics();
    let racing: Vec<_> = (0..400_u64)
        .map(|number| {
            let store = Arc::clone(&subject.store);
            // Every fourth wants a place that is taken by its neighbour.
            let place = if number % 4 == 3 { number - 1 } else { number };
            tokio::spawn(async move { store.commit(records([record(stream(place), 1)])).await })
        })
        .collect();
    let mut written = 0;
    for outcome in racing {
        match outcome.await.unwrap() {
            Ok(()) => written += 1,
            Err(error) => assert!(
                matches!(error, CommitError::Conflict(Conflict::Stream(_))),
                "{error:?}"
            ),
        }
    }
    let after = subject.store.statistics();
    assert_eq!(written, 300);
    assert_eq!(after.batches - before.batches, 300);
    assert_eq!(after.conflicts - before.conflicts, 100);
    assert!(after.groups - before.groups < 300, "{after:?}");
}

/// A process that is killed leaves database and log as they are: a copy of the two, taken without closing, has
/// everything that was acknowledged.
#[tokio::test]
async fn a_copy_taken_while_open_has_every_acknowledged_commit() {
    let subject = Sqlite::new().await;
    let copy = |to: PathBuf| {
        std::fs::create_dir_all(&to).unwrap();
        for file in ["portreeve.db", "portreeve.db-wal"] {
            std::fs::copy(subject.directory.path().join(file), to.join(file)).unwrap();
        }
        to
    };
    let elsewhere = tempfile::tempdir().unwrap();
    for position in 1..=1_200 {
        subject
            .store
            .commit(records([record(stream(1), position)]))
            .await
            .unwrap();
        if position % 300 == 0 {
            let copied = copy(elsewhere.path().join(position.to_string()));
            let store = subject.open(&copied).await.unwrap();
            let found = store.load(&[stream(1)]).await.unwrap()[0].len();
            assert_eq!(found, usize::try_from(position).unwrap());
            store.close().await;
        }
    }
    assert!(
        subject.store.statistics().checkpoints > 0,
        "checkpoints were made meanwhile"
    );
}

/// What nobody may read is not in the files.
#[tokio::test]
async fn bodies_are_not_stored_in_the_clear() {
    let subject = Sqlite::new().await;
    let needle = "a body that nobody may read";
    subject
        .store
        .commit(documents([document(1, 1, needle)]))
        .await
        .unwrap();
    subject.store.close().await;
    let file = subject.directory.path().join("portreeve.db");
    let found = std::fs::read(file)
        .unwrap()
        .windows(needle.len())
        .any(|window| window == needle.as_bytes());
    assert!(!found);
}

#[tokio::test]
async fn the_database_is_durable_by_its_settings() {
    let subject = Sqlite::new().await;
    let file = SqliteConnectOptions::new().filename(subject.directory.path().join("portreeve.db"));
    let mut connection = file.connect().await.unwrap();
    let mode: String = connection.fetch_one("PRAGMA journal_mode").await.unwrap().get(0);
    assert_eq!(mode, "wal");
    let problems = connection.fetch_all("PRAGMA integrity_check").await.unwrap();
    assert_eq!(problems[0].get::<String, _>(0), "ok");
}

#[tokio::test]
async fn the_audit_log_is_read_past_a_running_store() {
    let subject = Sqlite::new().await;
    let url = StoreUrl::Sqlite(subject.directory.path().to_owned());
    assert!(url.audit().await.is_err(), "there is no keyset");
    subject.store.put_value("keyset", b"wrapped").await.unwrap();
    let written = records([record(stream(1), 1)]);
    subject.store.commit(written).await.unwrap();
    let sealer = portreeve_conformance::audit::sealer(
        &subject,
        portreeve_conformance::store::fixtures::node(1),
        &Arc::default(),
    );
    sealer.once().await.unwrap();
    for round in 1..=2 {
        let found = url.audit().await.unwrap();
        assert_eq!(found.keyset, b"wrapped");
        assert_eq!(found.installation, subject.store.installation().id);
        assert_eq!(found.log.leaves(0, 5).await.unwrap().len(), 1, "round {round}");
        subject.store.close().await;
    }
    let nothing = tempfile::tempdir().unwrap();
    assert!(StoreUrl::Sqlite(nothing.path().to_owned()).audit().await.is_err());
    assert_eq!(
        std::fs::read_dir(nothing.path()).unwrap().count(),
        0,
        "nothing is made"
    );
}
