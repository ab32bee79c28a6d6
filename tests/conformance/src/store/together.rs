//! Questions asked at the same time: each gets its own answer, however the store puts them together.

use std::sync::Arc;

use portreeve_ra::Record;
use portreeve_ra::ports::{Answers, Batch, Reservation, Space, Wanted};

use super::StoreUnderTest;
use super::fixtures::*;

/// More than one message can carry, of every kind.
const ASKERS: u64 = 150;

/// Readers of every kind at once, some of whom leave before they are answered.
pub async fn many_questions_at_once(subject: &mut dyn StoreUnderTest) {
    let (store, documents) = (subject.store(), subject.documents());
    let until = subject.clock().now_plus_hour();
    for number in 1..=ASKERS {
        let take = Reservation::Take {
            space: Space::Serial,
            key: [u8::try_from(number).unwrap(); 32],
            stream: stream(number),
        };
        let batch = Batch {
            records: vec![record(stream(number), 1)],
            claims: vec![claim(number, number, until)],
            documents: vec![document(number, 1, &format!("body {number}"))],
            reservations: vec![take],
            ..Batch::default()
        };
        store.commit(batch).await.unwrap();
    }
    let askers: Vec<_> = (1..=ASKERS)
        .map(|number| {
            let (store, documents) = (Arc::clone(&store), Arc::clone(&documents));
            tokio::spawn(async move {
                let several: Vec<_> = (number..number + 5).map(stream).collect();
                let loaded = store.load(&several).await.unwrap();
                let expected: Vec<Vec<Record>> = (number..number + 5)
                    .map(|number| {
                        (number <= ASKERS)
                            .then(|| record(stream(number), 1))
                            .into_iter()
                            .collect()
                    })
                    .collect();
                assert_eq!(loaded, expected);
                let found = store.claim(&claim_key(number)).await.unwrap().unwrap();
                assert_eq!(found, claim(number, number, until));
                let found = documents.document(&document_id(number)).await.unwrap().unwrap();
                assert_eq!(found.body, format!("body {number}").into_bytes());
                let key = [u8::try_from(number).unwrap(); 32];
                assert_eq!(
                    store.reserved(Space::Serial, &key).await.unwrap(),
                    Some(stream(number))
                );
                assert_eq!(store.reserved(Space::AccountKey, &key).await.unwrap(), None);
                let wanted = Wanted {
                    streams: vec![stream(ASKERS + number), stream(number)],
                    claims: vec![claim_key(number), claim_key(ASKERS + number)],
                    reservations: vec![(Space::AccountKey, key), (Space::Serial, key)],
                };
                let answers = Answers {
                    streams: vec![vec![], vec![record(stream(number), 1)]],
                    claims: vec![Some(claim(number, number, until)), None],
                    reservations: vec![None, Some(stream(number))],
                };
                assert_eq!(store.read(&wanted).await.unwrap(), answers);
            })
        })
        .collect();
    for leaver in 1..=ASKERS {
        let store = Arc::clone(&store);
        let asking = tokio::spawn(async move { store.load(&[stream(leaver)]).await });
        asking.abort();
    }
    for asker in askers {
        asker.await.unwrap();
    }
    let all: Vec<_> = (1..=ASKERS).map(stream).collect();
    assert_eq!(
        store.load(&all).await.unwrap().len(),
        all.len(),
        "more than one message carries"
    );
    let everything = Wanted {
        streams: all,
        claims: (1..=ASKERS).map(claim_key).collect(),
        reservations: (1..=ASKERS)
            .map(|number| (Space::Serial, [u8::try_from(number).unwrap(); 32]))
            .collect(),
    };
    let answers = store.read(&everything).await.unwrap();
    let led_to: Vec<_> = (1..=ASKERS).map(|number| Some(stream(number))).collect();
    assert_eq!(answers.reservations, led_to);
    let claims: Vec<_> = (1..=ASKERS)
        .map(|number| Some(claim(number, number, until)))
        .collect();
    assert_eq!(answers.claims, claims);
    assert!(answers.streams.iter().all(|records| records.len() == 1));
    assert_eq!(store.read(&Wanted::default()).await.unwrap(), Answers::default());
}
