//! The statements that find rows, for a test that has PostgreSQL explain them.

use portreeve_ra::SecretKind;
use portreeve_ra::ports::{RequestFilter, SecretFilter};

use super::search::DIALECT;
use super::{documents, read, registrations, seals, tasks};
use crate::search::{Parameter, examples};

/// Every statement that finds rows, by name, with the types of its parameters.
pub fn finding_statements() -> Vec<(String, String, String)> {
    let filter = |state: Option<&str>, endpoint: Option<&str>| {
        read::requests_statement(&RequestFilter {
            state: state.map(str::to_owned),
            endpoint: endpoint.map(str::to_owned),
        })
    };
    let secrets = |owner: Option<&str>, kind: Option<SecretKind>| {
        registrations::secrets_statement(&SecretFilter {
            owner: owner.map(str::to_owned),
            kind,
        })
    };
    let fixed = vec![
        ("read", read::READ.to_owned(), "bigint[], bytea[]"),
        ("streams", read::STREAMS.to_owned(), "bigint, bytea, bigint"),
        ("requests", filter(None, None), "bytea, bigint"),
        (
            "requests by state",
            filter(Some("s"), None),
            "bytea, bigint, text",
        ),
        (
            "requests by endpoint",
            filter(None, Some("e")),
            "bytea, bigint, text",
        ),
        (
            "requests by both",
            filter(Some("s"), Some("e")),
            "bytea, bigint, text, text",
        ),
        ("certificates", read::certificates_statement(), "bytea, bigint"),
        (
            "revoked",
            read::ALL_REVOKED.to_owned(),
            "text, bytea, bytea, bigint, bigint",
        ),
        (
            "registrations",
            registrations::REGISTRATIONS.to_owned(),
            "bytea, bigint, text, text, text[]",
        ),
        (
            "vouched registrations",
            registrations::VOUCHED.to_owned(),
            "bytea, bigint, text, text, text[]",
        ),
        ("secrets", secrets(None, None), "bytea, bigint"),
        ("secrets of one", secrets(Some("o"), None), "bytea, bigint, text"),
        (
            "secrets of a kind",
            secrets(None, Some(SecretKind::AcmeEab)),
            "bytea, bigint, bigint",
        ),
        ("documents", documents::READ.to_owned(), "text[], bytea[]"),
        (
            "find",
            documents::FIND.to_owned(),
            "text, text, bytea, bigint, bigint",
        ),
        (
            "claim due",
            tasks::CLAIM_DUE.to_owned(),
            "bigint, bigint, bytea, bigint",
        ),
        ("next due", tasks::NEXT_DUE.to_owned(), "bigint"),
        (
            "sweep",
            tasks::SWEEP.to_owned(),
            "bigint, bigint, bigint, bigint, bigint",
        ),
        ("tile of leaves", seals::LEAF_TILE.to_owned(), "bigint, bigint"),
        (
            "tile of nodes",
            seals::NODE_TILE.to_owned(),
            "bigint, bigint, bigint",
        ),
        ("leaves", seals::LEAVES.to_owned(), "bigint, bigint"),
        (
            "index of a leaf",
            seals::INDEX_OF.to_owned(),
            "bigint, bytea, bigint",
        ),
        ("checkpoints", seals::CHECKPOINTS.to_owned(), "bigint, bigint"),
        ("sequences", seals::SEQUENCES.to_owned(), "bigint, bigint, bigint"),
    ];
    let fixed = fixed
        .into_iter()
        .map(|(name, sql, types)| (name.to_owned(), sql, types.to_owned()));
    let searches = examples(DIALECT).into_iter().map(|(name, statement)| {
        let types = statement.parameters.iter().map(|parameter| match parameter {
            Parameter::Text(_) => "text",
            Parameter::Octets(_) => "bytea",
            Parameter::Number(_) => "bigint",
        });
        let types: Vec<&str> = types.collect();
        (name, statement.sql, types.join(", "))
    });
    fixed.chain(searches).collect()
}
