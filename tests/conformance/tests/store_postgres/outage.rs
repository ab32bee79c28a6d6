//! The server goes away: told at once, never waited for, and back soon after it is.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use portreeve_conformance::store::fixtures::{record, records, stream};
use portreeve_harness::pace::within;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;

/// Back within this time after the server is, where nothing else runs.
const BACK: Duration = Duration::from_secs(5);

async fn until_written(subject: &Postgres, number: u64) {
    let (started, limit) = (Instant::now(), within(BACK));
    loop {
        match subject.store.commit(records([record(stream(number), 1)])).await {
            Ok(()) => return,
            // One whose answer was lost may have been written.
            Err(CommitError::Conflict(_)) => return,
            Err(CommitError::Store(StoreError::Unavailable { .. })) => {}
            Err(other) => panic!("{other:?}"),
        }
        assert!(started.elapsed() < limit, "not back after {limit:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restart_of_the_server_loses_nothing_that_was_acknowledged() {
    let server = tokio::task::block_in_place(|| PostgresServer::start().unwrap());
    let subject = Postgres::at(&server.database().unwrap()).await;
    for (round, kill) in [false, true].into_iter().enumerate() {
        let base = 10_000 * (u64::try_from(round).unwrap() + 1);
        let (sender, stop) = watch::channel(false);
        let written = Arc::new(AtomicU64::new(0));
        let writers: Vec<_> = (0..8_u64)
            .map(|writer| {
                let (store, stop) = (Arc::clone(&subject.store), stop.clone());
                let written = Arc::clone(&written);
                tokio::spawn(async move {
                    let mut acknowledged = Vec::new();
                    let mut number = base + 1_000 * writer;
                    while !*stop.borrow() {
                        number += 1;
                        match store.commit(records([record(stream(number), 1)])).await {
                            Ok(()) => {
                                acknowledged.push(stream(number));
                                written.fetch_add(1, Ordering::SeqCst);
                            }
                            Err(CommitError::Store(StoreError::Unavailable { .. })) => {
                                tokio::time::sleep(Duration::from_millis(50)).await;
                            }
                            Err(other) => panic!("{other:?}"),
                        }
                    }
                    acknowledged
                })
            })
            .collect();
        while written.load(Ordering::SeqCst) < 100 {
            tokio::task::yield_now().await;
        }
        tokio::task::block_in_place(|| if kill { server.kill() } else { server.stop() }).unwrap();
        for _ in 0..20 {
            let started = Instant::now();
            let outcome = subject
                .store
                .commit(records([record(stream(base + 9_999), 1)]))
                .await;
            assert!(unavailable(&outcome), "{outcome:?}");
            assert!(
                started.elapsed() < within(Duration::from_secs(1)),
                "{:?}",
                started.elapsed()
            );
        }
        tokio::task::block_in_place(|| server.start_again()).unwrap();
        until_written(&subject, base + 9_998).await;
        sender.send(true).unwrap();
        for writer in writers {
            let acknowledged = writer.await.unwrap();
            let found = subject.store.load(&acknowledged).await.unwrap();
            assert!(found.iter().all(|records| records.len() == 1), "kill: {kill}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sessions_ended_by_an_administrator_are_replaced() {
    let subject = Postgres::new().await;
    subject
        .store
        .commit(records([record(stream(1), 1)]))
        .await
        .unwrap();
    let end = "SELECT count(pg_terminate_backend(pid))::text FROM pg_stat_activity \
               WHERE datname = current_database() AND pid <> pg_backend_pid()";
    for number in 2..5 {
        rows(&subject.raw_url, end).await;
        assert_eq!(
            subject.store.load(&[stream(1)]).await.unwrap()[0].len(),
            1,
            "a reader does not notice"
        );
        rows(&subject.raw_url, end).await;
        until_written(&subject, number).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn after_closing_everything_is_turned_away_and_what_was_acknowledged_is_there() {
    let subject = Postgres::new().await;
    let waiting: Vec<_> = (1..=50)
        .map(|number| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move { (number, store.commit(records([record(stream(number), 1)])).await) })
        })
        .collect();
    tokio::task::yield_now().await;
    subject.store.close().await;
    let late = subject.store.commit(records([record(stream(99), 1)])).await;
    assert!(unavailable(&late), "{late:?}");
    let read = subject.store.load(&[stream(1)]).await;
    assert!(matches!(read, Err(StoreError::Unavailable { .. })), "{read:?}");
    let reopened = subject.open().await.unwrap();
    for outcome in waiting {
        let (number, outcome) = outcome.await.unwrap();
        let written = !reopened.load(&[stream(number)]).await.unwrap()[0].is_empty();
        assert_eq!(outcome.is_ok(), written, "{number}");
    }
}

/// A way to a server that can swallow everything, as a network does that has come apart.
async fn way(to: u16) -> (u16, watch::Sender<bool>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let (sender, open) = watch::channel(true);
    tokio::spawn(async move {
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            let mut open = open.clone();
            tokio::spawn(async move {
                if !*open.borrow() {
                    // Accepted, and never answered.
                    let _ = open.wait_for(|open| *open).await;
                    return;
                }
                let mut far = TcpStream::connect(("127.0.0.1", to)).await.unwrap();
                let closed = async {
                    let _ = open.wait_for(|open| !*open).await;
                };
                tokio::select! {
                    _ = copy_bidirectional(&mut near, &mut far) => return,
                    () = closed => {}
                }
                let _ = open.wait_for(|open| *open).await;
            });
        }
    });
    (port, sender)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_server_that_no_longer_answers_is_given_up_in_time() {
    let direct = empty_database();
    let server = PostgresServer::shared().unwrap();
    let (port, open) = way(server.port()).await;
    let through = direct.replace(&format!(":{}/", server.port()), &format!(":{port}/"));
    let subject = Postgres::at(&through).await;
    subject
        .store
        .commit(records([record(stream(1), 1)]))
        .await
        .unwrap();

    open.send(false).unwrap();
    let started = Instant::now();
    let asked: Vec<_> = (0..20)
        .map(|_| {
            let store = Arc::clone(&subject.store);
            tokio::spawn(async move { store.load(&[stream(1)]).await })
        })
        .collect();
    let outcome = subject.store.commit(records([record(stream(2), 1)])).await;
    assert!(unavailable(&outcome), "{outcome:?}");
    for one in asked {
        let outcome = one.await.unwrap();
        assert!(
            matches!(outcome, Err(StoreError::Unavailable { .. })),
            "{outcome:?}"
        );
    }
    assert!(
        started.elapsed() < within(Duration::from_millis(6_500)),
        "{:?}",
        started.elapsed()
    );

    open.send(true).unwrap();
    until_written(&subject, 3).await;
    assert_eq!(subject.store.load(&[stream(1)]).await.unwrap()[0].len(), 1);
}
