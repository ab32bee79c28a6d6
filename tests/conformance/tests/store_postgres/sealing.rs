//! Sealing where several write at once: numbers that are committed out of order, and what each role may do.

use std::time::Duration;

use portreeve_audit::verify_log;
use portreeve_conformance::audit::{Kept, Writer, scope, sealer};
use portreeve_conformance::store::fixtures::{enrollment, node, records, stream};
use portreeve_ra::ports::{Seal, SealError, SealHolder};
use portreeve_ra::{EnrollmentEvent, ErasedWith, Event, Purpose, Record, StreamId};
use portreeve_store::StoreUrl;
use sqlx::Postgres as Engine;

use super::roles::Nodes;
use super::*;

/// Inserts a record in a transaction that stays open.
async fn insert(transaction: &mut sqlx::Transaction<'_, Engine>, record: &Record) {
    let (header, stored) = (record.header(), record.to_stored());
    sqlx::query(
        "INSERT INTO record (kind, stream, position, header, payload_digest, salt, payload, key, signature) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    )
    .bind(i64::from(header.stream.kind.number()))
    .bind(header.stream.id.to_vec())
    .bind(i64::try_from(header.position).unwrap())
    .bind(stored.header)
    .bind(stored.payload_digest)
    .bind(stored.salt)
    .bind(stored.payload)
    .bind(stored.key)
    .bind(stored.signature)
    .execute(&mut **transaction)
    .await
    .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_is_overtaken_is_sealed_and_one_that_never_comes_is_passed() {
    let subject = Postgres::new().await;
    let (outside, mut writer) = (Arc::new(Kept::default()), Writer::default());
    let sealer = sealer(&subject, node(1), &outside);
    let mut slow = PgConnection::connect(&subject.raw_url).await.unwrap();
    let mut lost = PgConnection::connect(&subject.raw_url).await.unwrap();
    let (mut slow, mut lost) = (slow.begin().await.unwrap(), lost.begin().await.unwrap());
    let first = writer.says(stream(1), "the slow one");
    insert(&mut slow, &first).await;
    insert(&mut lost, &Writer::default().says(stream(2), "the lost one")).await;
    for number in 0..40 {
        let record = writer.says(stream(3), &format!("{number}"));
        subject.store.commit(records([record])).await.unwrap();
    }
    sealer.once().await.unwrap();
    let log = subject.audit_log();
    let progress = log.progress().await.unwrap();
    assert_eq!((progress.size, progress.high, progress.watermark), (40, 42, 0));
    lost.rollback().await.unwrap();
    slow.commit().await.unwrap();
    // What follows in the slow one's stream is committed after it, and sealed after it.
    let second = writer.says(stream(1), "after the slow one");
    subject.store.commit(records([second.clone()])).await.unwrap();
    sealer.once().await.unwrap();
    let leaves = log.leaves(40, 10).await.unwrap();
    let hashes: Vec<_> = leaves.iter().map(|leaf| leaf.hash).collect();
    assert_eq!(hashes, [first.hash(), second.hash()]);
    let report = verify_log(log.as_ref(), &scope(), |_, _| ()).await.unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    let progress = log.progress().await.unwrap();
    assert_eq!(
        (progress.size, progress.watermark),
        (42, 1),
        "the number of the lost one is waited for"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn nodes_that_write_and_seal_at_once() {
    let subject = Arc::new(Postgres::new().await);
    let other = subject.open().await.unwrap();
    let mut writing = Vec::new();
    for number in 0..8 {
        let store = if number % 2 == 0 {
            Arc::clone(&subject.store)
        } else {
            Arc::clone(&other)
        };
        writing.push(tokio::spawn(async move {
            let mut writer = Writer::default();
            for turn in 0..120 {
                let record = writer.says(stream(number), &format!("{turn}"));
                store.commit(records([record.clone()])).await.unwrap();
                if turn % 9 == 0 {
                    // One that comes too late for its place leaves a number that is never used.
                    assert!(store.commit(records([record])).await.is_err());
                }
            }
        }));
    }
    let outside = Arc::new(Kept::default());
    let sealers = [1, 2].map(|number| sealer(subject.as_ref(), node(number), &outside));
    while writing.iter().any(|task| !task.is_finished()) {
        let [first, second] = &sealers;
        let _ = tokio::join!(first.once(), second.once());
        subject.clock.advance(Duration::from_secs(3));
    }
    for task in writing {
        task.await.unwrap();
    }
    subject.clock.advance(Duration::from_secs(6));
    sealers[0].once().await.unwrap();
    let report = verify_log(subject.audit_log().as_ref(), &scope(), |_, _| ())
        .await
        .unwrap();
    assert!(report.is_good(), "{:?}", report.faults);
    assert_eq!((report.size, report.unsealed), (960, 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_log_is_read_past_a_running_store() {
    let subject = Postgres::new().await;
    let url = StoreUrl::parse(&subject.raw_url, std::path::Path::new("/")).unwrap();
    assert!(url.audit().await.is_err(), "there is no keyset");
    subject.store.put_value("keyset", b"wrapped").await.unwrap();
    let mut writer = Writer::default();
    subject
        .store
        .commit(records([writer.says(stream(1), "words")]))
        .await
        .unwrap();
    sealer(&subject, node(1), &Arc::default()).once().await.unwrap();
    let found = url.audit().await.unwrap();
    assert_eq!(found.keyset, b"wrapped");
    assert_eq!(found.installation, subject.store.installation().id);
    assert_eq!(found.log.leaves(0, 5).await.unwrap().len(), 1);
    let empty = StoreUrl::parse(&empty_database(), std::path::Path::new("/")).unwrap();
    assert!(empty.audit().await.is_err(), "there is no schema");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_worker_seals_and_a_console_erases() {
    let nodes = Nodes::new("wall_s").await;
    let (worker, console) = (nodes.store(&["worker"]).await, nodes.store(&["console"]).await);
    let edge = nodes.store(&["edge"]).await;
    let mut writer = Writer::default();
    let ended = StreamId::enrollment(enrollment(7));
    let expired = writer.record(
        Purpose::Worker,
        ended,
        Event::Enrollment(EnrollmentEvent::Expired),
    );
    worker.commit(records([expired])).await.unwrap();
    let erased = writer.record(
        Purpose::Console,
        ended,
        Event::Enrollment(EnrollmentEvent::Erased(ErasedWith::default())),
    );
    console.commit(records([erased])).await.unwrap();
    let lease = worker
        .lease("audit/seal", node(1), Duration::from_secs(9))
        .await
        .unwrap()
        .unwrap();
    let seal = |leaves| Seal {
        holder: SealHolder {
            duty: "audit/seal",
            node: node(1),
            fence: lease.fence,
        },
        size: 0,
        high: 2,
        watermark: 2,
        leaves,
        nodes: Vec::new(),
    };
    let found = worker.audit_log().unsealed(&[], 0, 10).await.unwrap();
    assert_eq!(found.len(), 2);
    let denied = console.seal(seal(found.clone())).await;
    assert!(
        matches!(denied, Err(SealError::Store(StoreError::Broken(_)))),
        "{denied:?}"
    );
    worker.seal(seal(found)).await.unwrap();
    assert_eq!(console.audit_log().leaves(0, 10).await.unwrap().len(), 2);
    for store in [&edge, &worker] {
        let denied = store.erase(ended, 2).await;
        assert!(
            matches!(&denied, Err(StoreError::Broken(reason)) if reason.contains("42501")),
            "{denied:?}"
        );
    }
    assert!(edge.audit_log().leaves(0, 10).await.is_err());
    assert_eq!(console.erase(ended, 2).await.unwrap(), 1);
    assert_eq!(
        console.erase(ended, 1).await.unwrap(),
        0,
        "behind a record of a worker"
    );
}
