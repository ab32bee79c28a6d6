use super::*;

#[test]
fn bodies_that_are_no_decision() {
    let rows = [
        ("a digest that is short", r#"{"digest": "ab"}"#, "digest"),
        (
            "a grant for ever",
            r#"{"grant": {"uses": 1, "days": 8}}"#,
            "grant",
        ),
        (
            "a grant of nothing",
            r#"{"grant": {"uses": 0, "days": 1}}"#,
            "grant",
        ),
        (
            "another algorithm",
            r#"{"evidence": {"algorithm": "none", "key": "", "signature": ""}}"#,
            "algorithm",
        ),
        (
            "a key that is not hexadecimal",
            r#"{"evidence": {"algorithm": "EdDSA", "key": "zz", "signature": ""}}"#,
            "key",
        ),
    ];
    for (name, text, reason) in rows {
        let body: DecisionBody = serde_json::from_str(text).expect(name);
        let read = body
            .digest
            .as_deref()
            .map(digest)
            .transpose()
            .and_then(|_| body.evidence.map(evidence).transpose())
            .and_then(|_| body.grant.map(grant).transpose());
        let problem = read.expect_err(name);
        assert!(problem.to_string().contains(reason), "{name}: {problem}");
    }
    assert!(serde_json::from_str::<DecisionBody>(r#"{"colour": 1}"#).is_err());
    let usual: DecisionBody = serde_json::from_str(r#"{"grant": {}}"#).unwrap();
    assert_eq!(usual.grant, Some(GrantBody { uses: 1, days: 7 }));
}
