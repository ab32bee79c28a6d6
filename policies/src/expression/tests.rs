mod refused;

use std::sync::Arc;

use portreeve_pkix::{CertificationRequest, DnsName, GeneralName, Timestamp};
use portreeve_ra::{Facts, Requester};
use proptest::prelude::*;

use super::*;
use crate::engine::{Draft, Question};
use crate::hygiene::Blocklist;
use crate::profile::Profile;
use crate::shipped::shipped_profile;

/// A Friday.
const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn request(names: &[String]) -> CertificationRequest {
    let key = rcgen::KeyPair::generate().expect("key");
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    for (kind, value) in [
        (rcgen::DnType::CommonName, "a.example"),
        (rcgen::DnType::OrganizationName, "Example Ltd"),
    ] {
        parameters.distinguished_name.push(kind, value);
    }
    let request = parameters.serialize_request(&key).expect("request");
    CertificationRequest::from_der(request.der()).expect("request")
}

/// The variables of a request for these names under the profile `tls-server`, of which nothing is decided yet.
fn variables(names: &[String], change: impl FnOnce(&mut Draft)) -> Result<Variables, String> {
    let profile: Profile = shipped_profile("tls-server").expect("shipped").expect("profile");
    let endpoint = "profiles = [\"tls-server\"]\nbackend = \"issuing\"";
    let request = request(names);
    let facts = Facts {
        now: NOW,
        endpoint: Arc::new(crate::parse_endpoint("acme/default", 1, endpoint).expect("endpoint")),
        approval: portreeve_ra::Agreement::NotAsked,
        requester: Requester::Key([7; 32]),
        registration: None,
        secret: None,
        validated: Vec::new(),
        key_blocked: false,
        key_to_be_made: false,
        not_after_asked: None,
        not_before_asked: None,
    };
    let question = Question {
        name: "tls-server",
        profile: &profile,
        facts: &facts,
        approval: None,
        request: &request,
        blocklist: &Blocklist::embedded(),
    };
    let mut draft = Draft::of(&question);
    change(&mut draft);
    Variables::of(&question, &draft)
}

fn usual() -> Variables {
    let names = [
        "a.example".to_owned(),
        "b.example".to_owned(),
        "192.0.2.1".to_owned(),
    ];
    variables(&names, |draft| {
        draft.names.truncate(1);
        draft.validity.lifetime = std::time::Duration::from_secs(90 * 86_400 + 1);
    })
    .expect("variables")
}

#[test]
fn values() {
    let variables = usual();
    let rows = [
        ("request.names.dns == ['a.example', 'b.example']", true),
        ("certificate.names.dns == ['a.example']", true),
        (
            "request.names.ip[0] == '192.0.2.1' && request.names.count == 3",
            true,
        ),
        ("request.names.email.size() + size(request.names.uri) == 0", true),
        (
            "request.subject.text == 'O=Example Ltd,CN=a.example' || request.subject.text == 'CN=a.example,O=Example Ltd'",
            true,
        ),
        ("'Example Ltd' in request.subject.organizations", true),
        (
            "request.subject.common_names.all(n, n in request.names.dns)",
            true,
        ),
        ("request.subject.countries.exists(c, c == 'DE')", false),
        (
            "request.key.algorithm == 'P-256' && request.key.bits == 256",
            true,
        ),
        ("validity_days == 91", true),
        ("requester.kind == 'key' && requester.id.startsWith('0707')", true),
        (
            "endpoint.name == 'acme/default' && endpoint.protocol == 'acme'",
            true,
        ),
        ("endpoint.names_proven && !endpoint.approved_by_people", true),
        ("profile.name == 'tls-server'", true),
        (
            "now.unix == 1800000000 && now.date == '2027-01-15' && now.hour == 8 && now.minute == 0",
            true,
        ),
        ("now.weekday == 5", true),
        ("now.date >= '2027-01-01' && now.date < '2028-01-01'", true),
        (
            "request.names.dns.filter(n, n.endsWith('.example')).size() == 2",
            true,
        ),
        (
            "request.names.dns.map(n, n + '.').exists_one(n, n == 'b.example.')",
            true,
        ),
        (
            "request.names.dns.map(n, n.startsWith('a'), n)[0] == 'a.example'",
            true,
        ),
        ("request.names.dns.all(n, n.matches('^[a-z]+[.]example$'))", true),
        (
            "request.names.dns[0].matches('xampl') && !request.names.dns[0].matches('^b')",
            true,
        ),
        (
            "(now.hour < 8 ? 1 : 2) * 3 % 4 == 2 && -1 < 0 && 7 / 2 == 3 && 2 - 3 == -1",
            true,
        ),
        ("certificate.key_usage == ['digitalSignature']", false),
    ];
    for (source, expected) in rows {
        let expression = Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert_eq!(expression.holds(&variables), Ok(expected), "{source}");
    }
}

/// What the types promise is what the values are: each variable can be read.
#[test]
fn every_variable_has_a_value_of_its_type() {
    let values = usual();
    for (path, kind) in super::variables() {
        let test = match kind.as_str() {
            "true or false" => format!("{path} || true"),
            "a number" => format!("{path} < {path} + 1"),
            "a text" => format!("{path} + 'x' != ''"),
            "a list of texts" => format!("{path}.all(x, x + 'x' != '')"),
            _ => panic!("{path}: {kind}"),
        };
        let expression = Expression::compile(&test).unwrap_or_else(|error| panic!("{test}: {error}"));
        assert_eq!(expression.holds(&values), Ok(true), "{test}");
    }
}

#[test]
fn the_readme_lists_every_variable() {
    let readme = include_str!("../../README.md");
    for (path, kind) in super::variables() {
        let row = format!("| `{path}` | {kind} |");
        assert!(readme.contains(&row), "{row}");
    }
}

#[test]
fn failures_at_evaluation() {
    let rows = [
        ("1 / request.names.email.size() == 1", "division by zero"),
        ("1 % request.names.email.size() == 1", "division by zero"),
        ("request.names.email[0] == 'a'", "no such item"),
        ("request.names.dns[-1] == 'a'", "no such item"),
        ("9223372036854775807 + now.hour == 1", "too large"),
        ("now.hour * 9223372036854775807 == 1", "too large"),
        ("request.names.email[0] == 'a' && true", "no such item"),
    ];
    let values = usual();
    for (source, reason) in rows {
        let expression = Expression::compile(source).unwrap_or_else(|error| panic!("{source}: {error}"));
        let error = expression.holds(&values).expect_err(source);
        assert!(error.contains(reason), "{source}: {error}");
    }
}

#[test]
fn a_text_that_grew_too_long_is_not_matched() {
    let long = format!("(now.date + '{}').matches('a')", "a".repeat(1020));
    let expression = Expression::compile(&long).expect("expression");
    assert_eq!(
        expression.holds(&usual()).err().as_deref(),
        Some("the text is too long")
    );
}

/// Requests that are larger than expressions are made for.
#[test]
fn larger_than_the_limits() {
    let many: Vec<String> = (0..101).map(|n| format!("n{n}.example")).collect();
    let rows = [
        (
            "names",
            variables(&many, |_| {}).err(),
            "request has more than 100 items",
        ),
        (
            "certified names",
            variables(&many[..100], |draft| {
                draft
                    .names
                    .push(GeneralName::Dns(DnsName::parse("more.example").expect("name")));
            })
            .err(),
            "certificate has more than 100 items",
        ),
        (
            "long name",
            variables(&[], |draft| draft.names.push(GeneralName::Uri("u".repeat(1025)))).err(),
            "certificate is longer than 1024 octets",
        ),
    ];
    for (name, error, reason) in rows {
        assert_eq!(error.as_deref(), Some(reason), "{name}");
    }
    assert!(variables(&many[..100], |_| {}).is_ok(), "exactly as many");
}

/// Pieces of which sources are made, so that many of them parse.
fn source() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "true",
        "now",
        ".",
        "hour",
        "request",
        "names",
        "dns",
        "(",
        ")",
        "[",
        "]",
        "{",
        "}",
        "==",
        "<",
        "&&",
        "||",
        "!",
        "-",
        "+",
        "*",
        "/",
        "%",
        "?",
        ":",
        ",",
        "in",
        "1",
        "9223372036854775808",
        "0x",
        "1u",
        "1.5",
        "'a'",
        "\"",
        "'",
        "r'",
        "b'",
        "\\",
        "all",
        "exists",
        "map",
        "filter",
        "matches",
        "size",
        "has",
        "x",
        "null",
        "`",
        "\u{e4}",
        " ",
        "\n",
        "//",
        "@result",
        "__",
        "as",
    ]);
    prop_oneof![
        prop::collection::vec(piece, 0..60).prop_map(|pieces| pieces.concat()),
        ".{0,80}".prop_map(|text| text),
        prop::collection::vec(any::<char>(), 0..80).prop_map(|chars| chars.into_iter().collect()),
    ]
}

/// Expressions that pass, by construction.
fn condition() -> impl Strategy<Value = String> {
    let text = prop::sample::select(vec![
        "now.date",
        "profile.name",
        "request.names.dns[0]",
        "'b'",
        "n",
    ]);
    let number = prop::sample::select(vec![
        "now.hour",
        "validity_days",
        "0",
        "9223372036854775807",
        "n.size()",
    ]);
    let leaf = prop_oneof![
        (text.clone(), text.clone()).prop_map(|(a, b)| format!("{a}.contains({b})")),
        (text.clone(), text).prop_map(|(a, b)| format!("{a} + {b} == {b}")),
        (number.clone(), number.clone()).prop_map(|(a, b)| format!("{a} / {b} < {b}")),
        (number.clone(), number).prop_map(|(a, b)| format!("{a} + {b} > {a} * {b}")),
    ];
    let tree = leaf.prop_recursive(4, 16, 2, |inner| {
        prop_oneof![
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} && {b})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("({a} || !({b}))")),
            (inner.clone(), inner.clone(), inner).prop_map(|(a, b, c)| format!("({a} ? {b} : {c})")),
        ]
    });
    tree.prop_map(|body| format!("request.names.dns.exists(n, {body})"))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    /// A panic of the parser would come out as [`ExpressionError::Parser`].
    #[test]
    fn any_source_is_read_or_refused(source in source()) {
        if let Err(error) = Expression::compile(&source) {
            prop_assert_ne!(error, ExpressionError::Parser, "{:?}", source);
        }
    }

    #[test]
    fn what_was_published_is_evaluated(source in condition()) {
        let read = Expression::compile(&source);
        if let Ok(expression) = read {
            let _ = expression.holds(&usual());
            prop_assert!(expression.cost() <= COST_MAX);
        } else {
            prop_assert!(matches!(read, Err(ExpressionError::Joins | ExpressionError::Nodes | ExpressionError::Cost(_))), "{:?}", read);
        }
    }
}
