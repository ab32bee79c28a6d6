//! What stays after a restart, and what goes when its time is over.

use std::time::Duration;

use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::ports::{
    Batch, CLAIM_KEPT, CLOCKS_APART_MAX, CertificateRow, Clock, Conflict, DocumentWrite, NewTask, Projection,
    RequestFilter, Reservation, Space, TaskChange,
};
use portreeve_ra::{RevocationReason, StreamId};

use super::StoreUnderTest;
use super::fixtures::*;

fn of_everything(subject: &dyn StoreUnderTest) -> Batch {
    let clock = subject.clock();
    let until = clock.now_plus_hour();
    let lease = Some((node(1), Duration::from_secs(30)));
    Batch {
        records: vec![record(stream(1), 1), record_saying(stream(2), 1, "ünï\u{0}code")],
        tasks: vec![NewTask { lease, ..task(1) }],
        task_changes: vec![],
        documents: vec![DocumentWrite {
            keys: vec![key("name", "a", true)],
            ..document(1, 1, "body")
        }],
        claims: vec![claim(1, 1, until)],
        gives_way: None,
        spends: vec![spend(1, until)],
        reservations: vec![Reservation::Take {
            space: Space::Serial,
            key: sha256(&[1]),
            stream: stream(1),
        }],
        projections: vec![
            Projection::Request(request_row(1, "acme/test", "issued")),
            Projection::Certificate(certificate_row(1)),
            Projection::Revoked(revoked_row(1, serial(&[1]), 100)),
        ],
    }
}

/// Every kind of row is there after a restart, and still stands in the way of a second one.
pub async fn everything_survives_a_restart(subject: &mut dyn StoreUnderTest) {
    let batch = of_everything(subject);
    subject.store().commit(batch.clone()).await.unwrap();
    subject
        .leases()
        .lease("crl", node(1), Duration::from_secs(60))
        .await
        .unwrap()
        .unwrap();
    for round in 1..=2 {
        subject.restart().await;
        let (store, read) = (subject.store(), subject.documents());
        let streams: [StreamId; 2] = [stream(1), stream(2)];
        let expected: Vec<_> = batch.records.iter().map(|record| vec![record.clone()]).collect();
        assert_eq!(store.load(&streams).await.unwrap(), expected, "round {round}");
        assert_eq!(
            store.claim(&claim_key(1)).await.unwrap().as_ref(),
            batch.claims.first()
        );
        assert_eq!(
            store.reserved(Space::Serial, &sha256(&[1])).await.unwrap(),
            Some(stream(1))
        );
        let found = read
            .find(KIND, &key("name", "a", true), None, 1)
            .await
            .unwrap()
            .items;
        assert_eq!(
            found.first().map(|document| document.body.as_slice()),
            Some(b"body".as_slice())
        );
        assert_eq!(
            store
                .requests(&RequestFilter::default(), None, 5)
                .await
                .unwrap()
                .items
                .len(),
            1
        );
        assert_eq!(
            store.certificates(None, 5).await.unwrap().items,
            [CertificateRow {
                revoked: Some((RevocationReason::KeyCompromise, Timestamp::from_unix_seconds(1))),
                ..certificate_row(1)
            }]
        );
        let revoked = store
            .revoked("issuing", Default::default(), None, 5)
            .await
            .unwrap()
            .items;
        assert_eq!(revoked, [revoked_row(1, serial(&[1]), 100)]);
        assert_eq!(
            subject
                .leases()
                .lease("crl", node(2), Duration::from_secs(60))
                .await
                .unwrap(),
            None
        );
        let spent = Batch {
            spends: batch.spends.clone(),
            ..Batch::default()
        };
        assert_eq!(
            conflict(store.commit(spent).await),
            Conflict::Spent,
            "round {round}"
        );
        assert_eq!(
            subject
                .tasks()
                .claim_due(node(2), Duration::from_secs(1), 5)
                .await
                .unwrap()
                .leases,
            []
        );
    }
    let complete = vec![TaskChange::Complete {
        id: task_id(1),
        fence: 1,
    }];
    subject
        .store()
        .commit(Batch {
            task_changes: complete,
            ..Batch::default()
        })
        .await
        .unwrap();
}

/// Sweeping removes what has had its time, at most so many of each, and nothing else.
pub async fn sweeping(subject: &mut dyn StoreUnderTest) {
    let (store, read, clock) = (subject.store(), subject.documents(), subject.clock());
    let (soon, late) = (
        clock.now().saturating_add(Duration::from_secs(10)),
        clock.now_plus_hour(),
    );
    let mut batch = Batch::default();
    for number in 1..=4 {
        let until = if number <= 3 { soon } else { late };
        let over = until.saturating_sub(CLOCKS_APART_MAX);
        batch.spends.push(spend(number, over));
        batch
            .claims
            .push(claim(number, number, until.saturating_sub(CLAIM_KEPT)));
        batch.documents.push(DocumentWrite {
            expires_at: Some(over),
            keys: vec![key("account", "one", false)],
            ..document(number, 1, "body")
        });
    }
    batch.documents.push(document(5, 1, "stays"));
    batch.claims.push(claim(9, 9, soon));
    store.commit(batch).await.unwrap();

    clock.advance(soon.since(clock.now()) - Duration::from_millis(1));
    assert_eq!(store.sweep(10).await.unwrap(), 0, "nothing has had its time");
    clock.advance(Duration::from_millis(2));
    assert_eq!(store.sweep(2).await.unwrap(), 6, "two of each");
    assert_eq!(store.sweep(2).await.unwrap(), 3, "one of each is left");
    assert_eq!(store.sweep(2).await.unwrap(), 0);
    let ended = store.claim(&claim_key(9)).await.unwrap();
    assert!(
        ended.is_some(),
        "a claim that ended lately still leads to its certificate"
    );

    let ids: Vec<_> = (1..=5).map(document_id).collect();
    let left: Vec<_> = read
        .documents(&ids)
        .await
        .unwrap()
        .iter()
        .map(Option::is_some)
        .collect();
    assert_eq!(left, [false, false, false, true, true]);
    assert_eq!(
        read.find(KIND, &key("account", "one", false), None, 10)
            .await
            .unwrap()
            .items
            .len(),
        1
    );
    for number in 1..=4 {
        let there = store.claim(&claim_key(number)).await.unwrap().is_some();
        assert_eq!(there, number == 4, "claim {number}");
        let again = Batch {
            spends: vec![spend(number, late)],
            ..Batch::default()
        };
        assert_eq!(
            store.commit(again).await.is_ok(),
            number < 4,
            "spent value {number}"
        );
    }
}

/// A probe writes and reads, again and again.
pub async fn probing(subject: &mut dyn StoreUnderTest) {
    for _ in 0..2 {
        assert!(subject.store().probe().await.unwrap() < Duration::from_secs(60));
        subject.clock().advance(Duration::from_secs(1));
    }
}
