use portreeve_pkix::Timestamp;
use proptest::prelude::*;

use super::*;
use crate::domain::{OperatorRole, Reach, Right, Standing, TeamReach};
use crate::ports::Cursor;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn read(text: &str) -> Expression {
    parse(text, Among::Certificates)
        .unwrap_or_else(|error| panic!("{text}: {error}"))
        .unwrap_or_else(|| panic!("{text}: nothing"))
}

#[test]
fn queries_are_read_and_written() {
    let rows = [
        (
            "the example",
            r#"cn~"web" and expires<30d and profile=tls-server"#,
            "cn~web and expires<30d and profile=tls-server",
        ),
        (
            "or binds less",
            "cn=a or cn=b and cn=c",
            "cn=a or (cn=b and cn=c)",
        ),
        (
            "parentheses",
            "(cn=a or cn=b) and cn=c",
            "(cn=a or cn=b) and cn=c",
        ),
        (
            "nested as written",
            "(cn=a and cn=b) and cn=c",
            "(cn=a and cn=b) and cn=c",
        ),
        ("not", "NOT not (san=a Or san=b)", "not not (san=a or san=b)"),
        ("a list", r#"profile in (a , "b c")"#, r#"profile in (a, "b c")"#),
        ("names have no case", "cn=WWW.Example.ORG", "cn=www.example.org"),
        ("words do", "profile=TLS", "profile=TLS"),
        (
            "other words of fields",
            "issuer=x and end_entity=y",
            "backend=x and registration=y",
        ),
        ("quotes and backslashes", r#"cn="a\"b\\c d""#, r#"cn="a\"b\\c d""#),
        ("a keyword as a value", r#"profile="and""#, r#"profile="and""#),
        ("spaces", "  cn \t=\n a ", "cn=a"),
        ("serial", "serial=00:0A:bc", "serial=0abc"),
        ("half an octet", "serial=abc", "serial=0abc"),
        ("weeks are days", "expires>=336h", "expires>=14d"),
        ("the past", "issued>-7d", "issued>-7d"),
        ("a day", "expires=2026-12-31", "expires=2026-12-31"),
        (
            "a second",
            "revoked<=2026-12-31T12:00:00+01:00",
            "revoked<=2026-12-31T11:00:00Z",
        ),
        (
            "choices",
            "status!=valid and reason in (keyCompromise, unspecified)",
            "status!=valid and reason in (keyCompromise, unspecified)",
        ),
        ("other letters", "cn=Ärger", "cn=ärger"),
        ("wildcards", "san=*.example.org", "san=*.example.org"),
        ("addresses", "san=2001:db8::1", "san=2001:db8::1"),
    ];
    for (name, text, written) in rows {
        let expression = read(text);
        assert_eq!(expression.to_string(), written, "{name}");
        assert_eq!(read(written), expression, "{name}: read again");
    }
    for blank in ["", "  \n"] {
        assert_eq!(parse(blank, Among::Requests), Ok(None));
    }
}

#[test]
fn errors_say_where_and_what_was_expected() {
    let digits = "a".repeat(63);
    let many = format!("cn in ({})", vec!["a"; VALUES_MAX + 1].join(","));
    let deep = format!("{}cn=a", "not ".repeat(DEPTH_MAX));
    let long = format!("cn={}", "a".repeat(SOURCE_MAX));
    let fingerprint = format!("fingerprint={digits}");
    let rows = [
        ("no field", "=a", 0, "a field"),
        ("unknown field", "cn=a and colour=red", 9, "a field: cn, san"),
        ("a field of requests", "state=issued", 0, "a field"),
        ("no operator", "cn", 2, "one of = != ~ in after cn"),
        ("an operator of others", "cn<a", 2, "one of = != ~ in after cn"),
        ("no part of a choice", "status~val", 6, "one of = != in"),
        ("no value", "cn=", 3, "a value"),
        ("two values", "cn=a b", 5, "and, or, or the end"),
        ("empty text", r#"cn~"""#, 3, "at least one character"),
        ("an open quote", r#"cn="abc"#, 3, "a closing quote"),
        ("an odd escape", r#"cn="a\n""#, 3, "after a backslash"),
        ("a control character", "cn=\"a\u{0}\"", 3, "no control characters"),
        ("an odd character", "cn=a;", 4, "a word"),
        ("an open parenthesis", "(cn=a", 5, "a closing parenthesis"),
        ("nothing in parentheses", "()", 1, "a field, not"),
        ("a stray parenthesis", "cn=a)", 4, "the end"),
        ("and at the end", "cn=a and", 8, "a field"),
        ("no list", "cn in a", 6, "an opening parenthesis"),
        ("an empty list", "cn in ()", 7, "a value"),
        (
            "no choice",
            "status=good",
            7,
            "one of valid, expired, revoked, held",
        ),
        ("no serial", "serial=xyz", 7, "a serial number"),
        (
            "a long serial",
            "serial=0102030405060708090a0b0c0d0e0f101112131415",
            7,
            "a serial number",
        ),
        ("no digest", fingerprint.as_str(), 12, "64 digits"),
        ("no time", "expires<soon", 8, "a time from now"),
        ("too far", "expires<99999d", 8, "a time from now"),
        ("no such day", "expires<2026-02-30", 8, "a time from now"),
        ("equal to now", "expires=30d", 8, "a day or a date and time"),
        ("characters, not octets", "cn=ä and x=1", 9, "a field"),
        (
            "too many values",
            many.as_str(),
            6 + 1 + 2 * VALUES_MAX,
            "at most 100 values",
        ),
        ("too deep", deep.as_str(), 4 * DEPTH_MAX, "at most 32 levels"),
        ("too long", long.as_str(), 0, "at most 2048 octets"),
    ];
    for (name, text, position, expected) in rows {
        let error = parse(text, Among::Certificates).expect_err(name);
        assert_eq!(error.position, position, "{name}: {error}");
        assert!(error.expected.contains(expected), "{name}: {error}");
    }
    assert!(parse("state=issued and received>-1d", Among::Requests).is_ok());
    assert!(parse("expires<30d", Among::Requests).is_err());
}

#[test]
fn times_are_ranges() {
    let now = NOW.unix_millis();
    let day = Timestamp::parse_rfc3339("2026-12-31T00:00:00Z")
        .unwrap()
        .unix_millis();
    let rows = [
        ("expires<30d", None, Some(now + 30 * 86_400_000)),
        ("expires<=1h", None, Some(now + 3_600_001)),
        ("issued>-7d", Some(now - 7 * 86_400_000 + 1), None),
        ("issued>=-7d", Some(now - 7 * 86_400_000), None),
        ("expires=2026-12-31", Some(day), Some(day + 86_400_000)),
        ("expires<2026-12-31", None, Some(day)),
        ("expires<=2026-12-31", None, Some(day + 86_400_000)),
        ("expires>2026-12-31", Some(day + 86_400_000), None),
        ("expires>=2026-12-31", Some(day), None),
        ("expires=2026-12-31T00:00:00Z", Some(day), Some(day + 1_000)),
    ];
    for (text, from, before) in rows {
        let Expression::Term(term) = read(text) else {
            panic!("{text}")
        };
        assert_eq!(term.range(NOW), Some(Range { from, before }), "{text}");
    }
}

#[test]
fn the_way_that_reads_least_is_taken() {
    let text = |text: &str| Value::Text(text.to_owned());
    let now = NOW.unix_millis();
    let month = Some(now + 30 * 86_400_000);
    let range = |from, before| Range { from, before };
    let rows = [
        ("", Drive::Newest),
        ("cn~web", Drive::Newest),
        ("cn=a or profile=b", Drive::Newest),
        ("not profile=b", Drive::Newest),
        ("profile in (a, b)", Drive::Newest),
        ("profile=b and cn~web", Drive::Equal(Field::Profile, text("b"))),
        (
            "(profile=b and cn~web) and issued>2020-01-01T00:00:00Z and san=x",
            Drive::Named(Field::AlternativeName, "x".to_owned()),
        ),
        (
            "status=valid and expires<30d",
            Drive::Between(Field::Expires, range(Some(now + 1), month), Way::Rising),
        ),
        (
            "expires<30d and profile=b",
            Drive::Between(Field::Expires, range(None, month), Way::Falling),
        ),
        (
            "expires>30d and endpoint=b",
            Drive::Equal(Field::Endpoint, text("b")),
        ),
        (
            "status=held",
            Drive::Between(Field::Revoked, Range::default(), Way::Falling),
        ),
        (
            "reason=superseded",
            Drive::Between(Field::Revoked, Range::default(), Way::Falling),
        ),
        ("revoked!=2026-01-01", Drive::Newest),
        (
            "requester=a and status=revoked",
            Drive::Equal(Field::Requester, text("a")),
        ),
        ("team=a and profile=b", Drive::Equal(Field::Team, text("a"))),
    ];
    for (query, drive) in rows {
        let expression = parse(query, Among::Certificates).unwrap();
        assert_eq!(
            Plan::of(expression.as_ref(), Among::Certificates, NOW).drive,
            drive,
            "{query}"
        );
    }
    let waiting = || text("awaiting_approval");
    let rows = [
        (
            "state=issued and endpoint=e",
            Drive::Equal(Field::State, text("issued")),
        ),
        ("state=awaiting_approval", Drive::Equal(Field::State, waiting())),
        (
            "state=awaiting_approval and profile=b",
            Drive::Waiting(Field::Profile, text("b")),
        ),
        (
            "state=awaiting_approval and team=a",
            Drive::Waiting(Field::Team, text("a")),
        ),
        ("team=a and state=issued", Drive::Equal(Field::Team, text("a"))),
        ("team in (a, b)", Drive::Newest),
        (
            "registration=r and not state=erased",
            Drive::Equal(Field::Registration, text("r")),
        ),
        ("endpoint=e and cn~x", Drive::Equal(Field::Endpoint, text("e"))),
        ("received>-1h", Drive::Newest),
    ];
    for (query, drive) in rows {
        let expression = parse(query, Among::Requests).unwrap();
        assert_eq!(
            Plan::of(expression.as_ref(), Among::Requests, NOW).drive,
            drive,
            "{query}"
        );
    }
    let expression = parse("received>=-1h and received<-30m", Among::Requests).unwrap();
    let made = Plan::of(expression.as_ref(), Among::Requests, NOW).made;
    assert_eq!(made, range(Some(now - 90_000_000), Some(now - 1_800_000)));
}

#[test]
fn cursors_belong_to_their_query() {
    let id = crate::domain::EnrollmentId::from_bytes([7; 16]);
    let by_id = Position::Enrollment(id);
    let by_time = Position::Time(Timestamp::from_unix_millis(-5), id);
    let (web, soon) = (read("cn~web"), read("expires<30d"));
    let plan = |query: &Expression| Plan::of(Some(query), Among::Certificates, NOW);
    let cursor = by_id.to_cursor(Some(&web), Among::Certificates);
    let list = (Some(&web), Among::Certificates);
    assert_eq!(Position::from_cursor(&cursor, list, &plan(&web)), Ok(by_id));
    let other = by_time.to_cursor(Some(&soon), Among::Certificates);
    assert_eq!(
        Position::from_cursor(&other, (Some(&soon), Among::Certificates), &plan(&soon)),
        Ok(by_time)
    );
    let rows = [
        ("of another query", other.clone(), list),
        ("of requests", by_id.to_cursor(Some(&web), Among::Requests), list),
        ("without a query", cursor.clone(), (None, Among::Certificates)),
        ("cut", Cursor(cursor.0[..cursor.0.len() - 1].to_vec()), list),
        ("longer", Cursor([&cursor.0[..], &[0]].concat()), list),
        (
            "of another order",
            by_time.to_cursor(Some(&web), Among::Certificates),
            list,
        ),
        ("empty", Cursor(Vec::new()), list),
    ];
    for (name, cursor, list) in rows {
        assert_eq!(
            Position::from_cursor(&cursor, list, &plan(&web)),
            Err(BadCursor),
            "{name}"
        );
    }
}

fn role(backends: &[&str], profiles: &[&str], teams: TeamReach) -> OperatorRole {
    let mut role = OperatorRole::superadmin();
    if !backends.is_empty() {
        role.backends = Reach::Only(backends.iter().map(|name| name.parse_name()).collect());
    }
    if !profiles.is_empty() {
        role.profiles = Reach::Only(profiles.iter().map(|name| name.parse_name()).collect());
    }
    role.teams = teams;
    role
}

trait ParseName {
    fn parse_name<T: TryFrom<String, Error: std::fmt::Debug>>(&self) -> T;
}

impl ParseName for &str {
    fn parse_name<T: TryFrom<String, Error: std::fmt::Debug>>(&self) -> T {
        T::try_from((*self).to_owned()).unwrap()
    }
}

#[test]
fn rights_become_terms() {
    let all = || role(&[], &[], TeamReach::All);
    let rows: [(&str, Vec<OperatorRole>, &[&str], &str); 8] = [
        ("no role", vec![], &[], "nothing"),
        ("everything", vec![all()], &[], "all"),
        (
            "one CA",
            vec![role(&["a"], &[], TeamReach::All)],
            &[],
            "backend=a",
        ),
        (
            "CAs and profiles",
            vec![role(&["a", "b"], &["p"], TeamReach::All)],
            &[],
            "backend in (a, b) and profile=p",
        ),
        (
            "own teams",
            vec![role(&[], &[], TeamReach::Own)],
            &["t", "u"],
            "team in (t, u)",
        ),
        ("no team", vec![role(&[], &[], TeamReach::Own)], &[], "nothing"),
        (
            "two roles",
            vec![
                role(&["a"], &[], TeamReach::All),
                role(&[], &["p"], TeamReach::Own),
            ],
            &["t"],
            "backend=a or (profile=p and team=t)",
        ),
        (
            "one role is enough",
            vec![role(&["a"], &[], TeamReach::All), all()],
            &[],
            "all",
        ),
    ];
    for (name, roles, teams, expected) in rows {
        let mut standing = Standing::superadmin("operator:a".parse().unwrap());
        standing.roles = roles;
        standing.teams = teams.iter().map(|name| name.parse_name()).collect();
        let said = match scope(&standing, Right::CertificateRead) {
            Scope::All => "all".to_owned(),
            Scope::Nothing => "nothing".to_owned(),
            Scope::Only(expression) => expression.to_string(),
        };
        assert_eq!(said, expected, "{name}");
    }
    let mut standing = Standing::superadmin("operator:a".parse().unwrap());
    standing.scopes = Some([Right::AuditRead].into());
    assert_eq!(
        scope(&standing, Right::CertificateRead),
        Scope::Nothing,
        "out of a token's scopes"
    );
    let query = Some(read("cn=a or cn=b"));
    let joined = Scope::Only(read("backend=x"))
        .with(query.clone())
        .unwrap()
        .unwrap();
    assert_eq!(
        joined.to_string(),
        "backend=x and (cn=a or cn=b)",
        "never widened by an or"
    );
    assert_eq!(Scope::Nothing.with(query.clone()), None);
    assert_eq!(Scope::All.with(query.clone()), Some(query));
}

fn value(field: Field, operator: Operator) -> BoxedStrategy<Value> {
    let text = "[ -~ä]{1,12}".prop_map(Value::Text).boxed();
    match field.kind() {
        Kind::Name => text
            .prop_map(|value| Value::Text(value.text().unwrap_or_default().to_lowercase()))
            .boxed(),
        Kind::Word | Kind::Label => text,
        Kind::Choice => proptest::sample::select(field.choices())
            .prop_map(|word| Value::Text(word.to_owned()))
            .boxed(),
        Kind::Serial => any::<[u8; 20]>()
            .prop_map(|octets| Value::Octets(octets.to_vec()))
            .boxed(),
        Kind::Digest => any::<[u8; 32]>()
            .prop_map(|octets| Value::Octets(octets.to_vec()))
            .boxed(),
        Kind::Time => {
            let second =
                (0_i64..4_000_000_000).prop_map(|at| Moment::Second(Timestamp::from_unix_seconds(at)));
            let day = (0_i64..40_000).prop_map(|day| Moment::Day(Timestamp::from_unix_seconds(day * 86_400)));
            let from_now = (-3_000_000_000_000_i64..3_000_000_000_000).prop_map(Moment::FromNow);
            if matches!(operator, Operator::Equal | Operator::Unequal) {
                prop_oneof![second, day].prop_map(Value::Moment).boxed()
            } else {
                prop_oneof![second, day, from_now].prop_map(Value::Moment).boxed()
            }
        }
    }
}

fn term() -> impl Strategy<Value = Expression> {
    let fields: Vec<Field> = Field::ALL
        .iter()
        .copied()
        .filter(|field| field.is_of(Among::Certificates))
        .collect();
    proptest::sample::select(fields)
        .prop_flat_map(|field| (Just(field), proptest::sample::select(field.kind().operators())))
        .prop_flat_map(|(field, operator)| {
            let count = if operator == Operator::In {
                1..4_usize
            } else {
                1..2
            };
            let values = proptest::collection::vec(value(field, operator), count);
            values.prop_map(move |values| Expression::Term(Term::new(field, operator, values)))
        })
}

fn expression() -> impl Strategy<Value = Expression> {
    term().prop_recursive(4, 12, 3, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::And),
            proptest::collection::vec(inner.clone(), 2..4).prop_map(Expression::Or),
            inner.prop_map(|inner| Expression::Not(Box::new(inner))),
        ]
    })
}

proptest! {
    #[test]
    fn what_is_written_is_read_as_the_same(expression in expression()) {
        let text = expression.to_string();
        prop_assume!(text.len() <= SOURCE_MAX);
        prop_assert_eq!(parse(&text, Among::Certificates), Ok(Some(expression)), "{}", text);
    }

    #[test]
    fn no_text_breaks_the_reader(text in ".{0,200}") {
        if let Err(error) = parse(&text, Among::Certificates) {
            prop_assert!(error.position <= text.chars().count());
        }
    }

    #[test]
    fn no_words_of_the_language_break_the_reader(words in proptest::collection::vec(
        proptest::sample::select(vec!["cn", "expires", "=", "~", "<", "(", ")", "in", "and", "or", "not", ",", "\"a\"", "30d", " "]), 0..40)) {
        let text = words.join(" ");
        if let Ok(Some(expression)) = parse(&text, Among::Requests) {
            prop_assert_eq!(parse(&expression.to_string(), Among::Requests), Ok(Some(expression)));
        }
    }
}
