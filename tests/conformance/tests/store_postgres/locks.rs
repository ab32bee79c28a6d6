//! Transactions that stand in each other's way.

use std::time::{Duration, Instant};

use portreeve_conformance::store::fixtures::{
    document, document_id, documents, node, record, records, stream, task,
};
use portreeve_harness::pace::{PATIENCE, within};
use portreeve_ra::ports::{Batch, Conflict, TaskChange, TaskLease};

use super::*;

/// Waits until a session of this database waits for a lock, or who was to wait has given up.
async fn until_somebody_waits<T>(url: &str, who: &tokio::task::JoinHandle<T>) {
    let started = Instant::now();
    let sql = "SELECT count(*)::text FROM pg_stat_activity \
               WHERE datname = current_database() AND wait_event_type = 'Lock'";
    while !who.is_finished() && rows(url, sql).await != ["1"] {
        assert!(started.elapsed() < PATIENCE, "nobody waits");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_victim_of_a_deadlock_tries_again() {
    let subject = Postgres::new().await;
    let both = |version| documents([1, 2].map(|number| document(number, version, "body")));
    subject.store.commit(both(1)).await.unwrap();
    let mut version = 1;
    let mut tried = 0;
    loop {
        let (committed, was_victim) = deadlock(&subject, both(version + 1)).await;
        version += u64::from(committed.is_ok());
        if was_victim {
            committed.expect("it was run again");
            break;
        }
        // The other was, or nobody: this machine took too long to close the circle.
        tried += 1;
        assert!(tried < 10, "{committed:?}");
    }
    let read = subject.store.document(&document_id(2)).await.unwrap().unwrap();
    assert_eq!(read.version, version);
}

/// A batch that writes the documents 1 and 2, in the way of somebody who does so the other way round: what became of it,
/// and whether it had to be run again.
async fn deadlock(subject: &Postgres, batch: Batch) -> (Result<(), CommitError>, bool) {
    let mut other = PgConnection::connect(&subject.raw_url).await.unwrap();
    let lock = |number: u128| format!(r"UPDATE document SET expires_at = 9 WHERE id = '\x{number:032x}'");
    let before = subject.store.statistics().retries;
    other.execute("BEGIN").await.unwrap();
    other.execute(AssertSqlSafe(lock(2))).await.unwrap();
    let committing = tokio::spawn({
        let store = Arc::clone(&subject.store);
        async move { store.commit(batch).await }
    });
    until_somebody_waits(&subject.raw_url, &committing).await;
    // The one that has waited longest is the victim: the batch.
    let locked = other.execute(AssertSqlSafe(lock(1))).await;
    let ended = if locked.is_ok() { "COMMIT" } else { "ROLLBACK" };
    other.execute(ended).await.unwrap();
    let committed = committing.await.unwrap();
    let was_victim = locked.is_ok() && subject.store.statistics().retries > before;
    (committed, was_victim)
}

/// A batch that writes this version of document 1.
fn write(version: u64) -> Batch {
    documents([document(1, version, "body")])
}

/// Writes document 1; whoever else writes it then waits for this session.
async fn locked_by_another(subject: &Postgres) -> PgConnection {
    subject.store.commit(write(1)).await.unwrap();
    let mut other = PgConnection::connect(&subject.raw_url).await.unwrap();
    other.execute("BEGIN").await.unwrap();
    other.execute("UPDATE document SET expires_at = 9").await.unwrap();
    other
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lock_that_is_not_given_up_does_not_hang() {
    let subject = Postgres::new().await;
    let mut other = locked_by_another(&subject).await;
    let started = Instant::now();
    let outcome = subject.store.commit(write(2)).await;
    assert!(unavailable(&outcome), "{outcome:?}");
    assert!(
        started.elapsed() < within(Duration::from_secs(5)),
        "{:?}",
        started.elapsed()
    );
    assert!(
        subject.store.document(&document_id(1)).await.unwrap().is_some(),
        "reading goes on"
    );
    other.execute("ROLLBACK").await.unwrap();
    subject.store.commit(write(2)).await.unwrap();
}

/// A node that was away for longer than its lease has no say any more, whichever store it asks.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_comes_back_after_its_lease_is_refused() {
    let subject = Postgres::new().await;
    let other = subject.open().await.unwrap();
    let term = Duration::from_secs(30);
    let create = Batch {
        tasks: vec![task(1)],
        ..Batch::default()
    };
    subject.store.commit(create).await.unwrap();
    let first = subject
        .store
        .claim_due(node(1), term, 1)
        .await
        .unwrap()
        .leases
        .remove(0);
    subject.clock.advance(term);
    let second = other.claim_due(node(2), term, 1).await.unwrap().leases.remove(0);
    assert!(second.fence > first.fence);
    let complete = |lease: &TaskLease| {
        let mut batch = records([record(stream(1), 1)]);
        batch.task_changes.push(TaskChange::Complete {
            id: lease.id,
            fence: lease.fence,
        });
        batch
    };
    let late = subject.store.commit(complete(&first)).await;
    assert_eq!(late, Err(CommitError::Conflict(Conflict::Fence(first.id))));
    assert!(subject.store.load(&[stream(1)]).await.unwrap()[0].is_empty());
    other.commit(complete(&second)).await.unwrap();
}

/// Two nodes race for one place: one wins, the other learns of it, and what it brought along is not there.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn of_two_nodes_one_wins() {
    let subject = Postgres::new().await;
    let other = subject.open().await.unwrap();
    for position in 1..=100 {
        let racing = [(&subject.store, 1), (&other, 2)].map(|(store, node)| {
            let store = Arc::clone(store);
            let mut batch = records([record(stream(9), position)]);
            batch.records.push(record(stream(1_000 * node + position), 1));
            tokio::spawn(async move { store.commit(batch).await })
        });
        let mut won = 0;
        for (outcome, node) in racing.into_iter().zip([1, 2]) {
            let kept = match outcome.await.unwrap() {
                Ok(()) => 1,
                Err(error) => {
                    assert_eq!(error, CommitError::Conflict(Conflict::Stream(stream(9))));
                    0
                }
            };
            let brought = stream(1_000 * node + position);
            let found = subject.store.load(&[brought]).await.unwrap();
            assert_eq!(found[0].len(), kept, "position {position}, node {node}");
            won += kept;
        }
        assert_eq!(won, 1, "position {position}");
    }
}

/// A batch in the way of a lock keeps none of those back that come after it, though nobody else comes and hurries them; and of
/// those that share a statement with another such batch, that one alone fails.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_batch_that_waits_for_a_lock_waits_alone() {
    let subject = Postgres::new().await;
    let mut other = locked_by_another(&subject).await;
    let committing = |batch: Batch| {
        let store = Arc::clone(&subject.store);
        tokio::spawn(async move { store.commit(batch).await })
    };
    let locked = committing(write(2));
    until_somebody_waits(&subject.raw_url, &locked).await;
    let (next, stuck, last) = (
        committing(records([record(stream(1), 1)])),
        committing(write(2)),
        committing(records([record(stream(2), 1)])),
    );
    assert_eq!(next.await.unwrap(), Ok(()));
    assert_eq!(last.await.unwrap(), Ok(()));
    for outcome in [locked.await.unwrap(), stuck.await.unwrap()] {
        assert!(unavailable(&outcome), "{outcome:?}");
    }
    other.execute("ROLLBACK").await.unwrap();
    subject.store.commit(write(2)).await.unwrap();
    let written = subject.store.load(&[stream(1), stream(2)]).await.unwrap();
    assert!(written.iter().all(|records| records.len() == 1), "{written:?}");
}

/// Without the timer a batch would wait for the one before it, however long that takes.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_comes_second_does_not_wait_for_the_first() {
    let subject = Postgres::new().await;
    let mut other = locked_by_another(&subject).await;
    let locked = tokio::spawn({
        let store = Arc::clone(&subject.store);
        let batch = write(2);
        async move { store.commit(batch).await }
    });
    until_somebody_waits(&subject.raw_url, &locked).await;
    let second = subject.store.commit(records([record(stream(1), 1)])).await;
    let (first_still_waits, read) = (!locked.is_finished(), subject.store.load(&[stream(1)]).await);
    other.execute("ROLLBACK").await.unwrap();
    assert_eq!((second, read.unwrap()[0].len()), (Ok(()), 1));
    assert!(first_still_waits, "the second was committed after the first");
    assert_eq!(locked.await.unwrap(), Ok(()));
}
