//! Sources that are not published.

use super::*;

#[test]
fn what_is_not_published() {
    let rows = [
        ("nothing", "  ", "1 to 4096 octets"),
        ("no expression", "now.hour >", "line 1, column"),
        ("two", "true false", "line 1"),
        ("not boolean", "now.hour", "is a number, must be true or false"),
        ("list", "request.names.dns", "is a list of texts"),
        ("record", "now", "is a record"),
        ("unknown variable", "hour == 8", "unknown variable hour"),
        ("absolute variable", ".now.hour == 8", "unknown variable"),
        (
            "unknown field",
            "now.year == 8",
            "unknown field year; there is: unix, date",
        ),
        ("field of a text", "profile.name.first == 'a'", "takes a record"),
        (
            "unknown function",
            "now.date.lowerAscii() == ''",
            "unknown function lowerAscii",
        ),
        ("conversion", "int('1') == 1", "unknown function int"),
        ("type()", "type(1) == int", "unknown function type"),
        ("dyn()", "dyn(1) == 'a'", "unknown function dyn"),
        ("has()", "has(now.hour)", "has() cannot be used"),
        (
            "number and text",
            "now.hour == '8'",
            "takes two values of one kind",
        ),
        ("order of truth", "true < false", "two numbers or two texts"),
        ("text minus text", "'a' - 'b' == ''", "takes numbers"),
        (
            "joined lists",
            "['a'] + ['b'] == ['a']",
            "two numbers or two texts",
        ),
        ("truth of a text", "now.date && true", "takes true or false"),
        (
            "choice of two kinds",
            "(true ? 1 : 'a') == 1",
            "two values of one kind",
        ),
        (
            "in of another kind",
            "1 in request.names.dns",
            "a value and a list of such",
        ),
        ("empty list", "request.names.dns == []", "1 to 100 items"),
        ("mixed list", "[1, 'a'] == [1]", "items of one kind"),
        ("list of lists", "[[1]] == [[1]]", "items of one kind"),
        ("map", "{'a': 1}['a'] == 1", "a map cannot be used"),
        ("message", "now{hour: 1} == now", "a message cannot be used"),
        ("fraction", "1.5 > 1.0", "a fraction"),
        ("unsigned", "1u == 1u", "an unsigned number"),
        ("null", "null == null", "null cannot"),
        ("octets", "b'a' == b'a'", "a text of octets"),
        (
            "nested",
            "request.names.dns.all(a, request.names.dns.all(b, a == b))",
            "inside each other",
        ),
        (
            "nested in a filter",
            "request.names.dns.filter(a, ['x'].exists(b, a == b)).size() == 0",
            "inside each other",
        ),
        (
            "shadow",
            "request.names.dns.all(now, true)",
            "name of another variable",
        ),
        (
            "unbound after",
            "request.names.dns.all(n, true) && n == ''",
            "unknown variable n",
        ),
        ("all of a text", "now.date.all(c, true)", "takes a list"),
        (
            "condition of a number",
            "request.names.dns.all(n, 1)",
            "takes true or false",
        ),
        (
            "list in a list",
            "request.names.dns.map(n, ['a']).size() == 1",
            "items of one kind",
        ),
        (
            "pattern from a variable",
            "now.date.matches(profile.name)",
            "must be written out",
        ),
        (
            "pattern without a text",
            "matches('a', 'a')",
            "write text.matches",
        ),
        ("pattern of a number", "now.hour.matches('a')", "takes a text"),
        ("bad pattern", "now.date.matches('(')", "unclosed group"),
        (
            "large pattern",
            "now.date.matches('[a-z]{1000}{1000}')",
            "size limit",
        ),
        ("backtracking", "now.date.matches('(a)\\\\1')", "backreferences"),
    ];
    for (name, source, reason) in rows {
        match Expression::compile(source) {
            Ok(_) => panic!("{name}: accepted"),
            Err(error) => assert!(error.to_string().contains(reason), "{name}: {error}"),
        }
    }
}

#[test]
fn limits() {
    let chain = |part: &str, times: usize| vec![part; times].join(" && ");
    let fine = [
        ("nodes", chain("true", 128)),
        ("items", format!("1 in [{}]", vec!["1"; 100].join(", "))),
        ("joins", format!("now.date{} != ''", " + 'a'".repeat(8))),
        ("patterns", chain("now.date.matches('a')", 8)),
        ("depth", format!("1{} > 0", " + 1".repeat(29))),
        ("length", format!("true{}", " ".repeat(4092))),
    ];
    for (name, source) in fine {
        assert_eq!(Expression::compile(&source).err(), None, "{name}");
    }
    let names = "request.names.dns.all(n, n.matches('a') && n.matches('b') && n.matches('c'))";
    let rows = [
        ("nodes", chain("true", 129), ExpressionError::Nodes),
        (
            "items",
            format!("1 in [{}]", vec!["1"; 101].join(", ")),
            ExpressionError::Items,
        ),
        (
            "joins",
            format!("now.date{} != ''", " + 'a'".repeat(9)),
            ExpressionError::Joins,
        ),
        (
            "depth",
            format!("1{} > 0", " + 1".repeat(40)),
            ExpressionError::Depth,
        ),
        (
            "length",
            format!("true{}", " ".repeat(4093)),
            ExpressionError::Length,
        ),
        (
            "patterns",
            chain("now.date.matches('a')", 9),
            ExpressionError::Pattern("more than 8 patterns".into()),
        ),
    ];
    for (name, source, expected) in rows {
        assert_eq!(Expression::compile(&source).err(), Some(expected), "{name}");
    }
    let error = Expression::compile(names).expect_err("too much work");
    assert!(
        matches!(error, ExpressionError::Cost(steps) if steps > COST_MAX),
        "{error}"
    );
}

/// The parser goes down a level with each of these: none may end the process.
#[test]
fn deep_sources_are_refused() {
    let rows = [
        ("fields", format!("a{}", ".b".repeat(2000))),
        ("brackets", format!("{}a{}", "(".repeat(2000), ")".repeat(2000))),
        ("open brackets", "(".repeat(4000)),
        ("lists", format!("{}{}", "[".repeat(2000), "]".repeat(2000))),
        ("sums", format!("{}1", "1+".repeat(2000))),
        ("comparisons", format!("{}1", "1<".repeat(2000))),
        ("choices", format!("{}true", "true?true:".repeat(400))),
        ("calls", format!("a{}", ".f()".repeat(1000))),
        ("items", format!("a{}", "[0]".repeat(1300))),
        (
            "macros",
            format!("{}true{}", "a.all(x,".repeat(400), ")".repeat(400)),
        ),
    ];
    for (name, source) in rows {
        let refused = Expression::compile(&source).expect_err(name);
        assert_ne!(refused, ExpressionError::Parser, "{name}");
    }
}
