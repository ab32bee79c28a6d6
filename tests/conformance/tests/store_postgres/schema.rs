//! Opening: schemas that are not ours, waiting migrations, and several nodes at once.

use portreeve_ra::ports::Clock;
use portreeve_store::{Migrated, SchemaStatus, StoreUrl};

use super::*;

type Expected = fn(&OpenError) -> bool;

const EVERYTHING: &str = "SELECT coalesce(string_agg(relname || ' ' || relkind::text, ', ' ORDER BY relname), '') \
                          FROM pg_class WHERE relnamespace = 'public'::regnamespace";

fn store_url(raw: &str) -> StoreUrl {
    StoreUrl::parse(raw, std::path::Path::new("/")).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn schemas_that_are_not_ours_are_refused_and_not_touched() {
    let rows_: [(&str, bool, &str, Expected); 5] = [
        (
            "written by a newer program",
            true,
            "INSERT INTO schema_version SELECT version + 1, 'later', digest, applied_at FROM schema_version",
            |error| matches!(error, OpenError::Newer { found: 2, known: 1 }),
        ),
        (
            "a migration of another make",
            true,
            r"UPDATE schema_version SET digest = '\x00'",
            |error| matches!(error, OpenError::Altered { version: 1 }),
        ),
        (
            "another program's tables",
            false,
            "CREATE TABLE customer (id bigint)",
            |error| matches!(error, OpenError::Foreign { .. }),
        ),
        (
            "another program's table of versions",
            false,
            "CREATE TABLE schema_version (version bigint)",
            |error| matches!(error, OpenError::Foreign { .. }),
        ),
        ("no schema at all", false, "DROP SCHEMA public", |error| {
            matches!(error, OpenError::Foreign { .. })
        }),
    ];
    for (name, ours, edit, expected) in rows_ {
        let subject = if ours {
            Postgres::new().await
        } else {
            let raw_url = empty_database();
            execute(&raw_url, edit).await;
            let clock = HandClock::default();
            let error = PostgresDatabase::open(&raw_url.parse().unwrap(), options(&clock))
                .await
                .err()
                .expect(name);
            assert!(expected(&error), "{name}: {error:?}");
            let error = store_url(&raw_url).migrate(clock.now()).await.expect_err(name);
            assert!(expected(&error), "{name}: {error:?}");
            continue;
        };
        execute(&subject.raw_url, edit).await;
        let before = rows(&subject.raw_url, EVERYTHING).await;
        let error = subject.open().await.err().expect(name);
        assert!(expected(&error), "{name}: {error:?}");
        let error = store_url(&subject.raw_url)
            .migrate(subject.clock.now())
            .await
            .expect_err(name);
        assert!(expected(&error), "{name}: {error:?}");
        assert_eq!(rows(&subject.raw_url, EVERYTHING).await, before, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_wait_until_they_are_asked_for() {
    let raw_url = empty_database();
    let url = store_url(&raw_url);
    let clock = HandClock::default();
    let refusing = || {
        let mut options = options(&clock);
        options.common.pending = PendingMigrations::Refuse;
        options.common.made_by = MadeBy::Serve;
        options
    };
    let postgres: PostgresUrl = raw_url.parse().unwrap();
    assert_eq!(url.status().await.unwrap(), SchemaStatus::Empty);
    let refused = PostgresDatabase::open(&postgres, refusing()).await.err();
    assert!(
        matches!(refused, Some(OpenError::Pending { found: 0, known: 1 })),
        "{refused:?}"
    );
    assert_eq!(url.status().await.unwrap(), SchemaStatus::Empty);
    assert_eq!(rows(&raw_url, EVERYTHING).await, [""], "nothing was made");
    assert_eq!(
        url.migrate(clock.now()).await.unwrap(),
        Migrated { from: 0, to: 1 }
    );
    assert_eq!(
        url.migrate(clock.now()).await.unwrap(),
        Migrated { from: 1, to: 1 }
    );
    assert_eq!(url.status().await.unwrap(), SchemaStatus::Current { version: 1 });
    let database = PostgresDatabase::open(&postgres, refusing()).await.unwrap();
    assert_eq!(database.installation().made_by, MadeBy::Serve);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn installation_and_raw_values_outlive_the_process() {
    let subject = Postgres::new().await;
    let installation = *subject.store.installation();
    assert_eq!(installation.made_by, MadeBy::Dev);
    subject.store.put_value("keyset", b"first").await.unwrap();
    subject.store.put_sealed_key("root", b"key").await.unwrap();
    subject.store.close().await;
    let mut later = options(&subject.clock);
    later.common.made_by = MadeBy::Serve;
    let mut database = PostgresDatabase::open(&subject.url, later).await.unwrap();
    assert_eq!(
        *database.installation(),
        installation,
        "fixed when it was first opened"
    );
    assert!(!database.put_value_if_absent("keyset", b"second").await.unwrap());
    assert_eq!(database.value("keyset").await.unwrap(), Some(b"first".to_vec()));
    assert_eq!(database.value("root").await.unwrap(), None, "keys lie apart");
    database.put_value("keyset", b"third").await.unwrap();
    let store = database.into_store(Arc::clone(&subject.sealer));
    assert_eq!(store.value("keyset").await.unwrap(), Some(b"third".to_vec()));
    assert_eq!(store.sealed_key("root").await.unwrap(), Some(b"key".to_vec()));
    assert_eq!(store.sealed_key("other").await.unwrap(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_start_at_once_on_an_empty_database_agree() {
    const NODES: u8 = 8;
    for round in 0..3 {
        let url: PostgresUrl = empty_database().parse().unwrap();
        let starting: Vec<_> = (0..NODES)
            .map(|node| {
                let (url, clock) = (url.clone(), HandClock::default());
                tokio::spawn(async move {
                    let mut database = PostgresDatabase::open(&url, options(&clock)).await.unwrap();
                    let wrote = database.put_value_if_absent("keyset", &[node]).await.unwrap();
                    let keyset = database.value("keyset").await.unwrap().unwrap();
                    (database.installation().id, keyset, wrote)
                })
            })
            .collect();
        let mut found = Vec::new();
        for node in starting {
            found.push(node.await.unwrap());
        }
        let (id, keyset, _) = &found[0];
        assert!(
            found.iter().all(|(other, ..)| other == id),
            "round {round}: one installation"
        );
        assert!(
            found.iter().all(|(_, other, _)| other == keyset),
            "round {round}: one keyset"
        );
        assert_eq!(
            found.iter().filter(|(.., wrote)| *wrote).count(),
            1,
            "round {round}: one wrote it"
        );
    }
}
