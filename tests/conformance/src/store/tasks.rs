//! Tasks with leases and fences, and duties.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use portreeve_ra::StreamId;
use portreeve_ra::ports::{
    Batch, Claimed, Clock, Conflict, LeaseRow, NewTask, NextDue, TaskChange, TaskKind, TaskLease,
};

use super::StoreUnderTest;
use super::fixtures::*;

const TERM: Duration = Duration::from_secs(30);
const MILLI: Duration = Duration::from_millis(1);

fn creating(tasks: impl IntoIterator<Item = NewTask>) -> Batch {
    Batch {
        tasks: tasks.into_iter().collect(),
        ..Batch::default()
    }
}

fn changing(change: TaskChange) -> Batch {
    Batch {
        task_changes: vec![change],
        ..Batch::default()
    }
}

fn lease(number: u64, attempts: u32, fence: u64) -> TaskLease {
    TaskLease {
        id: task_id(number),
        kind: TaskKind::Enrollment,
        subject: StreamId::enrollment(enrollment(number)),
        attempts,
        fence,
    }
}

/// A lease keeps others away until it ends; then the task can be claimed with a larger fence.
pub async fn a_lease_runs_out(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    let due = clock.now().saturating_add(TERM);
    store
        .commit(creating([NewTask {
            wait: TERM,
            ..task(1)
        }]))
        .await
        .unwrap();
    let next = |at| Some(NextDue { at, now: clock.now() });
    assert_eq!(tasks.next_due().await.unwrap(), next(due));
    assert_eq!(
        tasks.claim_due(node(1), TERM, 10).await.unwrap().leases,
        [],
        "not yet due"
    );
    clock.advance(TERM);
    assert_eq!(
        tasks.claim_due(node(1), TERM, 10).await.unwrap().leases,
        [lease(1, 1, 1)]
    );
    assert_eq!(
        tasks.next_due().await.unwrap(),
        next(clock.now().saturating_add(TERM)),
        "the lease's end"
    );
    clock.advance(TERM - MILLI);
    assert_eq!(
        tasks.claim_due(node(1), TERM, 10).await.unwrap().leases,
        [],
        "held, also against its holder"
    );
    assert_eq!(
        tasks.claim_due(node(2), TERM, 10).await.unwrap().leases,
        [],
        "held"
    );
    clock.advance(MILLI);
    assert_eq!(
        tasks.claim_due(node(2), TERM, 10).await.unwrap().leases,
        [lease(1, 2, 2)]
    );
}

/// Many workers claim: each task goes to one of them.
pub async fn a_task_is_claimed_once(subject: &mut dyn StoreUnderTest) {
    const TASKS: u64 = 50;
    let (store, tasks) = (subject.store(), subject.tasks());
    store.commit(creating((1..=TASKS).map(task))).await.unwrap();
    let workers: Vec<_> = (1..=8)
        .map(|worker| {
            let tasks = Arc::clone(&tasks);
            tokio::spawn(async move {
                let mut claimed = Vec::new();
                loop {
                    let leases = tasks.claim_due(node(worker), TERM, 3).await.unwrap().leases;
                    assert!(leases.len() <= 3, "no more than asked for");
                    if leases.is_empty() {
                        return claimed;
                    }
                    claimed.extend(leases);
                }
            })
        })
        .collect();
    let mut claimed = Vec::new();
    for worker in workers {
        claimed.extend(worker.await.unwrap());
    }
    assert!(
        claimed
            .iter()
            .all(|lease| (lease.attempts, lease.fence) == (1, 1))
    );
    assert_eq!(claimed.len(), 50);
    assert_eq!(
        claimed
            .iter()
            .map(|lease| lease.id)
            .collect::<BTreeSet<_>>()
            .len(),
        50
    );
}

/// Only the fence of the present lease changes a task, and what came with a refused change is not written.
pub async fn stale_fences_are_refused(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    store.commit(creating([task(1)])).await.unwrap();
    let complete = |fence| TaskChange::Complete {
        id: task_id(1),
        fence,
    };
    let retry = |fence| TaskChange::RetryAfter {
        id: task_id(1),
        fence,
        wait: Duration::ZERO,
    };
    let refused = |change: TaskChange, name: &'static str| {
        let store = Arc::clone(&store);
        async move {
            let mut batch = changing(change);
            batch.records.push(record(stream(1), 1));
            assert_eq!(
                conflict(store.commit(batch).await),
                Conflict::Fence(task_id(1)),
                "{name}"
            );
            assert!(store.load(&[stream(1)]).await.unwrap()[0].is_empty(), "{name}");
        }
    };
    refused(complete(0), "never claimed").await;
    refused(retry(0), "never claimed").await;
    tasks.claim_due(node(1), TERM, 1).await.unwrap();
    refused(complete(0), "older").await;
    refused(complete(2), "invented").await;
    refused(complete(u64::MAX), "huge").await;
    clock.advance(TERM);
    tasks.claim_due(node(2), TERM, 1).await.unwrap();
    refused(complete(1), "somebody else holds it").await;
    refused(retry(1), "somebody else holds it").await;
    clock.advance(TERM);
    let mut batch = changing(complete(2));
    batch.records.push(record(stream(1), 1));
    store
        .commit(batch)
        .await
        .expect("its lease has ended, but nobody else has it");
    assert_eq!(
        conflict(store.commit(changing(complete(2))).await),
        Conflict::Fence(task_id(1)),
        "done"
    );
    assert_eq!(tasks.claim_due(node(1), TERM, 1).await.unwrap().leases, []);
    assert_eq!(tasks.next_due().await.unwrap(), None);
}

/// A task put off comes back when it is due, and its former holder has no say any more.
pub async fn retried_later(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    store.commit(creating([task(1)])).await.unwrap();
    tasks.claim_due(node(1), TERM, 1).await.unwrap();
    let wait = Duration::from_secs(5);
    let retry = || {
        changing(TaskChange::RetryAfter {
            id: task_id(1),
            fence: 1,
            wait,
        })
    };
    store.commit(retry()).await.unwrap();
    let next = tasks.next_due().await.unwrap().unwrap();
    assert_eq!((next.wait(), next.delay()), (wait, Duration::ZERO));
    assert_eq!(
        conflict(store.commit(retry()).await),
        Conflict::Fence(task_id(1)),
        "no longer held"
    );
    assert_eq!(tasks.claim_due(node(2), TERM, 1).await.unwrap().leases, []);
    clock.advance(Duration::from_secs(5));
    assert_eq!(
        tasks.claim_due(node(2), TERM, 1).await.unwrap().leases,
        [lease(1, 2, 2)]
    );
}

/// A task can be leased with the commit that creates it, and created once.
pub async fn leased_from_the_start(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    let leased = || NewTask {
        lease: Some((node(1), TERM)),
        ..task(1)
    };
    store.commit(creating([leased()])).await.unwrap();
    assert_eq!(
        conflict(store.commit(creating([leased()])).await),
        Conflict::Fence(task_id(1))
    );
    assert_eq!(tasks.claim_due(node(2), TERM, 1).await.unwrap().leases, []);
    store
        .commit(creating([NewTask {
            lease: Some((node(1), TERM)),
            ..task(2)
        }]))
        .await
        .unwrap();
    store
        .commit(changing(TaskChange::Complete {
            id: task_id(1),
            fence: 1,
        }))
        .await
        .expect("fence 1 from the start");
    clock.advance(TERM);
    assert_eq!(
        tasks.claim_due(node(2), TERM, 9).await.unwrap().leases,
        [lease(2, 2, 2)],
        "the other one came free"
    );
}

/// What a node held before it was restarted is free at once, and only that.
pub async fn released_after_a_restart(subject: &mut dyn StoreUnderTest) {
    let (store, tasks) = (subject.store(), subject.tasks());
    let held_by = |number, by| NewTask {
        lease: Some((node(by), TERM)),
        ..task(number)
    };
    store
        .commit(creating([held_by(1, 1), held_by(2, 1), held_by(3, 2), task(4)]))
        .await
        .unwrap();
    assert_eq!(tasks.release_of(node(1)).await.unwrap(), 2);
    assert_eq!(tasks.release_of(node(1)).await.unwrap(), 0);
    let stale = changing(TaskChange::Complete {
        id: task_id(1),
        fence: 1,
    });
    assert_eq!(
        conflict(store.commit(stale).await),
        Conflict::Fence(task_id(1)),
        "voided"
    );
    let claimed = tasks.claim_due(node(3), TERM, 10).await.unwrap().leases;
    assert_eq!(claimed, [lease(1, 2, 2), lease(2, 2, 2), lease(4, 1, 1)]);
    store
        .commit(changing(TaskChange::Complete {
            id: task_id(3),
            fence: 1,
        }))
        .await
        .expect("not touched");
}

/// What has been due longest is claimed first.
pub async fn the_oldest_first(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    for number in [5, 3, 9, 1, 7] {
        store
            .commit(creating([NewTask {
                wait: Duration::from_secs(number),
                ..task(number)
            }]))
            .await
            .unwrap();
    }
    clock.advance(TERM);
    let mut order = Vec::new();
    for limit in [2, 0, 2, 2] {
        order.extend(
            tasks
                .claim_due(node(1), TERM, limit)
                .await
                .unwrap()
                .leases
                .into_iter()
                .map(|lease| lease.id),
        );
    }
    assert_eq!(order, [1, 3, 5, 7, 9].map(task_id));
}

/// A row that nobody can work on is told of, and keeps back no other. Its lease keeps it from being told of all the time.
pub async fn a_damaged_task_is_told_of(subject: &mut dyn StoreUnderTest) {
    let (store, tasks, clock) = (subject.store(), subject.tasks(), subject.clock());
    store.commit(creating((1..=3).map(task))).await.unwrap();
    let id: String = task_id(2)
        .as_bytes()
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    for fence in [i64::MAX, 9_007_199_254_740_991] {
        let damage = format!("UPDATE task SET fence = {fence}, attempts = {fence} WHERE id = x'{id}'");
        assert_eq!(subject.tamper(&damage).await, 1);
        let claimed = tasks.claim_due(node(1), TERM, 10).await.unwrap();
        assert_eq!(
            claimed.leases.iter().map(|lease| lease.id).collect::<Vec<_>>(),
            [1, 3].map(task_id),
            "{fence}"
        );
        let damaged: Vec<&[u8]> = claimed.damaged.iter().map(|task| task.id.as_slice()).collect();
        assert_eq!(damaged, [task_id(2).as_bytes().as_slice()], "{fence}");
        let again = tasks.claim_due(node(1), TERM, 10).await.unwrap();
        assert_eq!(again, Claimed::default(), "{fence}: leased");
        clock.advance(TERM);
    }
}

/// A lease that lasts longer than any node takes it for was left by a clock that was wrong, or by somebody else.
pub async fn a_duty_held_for_too_long_is_free(subject: &mut dyn StoreUnderTest) {
    let (leases, clock) = (subject.leases(), subject.clock());
    leases.lease("crl", node(1), TERM).await.unwrap().unwrap();
    let until = clock.now().saturating_add(TERM * 2);
    for (name, until, taken) in [
        ("held", until.unix_millis(), false),
        ("too long", until.unix_millis() + 1, true),
        ("for ever", i64::MAX, true),
    ] {
        leases.lease("crl", node(1), TERM).await.unwrap();
        let lengthen = format!("UPDATE lease SET until = {until}, fence = {}", i64::MAX);
        assert_eq!(subject.tamper(&lengthen).await, 1, "{name}");
        let found = leases.lease("crl", node(2), TERM).await.unwrap();
        assert_eq!(found.is_some(), taken, "{name}");
        subject.tamper("DELETE FROM lease").await;
    }
}

/// A duty belongs to one node at a time; its fence grows when it changes hands.
pub async fn duties(subject: &mut dyn StoreUnderTest) {
    let (leases, clock) = (subject.leases(), subject.clock());
    let until = || clock.now().saturating_add(TERM);
    let taken = |fence| {
        Some(LeaseRow {
            fence,
            until: until(),
        })
    };
    assert_eq!(leases.lease("crl", node(1), TERM).await.unwrap(), taken(1));
    assert_eq!(leases.lease("crl", node(2), TERM).await.unwrap(), None);
    assert_eq!(
        leases.lease("sweep", node(2), TERM).await.unwrap(),
        taken(1),
        "another duty"
    );
    clock.advance(TERM - MILLI);
    assert_eq!(leases.lease("crl", node(2), TERM).await.unwrap(), None);
    assert_eq!(
        leases.lease("crl", node(1), TERM).await.unwrap(),
        taken(1),
        "extended"
    );
    clock.advance(TERM);
    assert_eq!(
        leases.lease("crl", node(2), TERM).await.unwrap(),
        taken(2),
        "taken over"
    );
    assert_eq!(leases.lease("crl", node(1), TERM).await.unwrap(), None);
    let racing: Vec<_> = (10..20)
        .map(|number| {
            let leases = Arc::clone(&leases);
            tokio::spawn(async move { leases.lease("race", node(number), TERM).await.unwrap() })
        })
        .collect();
    let mut holders = 0;
    for outcome in racing {
        holders += usize::from(outcome.await.unwrap().is_some());
    }
    assert_eq!(holders, 1);
}
