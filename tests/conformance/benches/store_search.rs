//! How long pages of lists and searches take on PostgreSQL, among a million certificates and a hundred thousand open
//! requests. `cargo bench -p portreeve-conformance --bench store_search [-- CERTIFICATES OPEN_REQUESTS]`
//!
//! Rows are made by the server, spread over a year, with their partitions: names that were certified again and again, a
//! few profiles and endpoints, thousands of accounts, one in fifty revoked. Each query is asked for its first page and,
//! where the list goes on, for the one behind it.

#![allow(clippy::unwrap_used, clippy::print_stdout, clippy::indexing_slicing)]

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use portreeve_conformance::fakes::{FreshRandom, HandClock, OneKeySealer};
use portreeve_harness::postgres::PostgresServer;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{Scan, Store};
use portreeve_ra::search::{Among, Plan, Position, parse};
use portreeve_store::{
    MadeBy, Options, PendingMigrations, PostgresDatabase, PostgresOptions, PostgresStore, StoreTime,
    finding_statements,
};
use sqlx::{AssertSqlSafe, Connection, Executor, PgConnection, Row};

/// Rows that one statement makes.
const CHUNK: u64 = 50_000;

/// How often each page is read.
const ROUNDS: usize = 100;

/// Rows of a page.
const PAGE: u32 = 50;

const PARTITIONS: &str = r"
    -- The first identifier that a UUIDv7 of this time can be.
    CREATE FUNCTION first_id(moment timestamp) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$
        SELECT decode(lpad(to_hex(floor(extract(epoch FROM moment) * 1000)::bigint), 12, '0') || repeat('00', 10), 'hex')
    $$;
    DO $$
    DECLARE
        parent text;
        beginning timestamp;
    BEGIN
        FOREACH parent IN ARRAY ARRAY['request', 'certificate', 'certificate_name', 'revoked'] LOOP
            FOR step IN 1 .. 5 LOOP
                beginning := date_trunc('quarter', now() AT TIME ZONE 'UTC') - step * interval '3 months';
                EXECUTE format('CREATE TABLE %I PARTITION OF %I FOR VALUES FROM (%L) TO (%L)',
                    parent || '_before' || step, parent, first_id(beginning),
                    first_id(beginning + interval '3 months'));
            END LOOP;
        END LOOP;
    END $$;
    -- Only reading is measured: what is written here needs no log.
    DO $$
    DECLARE
        leaf regclass;
    BEGIN
        FOR leaf IN SELECT c.oid FROM pg_class c JOIN pg_inherits i ON i.inhrelid = c.oid
            WHERE c.relkind = 'r' AND c.relname ~ '^(request|certificate|revoked)'
        LOOP
            EXECUTE format('ALTER TABLE %s SET UNLOGGED', leaf);
        END LOOP;
    END $$;
    CREATE FUNCTION id_of(n bigint, age interval) RETURNS bytea LANGUAGE sql AS $$
        SELECT substring(first_id((now() AT TIME ZONE 'UTC')::timestamp - age) FROM 1 FOR 6)
            || substring(sha256(n::text::bytea) FROM 1 FOR 10)
    $$;
    CREATE FUNCTION age_of(n bigint, total bigint) RETURNS interval LANGUAGE sql AS $$
        SELECT interval '365 days' * (total - n) / total
    $$;
    CREATE FUNCTION millis(moment timestamptz) RETURNS bigint LANGUAGE sql AS $$
        SELECT floor(extract(epoch FROM moment) * 1000)::bigint
    $$;
";

/// Certificates `from` to `to` of `total`.
fn certificates(from: u64, to: u64, total: u64) -> String {
    format!(
        r"
    WITH made AS (
        SELECT n, age_of(n, {total}) AS age, id_of(n, age_of(n, {total})) AS id,
            'host' || n % 20011 || '.' || (ARRAY['web', 'mail', 'db', 'edge'])[1 + n % 4] || '.example.org' AS name
        FROM generate_series({from}::bigint, {to}::bigint) AS n
    ), shown AS (
        INSERT INTO certificate (enrollment, backend, serial, names, key, key_algorithm, fingerprint, not_before,
            not_after, endpoint, profile, profile_version, requester, cn, sans, registration, team, issued_at, reason,
            revoked_at)
        SELECT id, CASE WHEN n % 10 = 0 THEN 'second' ELSE 'issuing' END,
            '\x00000000'::bytea || substring(sha256(('s' || n)::bytea) FROM 1 FOR 16), 'CN=' || name || ' ' || name,
            sha256(('k' || n)::bytea), CASE WHEN n % 5 = 0 THEN 'RSA-2048' ELSE 'P-256' END, sha256(('f' || n)::bytea),
            millis(now() - age), millis(now() - age + interval '90 days'),
            (ARRAY['acme/default', 'acme/default', 'acme/approval', 'est/devices'])[1 + n % 4],
            CASE WHEN n % 1000 = 7 THEN 'rare' WHEN n % 3 = 0 THEN 'tls-client' ELSE 'tls-server' END, 3,
            'account:' || n % 5003, E'\n' || name || E'\n', E'\n' || name || E'\n',
            CASE WHEN n % 4 = 3 THEN 'device' || n % 3001 END, CASE WHEN n % 4 = 3 THEN 'team' || n % 20 END,
            millis(now() - age),
            CASE WHEN n % 500 = 1 THEN 6 WHEN n % 50 = 1 THEN 4 END,
            CASE WHEN n % 50 = 1 THEN millis(now() - age + interval '1 day') END
        FROM made
        RETURNING enrollment, backend, serial, reason, revoked_at, not_after
    ), named AS (
        INSERT INTO certificate_name (name, enrollment, kinds) SELECT name, id, 3 FROM made
    ), off AS (
        INSERT INTO revoked (enrollment, backend, serial, reason, revoked_at, not_after)
        SELECT * FROM shown WHERE reason IS NOT NULL
    )
    INSERT INTO request (enrollment, endpoint, requester, names, profile, backend, state, proposal, key, key_algorithm,
        cn, sans, created_at, updated_at)
    SELECT id, 'acme/default', 'account:' || n % 5003, 'CN=' || name, 'tls-server', 'issuing', 'issued', NULL,
        sha256(('k' || n)::bytea), 'P-256', E'\n' || name || E'\n', E'\n' || name || E'\n', millis(now() - age),
        millis(now() - age)
    FROM made"
    )
}

/// Requests that wait, of the last ten days.
fn open_requests(from: u64, to: u64, total: u64) -> String {
    format!(
        r"
    INSERT INTO request (enrollment, endpoint, requester, names, profile, backend, state, proposal, key, key_algorithm,
        cn, sans, registration, team, created_at, updated_at)
    SELECT id_of(-n, age_of(n, {total}) / 36), 'acme/approval', 'account:' || n % 5003, 'CN=open' || n,
        CASE WHEN n % 1000 = 7 THEN 'rare' ELSE 'tls-server' END, 'issuing', 'awaiting_approval',
        substring(sha256(n::text::bytea) FROM 1 FOR 16), sha256(('o' || n)::bytea), 'P-256',
        E'\nopen' || n || E'\n', E'\nopen' || n || E'.example.org\n', NULL, 'team' || n % 20,
        millis(now() - age_of(n, {total}) / 36), millis(now())
    FROM generate_series({from}::bigint, {to}::bigint) AS n"
    )
}

const QUERIES: &[(Among, &str)] = &[
    (Among::Certificates, ""),
    (Among::Certificates, "san=host77.mail.example.org"),
    (Among::Certificates, "serial=00112233445566778899aabbccddeeff"),
    (Among::Certificates, "requester=account:17"),
    (Among::Certificates, "profile=tls-server"),
    (Among::Certificates, "profile=rare"),
    (Among::Certificates, "profile=rare and cn~web"),
    (Among::Certificates, "endpoint=est/devices and team=team3"),
    (Among::Certificates, "status=valid and expires<30d"),
    (
        Among::Certificates,
        "cn~\"web\" and status=valid and expires<30d and profile=tls-server",
    ),
    (Among::Certificates, "issued>-7d and key~rsa"),
    (Among::Certificates, "status=held"),
    (Among::Certificates, "revoked>-30d and reason=superseded"),
    (Among::Certificates, "cn~web"),
    (Among::Certificates, "cn~host77."),
    (Among::Certificates, "cn~nowhere"),
    (
        Among::Certificates,
        "not (san~example or profile~tls or status=revoked or key~p-256)",
    ),
    (
        Among::Certificates,
        "san in (host1.mail.example.org, host2.db.example.org) or cn=host3.edge.example.org",
    ),
    (
        Among::Certificates,
        "backend=second and team in (team1, team3) and not status=valid",
    ),
    (Among::Requests, ""),
    (Among::Requests, "state=awaiting_approval"),
    (Among::Requests, "state=awaiting_approval and profile=rare"),
    (
        Among::Requests,
        "state=awaiting_approval and requester=account:17",
    ),
    (Among::Requests, "state=awaiting_approval and team=team3"),
    (Among::Requests, "state=awaiting_approval and cn~open77"),
    (Among::Requests, "state=awaiting_approval and received<-5d"),
    (Among::Requests, "san~nowhere"),
];

#[tokio::main]
async fn main() {
    let numbers: Vec<u64> = std::env::args()
        .filter_map(|argument| argument.parse().ok())
        .collect();
    let total = numbers.first().copied().unwrap_or(1_000_000);
    let open = numbers.get(1).copied().unwrap_or(100_000);
    let server = tokio::task::block_in_place(|| PostgresServer::start().unwrap());
    let url = tokio::task::block_in_place(|| server.database().unwrap());
    let store = opened(&url).await;
    let begun = Instant::now();
    fill(&url, (total, open)).await;
    println!(
        "{total} certificates, {open} open requests, made in {:.0?}",
        begun.elapsed()
    );
    println!(
        "{:<8} {:>5} {:>9} {:>9} {:>9}  query",
        "page", "rows", "p50 ms", "p99 ms", "max ms"
    );
    for (among, query) in QUERIES {
        let mut after = None;
        for page in ["first", "second"] {
            let (next, found, times) = measured(&store, (*among, query), after).await;
            report(page, (*among, query), (found, times));
            after = next;
            if after.is_none() {
                break;
            }
        }
    }
    if std::env::args().any(|argument| argument == "explain") {
        explain(&url).await;
    }
    store.close().await;
}

/// How PostgreSQL plans each kind of search, with how long that takes it.
async fn explain(url: &str) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    connection
        .execute("SET plan_cache_mode = force_custom_plan")
        .await
        .unwrap();
    for (number, (name, sql, types)) in finding_statements().into_iter().enumerate() {
        if types.is_empty() || !name.contains("from the beginning") {
            continue;
        }
        let values = types.split(", ").map(|kind| match kind {
            "text" => "'x'",
            "bigint" => "1",
            _ => r"'\xff'",
        });
        let values: Vec<&str> = values.collect();
        let prepare = format!("PREPARE s{number} ({types}) AS {sql}");
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(prepare)))
            .await
            .unwrap();
        let ask = format!(
            "EXPLAIN (ANALYZE, SUMMARY) EXECUTE s{number} ({})",
            values.join(", ")
        );
        println!("\n{name}");
        for row in connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(ask)))
            .await
            .unwrap()
        {
            println!("  {}", row.get::<String, _>(0));
        }
    }
    connection.close().await.unwrap();
}

async fn opened(url: &str) -> Arc<PostgresStore> {
    let clock = Arc::new(HandClock::default());
    let options = PostgresOptions {
        common: Options {
            made_by: MadeBy::Dev,
            pending: PendingMigrations::Apply,
            clock: clock.clone(),
            random: Arc::new(FreshRandom),
        },
        connections_max: 4,
        time: StoreTime::Given(clock),
    };
    let database = PostgresDatabase::open(&url.parse().unwrap(), options)
        .await
        .unwrap();
    database.into_store(Arc::new(OneKeySealer::default()))
}

async fn fill(url: &str, (total, open): (u64, u64)) {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let settings = "SET synchronous_commit = off; SET statement_timeout = 0";
    connection.execute(sqlx::raw_sql(settings)).await.unwrap();
    connection.execute(sqlx::raw_sql(PARTITIONS)).await.unwrap();
    for (rows, make) in [
        (total, certificates as fn(u64, u64, u64) -> String),
        (open, open_requests),
    ] {
        let mut from = 1;
        while from <= rows {
            let to = rows.min(from + CHUNK - 1);
            let statement = make(from, to, rows);
            connection
                .execute(sqlx::raw_sql(AssertSqlSafe(statement)))
                .await
                .unwrap();
            from = to + 1;
        }
    }
    connection.execute(sqlx::raw_sql("ANALYZE")).await.unwrap();
    connection.close().await.unwrap();
}

fn now() -> Timestamp {
    let since = SystemTime::UNIX_EPOCH.elapsed().unwrap();
    Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap())
}

/// The place behind the page, how many rows it has, and how long each reading took.
async fn measured(
    store: &PostgresStore,
    (among, query): (Among, &str),
    after: Option<Position>,
) -> (Option<Position>, usize, Vec<Duration>) {
    let now = now();
    let (mut next, mut found, mut times) = (None, 0, Vec::with_capacity(ROUNDS));
    for round in 0..ROUNDS + 5 {
        let begun = Instant::now();
        let expression = parse(query, among).unwrap();
        let plan = Plan::of(expression.as_ref(), among, now);
        let scan = Scan {
            expression: expression.as_ref(),
            plan: &plan,
            now,
            after,
            limit: PAGE,
        };
        (next, found) = match among {
            Among::Certificates => {
                let page = store.find_certificates(&scan).await.unwrap();
                (page.next, page.items.len())
            }
            Among::Requests => {
                let page = store.find_requests(&scan).await.unwrap();
                (page.next, page.items.len())
            }
        };
        // The first few warm the caches up.
        if round >= 5 {
            times.push(begun.elapsed());
        }
    }
    times.sort_unstable();
    (next, found, times)
}

fn report(page: &str, (among, query): (Among, &str), (found, times): (usize, Vec<Duration>)) {
    let millis = |place: usize| times[place.min(times.len() - 1)].as_secs_f64() * 1_000.0;
    let what = match among {
        Among::Certificates => "certificates",
        Among::Requests => "requests",
    };
    println!(
        "{page:<8} {found:>5} {:>9.2} {:>9.2} {:>9.2}  {what}: {}",
        millis(times.len() / 2),
        millis(times.len() * 99 / 100),
        millis(times.len() - 1),
        if query.is_empty() { "(all)" } else { query }
    );
}
