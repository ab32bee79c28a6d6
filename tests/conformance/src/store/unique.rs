//! Values that are good once, and keys that lead to one stream.

use std::sync::Arc;

use portreeve_pkix::sha256;
use portreeve_ra::StreamId;
use portreeve_ra::ports::{Batch, Conflict, Reservation, Space};

use super::StoreUnderTest;
use super::fixtures::*;
use super::insist::insist;

fn spending(numbers: &[u64], subject: &dyn StoreUnderTest) -> Batch {
    let until = subject.clock().now_plus_hour();
    Batch {
        spends: numbers.iter().map(|number| spend(*number, until)).collect(),
        ..Batch::default()
    }
}

fn take(space: Space, key: u64, stream: StreamId) -> Reservation {
    Reservation::Take {
        space,
        key: sha256(&octets(key)),
        stream,
    }
}

fn release(space: Space, key: u64) -> Reservation {
    Reservation::Release {
        space,
        key: sha256(&octets(key)),
    }
}

fn reserving(reservations: impl IntoIterator<Item = Reservation>) -> Batch {
    Batch {
        reservations: reservations.into_iter().collect(),
        ..Batch::default()
    }
}

/// A value is spent once, also within one batch.
pub async fn a_value_is_spent_once(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let rows: [(&str, &[u64], bool); 5] = [
        ("a new one", &[1], true),
        ("the same", &[1], false),
        ("a new one beside a spent one", &[2, 1], false),
        ("the new one of before", &[2], true),
        ("twice in one batch", &[3, 3], false),
    ];
    for (name, numbers, accepted) in rows {
        let outcome = store.commit(spending(numbers, subject)).await;
        if accepted {
            outcome.expect(name);
        } else {
            assert_eq!(conflict(outcome), Conflict::Spent, "{name}");
        }
    }
}

/// Many spend one value at once: one succeeds.
pub async fn one_of_many_spenders_wins(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let racing: Vec<_> = (0..32)
        .map(|_| {
            let (store, batch) = (Arc::clone(&store), spending(&[7], subject));
            tokio::spawn(async move { insist(store.as_ref(), batch).await })
        })
        .collect();
    let mut won = 0;
    for outcome in racing {
        match outcome.await.unwrap() {
            Ok(()) => won += 1,
            lost => assert_eq!(conflict(lost), Conflict::Spent),
        }
    }
    assert_eq!(won, 1);
}

/// A key leads to one stream of its space until it is given up.
pub async fn reservations(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let same_id = StreamId {
        kind: portreeve_ra::StreamKind::Account,
        ..stream(1)
    };
    let rows = [
        ("free", take(Space::Serial, 1, stream(1)), true),
        ("the same stream again", take(Space::Serial, 1, stream(1)), true),
        ("another stream", take(Space::Serial, 1, stream(2)), false),
        (
            "another kind with the same id",
            take(Space::Serial, 1, same_id),
            false,
        ),
        ("another space", take(Space::AccountKey, 1, stream(2)), true),
        ("another key", take(Space::Serial, 2, stream(1)), true),
        ("given up", release(Space::Serial, 1), true),
        ("given up again", release(Space::Serial, 1), true),
        ("taken by the other", take(Space::Serial, 1, stream(2)), true),
        (
            "no longer free for the first",
            take(Space::Serial, 1, stream(1)),
            false,
        ),
    ];
    for (name, reservation, accepted) in rows {
        let outcome = store.commit(reserving([reservation])).await;
        if accepted {
            outcome.expect(name);
        } else {
            assert_eq!(conflict(outcome), Conflict::Reservation(Space::Serial), "{name}");
        }
    }
    let expected = [
        (Space::Serial, 1, Some(stream(2))),
        (Space::Serial, 2, Some(stream(1))),
        (Space::AccountKey, 1, Some(stream(2))),
        (Space::AccountKey, 2, None),
    ];
    for (space, key, leads_to) in expected {
        assert_eq!(
            store.reserved(space, &sha256(&octets(key))).await.unwrap(),
            leads_to,
            "{space:?} {key}"
        );
    }
}

/// A batch may give up one key and take another, and the old one at once is free for others.
pub async fn a_key_moves_in_one_batch(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let space = Space::AccountKey;
    store
        .commit(reserving([take(space, 1, stream(1)), take(space, 3, stream(3))]))
        .await
        .unwrap();
    let blocked = reserving([release(space, 1), take(space, 3, stream(1))]);
    assert_eq!(
        conflict(store.commit(blocked).await),
        Conflict::Reservation(space)
    );
    assert_eq!(
        store.reserved(space, &sha256(&octets(1))).await.unwrap(),
        Some(stream(1)),
        "nothing was given up"
    );
    store
        .commit(reserving([release(space, 1), take(space, 2, stream(1))]))
        .await
        .unwrap();
    store
        .commit(reserving([take(space, 1, stream(2))]))
        .await
        .unwrap();
}

/// When several things stand in the way, the one that forbids most is named.
pub async fn the_first_conflict_is_named(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let until = subject.clock().now_plus_hour();
    let whole = |by: u64| {
        let mut batch = spending(&[1], subject);
        batch.claims.push(claim(1, by, until));
        batch.records.push(record(stream(1), 1));
        batch.reservations.push(take(Space::Serial, 1, stream(by)));
        batch.documents.push(document(1, 1, "body"));
        batch
    };
    store.commit(whole(1)).await.unwrap();
    let mut batch = whole(2);
    assert_eq!(conflict(store.commit(batch.clone()).await), Conflict::Spent);
    batch.spends.clear();
    assert_eq!(
        conflict(store.commit(batch.clone()).await),
        Conflict::Claim(claim_key(1))
    );
    batch.claims.clear();
    assert_eq!(
        conflict(store.commit(batch.clone()).await),
        Conflict::Stream(stream(1))
    );
    batch.records.clear();
    assert_eq!(
        conflict(store.commit(batch.clone()).await),
        Conflict::Reservation(Space::Serial)
    );
    batch.reservations.clear();
    assert_eq!(
        conflict(store.commit(batch.clone()).await),
        Conflict::Document(document_id(1))
    );
    batch.documents.clear();
    store.commit(batch).await.expect("an empty batch");
}
