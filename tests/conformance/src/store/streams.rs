//! Appending to streams and loading them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use portreeve_ra::ports::{CommitError, Conflict};
use portreeve_ra::{Record, StreamId, StreamKind};

use super::StoreUnderTest;
use super::fixtures::*;
use super::insist::insist;

type Position = (StreamId, u64);

/// Position 1 starts a stream, n + 1 follows n, and nothing else is taken.
pub async fn positions_follow_each_other(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let other_kind = StreamId {
        kind: StreamKind::Account,
        ..stream(1)
    };
    let rows: [(&str, &[Position], bool); 11] = [
        ("zero", &[(stream(1), 0)], false),
        ("starts at two", &[(stream(1), 2)], false),
        ("starts at one", &[(stream(1), 1)], true),
        ("one again", &[(stream(1), 1)], false),
        ("a gap", &[(stream(1), 3)], false),
        ("the next two", &[(stream(1), 2), (stream(1), 3)], true),
        (
            "the next two in the wrong order",
            &[(stream(1), 5), (stream(1), 4)],
            false,
        ),
        ("the same place twice", &[(stream(1), 4), (stream(1), 4)], false),
        ("the largest", &[(stream(1), u64::MAX)], false),
        ("another stream", &[(stream(2), 1)], true),
        ("another kind with the same id", &[(other_kind, 1)], true),
    ];
    for (name, places, accepted) in rows {
        let batch = records(places.iter().map(|(stream, position)| record(*stream, *position)));
        match store.commit(batch).await {
            Ok(()) => assert!(accepted, "{name}"),
            outcome => {
                assert!(!accepted, "{name}: {outcome:?}");
                assert_eq!(conflict(outcome), Conflict::Stream(places[0].0), "{name}");
            }
        }
    }
    let loaded = store.load(&[stream(1), stream(2), other_kind]).await.unwrap();
    let positions: Vec<Vec<u64>> = loaded
        .iter()
        .map(|records| records.iter().map(|record| record.header().position).collect())
        .collect();
    assert_eq!(positions, [vec![1, 2, 3], vec![1], vec![1]]);
}

/// Many writers want the same place: one gets it, in every round.
pub async fn one_of_many_writers_appends(subject: &mut dyn StoreUnderTest) {
    const WRITERS: u64 = 24;
    let store = subject.store();
    for position in 1..=5 {
        let racing: Vec<_> = (0..WRITERS)
            .map(|writer| {
                let store = Arc::clone(&store);
                let record = record_saying(stream(1), position, &writer.to_string());
                tokio::spawn(async move { insist(store.as_ref(), records([record])).await })
            })
            .collect();
        let mut won = Vec::new();
        for (writer, outcome) in (0..WRITERS).zip(racing) {
            match outcome.await.unwrap() {
                Ok(()) => won.push(writer),
                lost => assert_eq!(conflict(lost), Conflict::Stream(stream(1))),
            }
        }
        assert_eq!(won.len(), 1, "position {position}");
        let loaded = store.load(&[stream(1)]).await.unwrap().remove(0);
        assert_eq!(
            loaded.last(),
            Some(&record_saying(stream(1), position, &won[0].to_string()))
        );
    }
}

/// A conflict in the last part of a batch leaves nothing of the parts before, and does not touch a neighbour.
pub async fn a_batch_is_all_or_nothing(subject: &mut dyn StoreUnderTest) {
    let (store, documents, clock) = (subject.store(), subject.documents(), subject.clock());
    let far = clock.now_plus_hour();
    store.commit(records([record(stream(9), 1)])).await.unwrap();
    let mut batch = records([record(stream(1), 1), record(stream(2), 1)]);
    batch.spends.push(spend(1, far));
    batch.claims.push(claim(1, 1, far));
    batch.documents.push(document(1, 1, "body"));
    batch.tasks.push(task(1));
    batch.records.push(record(stream(9), 1));
    let neighbours: Vec<_> = (20..40)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move { insist(store.as_ref(), records([record(stream(number), 1)])).await })
        })
        .collect();
    assert_eq!(
        conflict(store.commit(batch.clone()).await),
        Conflict::Stream(stream(9))
    );
    for neighbour in neighbours {
        neighbour.await.unwrap().unwrap();
    }

    assert_eq!(
        store.load(&[stream(1), stream(2)]).await.unwrap(),
        [Vec::<Record>::new(), Vec::new()]
    );
    assert_eq!(store.claim(&claim_key(1)).await.unwrap(), None);
    assert_eq!(documents.document(&document_id(1)).await.unwrap(), None);
    assert_eq!(subject.tasks().next_due().await.unwrap(), None);
    batch.records.pop();
    store
        .commit(batch)
        .await
        .expect("nothing of it was kept, the spent value included");
}

/// Two streams grow together, two records a batch each: whoever reads sees whole batches only.
pub async fn a_reader_never_sees_half_a_batch(subject: &mut dyn StoreUnderTest) {
    const BATCHES: u64 = 60;
    let store = subject.store();
    let done = Arc::new(AtomicBool::new(false));
    let readers: Vec<_> = (0..3)
        .map(|_| {
            let (store, done) = (Arc::clone(&store), Arc::clone(&done));
            tokio::spawn(async move {
                let mut lengths_seen = 0;
                let mut last = 0;
                while !done.load(Ordering::SeqCst) {
                    let loaded = store.load(&[stream(1), stream(2)]).await.unwrap();
                    let lengths = [loaded[0].len(), loaded[1].len()];
                    assert_eq!(lengths[0], lengths[1], "streams of one batch differ");
                    assert_eq!(lengths[0] % 2, 0, "half of a batch");
                    assert!(lengths[0] >= last, "a reader went back in time");
                    lengths_seen += usize::from(lengths[0] > last);
                    last = lengths[0];
                }
                lengths_seen
            })
        })
        .collect();
    for batch in 0..BATCHES {
        let places = [stream(1), stream(2)]
            .into_iter()
            .flat_map(|stream| (1..=2).map(move |offset| record(stream, 2 * batch + offset)));
        store.commit(records(places)).await.unwrap();
    }
    done.store(true, Ordering::SeqCst);
    let mut seen = 0;
    for reader in readers {
        seen += reader.await.unwrap();
    }
    assert!(seen > 0, "the readers read while batches were written");
}

/// Answers come in the order asked, empty for unknown streams, the same twice when asked twice.
pub async fn loads_in_the_order_asked(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    store
        .commit(records((1..=40).map(|number| record(stream(number), 1))))
        .await
        .unwrap();
    store.commit(records([record(stream(3), 2)])).await.unwrap();
    let rows: [(&str, Vec<u64>); 5] = [
        ("nothing", vec![]),
        ("one", vec![3]),
        ("backwards, with a gap", vec![40, 99, 1]),
        ("the same twice", vec![3, 3]),
        ("many", (1..=40).rev().collect()),
    ];
    for (name, numbers) in rows {
        let asked: Vec<_> = numbers.iter().map(|number| stream(*number)).collect();
        let loaded = store.load(&asked).await.unwrap();
        let expected: Vec<Vec<Record>> = numbers
            .iter()
            .map(|number| match number {
                99 => vec![],
                3 => vec![record(stream(3), 1), record(stream(3), 2)],
                other => vec![record(stream(*other), 1)],
            })
            .collect();
        assert_eq!(loaded, expected, "{name}");
    }
}

/// What has been acknowledged is seen by every read that starts afterwards.
pub async fn a_read_sees_every_acknowledged_commit(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let writers: Vec<_> = (1..=8)
        .map(|number| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                for position in 1..=15 {
                    match store.commit(records([record(stream(number), position)])).await {
                        Ok(()) => {}
                        Err(CommitError::Conflict(conflict)) => panic!("{conflict:?}"),
                        Err(CommitError::Store(error)) => panic!("{error}"),
                    }
                    let loaded = store.load(&[stream(number)]).await.unwrap().remove(0);
                    assert_eq!(loaded.len(), usize::try_from(position).unwrap());
                }
            })
        })
        .collect();
    for writer in writers {
        writer.await.unwrap();
    }
}
