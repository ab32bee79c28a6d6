//! Lists: complete, in order, each row once, whatever the page size.

use std::future::Future;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::Clock;
use portreeve_ra::ports::{
    Batch, Cursor, Page, Projection, RegistrationFilter, RegistrationRow, RequestFilter, SecretFilter,
    SecretRow, StoreError,
};
use portreeve_ra::{SecretKind, StreamId, StreamKind};

use super::StoreUnderTest;
use super::fixtures::*;

fn showing(projections: impl IntoIterator<Item = Projection>) -> Batch {
    Batch {
        projections: projections.into_iter().collect(),
        ..Batch::default()
    }
}

/// All rows of a list, read in pages of this size.
async fn all<T, F>(limit: u32, page: impl Fn(Option<Cursor>) -> F) -> Vec<T>
where
    F: Future<Output = Result<Page<T>, StoreError>>,
{
    let (mut items, mut after) = (Vec::new(), None);
    loop {
        let page = page(after).await.unwrap();
        assert!(
            page.items.len() <= usize::try_from(limit).unwrap(),
            "a page longer than asked for"
        );
        assert!(
            !page.items.is_empty() || page.next.is_none(),
            "an empty page that goes on"
        );
        items.extend(page.items);
        after = page.next;
        if after.is_none() {
            return items;
        }
    }
}

const LIMITS: [u32; 5] = [1, 2, 7, 30, 1_000];

/// Streams of a kind by falling id, long ones once.
pub async fn streams_of_a_kind(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    for number in 1..=30 {
        let length = 1 + number % 3;
        store
            .commit(records(
                (1..=length).map(|position| record(stream(number), position)),
            ))
            .await
            .unwrap();
    }
    let highest = StreamId {
        kind: StreamKind::Incident,
        id: [0xff; 16],
    };
    let other = StreamId {
        kind: StreamKind::Account,
        id: octets(5),
    };
    store
        .commit(records([record(highest, 1), record(other, 1)]))
        .await
        .unwrap();
    let expected: Vec<_> = std::iter::once(highest)
        .chain((1..=30).rev().map(stream))
        .collect();
    for limit in LIMITS {
        let found = all(limit, |after| {
            let store = subject.store();
            async move { store.streams(StreamKind::Incident, after.as_ref(), limit).await }
        });
        assert_eq!(found.await, expected, "limit {limit}");
    }
    assert_eq!(
        store.streams(StreamKind::Account, None, 5).await.unwrap().items,
        [other]
    );
    assert_eq!(store.streams(StreamKind::Proof, None, 5).await.unwrap().items, []);
}

/// Requests by falling enrollment, filtered by state and endpoint, replaced when written again.
pub async fn requests(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let endpoint = |number: u64| {
        if number.is_multiple_of(3) {
            "acme/three"
        } else {
            "acme/other"
        }
    };
    for number in 1..=30 {
        let received = request_row(number, "acme/first", "received");
        store
            .commit(showing([Projection::Request(received)]))
            .await
            .unwrap();
        let state = if number.is_multiple_of(5) {
            "waiting"
        } else {
            "issued"
        };
        let row = request_row(number, endpoint(number), state);
        store.commit(showing([Projection::Request(row)])).await.unwrap();
    }
    let filter = |state: Option<&str>, endpoint: Option<&str>| RequestFilter {
        state: state.map(str::to_owned),
        endpoint: endpoint.map(str::to_owned),
    };
    let rows = [
        ("all", filter(None, None), 30),
        ("by state", filter(Some("waiting"), None), 6),
        ("by endpoint", filter(None, Some("acme/three")), 10),
        ("by both", filter(Some("waiting"), Some("acme/three")), 2),
        ("a state of before", filter(Some("received"), None), 0),
        ("an endpoint of before", filter(None, Some("acme/first")), 0),
    ];
    for (name, filter, count) in rows {
        for limit in LIMITS {
            let found = all(limit, |after| {
                let (store, filter) = (subject.store(), filter.clone());
                async move { store.requests(&filter, after.as_ref(), limit).await }
            });
            let found = found.await;
            assert_eq!(found.len(), count, "{name}, limit {limit}");
            assert!(
                found
                    .windows(2)
                    .all(|pair| pair[0].enrollment > pair[1].enrollment),
                "{name}: order"
            );
            for row in &found {
                assert!(
                    filter.state.as_ref().is_none_or(|state| *state == row.state),
                    "{name}"
                );
                assert!(
                    filter
                        .endpoint
                        .as_ref()
                        .is_none_or(|endpoint| *endpoint == row.endpoint),
                    "{name}"
                );
            }
        }
    }
    let newest = store.requests(&filter(None, None), None, 1).await.unwrap().items;
    assert_eq!(newest, [request_row(30, endpoint(30), "waiting")], "every column");
}

/// Certificates by falling enrollment; writing one again changes nothing.
pub async fn certificates(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    store
        .commit(showing(
            (1..=20).map(|number| Projection::Certificate(certificate_row(number))),
        ))
        .await
        .unwrap();
    store
        .commit(showing([Projection::Certificate(certificate_row(7))]))
        .await
        .unwrap();
    let expected: Vec<_> = (1..=20).rev().map(certificate_row).collect();
    for limit in LIMITS {
        let found = all(limit, |after| {
            let store = subject.store();
            async move { store.certificates(after.as_ref(), limit).await }
        });
        assert_eq!(found.await, expected, "limit {limit}");
    }
}

/// Revoked certificates of one backend that have not ended, by rising serial number.
pub async fn revoked(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let rows = [
        revoked_row(4, serial(&[1]), 100),
        revoked_row(2, serial(&[2]), 100),
        revoked_row(3, serial(&[1, 0]), 100),
        revoked_row(1, serial(&[0x7f; 20]), 100),
    ];
    let ended = revoked_row(5, serial(&[3]), 50);
    let mut elsewhere = revoked_row(6, serial(&[4]), 100);
    elsewhere.backend = "other".to_owned();
    let all_rows = rows.iter().rev().chain([&ended, &elsewhere]);
    store
        .commit(showing(all_rows.cloned().map(Projection::Revoked)))
        .await
        .unwrap();
    for limit in [1, 3, 10] {
        let found = all(limit, |after| {
            let store = subject.store();
            async move {
                store
                    .revoked("issuing", Timestamp::from_unix_seconds(50), after.as_ref(), limit)
                    .await
            }
        });
        assert_eq!(found.await, rows, "limit {limit}");
    }
    let with_ended = store
        .revoked("issuing", Timestamp::from_unix_seconds(49), None, 10)
        .await
        .unwrap()
        .items;
    assert_eq!(with_ended.len(), 5);
    let mut again = rows[0].clone();
    again.reason = portreeve_ra::RevocationReason::Superseded;
    store
        .commit(showing([Projection::Revoked(again.clone())]))
        .await
        .unwrap();
    let first = store
        .revoked("issuing", Timestamp::from_unix_seconds(50), None, 1)
        .await
        .unwrap()
        .items;
    assert_eq!(first, [again], "replaced");
}

/// Registrations by falling id, filtered by name, teams, state and whether they are vouched for.
pub async fn registrations(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    for number in 1..=30 {
        let earlier = RegistrationRow {
            state: "pending".to_owned(),
            ..registration_row(number)
        };
        for row in [earlier, registration_row(number)] {
            store
                .commit(showing([Projection::Registration(row)]))
                .await
                .unwrap();
        }
    }
    let filter = |name: Option<&str>, teams: Option<&[&str]>, state: Option<&str>| RegistrationFilter {
        name: name.map(str::to_owned),
        teams: teams.map(|teams| teams.iter().map(|team| (*team).to_owned()).collect()),
        state: state.map(str::to_owned),
        vouched_only: false,
    };
    let vouched = RegistrationFilter {
        vouched_only: true,
        ..RegistrationFilter::default()
    };
    let rows = [
        ("all", RegistrationFilter::default(), 30),
        ("by a part of the name", filter(Some("wEB_1"), None, None), 11),
        ("no pattern", filter(Some("web%"), None, None), 0),
        ("an underscore is one", filter(Some("b_30"), None, None), 1),
        ("a quote is one", filter(Some("' OR 1=1 --"), None, None), 0),
        ("by a team", filter(None, Some(&["db"]), None), 10),
        ("by teams", filter(None, Some(&["db", "web"]), None), 20),
        ("by no team", filter(None, Some(&[]), None), 0),
        ("by state", filter(None, None, Some("suspended")), 6),
        ("a state of before", filter(None, None, Some("pending")), 0),
        (
            "by all",
            filter(Some("web_2"), Some(&["web"]), Some("suspended")),
            1,
        ),
        ("vouched", vouched, 4),
    ];
    for (case, filter, count) in rows {
        for limit in LIMITS {
            let found = all(limit, |after| {
                let (store, filter) = (subject.store(), filter.clone());
                async move { store.registrations(&filter, after.as_ref(), limit).await }
            });
            let found = found.await;
            assert_eq!(found.len(), count, "{case}, limit {limit}");
            let falling = |pair: &[RegistrationRow]| pair[0].registration > pair[1].registration;
            assert!(found.windows(2).all(falling), "{case}: order");
        }
    }
    let newest = store.registrations(&RegistrationFilter::default(), None, 2).await;
    assert_eq!(
        newest.unwrap().items,
        [registration_row(30), registration_row(29)],
        "every column"
    );
}

/// Secrets by falling id, filtered by owner and kind; gone from the list some time after their time is over.
pub async fn secrets(subject: &mut dyn StoreUnderTest) {
    let (store, clock) = (subject.store(), subject.clock());
    let until = clock.now_plus_hour();
    let row = |number: u64| SecretRow {
        until: number.is_multiple_of(4).then_some(until),
        ..secret_row(number)
    };
    for number in 1..=24 {
        let shown = Projection::Secret(row(number));
        store.commit(showing([shown])).await.unwrap();
    }
    let filter = |owner: Option<&str>, kind| SecretFilter {
        owner: owner.map(str::to_owned),
        kind,
    };
    let rows = [
        ("all", filter(None, None), 24),
        ("of one", filter(Some("operator:b"), None), 12),
        ("of a kind", filter(None, Some(SecretKind::AcmeEab)), 8),
        (
            "of one of a kind",
            filter(Some("operator:b"), Some(SecretKind::AcmeEab)),
            4,
        ),
        ("of nobody", filter(Some("operator:c"), None), 0),
    ];
    for (case, filter, count) in rows {
        for limit in LIMITS {
            let found = all(limit, |after| {
                let (store, filter) = (subject.store(), filter.clone());
                async move { store.secrets(&filter, after.as_ref(), limit).await }
            });
            assert_eq!(found.await.len(), count, "{case}, limit {limit}");
        }
    }
    let revoked = SecretRow {
        state: "revoked".to_owned(),
        ..row(24)
    };
    store
        .commit(showing([Projection::Secret(revoked.clone())]))
        .await
        .unwrap();
    let newest = store.secrets(&SecretFilter::default(), None, 1).await.unwrap();
    assert_eq!(newest.items, [revoked], "replaced, every column");
    let listed = until.saturating_add(portreeve_ra::ports::SECRET_LISTED);
    let second = std::time::Duration::from_secs(1);
    clock.advance(listed.since(clock.now()) - second);
    assert_eq!(store.sweep(50).await.unwrap(), 0);
    clock.advance(second + second);
    assert_eq!(store.sweep(4).await.unwrap(), 4, "some at a time");
    assert_eq!(store.sweep(4).await.unwrap(), 2);
    let left = store.secrets(&SecretFilter::default(), None, 50).await.unwrap();
    assert_eq!(left.items.len(), 18, "those without an end stay");
}

/// A cursor that is not one is an error, never a wrong page.
pub async fn foreign_cursors(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    for octets in [vec![], vec![0; 15], vec![0; 64]] {
        let cursor = Some(Cursor(octets));
        let outcomes = [
            store
                .streams(StreamKind::Incident, cursor.as_ref(), 5)
                .await
                .map(|_| ()),
            store
                .requests(&RequestFilter::default(), cursor.as_ref(), 5)
                .await
                .map(|_| ()),
            store.certificates(cursor.as_ref(), 5).await.map(|_| ()),
            store
                .registrations(&RegistrationFilter::default(), cursor.as_ref(), 5)
                .await
                .map(|_| ()),
            store
                .secrets(&SecretFilter::default(), cursor.as_ref(), 5)
                .await
                .map(|_| ()),
            store
                .revoked("issuing", Timestamp::default(), cursor.as_ref(), 5)
                .await
                .map(|_| ()),
            subject
                .documents()
                .find(KIND, &key("a", "b", false), cursor.as_ref(), 5)
                .await
                .map(|_| ()),
        ];
        for outcome in outcomes {
            assert!(
                matches!(outcome, Err(StoreError::Broken(_))),
                "{cursor:?}: {outcome:?}"
            );
        }
    }
}

/// Rows written while a list is being read neither repeat nor hide those that were there.
pub async fn a_list_survives_writing(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let write = |number| showing([Projection::Request(request_row(number, "acme/test", "issued"))]);
    for number in (2..=40).step_by(2) {
        store.commit(write(number)).await.unwrap();
    }
    let (mut found, mut after, mut odd) = (Vec::new(), None, 1);
    loop {
        let page = store
            .requests(&RequestFilter::default(), after.as_ref(), 3)
            .await
            .unwrap();
        found.extend(page.items.into_iter().map(|row| row.enrollment));
        after = page.next;
        if after.is_none() {
            break;
        }
        store.commit(write(odd)).await.unwrap();
        store.commit(write(100 + odd)).await.unwrap();
        odd += 2;
    }
    assert!(
        found.windows(2).all(|pair| pair[0] > pair[1]),
        "in order, none twice"
    );
    assert!(
        (2..=40)
            .step_by(2)
            .all(|number| found.contains(&enrollment(number))),
        "none hidden"
    );
}
