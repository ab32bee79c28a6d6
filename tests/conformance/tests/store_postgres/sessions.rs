//! Connections: hosts in turn, credentials, settings, and what the server says of itself.

use portreeve_ra::ports::Clock;
use portreeve_store::{StoreUrl, Verdict};

use super::*;

fn now() -> portreeve_pkix::Timestamp {
    portreeve_pkix::Timestamp::from_unix_millis(
        i64::try_from(std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap().as_millis()).unwrap(),
    )
}

async fn facts(raw_url: &str) -> Result<portreeve_store::ServerFacts, OpenError> {
    let url = StoreUrl::parse(raw_url, std::path::Path::new("/")).unwrap();
    url.server(now).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_socket_and_a_password_that_needs_encoding() {
    let subject = Postgres::new().await;
    let server = PostgresServer::shared().unwrap();
    let database = subject.raw_url.rsplit('/').next().unwrap();
    let folder = server.socket_folder().to_str().unwrap();
    let socket = format!(
        "postgres://harness@/{database}?host={folder}&port={}",
        server.port()
    );
    facts(&socket).await.expect("a socket");
    execute(
        &subject.raw_url,
        "CREATE ROLE \"us@er\" LOGIN PASSWORD 'p@ss w/:%'",
    )
    .await;
    let login = |password: &str| {
        let credentials = format!("us%40er:{password}@");
        subject.raw_url.replace("harness@", &credentials)
    };
    facts(&login("p%40ss%20w%2F%3A%25")).await.expect("the password");
    let error = facts(&login("sesame")).await.unwrap_err();
    let words = format!("{error} {error:?}");
    assert!(words.contains("28P01") && !words.contains("sesame"), "{words}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_first_host_that_may_be_written_to_is_used() {
    let subject = Postgres::new().await;
    let good = format!("127.0.0.1:{}", PostgresServer::shared().unwrap().port());
    let dead = format!("127.0.0.1:{}", portreeve_harness::process::free_port());
    let with = |hosts: &str| subject.raw_url.replace(&good, hosts);
    for hosts in [
        format!("{dead},{good}"),
        format!("{good},{dead}"),
        format!("{dead},{dead},{good}"),
    ] {
        facts(&with(&hosts)).await.expect(&hosts);
    }
    let error = facts(&with(&format!("{dead},{dead}")))
        .await
        .unwrap_err()
        .to_string();
    assert!(error.contains(&dead), "{error}");

    // A host whose database is read-only is passed over, and alone is refused.
    let database = subject.raw_url.rsplit('/').next().unwrap();
    let standby = format!("ALTER DATABASE {database} SET default_transaction_read_only = on");
    execute(&subject.raw_url, &standby).await;
    let error = facts(&subject.raw_url).await.unwrap_err().to_string();
    assert!(error.contains("cannot be written to"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_are_durable_whatever_the_default() {
    let subject = Postgres::new().await;
    let database = subject.raw_url.rsplit('/').next().unwrap();
    execute(
        &subject.raw_url,
        &format!("ALTER DATABASE {database} SET synchronous_commit = off"),
    )
    .await;
    let store = subject.open().await.unwrap();
    let found = store.server(|| subject.clock.now()).await.unwrap();
    assert_eq!(found.durability().0, Verdict::Fine, "{found:?}");
    assert!(found.version_number >= 130_000, "{found:?}");
    assert_eq!(
        found.clock().0,
        Verdict::Wrong,
        "the clock of the test is years ahead: {found:?}"
    );
    let found = facts(&subject.raw_url).await.unwrap();
    assert_eq!(found.clock().0, Verdict::Fine, "{found:?}");
}

/// Without a clock of a test the store goes by the database's.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_time_is_the_database_s_own() {
    use portreeve_conformance::store::fixtures::{node, spend, task};
    use portreeve_ra::ports::{Batch, NewTask};
    let subject = Postgres::new().await;
    let mut options = options(&subject.clock);
    options.time = StoreTime::Database;
    let database = PostgresDatabase::open(&subject.url, options).await.unwrap();
    let store = database.into_store(Arc::clone(&subject.sealer));
    let hour = std::time::Duration::from_secs(3_600);
    let due = |number, wait| NewTask { wait, ..task(number) };
    let tasks = vec![due(1, std::time::Duration::ZERO), due(2, hour)];
    store
        .commit(Batch {
            tasks,
            ..Batch::default()
        })
        .await
        .unwrap();
    let claimed = store.claim_due(node(1), hour, 5).await.unwrap();
    assert_eq!(claimed.leases.len(), 1);
    store
        .commit(Batch {
            spends: vec![spend(1, now().saturating_add(hour))],
            ..Batch::default()
        })
        .await
        .unwrap();
    assert_eq!(
        store.sweep(5).await.unwrap(),
        0,
        "whatever the clock of this node says"
    );
    let held = store.lease("duty", node(1), hour).await.unwrap().unwrap();
    let until = now().saturating_add(hour);
    assert!(
        held.until.since(until).as_secs() < 10 && until.since(held.until).as_secs() < 10,
        "{held:?}"
    );
}

/// PostgreSQL's text has no octet zero, and a name in a request may: it is shown, not refused.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_with_an_octet_zero_is_shown_without_it() {
    use portreeve_conformance::store::fixtures::request_row;
    use portreeve_ra::ports::{Batch, Projection};
    let subject = Postgres::new().await;
    let mut row = request_row(1, "acme/test", "received");
    row.names = "CN=a\0b".to_owned();
    let projections = vec![Projection::Request(row)];
    subject
        .store
        .commit(Batch {
            projections,
            ..Batch::default()
        })
        .await
        .unwrap();
    let found = subject
        .store
        .requests(&Default::default(), None, 1)
        .await
        .unwrap();
    assert_eq!(found.items[0].names, "CN=a\u{fffd}b");
}
