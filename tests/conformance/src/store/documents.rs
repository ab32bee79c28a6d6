//! Documents: versions, keys, and bodies that nobody else can write.

use std::sync::Arc;

use portreeve_ra::ports::{CommitError, Conflict, DocumentWrite, StoreError, StoredDocument};

use super::StoreUnderTest;
use super::fixtures::*;
use super::insist::insist;

fn stored(number: u64, version: u64, body: &str) -> StoredDocument {
    StoredDocument {
        id: octets(number),
        version,
        body: body.as_bytes().to_vec(),
    }
}

/// Version 1 creates, n + 1 replaces n, and of many who replace one succeeds.
pub async fn versions(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    let rows = [
        ("replaces nothing", 2, false),
        ("creates", 1, true),
        ("creates again", 1, false),
        ("skips", 3, false),
        ("replaces", 2, true),
        ("replaces what has gone", 2, false),
        ("no version", 0, false),
    ];
    for (name, version, accepted) in rows {
        let outcome = store.commit(documents([document(1, version, name)])).await;
        if accepted {
            outcome.expect(name);
            assert_eq!(
                read.document(&document_id(1)).await.unwrap(),
                Some(stored(1, version, name))
            );
        } else {
            assert_eq!(conflict(outcome), Conflict::Document(document_id(1)), "{name}");
        }
    }
    let racing: Vec<_> = (0..16)
        .map(|writer| {
            let store = Arc::clone(&store);
            tokio::spawn(async move {
                let batch = documents([document(1, 3, &format!("{writer}"))]);
                insist(store.as_ref(), batch).await
            })
        })
        .collect();
    let mut won = Vec::new();
    for (writer, outcome) in racing.into_iter().enumerate() {
        match outcome.await.unwrap() {
            Ok(()) => won.push(writer),
            lost => assert_eq!(conflict(lost), Conflict::Document(document_id(1))),
        }
    }
    assert_eq!(won.len(), 1);
    let found = read.document(&document_id(1)).await.unwrap();
    assert_eq!(found, Some(stored(1, 3, &won[0].to_string())));
}

/// Deleting needs the version as well, takes the keys along, and leaves room for a new document.
pub async fn deletion(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    let keyed = |number| DocumentWrite {
        keys: vec![key("name", "n", true)],
        ..document(number, 1, "body")
    };
    let delete = |version| DocumentWrite {
        body: None,
        ..document(1, version, "")
    };
    store.commit(documents([keyed(1)])).await.unwrap();
    assert_eq!(
        conflict(store.commit(documents([delete(3)])).await),
        Conflict::Document(document_id(1))
    );
    assert_eq!(
        conflict(store.commit(documents([delete(1)])).await),
        Conflict::Document(document_id(1))
    );
    store.commit(documents([delete(2)])).await.unwrap();
    assert_eq!(read.document(&document_id(1)).await.unwrap(), None);
    assert_eq!(
        read.find(KIND, &key("name", "n", true), None, 10)
            .await
            .unwrap()
            .items,
        []
    );
    assert_eq!(
        conflict(store.commit(documents([delete(2)])).await),
        Conflict::Document(document_id(1))
    );
    store
        .commit(documents([keyed(2), document(1, 1, "again")]))
        .await
        .expect("id and key are free");
    assert_eq!(
        read.document(&document_id(1)).await.unwrap(),
        Some(stored(1, 1, "again"))
    );
}

/// Several documents come in the order asked.
pub async fn many_at_once(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    store
        .commit(documents(
            (1..=100).map(|number| document(number, 1, &number.to_string())),
        ))
        .await
        .unwrap();
    let ids = [100, 999, 1, 7, 1].map(document_id);
    let found = read.documents(&ids).await.unwrap();
    let expected =
        [100, 999, 1, 7, 1].map(|number| (number != 999).then(|| stored(number, 1, &number.to_string())));
    assert_eq!(found, expected);
    assert_eq!(read.documents(&[]).await.unwrap(), []);
    let all: Vec<_> = (1..=100).map(document_id).collect();
    assert!(read.documents(&all).await.unwrap().iter().all(Option::is_some));
}

/// A unique key belongs to one document of the kind; a plain one to any number.
pub async fn unique_keys(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let write = |number, version, unique, value| {
        let keys = vec![key("plain", "shared", false), key("name", value, unique)];
        documents([DocumentWrite {
            keys,
            ..document(number, version, "body")
        }])
    };
    let rows = [
        ("first", write(1, 1, true, "a"), true),
        ("taken", write(2, 1, true, "a"), false),
        ("another value", write(2, 1, true, "b"), true),
        ("its own again", write(2, 2, true, "b"), true),
        ("moves onto a taken one", write(2, 3, true, "a"), false),
        ("the same value, not unique", write(3, 1, false, "a"), true),
        ("moves away", write(1, 2, true, "c"), true),
        ("now free", write(2, 3, true, "a"), true),
        ("and the one it left", write(4, 1, true, "b"), true),
        ("made unique while taken", write(3, 2, true, "a"), false),
    ];
    for (name, batch, accepted) in rows {
        let outcome = store.commit(batch).await;
        if accepted {
            outcome.expect(name);
        } else {
            assert_eq!(conflict(outcome), Conflict::DocumentKey("name"), "{name}");
        }
    }
    let other_kind = portreeve_ra::ports::DocumentId {
        kind: "test.other",
        id: octets(1),
    };
    let other = DocumentWrite {
        id: other_kind,
        keys: vec![key("name", "a", true)],
        ..document(1, 1, "body")
    };
    store
        .commit(documents([other]))
        .await
        .expect("another kind has keys of its own");
}

/// The keys of a new version replace the earlier ones.
pub async fn keys_are_replaced(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    let steps: [(&str, &[&str]); 4] = [
        ("two", &["a", "b"]),
        ("one stays, one goes, one comes", &["b", "c"]),
        ("none", &[]),
        ("one again", &["a"]),
    ];
    for (version, (name, values)) in (1..).zip(steps) {
        let keys = values.iter().map(|value| key("tag", value, false)).collect();
        let write = DocumentWrite {
            keys,
            ..document(1, version, name)
        };
        store.commit(documents([write])).await.expect(name);
        for value in ["a", "b", "c"] {
            let found = read
                .find(KIND, &key("tag", value, false), None, 10)
                .await
                .unwrap()
                .items;
            let expected = if values.contains(&value) {
                vec![stored(1, version, name)]
            } else {
                vec![]
            };
            assert_eq!(found, expected, "{name}: {value}");
        }
    }
}

/// Finding by key gives the newest first, page by page, each document once.
pub async fn found_newest_first(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    // Ids fall while documents are made: the order is that of creation, not of ids.
    for number in (1..=25).rev() {
        let keys = vec![
            key("account", "one", false),
            key("account", &format!("other {number}"), false),
        ];
        store
            .commit(documents([DocumentWrite {
                keys,
                ..document(number, 1, "body")
            }]))
            .await
            .unwrap();
    }
    let rewritten = DocumentWrite {
        keys: vec![key("account", "one", false)],
        ..document(25, 2, "rewritten")
    };
    store.commit(documents([rewritten])).await.unwrap();
    for limit in [1, 7, 25, 100] {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = read
                .find(KIND, &key("account", "one", false), after.as_ref(), limit)
                .await
                .unwrap();
            assert!(page.items.len() <= usize::try_from(limit).unwrap());
            found.extend(page.items.into_iter().map(|document| document.id));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, (1..=25).map(octets).collect::<Vec<_>>(), "limit {limit}");
    }
    assert_eq!(
        read.find("test.other", &key("account", "one", false), None, 5)
            .await
            .unwrap()
            .items,
        []
    );
    assert_eq!(
        read.find(KIND, &key("other", "one", false), None, 5)
            .await
            .unwrap()
            .items,
        []
    );
}

/// Whoever writes to the database can break a document, never forge one.
pub async fn a_tampered_body_does_not_open(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    let account = || vec![key("account", "one", false)];
    let edits = [
        (
            "shuffled",
            "UPDATE document SET sealed = CAST(substr(sealed, 2) || substr(sealed, 1, 1) AS BLOB) WHERE id = ",
        ),
        (
            "longer",
            "UPDATE document SET sealed = CAST(sealed || x'00' AS BLOB) WHERE id = ",
        ),
        (
            "shorter",
            "UPDATE document SET sealed = substr(sealed, 1, length(sealed) - 1) WHERE id = ",
        ),
        (
            "hardly anything",
            "UPDATE document SET sealed = substr(sealed, 1, 8) WHERE id = ",
        ),
        (
            "in the clear",
            "UPDATE document SET sealed = CAST('status: valid' AS BLOB) WHERE id = ",
        ),
        ("empty", "UPDATE document SET sealed = x'' WHERE id = "),
        (
            "another version",
            "UPDATE document SET version = version + 1 WHERE id = ",
        ),
        (
            "the body of another document",
            "UPDATE document SET sealed = (SELECT sealed FROM document WHERE kind = 'test.victim') WHERE id = ",
        ),
        (
            "of another kind",
            "UPDATE document SET kind = 'test.victim' WHERE id = ",
        ),
    ];
    let victim = portreeve_ra::ports::DocumentId {
        kind: "test.victim",
        id: octets(99),
    };
    store
        .commit(documents([DocumentWrite {
            id: victim,
            ..document(99, 1, "body")
        }]))
        .await
        .unwrap();
    for (number, (name, sql)) in (1..).zip(edits) {
        store
            .commit(documents([DocumentWrite {
                keys: account(),
                ..document(number, 1, "body")
            }]))
            .await
            .unwrap();
        assert_eq!(
            read.document(&document_id(number)).await.unwrap(),
            Some(stored(number, 1, "body")),
            "{name}"
        );
        assert_eq!(
            subject.tamper(&format!("{sql} x'{number:032x}'")).await,
            1,
            "{name}: the edit took place"
        );
        let moved = name == "of another kind";
        let kind = if moved { "test.victim" } else { KIND };
        let id = portreeve_ra::ports::DocumentId {
            kind,
            id: octets(number),
        };
        let outcomes = [
            read.document(&id).await.map(|_| ()),
            read.documents(&[document_id(50), id]).await.map(|_| ()),
            read.find(KIND, &account()[0], None, 1).await.map(|_| ()),
        ];
        // Its key still leads to a document that was moved, and that is the one it was: nothing is forged.
        let broken = if moved { 2 } else { 3 };
        for outcome in outcomes.into_iter().take(broken) {
            assert!(
                matches!(outcome, Err(StoreError::Broken(_))),
                "{name}: {outcome:?}"
            );
        }
        subject
            .tamper(&format!("DELETE FROM document WHERE id = x'{number:032x}'"))
            .await;
    }
}

/// Bodies and keys have a largest size, and what is in it comes back whole.
pub async fn limits(subject: &mut dyn StoreUnderTest) {
    let (store, read) = (subject.store(), subject.documents());
    let sized = |number, body: usize, value: usize| DocumentWrite {
        body: Some(vec![0xa5; body]),
        keys: vec![portreeve_ra::ports::DocumentKey {
            index: "name",
            value: vec![1; value],
            unique: false,
        }],
        ..document(number, 1, "")
    };
    let rows = [
        ("empty", sized(1, 0, 0), true),
        ("largest", sized(2, 256 * 1024, 128), true),
        ("body too large", sized(3, 256 * 1024 + 1, 1), false),
        ("value too long", sized(4, 1, 129), false),
    ];
    for (name, write, accepted) in rows {
        let (id, body) = (write.id.clone(), write.body.clone());
        let outcome = store.commit(documents([write])).await;
        let found = read.document(&id).await.unwrap();
        if accepted {
            outcome.expect(name);
            assert_eq!(found.map(|document| document.body), body, "{name}");
        } else {
            assert!(
                matches!(outcome, Err(CommitError::Store(StoreError::Broken(_)))),
                "{name}: {outcome:?}"
            );
            assert_eq!(found, None, "{name}");
        }
    }
}
