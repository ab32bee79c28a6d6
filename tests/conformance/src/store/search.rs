//! Searches: what each field and operator finds, page by page, and what no value of a query brings about.

use portreeve_pkix::{Timestamp, sha256};
use portreeve_ra::ports::{
    Batch, CertificateRow, Found, Ownership, Projection, RequestRow, Scan, SearchedNames, Store,
};
use portreeve_ra::search::{Among, Plan, Position, parse};
use portreeve_ra::{EnrollmentId, RevocationReason};

use super::StoreUnderTest;
use super::fixtures::*;
use rows::*;

mod rows;

async fn show(store: &dyn Store, projections: impl IntoIterator<Item = Projection>) {
    let batch = Batch {
        projections: projections.into_iter().collect(),
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();
}

async fn find(
    store: &dyn Store,
    query: &str,
    (after, limit): (Option<Position>, u32),
) -> Found<CertificateRow> {
    let expression = parse(query, Among::Certificates).unwrap_or_else(|error| panic!("{query}: {error}"));
    let plan = Plan::of(expression.as_ref(), Among::Certificates, NOW);
    let scan = Scan {
        expression: expression.as_ref(),
        plan: &plan,
        now: NOW,
        after,
        limit,
    };
    let found = store.find_certificates(&scan).await;
    found.unwrap_or_else(|error| panic!("{query}: {error}"))
}

async fn find_requests(
    store: &dyn Store,
    query: &str,
    (after, limit): (Option<Position>, u32),
) -> Found<RequestRow> {
    let expression = parse(query, Among::Requests).unwrap_or_else(|error| panic!("{query}: {error}"));
    let plan = Plan::of(expression.as_ref(), Among::Requests, NOW);
    let scan = Scan {
        expression: expression.as_ref(),
        plan: &plan,
        now: NOW,
        after,
        limit,
    };
    let found = store.find_requests(&scan).await;
    found.unwrap_or_else(|error| panic!("{query}: {error}"))
}

/// The numbers of the certificates that a query finds, in the order of the list, in pages of this size.
async fn numbers(store: &dyn Store, query: &str, limit: u32) -> Vec<u64> {
    let (mut numbers, mut after) = (Vec::new(), None);
    loop {
        let page = find(store, query, (after, limit)).await;
        assert!(page.items.len() <= usize::try_from(limit).unwrap(), "{query}");
        numbers.extend(page.items.iter().map(|row| number(row.enrollment)));
        after = page.next;
        if after.is_none() {
            return numbers;
        }
    }
}

fn number(id: EnrollmentId) -> u64 {
    u64::try_from(u128::from_be_bytes(*id.as_bytes())).unwrap()
}

/// Certificates 1 to 6 of different kinds.
async fn certificates_of_all_kinds(store: &dyn Store) -> [CertificateRow; 6] {
    let mut rows = [
        issued(
            1,
            (&["web1.example.org"], &["web1.example.org", "www.example.org"]),
            10,
        ),
        issued(2, (&["ärger & söhne"], &["2001:db8::1"]), 100),
        issued(3, (&[], &["mail.example.net", "192.0.2.1"]), -1),
        issued(4, (&["www.example.org"], &[]), 20),
        issued(5, (&["a_b%c\\d'e\"f"], &["uri:http://x/?a=b"]), 400),
        issued(6, (&["web6.example.org", "second"], &["web6.example.org"]), 30),
    ];
    rows[1].backend = "other".to_owned();
    rows[1].profile = "Client".to_owned();
    rows[1].key_algorithm = "RSA-2048".to_owned();
    rows[2].endpoint = "est/devices".to_owned();
    rows[2].requester = "registration:7".to_owned();
    rows[2].ownership = Ownership {
        registration: Some("Printer 7".to_owned()),
        team: Some("hardware".to_owned()),
    };
    let certificates = rows.iter().cloned().map(Projection::Certificate);
    show(store, certificates).await;
    let revocations = [
        revocation(4, RevocationReason::CertificateHold, -1),
        revocation(5, RevocationReason::KeyCompromise, -3),
    ];
    show(store, revocations).await;
    rows
}

/// Every field with every kind of operator, newest first or by the time that was asked for.
pub async fn certificates(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let rows = certificates_of_all_kinds(store.as_ref()).await;
    let fingerprint = format!("fingerprint={}", hex::encode(rows[2].fingerprint));
    let spki = format!(
        "spki in ({}, {})",
        hex::encode(rows[0].key),
        hex::encode(rows[5].key)
    );
    let cases: &[(&str, &[u64])] = &[
        ("", &[6, 5, 4, 3, 2, 1]),
        ("cn=www.example.org", &[4]),
        ("cn=WWW.Example.ORG", &[4]),
        ("cn=second", &[6]),
        ("cn=example.org", &[]),
        ("cn!=www.example.org", &[6, 5, 3, 2, 1]),
        ("cn~web", &[6, 1]),
        ("cn~WEB", &[6, 1]),
        ("cn~\"ÄRGER & SÖ\"", &[2]),
        ("not cn~web", &[5, 4, 3, 2]),
        ("cn in (second, web1.example.org)", &[6, 1]),
        ("san=www.example.org", &[1]),
        ("san=www.example.org or cn=www.example.org", &[4, 1]),
        ("san=2001:db8::1", &[2]),
        ("san=192.0.2.1", &[3]),
        ("san~example", &[6, 3, 1]),
        ("san!=mail.example.net", &[6, 5, 4, 2, 1]),
        ("serial=0a04", &[3]),
        ("serial=00:0a:04", &[3]),
        ("serial in (a04, a05)", &[4, 3]),
        ("serial!=a04", &[6, 5, 4, 2, 1]),
        (fingerprint.as_str(), &[3]),
        (spki.as_str(), &[6, 1]),
        ("profile=Client", &[2]),
        ("profile=client", &[]),
        ("profile~client", &[2]),
        ("profile!=tls-server", &[2]),
        ("endpoint=est/devices", &[3]),
        ("endpoint~EST/", &[3][..]),
        ("protocol=est", &[3]),
        ("protocol!=est", &[6, 5, 4, 2, 1]),
        ("protocol in (scep, acme)", &[6, 5, 4, 2, 1]),
        ("protocol=es", &[]),
        ("issuer=other", &[2]),
        ("backend~issu and profile=tls-server and protocol=est", &[3]),
        ("end_entity=\"Printer 7\"", &[3]),
        ("registration~printer", &[3]),
        ("registration!=\"Printer 7\"", &[6, 5, 4, 2, 1]),
        ("team=hardware", &[3]),
        ("not team=hardware", &[6, 5, 4, 2, 1]),
        ("requester=registration:7", &[3]),
        ("requester~account", &[6, 5, 4, 2, 1]),
        ("key=RSA-2048", &[2]),
        ("key~rsa", &[2]),
        ("status=valid", &[6, 2, 1]),
        ("status=expired", &[3]),
        ("status=revoked", &[5]),
        ("status=held", &[4]),
        ("status in (revoked, held)", &[5, 4]),
        ("status!=valid", &[5, 4, 3]),
        ("reason=keyCompromise", &[5]),
        ("reason in (keyCompromise, certificateHold)", &[5, 4]),
        ("reason!=keyCompromise", &[6, 4, 3, 2, 1]),
        ("not reason=keyCompromise", &[6, 4, 3, 2, 1]),
        ("revoked>-2d", &[4]),
        ("revoked>-30d", &[4, 5]),
        ("not revoked>-2d", &[6, 5, 3, 2, 1]),
        ("issued>-3d", &[1, 2]),
        ("issued>=-3d", &[1, 2, 3]),
        ("issued<-3d and issued>-6d", &[4, 5]),
        ("not issued<-3d", &[3, 2, 1]),
        ("expires<25d", &[4, 1, 3]),
        ("expires<25d and expires>0s", &[1, 4]),
        ("status=valid and expires<60d", &[1, 6]),
        ("expires>=60d", &[5, 2]),
        ("expires<=2027-01-25 and expires>2020-01-01T00:00:00Z", &[3, 1]),
        ("expires=2027-01-25", &[1]),
        ("expires!=2027-01-25", &[6, 5, 4, 3, 2]),
        ("cn~example and (status=held or key~rsa or expires<11d)", &[4, 1]),
        ("cn~web and expires<30d and profile=tls-server", &[1]),
        ("not (cn~web or san~mail) and not status=revoked", &[4, 2]),
    ];
    for (query, expected) in cases {
        for limit in [1, 2, 50] {
            assert_eq!(
                numbers(store.as_ref(), query, limit).await,
                *expected,
                "{query}, limit {limit}"
            );
        }
    }
    let mut expected = rows[3].clone();
    expected.revoked = Some((RevocationReason::CertificateHold, days(-1)));
    let found = find(store.as_ref(), "serial=0a05", (None, 5)).await.items;
    assert_eq!(found, [expected], "every column");
}

/// Requests by what they have.
pub async fn requests(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let at = |number: u64, age: i64| {
        let mut row = request_row(number, "acme/test", "awaiting_approval");
        let made = days(-age);
        row.enrollment = {
            let mut id = octets(number);
            let millis = u64::try_from(made.unix_millis()).unwrap().to_be_bytes();
            id[..6].copy_from_slice(&millis[2..]);
            EnrollmentId::from_bytes(id)
        };
        row.created_at = made;
        row.updated_at = days(0);
        row
    };
    let mut rows = [at(1, 40), at(2, 3), at(3, 2), at(4, 1)];
    rows[0].state = "issued".to_owned();
    rows[1].requester = "account:2".to_owned();
    rows[2].profile = "client".to_owned();
    rows[2].searched.common = texts(&["printer"]);
    rows[3].ownership.team = Some("hardware".to_owned());
    show(store.as_ref(), rows.iter().cloned().map(Projection::Request)).await;
    // A later row of the same request says nothing of a team.
    rows[3].ownership.team = None;
    rows[3].backend = "other".to_owned();
    show(store.as_ref(), [Projection::Request(rows[3].clone())]).await;
    let spki = format!("spki={}", hex::encode(rows[1].key));
    let cases: &[(&str, &[u64])] = &[
        ("", &[4, 3, 2, 1]),
        ("state=awaiting_approval", &[4, 3, 2]),
        ("state!=awaiting_approval", &[1]),
        ("state in (issued, refused)", &[1]),
        ("state=awaiting_approval and requester=account:2", &[2]),
        ("state=awaiting_approval and profile=client", &[3]),
        ("cn=printer", &[3]),
        ("cn=print", &[]),
        ("cn~print", &[3]),
        ("san=also2.example", &[2]),
        ("san in (also2.example, also3.example)", &[3, 2]),
        ("san!=also2.example", &[4, 3, 1]),
        ("team=hardware", &[4]),
        ("backend=other and team=hardware", &[4]),
        ("endpoint=acme/test and received<-2d", &[2, 1]),
        ("received>=-3d", &[4, 3, 2]),
        ("received>-90d and received<-30d", &[1]),
        ("changed>-1h", &[4, 3, 2, 1]),
        ("protocol=cmp", &[]),
        (spki.as_str(), &[2]),
        ("key=P-256 and not state=issued", &[4, 3, 2]),
    ];
    for (query, expected) in cases {
        let (mut found, mut after) = (Vec::new(), None);
        loop {
            let page = find_requests(store.as_ref(), query, (after, 2)).await;
            let place = |row: &RequestRow| rows.iter().position(|one| one.enrollment == row.enrollment);
            found.extend(page.items.iter().map(|row| place(row).unwrap() as u64 + 1));
            after = page.next;
            if after.is_none() {
                break;
            }
        }
        assert_eq!(found, *expected, "{query}");
    }
    let found = find_requests(store.as_ref(), "team=hardware", (None, 2))
        .await
        .items;
    rows[3].ownership.team = Some("hardware".to_owned());
    assert_eq!(found, [rows[3].clone()], "every column");
}

/// Each row once and in order, whatever the page size, also where many have the same time.
pub async fn pages(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    let row = |number: u64| CertificateRow {
        not_after: days(1 + i64::try_from(number % 4).unwrap()),
        issued_at: days(-i64::try_from(number % 3).unwrap() - 1),
        ..issued(number, (&["host"], &["name"]), 1)
    };
    show(
        store.as_ref(),
        (1..=50).map(|number| Projection::Certificate(row(number))),
    )
    .await;
    show(
        store.as_ref(),
        (1..=20).map(|number| revocation(number, RevocationReason::Superseded, -1)),
    )
    .await;
    let by = |key: fn(&CertificateRow) -> i64, rising: bool| {
        let mut rows: Vec<CertificateRow> = (1..=50).map(row).collect();
        rows.sort_by_key(|row| (key(row), row.enrollment));
        if !rising {
            rows.reverse();
        }
        rows.iter()
            .map(|row| number(row.enrollment))
            .collect::<Vec<u64>>()
    };
    let ends = |row: &CertificateRow| row.not_after.unix_millis();
    let cases = [
        ("", by(|_| 0, false)),
        ("cn=host", by(|_| 0, false)),
        ("cn~host", by(|_| 0, false)),
        ("expires>0s and expires<30d", by(ends, true)),
        ("expires<30d", by(ends, false)),
        ("issued>-9d", by(|row| row.issued_at.unix_millis(), false)),
        ("reason=superseded", (1..=20).rev().collect()),
    ];
    for (query, expected) in cases {
        for limit in [1, 7, 49, 50, 1_000] {
            assert_eq!(
                numbers(store.as_ref(), query, limit).await,
                expected,
                "{query}, limit {limit}"
            );
        }
    }
}

/// Values are values, whatever they look like: found where they are a name, and nothing happens.
pub async fn hostile_values(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    certificates_of_all_kinds(store.as_ref()).await;
    let values = [
        "x' OR '1'='1",
        "x'); DROP TABLE certificate; --",
        "\\\" or cn~a or cn~\\\"",
        "%",
        "_",
        "*",
        "$1",
        "?1",
        ":a",
        "\\\\",
        "' UNION SELECT value FROM sealed_key --",
        "\u{202e}",
    ];
    for value in values {
        for field in [
            "cn",
            "san",
            "profile",
            "endpoint",
            "backend",
            "requester",
            "team",
            "registration",
            "key",
        ] {
            for operator in ["=", "~"] {
                let query = format!("{field}{operator}\"{value}\"");
                let found = numbers(store.as_ref(), &query, 50).await;
                // Only where it is written so.
                let odd_name = field == "cn" && operator == "~" && ["%", "_", "\\\\"].contains(&value);
                assert_eq!(found, if odd_name { vec![5] } else { vec![] }, "{query}");
            }
        }
    }
    assert_eq!(numbers(store.as_ref(), r#"cn="a_b%c\\d'e\"f""#, 50).await, [5]);
    assert_eq!(
        numbers(store.as_ref(), "", 50).await.len(),
        6,
        "everything is still there"
    );
    let long = "x".repeat(300);
    let row = issued(7, (&[], &[long.as_str()]), 1);
    show(store.as_ref(), [Projection::Certificate(row)]).await;
    assert_eq!(
        numbers(store.as_ref(), &format!("san={long}"), 50).await,
        [7],
        "a name too long for an index"
    );
    assert_eq!(numbers(store.as_ref(), &format!("san=x{long}"), 50).await, [0; 0]);
}

/// What is rare among many is found in steps, each of which looks at a bounded number of rows and says where it goes on.
pub async fn a_long_way_is_gone_in_steps(subject: &mut dyn StoreUnderTest) {
    const ROWS: u64 = 9_000;
    let store = subject.store();
    let rare = [5_u64, 4_400, 8_990];
    for first in (1..=ROWS).step_by(500) {
        let rows = (first..first + 500).map(|number| {
            let name = if rare.contains(&number) { "rare" } else { "common" };
            Projection::Certificate(CertificateRow {
                searched: SearchedNames {
                    common: texts(&[name]),
                    alternative: Vec::new(),
                },
                key: sha256(&octets(number)),
                ..certificate_row(number)
            })
        });
        show(store.as_ref(), rows).await;
    }
    let (mut found, mut after, mut steps) = (Vec::new(), None, 0);
    loop {
        let page = find(store.as_ref(), "cn~rare", (after, 50)).await;
        found.extend(page.items.iter().map(|row| number(row.enrollment)));
        (after, steps) = (page.next, steps + 1);
        if after.is_none() {
            break;
        }
    }
    assert_eq!(found, [8_990, 4_400, 5]);
    assert_eq!(steps, 5, "9,000 rows, 2,000 at a time");
    let empty = find(store.as_ref(), "cn~rarest", (None, 50)).await;
    assert!(
        empty.items.is_empty() && empty.next.is_some(),
        "nothing yet, and it goes on"
    );
    let exact = find(store.as_ref(), "cn=rare", (None, 50)).await;
    assert_eq!(
        (exact.items.len(), exact.next),
        (3, None),
        "an exact name needs one step"
    );
}

/// A hold shows on the row of the certificate and on the list of what is revoked, and goes from both.
pub async fn revoked_and_released(subject: &mut dyn StoreUnderTest) {
    let store = subject.store();
    show(
        store.as_ref(),
        [Projection::Certificate(issued(1, (&["a"], &[]), 10))],
    )
    .await;
    let on_list = async || {
        let page = store
            .revoked("issuing", Timestamp::from_unix_seconds(0), None, 5)
            .await
            .unwrap();
        page.items.len()
    };
    let steps: [(&str, Option<Projection>, &str, usize); 5] = [
        ("issued", None, "valid", 0),
        (
            "on hold",
            Some(revocation(1, RevocationReason::CertificateHold, 0)),
            "held",
            1,
        ),
        ("released", Some(Projection::Released(enrollment(1))), "valid", 0),
        (
            "on hold again",
            Some(revocation(1, RevocationReason::CertificateHold, 0)),
            "held",
            1,
        ),
        (
            "for good",
            Some(revocation(1, RevocationReason::Superseded, 0)),
            "revoked",
            1,
        ),
    ];
    for (name, projection, status, listed) in steps {
        show(store.as_ref(), projection).await;
        for word in ["valid", "held", "revoked", "expired"] {
            let found = numbers(store.as_ref(), &format!("status={word}"), 5).await;
            assert_eq!(found.len(), usize::from(word == status), "{name}: {word}");
        }
        assert_eq!(on_list().await, listed, "{name}");
    }
}
