use std::collections::BTreeSet;

use super::*;
use crate::endpoint::parse_endpoint_with_overrides;
use crate::shipped::shipped;

/// A profile that lints clean at any endpoint with proven names.
const BASE: &str = r#"
description = "base"
names.dns = { allow = ["*"] }
key = { allowed = ["P-256"] }
validity = { default = "90d", max = "90d" }
key_usage = { always = ["digitalSignature"] }
extended_key_usage = { fixed = ["serverAuth"] }
publication = { crl = true }
"#;
const PROVEN: &str = "";
const UNPROVEN: &str = "names = \"profile\"";
const APPROVED: &str = "names = \"profile\"\napproval = \"one\"";

/// The base with lines replaced by the key they begin with, or added.
fn profile(lines: &[&str]) -> Profile {
    let key = |line: &str| line.split(['=', ' ']).next().unwrap_or_default().to_owned();
    let replaced: BTreeSet<String> = lines.iter().map(|line| key(line)).collect();
    let kept = BASE.lines().filter(|line| !replaced.contains(&key(line)));
    let text: Vec<&str> = kept
        .chain(lines.iter().copied().filter(|line| !line.ends_with("= none")))
        .collect();
    let text = text.join("\n");
    Profile::parse(&text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn endpoint(lines: &str) -> (Endpoint, Overrides) {
    let text = format!("profiles = [\"base\"]\nbackend = \"issuing\"\n{lines}");
    parse_endpoint_with_overrides("acme/test", 1, &text).unwrap_or_else(|error| panic!("{text}: {error}"))
}

fn codes(found: &[Lint]) -> Vec<&'static str> {
    found.iter().map(|lint| lint.code).collect()
}

const CLIENT: &str = "extended_key_usage = { fixed = [\"clientAuth\"] }";
const FREE: &str = "subject = { common_name = { rule = \"free\" } }";
const KEEP: &str = "subject = { unlisted = \"keep\" }";
const EXAMPLE: &str = "names.dns = { allow = [\"example.com\"] }";

#[test]
fn lints_of_a_profile() {
    let rows: [(&str, &[&str], &[&str]); 22] = [
        ("base", &[], &[]),
        (
            "no purpose",
            &["extended_key_usage = { allowed = [\"serverAuth\"] }"],
            &["purpose_missing"],
        ),
        (
            "default purpose",
            &["extended_key_usage = { default = [\"serverAuth\"] }"],
            &[],
        ),
        (
            "agent",
            &["extended_key_usage = { fixed = [\"serverAuth\", \"1.3.6.1.4.1.311.20.2.1\"] }"],
            &["purpose_agent"],
        ),
        (
            "agent when asked for",
            &["extended_key_usage = { fixed = [\"serverAuth\"], allowed = [\"1.3.6.1.4.1.311.20.2.1\"] }"],
            &["purpose_agent"],
        ),
        (
            "responder",
            &["extended_key_usage = { fixed = [\"OCSPSigning\"] }"],
            &["purpose_ocsp"],
        ),
        (
            "smart card",
            &["extended_key_usage = { fixed = [\"1.3.6.1.4.1.311.20.2.2\"] }"],
            &["purpose_logon"],
        ),
        (
            "Kerberos",
            &["extended_key_usage = { default = [\"1.3.6.1.5.2.3.4\"] }"],
            &["purpose_logon"],
        ),
        (
            "policies of a client",
            &[CLIENT, "policies = [\"1.2.3\"]"],
            &["policies_mapped"],
        ),
        ("policies of a server", &["policies = [\"1.2.3\"]"], &[]),
        (
            "server and client",
            &["extended_key_usage = { fixed = [\"serverAuth\"], allowed = [\"clientAuth\"] }"],
            &["purpose_mixed"],
        ),
        ("client", &[CLIENT], &[]),
        (
            "wildcard client",
            &[CLIENT, "names.dns = { allow = [\"*\"], wildcards = true }"],
            &["client_wildcards"],
        ),
        (
            "wildcard server",
            &["names.dns = { allow = [\"*\"], wildcards = true }"],
            &[],
        ),
        ("subject as asked for", &[KEEP], &["subject_unchecked"]),
        (
            "five years",
            &[CLIENT, "validity = { default = \"90d\", max = \"1830d\" }"],
            &[],
        ),
        (
            "more than five years",
            &[CLIENT, "validity = { default = \"90d\", max = \"1831d\" }"],
            &["validity_long"],
        ),
        (
            "server for 398 days",
            &["validity = { default = \"90d\", max = \"398d\" }"],
            &[],
        ),
        (
            "server for longer",
            &["validity = { default = \"90d\", max = \"399d\" }"],
            &["validity_server"],
        ),
        (
            "no addresses",
            &["publication = { ca_issuers = true }"],
            &["revocation_missing"],
        ),
        ("only OCSP", &["publication = { ocsp = true }"], &[]),
        (
            "short-lived",
            &[
                "publication = { crl = false }",
                "validity = { default = \"1d\", max = \"10d\" }",
            ],
            &[],
        ),
    ];
    for (name, lines, expected) in rows {
        assert_eq!(codes(&lint(&profile(lines), None)), expected, "{name}");
    }
}

#[test]
fn lints_of_an_offer() {
    let pattern = "subject = { common_name = { rule = \"free\" }, attribute = [{ type = \"CN\", pattern = \"dev-[0-9]+\" }] }";
    let wide =
        "subject = { common_name = { rule = \"free\" }, attribute = [{ type = \"CN\", pattern = \".*\" }] }";
    let listed =
        "subject = { common_name = { rule = \"free\" }, attribute = [{ type = \"CN\", allowed = [\"a\"] }] }";
    let fixed =
        "subject = { common_name = { rule = \"free\" }, attribute = [{ type = \"CN\", fixed = \"a\" }] }";
    let rows: [(&str, &[&str], &str, &[&str]); 26] = [
        ("base, proven", &[], PROVEN, &[]),
        ("base, unproven", &[], UNPROVEN, &["names_unproven"]),
        ("base, approved", &[], APPROVED, &[]),
        ("a domain, unproven", &[EXAMPLE], UNPROVEN, &[]),
        ("client of a domain, proven", &[CLIENT, EXAMPLE], PROVEN, &[]),
        (
            "client of a domain, unproven",
            &[CLIENT, EXAMPLE],
            UNPROVEN,
            &["client_names"],
        ),
        ("client of a domain, approved", &[CLIENT, EXAMPLE], APPROVED, &[]),
        (
            "any client, unproven",
            &[CLIENT],
            UNPROVEN,
            &["client_names", "names_unproven"],
        ),
        (
            "client only when asked for",
            &[
                "extended_key_usage = { fixed = [\"serverAuth\"], allowed = [\"clientAuth\"] }",
                EXAMPLE,
            ],
            UNPROVEN,
            &["client_names"],
        ),
        (
            "no purpose is any",
            &["extended_key_usage = { allowed = [\"serverAuth\"] }", EXAMPLE],
            UNPROVEN,
            &["client_names"],
        ),
        (
            "smart card",
            &[
                "extended_key_usage = { fixed = [\"1.3.6.1.4.1.311.20.2.2\"] }",
                EXAMPLE,
            ],
            UNPROVEN,
            &["client_names"],
        ),
        (
            "free client, proven",
            &[CLIENT, FREE],
            PROVEN,
            &["client_subject"],
        ),
        ("free client, approved", &[CLIENT, FREE], APPROVED, &[]),
        ("free server, proven", &[FREE], PROVEN, &[]),
        ("client with a pattern", &[CLIENT, pattern], PROVEN, &[]),
        (
            "client with a wide pattern",
            &[CLIENT, wide],
            PROVEN,
            &["client_subject"],
        ),
        ("client from a list", &[CLIENT, listed], PROVEN, &[]),
        ("client with a fixed name", &[CLIENT, fixed], PROVEN, &[]),
        (
            "client with attributes as asked for",
            &[CLIENT, KEEP],
            PROVEN,
            &["client_subject"],
        ),
        (
            "any address",
            &["names.dns = none", "names.ip = { allow = [\"0.0.0.0/0\"] }"],
            UNPROVEN,
            &["names_unproven"],
        ),
        (
            "a network",
            &["names.dns = none", "names.ip = { allow = [\"10.0.0.0/8\"] }"],
            UNPROVEN,
            &[],
        ),
        (
            "any e-mail",
            &["names.dns = none", "names.email = { allow = [\"*\"] }"],
            UNPROVEN,
            &["names_unproven"],
        ),
        (
            "any URI",
            &["names.dns = none", "names.uri = { allow = [\".+\"] }"],
            UNPROVEN,
            &["names_unproven"],
        ),
        (
            "URIs of a kind",
            &["names.dns = none", "names.uri = { allow = [\"spiffe://a/.*\"] }"],
            UNPROVEN,
            &[],
        ),
        (
            "code without approval",
            &["extended_key_usage = { fixed = [\"codeSigning\"] }"],
            PROVEN,
            &["purpose_code_signing"],
        ),
        (
            "code with approval",
            &["extended_key_usage = { fixed = [\"timeStamping\"] }"],
            APPROVED,
            &[],
        ),
    ];
    for (name, lines, at, expected) in rows {
        let (endpoint, overrides) = endpoint(at);
        let found = lint(&profile(lines), Some((&endpoint, &overrides)));
        assert_eq!(codes(&found), expected, "{name}");
    }
}

#[test]
fn a_reason_unblocks_and_is_shown() {
    let reason = "lint.override.client_subject = \"only our own device factory can reach this endpoint\"";
    let rows = [
        ("no reason", profile(&[CLIENT, FREE]), endpoint(PROVEN), true),
        (
            "in the profile",
            profile(&[CLIENT, FREE, reason]),
            endpoint(PROVEN),
            false,
        ),
        (
            "in the endpoint",
            profile(&[CLIENT, FREE]),
            endpoint(reason),
            false,
        ),
        (
            "for something else",
            profile(&[CLIENT, FREE]),
            endpoint(&reason.replace("client_subject", "client_names")),
            true,
        ),
    ];
    for (name, profile, (endpoint, overrides), blocks) in rows {
        let found = lint(&profile, Some((&endpoint, &overrides)));
        assert_eq!(codes(&found), ["client_subject"], "{name}");
        assert_eq!(found[0].blocks(), blocks, "{name}");
        assert_eq!(
            found[0]
                .to_string()
                .contains("accepted: only our own device factory"),
            !blocks,
            "{name}"
        );
    }
}

#[test]
fn warnings_do_not_block() {
    let found = lint(&profile(&[KEEP]), None);
    assert!(
        found
            .iter()
            .all(|lint| lint.severity == Severity::Warning && !lint.blocks())
    );
}

#[test]
fn shipped_profiles_are_clean_or_carry_reasons() {
    let (proven, none) = endpoint(PROVEN);
    for (name, body) in shipped() {
        let profile = Profile::parse(body).expect(name);
        let mut found = lint(&profile, None);
        found.extend(lint(&profile, Some((&proven, &none))));
        assert!(
            found.iter().all(|lint| lint.reason.is_some()),
            "{name}: {found:#?}"
        );
        let reasons = match *name {
            "device" => 2,
            "dev" => 5,
            "dev-short" => 4,
            _ => 0,
        };
        assert_eq!(found.len(), reasons, "{name}: {found:#?}");
    }
}

#[test]
fn the_readme_lists_every_lint() {
    let readme = include_str!("../../README.md");
    for (code, severity, meaning, remedy) in lints() {
        let row = format!("| `{code}` | {} | {meaning} | {remedy}. |", severity.as_str());
        assert!(readme.contains(&row), "{row}");
    }
}
