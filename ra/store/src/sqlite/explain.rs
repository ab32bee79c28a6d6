//! A test of every statement that finds rows: it must use an index.

use std::collections::BTreeMap;

use portreeve_ra::SecretKind;
use portreeve_ra::ports::{RegistrationFilter, RequestFilter, SecretFilter};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};

use super::{batch, documents, projections, read, registrations, seals, tasks};

#[tokio::test]
async fn no_statement_goes_through_a_whole_table() {
    let filter = |state: &[&str], endpoint: &[&str]| {
        let [state, endpoint] = [state, endpoint].map(|words| words.first().map(|word| (*word).to_owned()));
        projections::requests_statement(&RequestFilter { state, endpoint })
    };
    let named = |teams: &[&str], vouched_only: bool| {
        registrations::registrations_statement(&RegistrationFilter {
            name: Some("n".to_owned()),
            teams: (!teams.is_empty()).then(|| teams.iter().map(|team| (*team).to_owned()).collect()),
            state: Some("s".to_owned()),
            vouched_only,
        })
    };
    let secrets = |owner: Option<&str>, kind: Option<SecretKind>| {
        let owner = owner.map(str::to_owned);
        registrations::secrets_statement(&SecretFilter { owner, kind })
    };
    let mut statements: BTreeMap<String, String> = [
        ("streams", read::STREAMS.to_owned()),
        ("find", documents::FIND.to_owned()),
        ("drop keys", documents::DROP_KEYS.to_owned()),
        ("append", batch::APPEND.to_owned()),
        ("requests by state", filter(&["s"], &[])),
        ("requests by endpoint", filter(&[], &["e"])),
        ("requests by both", filter(&["s"], &["e"])),
        ("requests", filter(&[], &[])),
        ("certificates", projections::certificates_statement()),
        ("revoked", projections::ALL_REVOKED.to_owned()),
        ("claim due", tasks::CLAIM_DUE.to_owned()),
        ("registrations", named(&[], false)),
        ("registrations of teams", named(&["a", "b"], false)),
        ("vouched registrations", named(&[], true)),
        ("secrets", secrets(None, None)),
        ("secrets of one", secrets(Some("o"), None)),
        ("secrets of a kind", secrets(None, Some(SecretKind::AcmeEab))),
        ("tile of leaves", seals::LEAF_TILE.to_owned()),
        ("tile of nodes", seals::NODE_TILE.to_owned()),
        ("leaves", seals::LEAVES.to_owned()),
        ("index of a leaf", seals::INDEX_OF.to_owned()),
        ("checkpoints", seals::CHECKPOINTS.to_owned()),
        ("sequences", seals::SEQUENCES.to_owned()),
        ("unsealed", seals::unsealed_statement(0)),
        ("unsealed in ranges", seals::unsealed_statement(4)),
        ("erase", seals::ERASE.to_owned()),
        ("erase a request", seals::ERASE_SHOWN[0].to_owned()),
        ("erase a certificate", seals::ERASE_SHOWN[1].to_owned()),
        ("erase names", seals::ERASE_SHOWN[2].to_owned()),
        ("erase a registration", seals::ERASE_REGISTRATION.to_owned()),
    ]
    .map(|(name, sql)| (name.to_owned(), sql))
    .into();
    for statement in read::Statement::ALL {
        for places in [1, 64] {
            statements.insert(format!("{statement:?} {places}"), statement.sql(0, places));
        }
    }
    statements.extend(
        tasks::SWEEP
            .iter()
            .enumerate()
            .map(|(at, sql)| (format!("sweep {at}"), (*sql).to_owned())),
    );

    statements.extend(
        crate::search::examples(super::search::DIALECT)
            .into_iter()
            .map(|(name, statement)| (name, statement.sql)),
    );

    let mut connection = SqliteConnectOptions::new()
        .in_memory(true)
        .connect()
        .await
        .unwrap();
    connection
        .execute(sqlx::raw_sql(include_str!(
            "../../migrations/sqlite/0001_first.sql"
        )))
        .await
        .unwrap();
    for (name, sql) in statements {
        let explained = connection
            .fetch_all(AssertSqlSafe(format!("EXPLAIN QUERY PLAN {sql}")))
            .await
            .unwrap();
        let steps: Vec<String> = explained.iter().map(|row| row.get(3)).collect();
        assert!(
            steps.iter().any(|step| step.starts_with("SEARCH")),
            "{name}: {steps:?}"
        );
        for step in &steps {
            let through_rows_asked = step.contains("CONSTANT ROW") || step.starts_with("SCAN w");
            let through_rows_asked = through_rows_asked || step.starts_with("SCAN (subquery");
            // `c`, in a search, is the bounded part that was read along an index.
            let through_rows_asked = through_rows_asked || *step == "SCAN c";
            assert!(
                !step.starts_with("SCAN") || through_rows_asked,
                "{name}: {steps:?}"
            );
        }
    }
}
