use super::*;

const ANYONE: &str = "age_max = \"7d\"\n[[step]]\nanyone = true\n";

#[test]
fn reads_every_key() {
    let text = r#"
        description = "Officers, then the owners' team, then the boss."
        age_max = "14d"
        issue_within = "2h"
        evidence = "required"

        [[step]]
        role = "ra-officer"
        min = 2

        [[step]]
        team = "web"

        [[step]]
        operator = "boss"

        [[automatic]]
        name = "internal"
        expression = "certificate.names.dns.all(n, n.endsWith('.internal'))"
        reason = "names that nobody else can use"
    "#;
    let read = parse_approval_policy("strict", 7, text).unwrap();
    let terms = &read.policy.terms;
    assert_eq!((terms.policy.as_str(), terms.version), ("strict", 7));
    let steps: Vec<(String, u8)> = terms
        .steps
        .iter()
        .map(|step| (step.who.to_string(), step.min))
        .collect();
    let expected = [("role ra-officer", 2), ("team web", 1), ("operator boss", 1)];
    assert_eq!(steps, expected.map(|(who, min)| (who.to_owned(), min)));
    assert_eq!(terms.evidence, EvidenceRule::Required);
    assert_eq!(terms.issue_within, Duration::from_secs(7200));
    assert_eq!(read.policy.age_max, Duration::from_secs(14 * 86_400));
    assert_eq!(terms.people(), 4);
    assert_eq!(read.automatic.len(), 1);
}

#[test]
fn what_is_left_out() {
    let read = parse_approval_policy("one", 1, ANYONE).unwrap();
    let terms = &read.policy.terms;
    assert_eq!(
        terms.steps,
        [Step {
            who: Approvers::Anyone,
            min: 1
        }]
    );
    assert_eq!(terms.evidence, EvidenceRule::Accepted);
    assert_eq!(terms.issue_within, a_day());
    assert!(read.automatic.is_empty());
}

#[test]
fn refuses() {
    let steps = |text: &str| format!("age_max = \"1d\"\n{text}");
    let automatic = |text: &str| format!("{ANYONE}{text}");
    let rows = [
        ("unknown key", format!("colour = 1\n{ANYONE}"), "unknown field"),
        ("no step", steps(""), "step: 1 to 8"),
        (
            "nine steps",
            steps(&"[[step]]\nanyone = true\n".repeat(9)),
            "step: 1 to 8",
        ),
        ("no age", "[[step]]\nanyone = true".to_owned(), "age_max"),
        ("nobody", steps("[[step]]\nmin = 1"), "step 1: exactly one"),
        (
            "not anyone",
            steps("[[step]]\nanyone = false"),
            "step 1: exactly one",
        ),
        (
            "two kinds",
            steps("[[step]]\nrole = \"a\"\nteam = \"b\""),
            "step 1: exactly one",
        ),
        (
            "no people",
            steps("[[step]]\nanyone = true\nmin = 0"),
            "step 1: min",
        ),
        (
            "a crowd",
            steps("[[step]]\nanyone = true\nmin = 17"),
            "step 1: min",
        ),
        (
            "one operator twice over",
            steps("[[step]]\noperator = \"a\"\nmin = 2"),
            "step 1: min",
        ),
        (
            "one operator in two steps",
            steps("[[step]]\noperator = \"a\"\n[[step]]\noperator = \"a\""),
            "step 2: operator a",
        ),
        (
            "at once",
            "age_max = \"0s\"\n[[step]]\nanyone = true".to_owned(),
            "age_max and issue_within",
        ),
        (
            "longer than the signer remembers",
            "age_max = \"30d\"\nissue_within = \"1s\"\n[[step]]\nanyone = true".to_owned(),
            "30d together",
        ),
        (
            "automatic by nonsense",
            automatic("[[automatic]]\nname = \"a\"\nexpression = \"1\"\nreason = \"r\""),
            "automatic a: expression",
        ),
        (
            "automatic without a reason",
            automatic("[[automatic]]\nname = \"a\"\nexpression = \"true\"\nreason = \"\""),
            "automatic a: the reason",
        ),
        (
            "automatic twice",
            automatic(&"[[automatic]]\nname = \"a\"\nexpression = \"true\"\nreason = \"r\"\n".repeat(2)),
            "automatic a: the name",
        ),
    ];
    for (name, text, reason) in rows {
        let error = parse_approval_policy("p", 1, &text).expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
    assert!(parse_approval_policy("no name", 1, ANYONE).is_err());
}
