use super::*;

const MINIMAL: &str = r#"
description = "minimal"
key = { allowed = ["P-256", "RSA-2048..4096", "Ed25519"] }
validity = { default = "90d", max = "90d" }
key_usage = { always = ["digitalSignature"] }
extended_key_usage = { fixed = ["serverAuth"] }
"#;

#[test]
fn absent_sections_allow_nothing() {
    let profile = Profile::parse(MINIMAL).expect("minimal profile");
    assert!(profile.names.dns.is_none() && profile.names.ip.is_none());
    assert!(profile.names.email.is_none() && profile.names.uri.is_none());
    assert!(!profile.publication.crl && !profile.publication.ocsp && !profile.publication.ca_issuers);
    assert!(profile.subject.attributes.is_empty());
}

#[test]
fn conditions_are_bounded() {
    let condition =
        |n: usize| format!("[[condition]]\nname = \"c{n}\"\nexpression = \"true\"\nmessage = \"no\"\n");
    let text = |count: usize| format!("{MINIMAL}{}", (0..count).map(condition).collect::<String>());
    assert_eq!(Profile::parse(&text(16)).expect("sixteen").conditions.len(), 16);
    assert_eq!(Profile::parse(&text(17)).err(), Some(ProfileError::Conditions));
}

/// Each row replaces a line of the minimal profile, or adds to it, and names the reason that must be given.
#[test]
fn profiles_that_make_no_sense_are_refused() {
    let rows = [
        ("unknown key", "", "colour = \"red\"", "unknown field"),
        (
            "unknown key in a section",
            "validity",
            "validity = { default = \"1d\", max = \"1d\", mx = \"1d\" }",
            "unknown",
        ),
        ("missing section", "key =", "", "missing field `key`"),
        (
            "empty description",
            "description",
            "description = \"\"",
            "description: must",
        ),
        (
            "two lines of description",
            "description",
            "description = \"a\\nb\"",
            "description: must",
        ),
        (
            "no key",
            "key =",
            "key = { allowed = [] }",
            "key.allowed: must not be empty",
        ),
        (
            "weak key",
            "key =",
            "key = { allowed = [\"RSA-1024\"] }",
            "RSA-1024",
        ),
        (
            "default above max",
            "validity",
            "validity = { default = \"91d\", max = \"90d\" }",
            "min <= default <= max",
        ),
        (
            "min above default",
            "validity",
            "validity = { default = \"1h\", max = \"1d\", min = \"2h\" }",
            "min <=",
        ),
        (
            "zero",
            "validity",
            "validity = { default = \"0s\", max = \"1d\", min = \"0s\" }",
            "0 < min",
        ),
        (
            "a million years",
            "validity",
            "validity = { default = \"1d\", max = \"999999999d\" }",
            "not exceed 36600d",
        ),
        (
            "milliseconds",
            "validity",
            "validity = { default = \"1d\", max = \"1d\", backdate = \"5ms\" }",
            "whole seconds",
        ),
        (
            "ends before it begins",
            "validity",
            "validity = { default = \"1h\", max = \"1d\", backdate = \"1h\" }",
            "backdate",
        ),
        (
            "CA usage",
            "key_usage",
            "key_usage = { always = [\"keyCertSign\"] }",
            "keyCertSign is for CAs",
        ),
        (
            "CRL usage",
            "key_usage",
            "key_usage = { always = [\"digitalSignature\"], ec = [\"cRLSign\"] }",
            "cRLSign",
        ),
        (
            "unknown usage",
            "key_usage",
            "key_usage = { always = [\"sign\"] }",
            "key usage",
        ),
        (
            "no usage for a key",
            "key_usage",
            "key_usage = { rsa = [\"keyEncipherment\"] }",
            "elliptic-curve key would have no",
        ),
        (
            "enciphering EC",
            "key_usage",
            "key_usage = { always = [\"keyEncipherment\"] }",
            "keyEncipherment is not possible",
        ),
        (
            "agreeing RSA",
            "key_usage",
            "key_usage = { always = [\"digitalSignature\"], rsa = [\"keyAgreement\"] }",
            "with RSA",
        ),
        (
            "any purpose",
            "extended_key_usage",
            "extended_key_usage = { fixed = [\"anyExtendedKeyUsage\"] }",
            "anyExtended",
        ),
        (
            "reason for no lint",
            "",
            "lint.override.colour = \"it is a nice one\"",
            "there is no lint colour",
        ),
        (
            "reason that is none",
            "",
            "lint.override.validity_long = \"because\"",
            "10 to 300 characters",
        ),
        (
            "reason in two lines",
            "",
            "lint.override.validity_long = \"devices without\\na clock\"",
            "in one line",
        ),
        (
            "unknown key of lints",
            "",
            "lint = { allow = [] }",
            "unknown field",
        ),
        ("anyPolicy", "", "policies = [\"2.5.29.32.0\"]", "anyPolicy"),
        (
            "policy twice",
            "",
            "policies = [\"1.2.3\", \"1.2.3\"]",
            "none twice",
        ),
        (
            "names without a form",
            "",
            "names = { count_min = 1 }",
            "needs an allowed form",
        ),
        (
            "counts",
            "",
            "names = { count_min = 3, count_max = 2, dns = { allow = [\"*\"] } }",
            "count_min to count_max",
        ),
        (
            "too many names",
            "",
            "names = { count_max = 201 }",
            "count_min to count_max",
        ),
        (
            "empty allow list",
            "",
            "names = { dns = { allow = [] } }",
            "names.dns.allow",
        ),
        (
            "wildcard as suffix",
            "",
            "names = { dns = { allow = [\"*.example.com\"] } }",
            "write \"example.com\"",
        ),
        (
            "suffix with a dot",
            "",
            "names = { dns = { allow = [\".example.com\"] } }",
            "empty label",
        ),
        (
            "denied wildcard",
            "",
            "names = { dns = { allow = [\"*\"], deny = [\"*.a.example\"] } }",
            "must not be a wildcard",
        ),
        (
            "network",
            "",
            "names = { ip = { allow = [\"10.0.0.0/33\"] } }",
            "invalid",
        ),
        (
            "pattern",
            "",
            "names = { uri = { allow = [\"(\"] } }",
            "unclosed group",
        ),
        (
            "attribute type",
            "",
            "subject = { attribute = [{ type = \"Nonsense\" }] }",
            "not an attribute type",
        ),
        (
            "two rules",
            "",
            "subject = { attribute = [{ type = \"O\" }, { type = \"2.5.4.10\" }] }",
            "two rules for O",
        ),
        (
            "fixed and pattern",
            "",
            "subject = { attribute = [{ type = \"O\", fixed = \"a\", pattern = \"a\" }] }",
            "no room",
        ),
        (
            "nothing allowed",
            "",
            "subject = { attribute = [{ type = \"O\", allowed = [] }] }",
            "must not be empty",
        ),
        (
            "count of none",
            "",
            "subject = { attribute = [{ type = \"O\", count_max = 0 }] }",
            "at least 1",
        ),
        (
            "required but dropped",
            "",
            "subject = { attribute = [{ type = \"O\", required = true, requested = \"drop\" }] }",
            "there can be none",
        ),
        (
            "empty value",
            "",
            "subject = { attribute = [{ type = \"O\", fixed = \"\" }] }",
            "the value is empty",
        ),
        (
            "condition that is no expression",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"now.hour >\"\nmessage = \"no\"\n",
            "line 1",
        ),
        (
            "condition of a number",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"now.hour\"\nmessage = \"no\"\n",
            "must be true or false",
        ),
        (
            "name of a condition",
            "",
            "[[condition]]\nname = \"A b\"\nexpression = \"true\"\nmessage = \"no\"\n",
            "lower-case",
        ),
        (
            "message in two lines",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"a\\nb\"\n",
            "in one line",
        ),
        (
            "unknown outcome",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\noutcome = \"allow\"",
            "unknown variant",
        ),
        (
            "referral that is missing",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\noutcome = \"refer\"",
            "it must be there",
        ),
        (
            "referral to nobody",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\noutcome = \"refer\"\n[referral]\napprovals = 0\nage_max = \"1d\"",
            "at least one",
        ),
        (
            "referral for ever",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\noutcome = \"refer\"\n[referral]\napprovals = 1\nage_max = \"31d\"",
            "1s to 30d",
        ),
        (
            "referral without need",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\n[referral]\napprovals = 1\nage_max = \"1d\"",
            "no condition refers",
        ),
        (
            "two conditions of one name",
            "",
            "[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\n[[condition]]\nname = \"a\"\nexpression = \"true\"\nmessage = \"no\"\n",
            "two have this name",
        ),
        (
            "address as CN",
            "",
            "subject = { attribute = [{ type = \"CN\", fixed = \"192.0.2.1\" }] }",
            "an IP address",
        ),
    ];
    for (name, line, replacement, reason) in rows {
        let kept = MINIMAL
            .lines()
            .filter(|l| line.is_empty() || !l.starts_with(line));
        let text: Vec<&str> = kept.chain([replacement]).collect();
        match Profile::parse(&text.join("\n")) {
            Ok(_) => panic!("{name}: accepted"),
            Err(error) => assert!(error.to_string().contains(reason), "{name}: {error}"),
        }
    }
}
