//! An edge whose machine was taken over, by hand: its database role and its keys, and what they are good for.

use portreeve_faults::client::request_for;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use portreeve_keyset::{Kek, KekSet, Keyset, WrappedKeyset};
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::EventSigner;
use portreeve_ra::{
    Actor, Circumstances, EnrollmentEvent, Event, Origin, Place, Purpose, Record, StreamId, StreamKind,
    Unsigned,
};
use sqlx::{PgConnection, Row};

use crate::LIMIT;

/// The SQLSTATE of a refusal by rights.
const DENIED: &str = "42501";

/// What a statement came to: `ok`, or the SQLSTATE.
async fn tried(connection: &mut PgConnection, sql: &'static str) -> String {
    match sqlx::query(sql).execute(connection).await {
        Ok(_) => "ok".to_owned(),
        Err(error) => code(&error),
    }
}

fn code(error: &sqlx::Error) -> String {
    let code = error.as_database_error().and_then(|error| error.code());
    code.map_or_else(|| error.to_string(), |code| code.into_owned())
}

pub(crate) async fn insert(connection: &mut PgConnection, record: &Record) -> String {
    let (header, stored) = (record.header(), record.to_stored());
    let query = sqlx::query(
        "INSERT INTO record (kind, stream, position, header, payload_digest, salt, payload, key, signature) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
    );
    let done = query
        .bind(i64::from(header.stream.kind.number()))
        .bind(header.stream.id.to_vec())
        .bind(i64::try_from(header.position).unwrap())
        .bind(stored.header)
        .bind(stored.payload_digest)
        .bind(stored.salt)
        .bind(stored.payload)
        .bind(stored.key)
        .bind(stored.signature)
        .execute(connection)
        .await;
    done.map_or_else(|error| code(&error), |_| "ok".to_owned())
}

/// The key encryption keys of a node, and the keyset as the node reads it from the database.
pub(crate) async fn keys_of(fleet: &Fleet, name: &str) -> (WrappedKeyset, KekSet) {
    let mut shared = None;
    let mut own = Vec::new();
    for (purpose, path) in fleet.keks(name) {
        let kek = Kek::from_file(&path).unwrap();
        match purpose {
            Some(purpose) => own.push((purpose, kek)),
            None => shared = Some(kek),
        }
    }
    let keks = own
        .into_iter()
        .fold(KekSet::shared(shared.unwrap()), |set, (purpose, kek)| {
            set.with(purpose, kek)
        });
    let mut connection = fleet.as_node(name).await.unwrap();
    let row = sqlx::query("SELECT value FROM installation_value WHERE name = 'keyset'")
        .fetch_one(&mut connection)
        .await
        .unwrap();
    let octets: Vec<u8> = row.try_get(0).unwrap();
    (WrappedKeyset::parse(&octets).unwrap(), keks)
}

/// A record of these events after the others of a stream, signed with a key that is there, in whosever name.
fn record((stream, before): (StreamId, &[Record]), purpose: Purpose, keys: &Keyset) -> Record {
    let place = Place {
        stream,
        position: u64::try_from(before.len()).unwrap() + 1,
        previous: before.last().map_or([0; 32], Record::hash),
    };
    let origin = before.last().map(|record| record.header().origin.node).unwrap();
    let circumstances = Circumstances {
        purpose,
        at: Timestamp::from_unix_millis(portreeve_faults::database::now_millis()),
        actor: Actor::Node,
        origin: Origin::node(origin),
        reason: "policy permits".to_owned(),
    };
    let events = [Event::Enrollment(EnrollmentEvent::Approved { proposal: None })];
    let unsigned = Unsigned::new(place, circumstances, &events, [7; 16]).unwrap();
    let (key, signature) = keys.sign(Purpose::Edge, &unsigned.signed_bytes()).unwrap();
    unsigned.sign_with(key, signature)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_that_was_taken_over_can_neither_decide_nor_sign() {
    let fleet = Fleet::of(&Plan::SMALL).await.unwrap();
    assert!(
        os::children(fleet.node("edge1").unwrap().process.pid())
            .unwrap()
            .is_empty()
    );

    // What the keys in its data directory open.
    let (wrapped, keks) = keys_of(&fleet, "edge1").await;
    let opened: Vec<Purpose> = Purpose::ALL
        .into_iter()
        .filter(|purpose| wrapped.open(&keks, &[*purpose]).is_ok())
        .collect();
    assert_eq!(opened, [Purpose::Edge]);
    let keys = wrapped.open(&keks, &[Purpose::Edge]).unwrap();
    assert!(keys.sign(Purpose::Worker, b"anything").is_err());

    // What its database role may do.
    let mut edge = fleet.as_node("edge1").await.unwrap();
    let rows = [
        ("SELECT value FROM sealed_key", DENIED),
        ("INSERT INTO sealed_key (name, value) VALUES ('x', '')", DENIED),
        ("UPDATE record SET payload = NULL", DENIED),
        ("DELETE FROM record", DENIED),
        ("UPDATE task SET ready_at = 0", DENIED),
        ("DELETE FROM task", DENIED),
        ("DELETE FROM claim", DENIED),
        ("UPDATE installation_value SET value = ''", DENIED),
        ("INSERT INTO certificate SELECT * FROM certificate", DENIED),
        ("INSERT INTO revoked SELECT * FROM revoked", DENIED),
        ("DELETE FROM revoked", DENIED),
        ("SET ROLE portreeve_worker", DENIED),
        ("CREATE TABLE mine (n int)", DENIED),
        ("ALTER TABLE record DISABLE ROW LEVEL SECURITY", DENIED),
        ("SELECT count(*) FROM record", "ok"),
    ];
    for (sql, expected) in rows {
        assert_eq!(tried(&mut edge, sql).await, expected, "{sql}");
    }

    // A request that waits for people: whoever could say Approved would have a certificate.
    let client = fleet.client("approval").await.unwrap();
    let url = client.order("forged.localhost", LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let request = request_for("forged.localhost").unwrap();
    client.finalize(&url, &request).await.unwrap();
    let waits = "SELECT count(*) FROM request WHERE state = 'awaiting_approval'";
    os::eventually("a request that waits", LIMIT, || async {
        Ok((fleet.count(waits).await? == 1).then_some(()))
    })
    .await
    .unwrap();
    let records = fleet.records().await.unwrap();
    let before: Vec<Record> = records
        .into_iter()
        .filter(|record| record.header().stream.kind == StreamKind::Enrollment)
        .collect();
    let stream = before[0].header().stream;
    let as_worker = record((stream, &before), Purpose::Worker, &keys);
    assert_eq!(
        insert(&mut edge, &as_worker).await,
        DENIED,
        "in the name of a worker"
    );
    let as_edge = record((stream, &before), Purpose::Edge, &keys);
    assert_eq!(
        insert(&mut edge, &as_edge).await,
        "ok",
        "its own signature is its own"
    );

    // Whoever reads it sees that no edge may say this.
    let status = client.status(&url).await;
    assert!(
        !matches!(status, Ok(instant_acme::OrderStatus::Valid)),
        "{status:?}"
    );
    let id = uuid::Uuid::from_bytes(stream.id).to_string();
    for _ in 0..2 {
        let console = fleet.console().unwrap();
        let shown =
            tokio::task::block_in_place(|| console.control(&["request", "approve", &id, "--yes"])).unwrap();
        assert!(!shown.status.success(), "{}", shown.text());
    }
    os::eventually("an incident", LIMIT, || async {
        let raised = fleet.records().await?;
        let raised = raised
            .iter()
            .filter(|record| record.header().stream.kind == StreamKind::Incident);
        Ok((raised.count() == 1).then_some(()))
    })
    .await
    .unwrap();
    let console = fleet.console().unwrap();
    let listed = tokio::task::block_in_place(|| console.control(&["audit", "incidents"])).unwrap();
    let listed = listed.success().unwrap().stdout;
    assert_eq!(listed.matches("tampered").count(), 1, "{listed}");
    let issued = fleet.count("SELECT count(*) FROM certificate").await.unwrap();
    assert_eq!(issued, 0);
}
