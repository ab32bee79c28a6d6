use portreeve_ra::search::{Plan, parse};
use proptest::prelude::*;

use super::*;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn statements(query: &str, among: Among) -> Statements {
    let expression = parse(query, among).unwrap_or_else(|error| panic!("{query}: {error}"));
    let plan = Plan::of(expression.as_ref(), among, NOW);
    let scan = Scan {
        expression: expression.as_ref(),
        plan: &plan,
        now: NOW,
        after: None,
        limit: 10,
    };
    Statements::of((Dialect { place: "instr" }, among), &scan)
}

#[test]
fn no_value_stands_in_a_statement() {
    let hostile = r#""x' OR 1=1; DROP TABLE record; -- $1 ?1 %_""#;
    let fields = [
        "cn",
        "san",
        "profile",
        "endpoint",
        "protocol",
        "backend",
        "registration",
        "team",
        "requester",
        "key",
    ];
    for field in fields {
        for operator in ["=", "!=", "~"] {
            if field == "protocol" && operator == "~" {
                continue;
            }
            for among in [Among::Certificates, Among::Requests] {
                let found = statements(&format!("{field}{operator}{hostile}"), among);
                for statement in [&found.rows, &found.end] {
                    assert!(
                        !statement.sql.to_lowercase().contains("drop"),
                        "{field}: {}",
                        statement.sql
                    );
                    assert!(!statement.sql.contains("1=1"), "{field}: {}", statement.sql);
                }
                let bound = format!("{:?}", found.rows.parameters).to_lowercase();
                assert!(bound.contains("drop table record"), "{field}: {bound}");
            }
        }
    }
}

#[test]
fn as_many_parameters_as_places() {
    let queries = [
        "",
        "cn~web and status=valid and expires<30d or not (team=a and reason in (superseded, keyCompromise))",
        "san=a and cn!=b",
        "status!=held and revoked>-1d",
        "protocol in (acme, est) and serial=01",
    ];
    for query in queries {
        let found = statements(query, Among::Certificates);
        for statement in [found.rows, found.end] {
            let mut numbers: Vec<usize> = statement
                .sql
                .split('$')
                .skip(1)
                .map(|rest| {
                    rest.chars()
                        .take_while(char::is_ascii_digit)
                        .collect::<String>()
                        .parse()
                        .unwrap()
                })
                .collect();
            numbers.sort_unstable();
            numbers.dedup();
            let expected: Vec<usize> = (1..=statement.parameters.len()).collect();
            assert_eq!(numbers, expected, "{query}: {}", statement.sql);
        }
    }
}

#[test]
fn identifiers_begin_with_their_time() {
    let id = first_id(0x0102_0304_0506);
    assert_eq!(id, [1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    assert_eq!(first_id(-1), [0; 16]);
}

proptest! {
    /// Whatever is asked for, the words of the statement are those of a fixed vocabulary.
    #[test]
    fn the_words_of_statements_are_ours(text in "[a-zA-Z0-9 '\";$%_-]{1,40}") {
        let quoted = text.replace('\\', r"\\").replace('"', "\\\"");
        let query = format!("cn=\"{quoted}\" or profile~\"{quoted}\" or requester!=\"{quoted}\"");
        let plain = statements("cn=x or profile~x or requester!=x", Among::Certificates);
        let found = statements(&query, Among::Certificates);
        prop_assert_eq!(found.rows.sql, plain.rows.sql);
    }
}
