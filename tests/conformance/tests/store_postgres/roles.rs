//! Roles as walls: what PostgreSQL itself denies to the role of a node.

use portreeve_conformance::store::fixtures::{
    certificate_row, document, documents, node, record_by, records, registration_row, request_row,
    secret_row, spend, stream, task,
};
use portreeve_ra::ports::{Batch, Projection};
use portreeve_ra::{Purpose, StreamId, StreamKind};
use portreeve_store::roles_script;

use super::*;

/// Roles belong to the server, so each test has a prefix of its own.
pub(crate) struct Nodes {
    owner: Postgres,
    prefix: String,
}

impl Nodes {
    pub(crate) async fn new(prefix: &str) -> Self {
        let owner = Postgres::new().await;
        for _ in 0..2 {
            // It can be run again.
            let script = roles_script(prefix).unwrap();
            let mut connection = PgConnection::connect(&owner.raw_url).await.unwrap();
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(script)))
                .await
                .unwrap();
        }
        owner.store.put_sealed_key("root", b"sealed").await.unwrap();
        Self {
            owner,
            prefix: prefix.to_owned(),
        }
    }

    /// The URL of a node that plays these roles, and logs in with a password that needs encoding.
    async fn url(&self, roles: &[&str]) -> String {
        let login = format!("{}_node_{}", self.prefix, roles.join("_"));
        let granted: Vec<String> = roles
            .iter()
            .map(|role| format!("{}_{role}", self.prefix))
            .collect();
        let sql = format!(
            "CREATE ROLE {login} LOGIN PASSWORD 'p@ss:w/rd%' IN ROLE {}",
            granted.join(", ")
        );
        execute(&self.owner.raw_url, &sql).await;
        let credentials = format!("{login}:p%40ss%3Aw%2Frd%25@");
        self.owner.raw_url.replace("harness@", &credentials)
    }

    pub(crate) async fn store(&self, roles: &[&str]) -> Arc<PostgresStore> {
        let url: PostgresUrl = self.url(roles).await.parse().unwrap();
        let options = || {
            let mut options = options(&self.owner.clock);
            options.common.pending = PendingMigrations::Refuse;
            options
        };
        let database = open(&url, options).await.unwrap();
        database.into_store(Arc::clone(&self.owner.sealer))
    }
}

/// The SQLSTATE of a statement; empty when it was carried out.
async fn state(url: &str, sql: &str) -> String {
    // sqlx does not know a password with a percent sign in a URL other than encoded: the same as here.
    let mut connection = PgConnection::connect(url).await.unwrap();
    match connection.execute(AssertSqlSafe(sql.to_owned())).await {
        Ok(_) => String::new(),
        Err(error) => error.as_database_error().unwrap().code().unwrap().into_owned(),
    }
}

fn denied(outcome: Result<(), CommitError>, name: &str) {
    match outcome {
        Err(CommitError::Store(StoreError::Broken(reason))) => {
            assert!(reason.contains("42501"), "{name}: {reason}");
        }
        other => panic!("{name}: {other:?}"),
    }
}

const INSUFFICIENT_PRIVILEGE: &str = "42501";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_reads_no_key_and_appends_no_decision() {
    let nodes = Nodes::new("wall_a").await;
    let url = nodes.url(&["edge"]).await;
    let partition = rows(
        &nodes.owner.raw_url,
        "SELECT relname::text FROM pg_class WHERE relname ~ '^record_by_time_[0-9]' LIMIT 1",
    )
    .await
    .remove(0);
    let attempts = [
        "SELECT * FROM sealed_key",
        "SELECT count(*) FROM sealed_key",
        "UPDATE sealed_key SET value = value",
        "INSERT INTO sealed_key VALUES ('x', 'x')",
        "COPY sealed_key TO STDOUT",
        "UPDATE record SET payload = NULL",
        "DELETE FROM record",
        "TRUNCATE record",
        "UPDATE installation_value SET value = 'x'",
        "DELETE FROM installation",
        "INSERT INTO schema_version VALUES (2, 'x', 'x', 0)",
        "UPDATE task SET holder = NULL",
        "DELETE FROM task",
        "DELETE FROM spent",
        "INSERT INTO certificate DEFAULT VALUES",
        "INSERT INTO revoked DEFAULT VALUES",
        "SELECT make_partitions(8)",
        "SELECT * FROM audit_leaf",
        "DELETE FROM audit_leaf",
        "UPDATE audit_tree SET size = 0",
        "INSERT INTO audit_checkpoint VALUES (1, 1, 1, 'x')",
        "SELECT audit_erase(1, '\\x00', 1)",
        "CREATE TABLE mine (n bigint)",
        "CREATE FUNCTION date_trunc(text, timestamp) RETURNS timestamp LANGUAGE sql AS 'SELECT $2'",
        "INSERT INTO lease VALUES ('sweep', '\\x00000000000000000000000000000000', 1, 9223372036854775807)",
        "INSERT INTO task VALUES ('\\x00000000000000000000000000000000', 1, 1, '\\x00000000000000000000000000000000', \
         0, 0, 0, 9223372036854775807, NULL)",
        "DROP TABLE record",
        "ALTER TABLE record DISABLE ROW LEVEL SECURITY",
        "DROP POLICY record_edge ON record",
    ];
    for sql in attempts {
        assert_eq!(state(&url, sql).await, INSUFFICIENT_PRIVILEGE, "{sql}");
    }
    let direct = format!("INSERT INTO {partition} SELECT * FROM record");
    assert_eq!(
        state(&url, &direct).await,
        INSUFFICIENT_PRIVILEGE,
        "past the policy"
    );

    // A decision: a record of the worker, as bytes that verify. PostgreSQL looks at the signed header itself.
    let decision = record_by(Purpose::Worker, (stream(1), 1), "approved");
    let stored = decision.to_stored();
    let hex = |octets: &[u8]| {
        octets
            .iter()
            .map(|octet| format!("{octet:02x}"))
            .collect::<String>()
    };
    let insert = |header: &[u8]| {
        format!(
            r"INSERT INTO record (kind, stream, position, header, payload_digest, key, signature)
              VALUES (6, '\x{}', 1, '\x{}', '\x00', '\x00', '\x00')",
            hex(&stream(1).id),
            hex(header)
        )
    };
    assert_eq!(state(&url, &insert(&stored.header)).await, INSUFFICIENT_PRIVILEGE);
    let mut other_version = stored.header.clone();
    other_version[0] = 2;
    assert_eq!(state(&url, &insert(&other_version)).await, INSUFFICIENT_PRIVILEGE);
    assert_eq!(state(&url, &insert(b"short")).await, INSUFFICIENT_PRIVILEGE);
    assert_eq!(
        rows(&nodes.owner.raw_url, "SELECT count(*)::text FROM record").await,
        ["0"]
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_role_writes_in_its_own_name_only() {
    let nodes = Nodes::new("wall_b").await;
    let roles = [
        ("edge", Purpose::Edge, false),
        ("worker", Purpose::Worker, true),
        ("status", Purpose::Status, true),
        ("console", Purpose::Console, false),
    ];
    let mut number = 0;
    for (role, own, reads_keys) in roles {
        let store = nodes.store(&[role]).await;
        for purpose in Purpose::ALL {
            number += 1;
            let outcome = store
                .commit(records([record_by(purpose, (stream(number), 1), "words")]))
                .await;
            if purpose == own {
                outcome.expect(role);
            } else {
                denied(outcome, &format!("{role} as {purpose}"));
            }
        }
        number += 1;
        let object = StreamId {
            kind: StreamKind::Object,
            ..stream(number)
        };
        let outcome = store
            .commit(records([record_by(own, (object, 1), "words")]))
            .await;
        if role == "console" {
            outcome.expect(role);
        } else {
            denied(outcome, &format!("{role} writes configuration"));
        }
        let key = store.sealed_key("root").await;
        if reads_keys {
            assert_eq!(key.unwrap(), Some(b"sealed".to_vec()), "{role}");
        } else {
            assert!(
                matches!(&key, Err(StoreError::Broken(reason)) if reason.contains("42501")),
                "{role}: {key:?}"
            );
        }
        for (kind, writers) in [
            (StreamKind::Registration, &["console"][..]),
            (StreamKind::Secret, &["edge", "worker", "console"]),
        ] {
            number += 1;
            let about = StreamId {
                kind,
                ..stream(number)
            };
            let outcome = store.commit(records([record_by(own, (about, 1), "words")])).await;
            if writers.contains(&role) {
                outcome.expect(role);
            } else {
                denied(outcome, &format!("{role} writes {kind:?}"));
            }
        }
        let shown = |projection| Batch {
            projections: vec![projection],
            ..Batch::default()
        };
        let listed = [
            store
                .commit(shown(Projection::Registration(registration_row(number))))
                .await,
            store.commit(shown(Projection::Secret(secret_row(number)))).await,
        ];
        for outcome in listed {
            if role == "console" {
                outcome.expect(role);
            } else {
                denied(outcome, &format!("{role} lists registrations"));
            }
        }
        for (owner, kind) in [
            ("edge", "acme.test"),
            ("status", "status.test"),
            ("worker", "ra.test"),
        ] {
            number += 1;
            let mut write = document(number, 1, "body");
            write.id.kind = kind;
            let outcome = store.commit(documents([write])).await;
            // A worker makes what edges show, and sweeps what is anybody's.
            if role == owner || role == "worker" {
                outcome.expect(role);
            } else {
                denied(outcome, &format!("{role} writes {kind}"));
            }
        }
        store.probe().await.expect(role);
        store.close().await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_edge_can_do_its_own_work_and_a_worker_the_rest() {
    let nodes = Nodes::new("wall_c").await;
    let clock = nodes.owner.clock.clone();
    let (edge, worker) = (nodes.store(&["edge"]).await, nodes.store(&["worker"]).await);
    let mut received = records([record_by(Purpose::Edge, (stream(1), 1), "received")]);
    received.spends.push(spend(1, clock.now_plus_hour()));
    received
        .claims
        .push(portreeve_conformance::store::fixtures::claim(
            1,
            1,
            clock.now_plus_hour(),
        ));
    received.tasks.push(task(1));
    let mut order = document(1, 1, "order");
    order.id.kind = "acme.order";
    received.documents.push(order);
    received
        .projections
        .push(Projection::Request(request_row(1, "acme/test", "received")));
    edge.commit(received).await.unwrap();
    let shown = |number| Batch {
        projections: vec![Projection::Certificate(certificate_row(number))],
        ..Batch::default()
    };
    denied(edge.commit(shown(1)).await, "an edge shows a certificate");
    let term = std::time::Duration::from_secs(30);
    assert!(
        edge.claim_due(node(1), term, 5).await.is_err(),
        "an edge does no work"
    );

    let leases = worker.claim_due(node(2), term, 5).await.unwrap().leases;
    assert_eq!(leases.len(), 1);
    let mut issued = records([record_by(Purpose::Worker, (stream(1), 2), "issued")]);
    issued
        .task_changes
        .push(portreeve_ra::ports::TaskChange::Complete {
            id: leases[0].id,
            fence: leases[0].fence,
        });
    issued.projections = shown(1).projections;
    worker.commit(issued).await.unwrap();
    worker.sweep(10).await.unwrap();
    assert_eq!(
        edge.load(&[stream(1)]).await.unwrap()[0].len(),
        2,
        "an edge reads what was decided"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_with_all_roles_does_everything() {
    let nodes = Nodes::new("wall_d").await;
    let store = nodes.store(&["edge", "worker", "status", "console"]).await;
    for (number, purpose) in (1..).zip([Purpose::Edge, Purpose::Worker, Purpose::Status, Purpose::Console]) {
        store
            .commit(records([record_by(purpose, (stream(number), 1), "words")]))
            .await
            .unwrap();
    }
    denied(
        store
            .commit(records([record_by(Purpose::Audit, (stream(9), 1), "words")]))
            .await,
        "nobody plays this",
    );
    assert!(store.sealed_key("root").await.unwrap().is_some());
    assert!(
        store.put_sealed_key("other", b"x").await.is_err(),
        "keys are made by the owner"
    );
}

/// The policies look at one octet of the header: it is the purpose, whatever else is in the header.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_octet_the_policies_look_at_is_the_purpose() {
    let subject = Postgres::new().await;
    for purpose in Purpose::ALL {
        for (position, words) in [(1, ""), (u64::MAX, "longer words")] {
            let stored = record_by(purpose, (stream(7), position), words).to_stored();
            let hex: String = stored.header.iter().map(|octet| format!("{octet:02x}")).collect();
            let sql = format!(r"SELECT record_purpose('\x{hex}')::text");
            let found = rows(&subject.raw_url, &sql).await;
            assert_eq!(found, [(purpose as u8).to_string()], "{purpose}");
        }
    }
}

/// What is put before the functions of the server, in a schema of one's own or in another: it is never run.
const IMPOSTORS: &str = "
    CREATE FUNCTION NAMES.octet_length(bytea) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1000';
    CREATE FUNCTION NAMES.get_byte(bytea, integer) RETURNS integer LANGUAGE sql IMMUTABLE AS 'SELECT 1';
    CREATE FUNCTION NAMES.wrong() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'impostor'; END $$;
    CREATE FUNCTION NAMES.cardinality(bytea[]) RETURNS integer LANGUAGE sql AS 'SELECT NAMES.wrong()';
    CREATE FUNCTION NAMES.format(text, text, text) RETURNS text LANGUAGE sql AS 'SELECT NAMES.wrong()::text';
    CREATE FUNCTION NAMES.format(text, text, text, bytea, bytea) RETURNS text LANGUAGE sql
        AS 'SELECT NAMES.wrong()::text';
    CREATE FUNCTION NAMES.format(text, text, text, text, text, bytea, bytea) RETURNS text LANGUAGE sql
        AS 'SELECT NAMES.wrong()::text';
    GRANT USAGE ON SCHEMA NAMES TO PUBLIC";

async fn put_impostors(url: &str, schema: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let script = IMPOSTORS.replace("NAMES", schema);
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(script)))
        .await
        .unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_search_path_of_an_edge_does_not_open_the_wall() {
    let nodes = Nodes::new("wall_e").await;
    execute(&nodes.owner.raw_url, "CREATE SCHEMA impostors").await;
    put_impostors(&nodes.owner.raw_url, "impostors").await;
    let url = nodes.url(&["edge"]).await;
    let header = record_by(Purpose::Worker, (stream(1), 1), "approved")
        .to_stored()
        .header;
    let hex: String = header.iter().map(|octet| format!("{octet:02x}")).collect();
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let path = "SET search_path = impostors, pg_catalog, public";
    connection.execute(path).await.unwrap();
    let decision = format!(
        r"INSERT INTO record (kind, stream, position, header, payload_digest, key, signature)
          VALUES (6, decode(repeat('01', 16), 'hex'), 1, '\x{hex}', '\x00', '\x00', '\x00')"
    );
    let refused = connection.execute(AssertSqlSafe(decision)).await.unwrap_err();
    let code = refused.as_database_error().unwrap().code().unwrap().into_owned();
    assert_eq!(code, INSUFFICIENT_PRIVILEGE, "{refused}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_temporary_table_is_not_taken_for_the_records() {
    let nodes = Nodes::new("wall_t").await;
    let store = nodes.store(&["worker"]).await;
    let shown = Batch {
        projections: vec![Projection::Request(request_row(1, "acme/default", "issued"))],
        ..Batch::default()
    };
    store.commit(shown).await.unwrap();
    let names = "SELECT names FROM request";
    let before = rows(&nodes.owner.raw_url, names).await;
    let enrollment = rows(
        &nodes.owner.raw_url,
        "SELECT encode(enrollment, 'hex') FROM request",
    )
    .await;

    // What a console that wants to erase without saying so would try.
    let header = record_by(Purpose::Console, (stream(1), 1), "resolved")
        .to_stored()
        .header;
    let hex: String = header.iter().map(|octet| format!("{octet:02x}")).collect();
    let script = format!(
        r"CREATE TEMP TABLE record (kind bigint, stream bytea, position bigint, header bytea, salt bytea, payload bytea);
          INSERT INTO record VALUES (1, '\x{0}', 9, '\x{hex}', NULL, NULL);
          GRANT ALL ON record TO PUBLIC;
          SELECT audit_erase(1, '\x{0}', 9)",
        enrollment[0]
    );
    let mut connection = PgConnection::connect(&nodes.url(&["console"]).await)
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql(AssertSqlSafe(script)))
        .await
        .unwrap();
    assert_eq!(rows(&nodes.owner.raw_url, names).await, before);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn functions_of_others_are_not_run() {
    // In a schema that the sessions of nodes go through as well, and in the store's own.
    let subject = Postgres::new().await;
    execute(&subject.raw_url, "CREATE SCHEMA impostors").await;
    put_impostors(&subject.raw_url, "impostors").await;
    let database = rows(&subject.raw_url, "SELECT current_database()::text")
        .await
        .remove(0);
    let path = format!("ALTER DATABASE {database} SET search_path = public, impostors");
    execute(&subject.raw_url, &path).await;
    let store = subject.open().await.unwrap();
    let batch = Batch {
        spends: vec![spend(1, subject.clock.now_plus_hour())],
        ..Batch::default()
    };
    store.commit(batch).await.unwrap();

    put_impostors(&subject.raw_url, "public").await;
    let quarters =
        "SELECT relname::text FROM pg_class WHERE relname ~ '^request_[0-9]{4}q[1-4]$' ORDER BY relname";
    let made = rows(&subject.raw_url, quarters).await;
    execute(&subject.raw_url, &format!("DROP TABLE {}", made[1])).await;
    store.sweep(1).await.unwrap();
    assert_eq!(rows(&subject.raw_url, quarters).await, made);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_may_create_in_the_schema_is_refused() {
    let nodes = Nodes::new("wall_f").await;
    let url: PostgresUrl = nodes.url(&["worker"]).await.parse().unwrap();
    let mut options = options(&nodes.owner.clock);
    options.common.pending = PendingMigrations::Refuse;
    let doctor = portreeve_store::StoreUrl::Postgres(Box::new(url.clone()));
    let rows = [
        ("GRANT CREATE ON SCHEMA public TO PUBLIC", true),
        ("REVOKE CREATE ON SCHEMA public FROM PUBLIC", false),
        ("GRANT CREATE ON SCHEMA public TO wall_f_worker", true),
    ];
    for (sql, refused) in rows {
        execute(&nodes.owner.raw_url, sql).await;
        match PostgresDatabase::open(&url, options.clone()).await {
            Err(OpenError::Rights(creator)) => {
                assert!(refused, "{sql}");
                assert_eq!(
                    (creator.role.as_str(), creator.schema.as_str()),
                    ("wall_f_node_worker", "public")
                );
            }
            Err(error) => panic!("{sql}: {error}"),
            Ok(_) => assert!(!refused, "{sql}"),
        }
        let facts = doctor
            .server(portreeve_pkix::Timestamp::default)
            .await
            .unwrap()
            .unwrap();
        assert_eq!(facts.creator.is_some(), refused, "{sql}");
    }
    nodes.owner.open().await.expect("the owner may create");
}
