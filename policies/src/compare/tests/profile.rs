use super::*;

#[test]
fn names() {
    let dns = "names.dns = { allow = [\"example.com\"], deny = [\"secret.example.com\"]";
    let rows = vec![
        (
            "a part",
            with("names.dns = { allow = [\"www.example.com\"], deny = [\"secret.example.com\"] }"),
            vec![("names.dns.allow", Narrows)],
        ),
        (
            "more",
            with(
                "names.dns = { allow = [\"example.com\", \"example.net\"], deny = [\"secret.example.com\"] }",
            ),
            vec![("names.dns.allow", Widens)],
        ),
        (
            "all",
            with("names.dns = { allow = [\"*\"], deny = [\"secret.example.com\"] }"),
            vec![("names.dns.allow", Widens)],
        ),
        (
            "the domain above",
            with("names.dns = { allow = [\"com\"], deny = [\"secret.example.com\"] }"),
            vec![("names.dns.allow", Widens)],
        ),
        (
            "a like name",
            with("names.dns = { allow = [\"badexample.com\"], deny = [\"secret.example.com\"] }"),
            vec![("names.dns.allow", Widens)],
        ),
        (
            "nothing denied",
            with("names.dns = { allow = [\"example.com\"] }"),
            vec![("names.dns.deny", Widens)],
        ),
        (
            "more denied",
            with(
                "names.dns = { allow = [\"example.com\"], deny = [\"secret.example.com\", \"a.example.com\"] }",
            ),
            vec![("names.dns.deny", Narrows)],
        ),
        (
            "denied from above",
            with("names.dns = { allow = [\"example.com\"], deny = [\"example.com\"] }"),
            vec![("names.dns.deny", Narrows)],
        ),
        (
            "denied below",
            with("names.dns = { allow = [\"example.com\"], deny = [\"very.secret.example.com\"] }"),
            vec![("names.dns.deny", Widens)],
        ),
        (
            "wildcards",
            with(&format!("{dns}, wildcards = true }}")),
            vec![("names.dns.wildcards", Widens)],
        ),
        (
            "single labels",
            with(&format!("{dns}, single_labels = true }}")),
            vec![("names.dns.single_labels", Widens)],
        ),
        (
            "a smaller network",
            with("names.ip = { allow = [\"10.1.0.0/16\"], deny = [\"10.9.0.0/16\"] }"),
            vec![("names.ip.allow", Narrows)],
        ),
        (
            "a larger network",
            with("names.ip = { allow = [\"10.0.0.0/7\"], deny = [\"10.9.0.0/16\"] }"),
            vec![("names.ip.allow", Widens)],
        ),
        (
            "a larger denied network",
            with("names.ip = { allow = [\"10.0.0.0/8\"], deny = [\"10.8.0.0/15\"] }"),
            vec![("names.ip.deny", Narrows)],
        ),
        (
            "a smaller denied network",
            with("names.ip = { allow = [\"10.0.0.0/8\"], deny = [\"10.9.1.0/24\"] }"),
            vec![("names.ip.deny", Widens)],
        ),
        (
            "mail",
            with("names.email = { allow = [\"example.com\"] }"),
            vec![("names.email.allow", Widens)],
        ),
        (
            "URIs",
            with("names.uri = { allow = [\"urn:a\"] }"),
            vec![("names.uri.allow", Widens)],
        ),
        (
            "at least one",
            with("names.count_min = 1"),
            vec![("names.count_min", Narrows)],
        ),
        (
            "fewer",
            with("names.count_max = 99"),
            vec![("names.count_max", Narrows)],
        ),
        (
            "more at once",
            with("names.count_max = 101"),
            vec![("names.count_max", Widens)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
    let without = |key: &str| {
        BASE.lines()
            .filter(|line| !line.starts_with(key))
            .collect::<Vec<_>>()
            .join("\n")
    };
    let rows = vec![
        (
            "no DNS names",
            without("names.dns"),
            vec![
                ("names.dns.allow", Narrows),
                ("names.dns.deny", Neutral),
                ("names.dns.single_labels", Neutral),
                ("names.dns.wildcards", Neutral),
            ],
        ),
        (
            "no addresses",
            without("names.ip"),
            vec![("names.ip.allow", Narrows), ("names.ip.deny", Neutral)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
}

#[test]
fn subject_and_key() {
    let attribute = |rest: &str| with(&format!("subject.attribute = [{{ type = \"O\"{rest} }}]"));
    let o = "subject.attribute.O";
    let path = |key: &str| -> &'static str { format!("{o}.{key}").leak() };
    let rows = vec![
        (
            "fewer values",
            attribute(", allowed = [\"a\"], pattern = \"[ab]\", count_max = 2"),
            vec![(path("allowed"), Narrows)],
        ),
        (
            "more values",
            attribute(", allowed = [\"a\", \"b\", \"c\"], pattern = \"[ab]\", count_max = 2"),
            vec![(path("allowed"), Widens)],
        ),
        (
            "any value",
            attribute(", pattern = \"[ab]\", count_max = 2"),
            vec![(path("allowed"), Widens)],
        ),
        (
            "no pattern",
            attribute(", allowed = [\"a\", \"b\"], count_max = 2"),
            vec![(path("pattern"), Widens)],
        ),
        (
            "other pattern",
            attribute(", allowed = [\"a\", \"b\"], pattern = \"a\", count_max = 2"),
            vec![(path("pattern"), Widens)],
        ),
        (
            "once",
            attribute(", allowed = [\"a\", \"b\"], pattern = \"[ab]\""),
            vec![(path("count_max"), Narrows)],
        ),
        (
            "required",
            attribute(", allowed = [\"a\", \"b\"], pattern = \"[ab]\", count_max = 2, required = true"),
            vec![(path("required"), Narrows)],
        ),
        (
            "refused",
            attribute(
                ", allowed = [\"a\", \"b\"], pattern = \"[ab]\", count_max = 2, requested = \"refuse\"",
            ),
            vec![(path("requested"), Narrows)],
        ),
        (
            "default",
            attribute(", allowed = [\"a\", \"b\"], pattern = \"[ab]\", count_max = 2, default = \"a\""),
            vec![(path("default"), Widens)],
        ),
        (
            "free common name",
            with("subject.common_name = { rule = \"free\" }"),
            vec![("subject.common_name.rule", Widens)],
        ),
        (
            "no common name",
            with("subject.common_name = { rule = \"drop\" }"),
            vec![("subject.common_name.rule", Widens)],
        ),
        (
            "common name by default",
            with("subject.common_name = { default = \"first_dns\" }"),
            vec![("subject.common_name.default", Widens)],
        ),
        (
            "common name as a name",
            with("subject.common_name = { into_names = true }"),
            vec![("subject.common_name.into_names", Widens)],
        ),
        (
            "other attributes kept",
            with("subject.unlisted = \"keep\""),
            vec![("subject.unlisted", Widens)],
        ),
        (
            "other attributes refused",
            with("subject.unlisted = \"refuse\""),
            vec![("subject.unlisted", Narrows)],
        ),
        (
            "one key",
            with("key = { allowed = [\"P-256\"] }"),
            vec![("key.allowed", Narrows)],
        ),
        (
            "larger keys only",
            with("key = { allowed = [\"P-256\", \"RSA-3072\"] }"),
            vec![("key.allowed", Narrows)],
        ),
        (
            "larger keys too",
            with("key = { allowed = [\"P-256\", \"RSA-2048..8192\"] }"),
            vec![("key.allowed", Widens)],
        ),
        (
            "another curve",
            with("key = { allowed = [\"P-256\", \"P-384\", \"RSA-2048..4096\"] }"),
            vec![("key.allowed", Widens)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
    let rule = BASE
        .lines()
        .filter(|line| !line.starts_with("subject.attribute"))
        .collect::<Vec<_>>()
        .join("\n");
    assert!(widens(ObjectKind::Profile, Some(BASE), &rule) && widens(ObjectKind::Profile, Some(&rule), BASE));
}

#[test]
fn contents() {
    let validity = |text: &str| with(&format!("validity = {{ {text} }}"));
    let purposes = |text: &str| with(&format!("extended_key_usage = {{ {text} }}"));
    let rows = vec![
        (
            "shorter",
            validity("default = \"30d\", max = \"60d\", min = \"1h\", backdate = \"1h\""),
            vec![("validity.max", Narrows)],
        ),
        (
            "longer",
            validity("default = \"31d\", max = \"90d\", min = \"1h\", backdate = \"1h\""),
            vec![("validity.default", Widens)],
        ),
        (
            "shorter minimum",
            validity("default = \"30d\", max = \"90d\", min = \"1m\", backdate = \"1h\""),
            vec![("validity.min", Widens)],
        ),
        (
            "further back",
            validity("default = \"30d\", max = \"90d\", min = \"1h\", backdate = \"2h\""),
            vec![("validity.backdate", Widens)],
        ),
        (
            "times ignored",
            validity(
                "default = \"30d\", max = \"90d\", min = \"1h\", backdate = \"1h\", requested = \"ignore\"",
            ),
            vec![("validity.requested", Widens)],
        ),
        (
            "times capped",
            validity("default = \"30d\", max = \"90d\", min = \"1h\", backdate = \"1h\", outside = \"cap\""),
            vec![("validity.outside", Widens)],
        ),
        (
            "more usages",
            with(
                "key_usage = { always = [\"digitalSignature\", \"nonRepudiation\"], rsa = [\"keyEncipherment\"] }",
            ),
            vec![("key_usage.always", Widens)],
        ),
        (
            "fewer usages",
            with("key_usage = { always = [\"digitalSignature\"] }"),
            vec![("key_usage.rsa", Narrows)],
        ),
        (
            "usages on request",
            with(
                "key_usage = { always = [\"digitalSignature\"], rsa = [\"keyEncipherment\"], requested = \"narrow\" }",
            ),
            vec![("key_usage.requested", Narrows)],
        ),
        (
            "another usage that limits one",
            with(
                "key_usage = { always = [\"digitalSignature\"], rsa = [\"keyEncipherment\"], ec = [\"keyAgreement\", \"encipherOnly\"] }",
            ),
            vec![("key_usage.ec", Widens), ("key_usage.limits", Widens)],
        ),
        (
            "one purpose less",
            purposes("fixed = [\"serverAuth\"]"),
            vec![("extended_key_usage.allowed", Narrows)],
        ),
        (
            "another purpose",
            purposes("fixed = [\"serverAuth\", \"codeSigning\"], allowed = [\"clientAuth\"]"),
            vec![("extended_key_usage.fixed", Widens)],
        ),
        (
            "no purpose is every purpose",
            purposes("allowed = [\"clientAuth\"]"),
            vec![
                ("extended_key_usage", Widens),
                ("extended_key_usage.fixed", Narrows),
            ],
        ),
        (
            "refused purposes",
            purposes("fixed = [\"serverAuth\"], allowed = [\"clientAuth\"], unlisted = \"refuse\""),
            vec![("extended_key_usage.unlisted", Narrows)],
        ),
        (
            "no constraints",
            with("basic_constraints = false"),
            vec![("basic_constraints", Widens)],
        ),
        (
            "another policy",
            with("policies = [\"1.2.3\", \"1.2.4\"]"),
            vec![("policies", Widens)],
        ),
        ("no policy", with("policies = []"), vec![("policies", Narrows)]),
        (
            "no CRL",
            with("publication = {}"),
            vec![("publication.crl", Widens)],
        ),
        (
            "OCSP too",
            with("publication = { crl = true, ocsp = true }"),
            vec![("publication.ocsp", Narrows)],
        ),
        (
            "refused extensions",
            with("extensions = { unlisted = \"refuse\", ca = \"refuse\" }"),
            vec![("extensions.ca", Narrows), ("extensions.unlisted", Narrows)],
        ),
        (
            "a reason",
            with("lint.override.validity_long = \"devices without a clock\""),
            vec![("lint.override.validity_long", Widens)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
}

#[test]
fn conditions() {
    let condition = |expression: &str, outcome: &str| {
        with(&format!(
            "condition = [{{ name = \"days\", expression = \"{expression}\", message = \"no\", outcome = \"{outcome}\" }}]"
        ))
    };
    let referral = |text: &str| with(&format!("referral = {{ {text} }}"));
    let one =
        "{ name = \"days\", expression = \"validity_days < 60\", message = \"no\", outcome = \"refer\" }";
    let two = with(&format!(
        "condition = [{one}, {{ name = \"hours\", expression = \"now.hour > 7\", message = \"no\" }}]"
    ));
    let none = BASE
        .lines()
        .filter(|line| !line.starts_with("condition") && !line.starts_with("referral"));
    let none = none.collect::<Vec<_>>().join("\n");
    let refuses = condition("validity_days < 60", "refuse");
    let refuses = refuses
        .lines()
        .filter(|line| !line.starts_with("referral"))
        .collect::<Vec<_>>()
        .join("\n");
    let rows = vec![
        (
            "other expression",
            condition("validity_days < 50", "refer"),
            vec![("condition.days.expression", Widens)],
        ),
        ("spaces", condition("  validity_days < 60 ", "refer"), vec![]),
        (
            "one more",
            two,
            vec![
                ("condition.hours.expression", Narrows),
                ("condition.hours.message", Neutral),
                ("condition.hours.outcome", Neutral),
            ],
        ),
        (
            "none",
            none,
            vec![
                ("condition.days.expression", Widens),
                ("condition.days.message", Neutral),
                ("condition.days.outcome", Neutral),
                ("referral.age_max", Neutral),
                ("referral.approvals", Neutral),
            ],
        ),
        (
            "refuses instead",
            refuses,
            vec![
                ("condition.days.outcome", Narrows),
                ("referral.age_max", Neutral),
                ("referral.approvals", Neutral),
            ],
        ),
        (
            "fewer approvals",
            referral("approvals = 1, age_max = \"3d\""),
            vec![("referral.approvals", Widens)],
        ),
        (
            "more approvals",
            referral("approvals = 3, age_max = \"3d\""),
            vec![("referral.approvals", Narrows)],
        ),
        (
            "longer open",
            referral("approvals = 2, age_max = \"4d\""),
            vec![("referral.age_max", Widens)],
        ),
    ];
    check(ObjectKind::Profile, BASE, rows);
}

/// A usage that says what a key is only for limits it, so that there is more without.
#[test]
fn usages_that_limit_others() {
    let usage = |ec: &str, requested: &str| {
        with(&format!(
            "key_usage = {{ always = [\"digitalSignature\"], ec = [{ec}], requested = \"{requested}\" }}"
        ))
    };
    let limited = usage("\"keyAgreement\", \"encipherOnly\"", "ignore");
    let rows = vec![
        (
            "without the limit",
            usage("\"keyAgreement\"", "ignore"),
            vec![("key_usage.ec", Narrows), ("key_usage.limits", Widens)],
        ),
        (
            "with the other one",
            usage("\"keyAgreement\", \"decipherOnly\"", "ignore"),
            vec![("key_usage.ec", Widens), ("key_usage.limits", Widens)],
        ),
        (
            "where a request can leave it out",
            usage("\"keyAgreement\", \"encipherOnly\"", "narrow"),
            vec![("key_usage.limits", Widens), ("key_usage.requested", Narrows)],
        ),
    ];
    check(ObjectKind::Profile, &limited, rows);
}
