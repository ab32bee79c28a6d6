//! Questions of several callers in one message.

use portreeve_conformance::store::fixtures::{
    document, document_id, documents, record, record_saying, records, stream,
};
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
