//! Tables that grow: partitions, and statements that do not go through whole tables.

use portreeve_conformance::store::fixtures::{certificate_row, record, records, request_row, stream};
use portreeve_ra::ports::{Batch, Conflict, Projection};
use portreeve_ra::{EnrollmentId, StreamId, StreamKind};
use portreeve_store::finding_statements;

use super::*;

const QUARTERS: &str =
    "SELECT relname::text FROM pg_class WHERE relname ~ '_[0-9]{4}q[1-4]$' ORDER BY relname";

fn now() -> portreeve_pkix::Timestamp {
    let since = std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
    portreeve_pkix::Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_today_lie_in_the_partition_of_this_quarter() {
    let subject = Postgres::new().await;
    let enrollment = EnrollmentId::new(now(), &FreshRandom);
    let mut batch = records([
        record(StreamId::enrollment(enrollment), 1),
        record(stream(1), 1),
        record(
            StreamId {
                kind: StreamKind::Account,
                ..stream(1)
            },
            1,
        ),
    ]);
    let mut row = request_row(1, "acme/test", "issued");
    row.enrollment = enrollment;
    batch.projections.push(Projection::Request(row));
    let mut row = certificate_row(1);
    row.enrollment = enrollment;
    batch.projections.push(Projection::Certificate(row));
    subject.store.commit(batch).await.unwrap();

    let quarter = rows(
        &subject.raw_url,
        "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC', '\"_\"YYYY\"q\"Q')",
    )
    .await
    .remove(0);
    let places = [
        (
            "SELECT tableoid::regclass::text FROM record WHERE kind = 1",
            format!("record_by_time{quarter}"),
        ),
        (
            "SELECT tableoid::regclass::text FROM record WHERE kind = 3",
            "record_by_time_rest".to_owned(),
        ),
        (
            "SELECT tableoid::regclass::text FROM record WHERE kind = 6",
            "record_by_subject".to_owned(),
        ),
        (
            "SELECT tableoid::regclass::text FROM request",
            format!("request{quarter}"),
        ),
        (
            "SELECT tableoid::regclass::text FROM certificate",
            format!("certificate{quarter}"),
        ),
    ];
    for (sql, place) in places {
        assert_eq!(rows(&subject.raw_url, sql).await, [place], "{sql}");
    }
    let again = subject
        .store
        .commit(records([record(StreamId::enrollment(enrollment), 1)]))
        .await;
    assert_eq!(
        again,
        Err(CommitError::Conflict(Conflict::Stream(StreamId::enrollment(
            enrollment
        ))))
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn sweeping_makes_the_partitions_to_come() {
    let subject = Postgres::new().await;
    let made = rows(&subject.raw_url, QUARTERS).await;
    assert_eq!(made.len(), 15, "three quarters of five tables: {made:?}");
    execute(&subject.raw_url, &format!("DROP TABLE {}", made[2])).await;
    subject.store.sweep(10).await.unwrap();
    assert_eq!(rows(&subject.raw_url, QUARTERS).await, made);

    // A quarter that has rows elsewhere already gets none, and the sweeping goes on.
    let late = rows(
        &subject.raw_url,
        "SELECT relname::text FROM pg_class WHERE relname ~ '^request_[0-9]{4}q[1-4]$' ORDER BY relname DESC LIMIT 1",
    )
    .await
    .remove(0);
    execute(&subject.raw_url, &format!("DROP TABLE {late}")).await;
    let at = now().saturating_add(std::time::Duration::from_secs(86_400 * 220));
    let mut row = request_row(1, "acme/test", "issued");
    row.enrollment = EnrollmentId::new(at, &FreshRandom);
    subject
        .store
        .commit(Batch {
            projections: vec![Projection::Request(row.clone())],
            ..Batch::default()
        })
        .await
        .unwrap();
    subject.store.sweep(10).await.unwrap();
    let found = subject
        .store
        .requests(&Default::default(), None, 5)
        .await
        .unwrap();
    assert_eq!(found.items, [row]);
}

fn value(parameter: &str) -> &'static str {
    match parameter {
        "bigint" => "1",
        "bigint[]" => "'{1}'",
        "bytea" => r"'\xff'",
        "bytea[]" => r#"'{"\\xff"}'"#,
        "text" => "'s'",
        "text[]" => "'{s}'",
        other => panic!("{other}"),
    }
}

/// Without sequential scans a statement that still needs one has no index to go by.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_statement_goes_through_a_whole_table() {
    let subject = Postgres::new().await;
    let mut connection = PgConnection::connect(&subject.raw_url).await.unwrap();
    let settings = "SET enable_seqscan = off; SET plan_cache_mode = force_generic_plan";
    connection.execute(sqlx::raw_sql(settings)).await.unwrap();
    for (number, (name, sql, types)) in finding_statements().into_iter().enumerate() {
        let values: Vec<&str> = types
            .split(", ")
            .filter(|word| !word.is_empty())
            .map(value)
            .collect();
        let (types, values) = if values.is_empty() {
            (String::new(), String::new())
        } else {
            (format!("({types})"), format!("({})", values.join(", ")))
        };
        let prepare = format!("PREPARE s{number} {types} AS {sql}");
        connection
            .execute(sqlx::raw_sql(AssertSqlSafe(prepare)))
            .await
            .unwrap();
        let explain = format!("EXPLAIN EXECUTE s{number} {values}");
        let plan = connection
            .fetch_all(sqlx::raw_sql(AssertSqlSafe(explain)))
            .await
            .unwrap();
        let steps: Vec<String> = plan.iter().map(|row| row.get(0)).collect();
        assert!(
            steps.iter().any(|step| step.contains("Index")),
            "{name}: {steps:#?}"
        );
        assert!(
            !steps.iter().any(|step| step.contains("Seq Scan")),
            "{name}: {steps:#?}"
        );
        // Sorting is for what was found along an index already.
        let sorted = steps.iter().filter(|step| step.contains("Sort  (")).count();
        assert!(sorted <= 1, "{name}: {steps:#?}");
    }
}
