//! Questions of several callers in one message.

use portreeve_conformance::store::fixtures::{
    claim, claim_key, document, document_id, documents, record, record_saying, records, stream,
};
use portreeve_ra::ports::{Batch, CommitError, Conflict, Reservation, Space};
use tokio::task::JoinSet;

use super::*;

const CALLERS: u64 = 60;

async fn filled() -> Postgres {
    let subject = Postgres::new().await;
    let mut batch =
        records((1..=CALLERS).map(|number| record_saying(stream(number), 1, &number.to_string())));
    batch.documents =
        documents((1..=CALLERS).map(|number| document(number, 1, &number.to_string()))).documents;
    subject.store.commit(batch).await.unwrap();
    subject
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_caller_gets_its_own_answer() {
    let subject = filled().await;
    let before = subject.store.statistics().questions;
    let mut callers = JoinSet::new();
    for number in 1..=CALLERS {
        let store = Arc::clone(&subject.store);
        callers.spawn(async move {
            let missing = stream(number + CALLERS);
            let found = store.load(&[missing, stream(number), missing]).await.unwrap();
            let own = record_saying(stream(number), 1, &number.to_string());
            assert_eq!(found, [vec![], vec![own], vec![]]);
            let ids = [number, number + CALLERS].map(document_id);
            let found = store.documents(&ids).await.unwrap();
            let bodies: Vec<Option<String>> = found
                .into_iter()
                .map(|one| one.map(|one| String::from_utf8(one.body).unwrap()))
                .collect();
            assert_eq!(bodies, [Some(number.to_string()), None]);
        });
    }
    callers.join_all().await;
    let asked = subject.store.statistics().questions - before;
    assert!(asked < CALLERS, "{asked} messages for {} questions", 2 * CALLERS);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_row_that_cannot_be_read_concerns_who_asked_for_it() {
    let subject = filled().await;
    let hex = |number| -> String {
        let octets = stream(number).id;
        octets.iter().map(|octet| format!("{octet:02x}")).collect()
    };
    let damage = format!(r"UPDATE record SET header = '\x00' WHERE stream = '\x{}'", hex(7));
    assert_eq!(execute(&subject.raw_url, &damage).await, 1);
    let damage = format!(r"UPDATE document SET sealed = '\x00' WHERE id = '\x{}'", hex(7));
    assert_eq!(execute(&subject.raw_url, &damage).await, 1);
    let mut callers = JoinSet::new();
    for number in 1..=CALLERS {
        let store = Arc::clone(&subject.store);
        callers.spawn(async move {
            let streams = [stream(number)];
            let (records, document) = (store.load(&streams), document_id(number));
            let (records, document) = tokio::join!(records, store.document(&document));
            if number == 7 {
                assert!(matches!(records, Err(StoreError::Broken(_))), "{records:?}");
                assert!(matches!(document, Err(StoreError::Broken(_))), "{document:?}");
            } else {
                assert_eq!(records.unwrap()[0].len(), 1, "{number}");
                assert!(document.unwrap().is_some(), "{number}");
            }
        });
    }
    callers.join_all().await;
}

/// Whoever is gone keeps nobody back, and what was acknowledged before is seen.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn callers_that_leave_keep_nobody_back() {
    let subject = filled().await;
    for number in 1..=CALLERS {
        let mut leaving = JoinSet::new();
        for other in 1..=8 {
            let store = Arc::clone(&subject.store);
            leaving.spawn(async move { store.load(&[stream(other)]).await });
        }
        tokio::task::yield_now().await;
        leaving.abort_all();
        let written = records([record(stream(CALLERS + number), 1)]);
        subject.store.commit(written).await.unwrap();
        let found = subject.store.load(&[stream(CALLERS + number)]).await.unwrap();
        assert_eq!(found[0].len(), 1, "{number}");
    }
}

/// Batches that come at once share statements, and what one of them meets does not concern the others.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn batches_go_together_and_each_has_its_own_result() {
    let subject = Postgres::new().await;
    let until = subject.clock().now_plus_hour();
    let taken = Batch {
        claims: vec![claim(1_000, 1_000, until)],
        ..Batch::default()
    };
    subject.store.commit(taken).await.unwrap();
    let before = subject.store.statistics();
    let mut callers = JoinSet::new();
    for number in 1..=CALLERS {
        let store = Arc::clone(&subject.store);
        let mut batch = records([record(stream(number), 1)]);
        batch.documents = vec![document(number, 1, &number.to_string())];
        // Every fifth is refused for the claim, every sixth for its stream, and nothing of these is written.
        match number {
            _ if number % 5 == 0 => batch.claims = vec![claim(1_000, number, until)],
            _ if number % 6 == 0 => batch.records.push(record(stream(number), 3)),
            _ => batch.claims = vec![claim(number, number, until)],
        }
        callers.spawn(async move { (number, store.commit(batch).await) });
    }
    for (number, result) in callers.join_all().await {
        let refused = match number {
            _ if number % 5 == 0 => Some(Conflict::Claim(claim_key(1_000))),
            _ if number % 6 == 0 => Some(Conflict::Stream(stream(number))),
            _ => None,
        };
        let expected = refused
            .clone()
            .map_or(Ok(()), |conflict| Err(CommitError::Conflict(conflict)));
        assert_eq!(result, expected, "{number}");
        let found = subject.store.load(&[stream(number)]).await.unwrap();
        assert_eq!(found[0].len(), usize::from(refused.is_none()), "{number}");
        let kept = subject.store.document(&document_id(number)).await.unwrap();
        assert_eq!(kept.is_some(), refused.is_none(), "{number}");
    }

    // None of these is refused, so that they take fewer statements than there are of them.
    let middle = subject.store.statistics();
    assert_eq!(middle.conflicts - before.conflicts, 20);
    let mut callers = JoinSet::new();
    for number in 1..=CALLERS {
        let store = Arc::clone(&subject.store);
        callers.spawn(async move {
            let batch = records([record(stream(number + CALLERS), 1)]);
            store.commit(batch).await.unwrap();
        });
    }
    callers.join_all().await;
    let after = subject.store.statistics();
    assert_eq!(after.batches - middle.batches, CALLERS);
    assert!(
        after.groups - middle.groups < CALLERS,
        "{} statements",
        after.groups - middle.groups
    );
}

/// Two of one statement want the same: the first gets it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_many_that_go_together_one_gets_what_there_is_one_of() {
    let subject = Postgres::new().await;
    for round in 1..=10_u64 {
        let mut callers = JoinSet::new();
        for number in 0..20_u64 {
            let store = Arc::clone(&subject.store);
            let mut batch = records([record_saying(stream(round), 1, &number.to_string())]);
            batch.reservations = vec![Reservation::Take {
                space: Space::Serial,
                key: [u8::try_from(round).unwrap(); 32],
                stream: stream(round),
            }];
            callers.spawn(async move { store.commit(batch).await });
        }
        let results = callers.join_all().await;
        let written = results.iter().filter(|result| result.is_ok()).count();
        let told = |result: &Result<(), CommitError>| {
            result.is_ok() || *result == Err(CommitError::Conflict(Conflict::Stream(stream(round))))
        };
        assert!(written == 1 && results.iter().all(told), "{results:?}");
        assert_eq!(subject.store.load(&[stream(round)]).await.unwrap()[0].len(), 1);
    }
}
