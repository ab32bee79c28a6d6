//! What is said to narrow does: no request of the cases is certified by the new profile that the old one refused.

use portreeve_pkix::CertificationRequest;
use portreeve_ra::{Facts, Verdict};

use super::*;
use crate::engine::{Question, judge};
use crate::hygiene::Blocklist;
use crate::rules::RULES;

/// Lenient in everything that the variants are strict in.
const LENIENT: &str = r#"
description = "lenient"
subject.unlisted = "keep"
subject.common_name = { rule = "free" }
names.dns = { allow = ["*"], wildcards = true, single_labels = true }
names.ip = { allow = ["0.0.0.0/0", "::/0"] }
names.email = { allow = ["*"] }
names.uri = { allow = [".*", "urn:.*"] }
key = { allowed = ["P-256", "P-384", "P-521", "Ed25519", "RSA-2048..8192"] }
validity = { default = "90d", max = "1000d", min = "1s", backdate = "1h", outside = "cap" }
key_usage = { always = ["digitalSignature"], rsa = ["keyEncipherment"] }
extended_key_usage = { fixed = ["serverAuth"], allowed = ["clientAuth"] }
"#;

/// Each takes the place of a line of the text before, so that every earlier text allows what a later one does.
const STRICTER: [&str; 20] = [
    "subject.unlisted = \"drop\"",
    "subject.unlisted = \"refuse\"",
    "subject.common_name = { rule = \"among_names\" }",
    "subject.common_name = { rule = \"drop\" }",
    "names.dns = { allow = [\"*\"], wildcards = true }",
    "names.dns = { allow = [\"*\"] }",
    "names.dns = { allow = [\"example\", \"example.com\"] }",
    "names.dns = { allow = [\"example\", \"example.com\"], deny = [\"secret.example.com\"] }",
    "names.ip = { allow = [\"10.0.0.0/8\"] }",
    "names.ip = { allow = [\"10.0.0.0/8\"], deny = [\"10.9.0.0/16\"] }",
    "names.email = { allow = [\"example.com\"] }",
    "names.uri = { allow = [\"urn:.*\"] }",
    "names.count_min = 1",
    "names.count_max = 2",
    "key = { allowed = [\"P-256\", \"RSA-2048..4096\"] }",
    "validity = { default = \"90d\", max = \"1000d\", min = \"1s\", backdate = \"1h\" }",
    "validity = { default = \"90d\", max = \"200d\", min = \"1h\", backdate = \"0s\" }",
    "extended_key_usage = { fixed = [\"serverAuth\"], unlisted = \"refuse\" }",
    "extensions = { unlisted = \"refuse\", ca = \"refuse\" }",
    "condition = [{ name = \"one\", expression = \"request.names.count < 2\", message = \"one name\" }]",
];

/// Every text on the way, and each variant of the lenient one alone.
fn texts() -> Vec<String> {
    let replace = |text: &str, line: &str| {
        let key = line.split(" =").next().unwrap_or_default();
        let kept = text.lines().filter(|old| old.split(" =").next() != Some(key));
        kept.chain([line]).collect::<Vec<_>>().join("\n")
    };
    let mut texts = vec![LENIENT.to_owned()];
    for line in STRICTER {
        texts.push(replace(LENIENT, line));
    }
    let mut path = LENIENT.to_owned();
    for line in STRICTER {
        path = replace(&path, line);
        texts.push(path.clone());
    }
    texts
}

/// For every request of the cases, whether it is certified at once.
fn permitted(text: &str, requests: &[(CertificationRequest, Facts)]) -> Vec<bool> {
    let profile = Profile::parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let blocklist = Blocklist::embedded();
    let permits = requests.iter().map(|(request, facts)| {
        let question = Question {
            name: "compared",
            profile: &profile,
            facts,
            approval: None,
            request,
            blocklist: &blocklist,
        };
        matches!(judge(&question, RULES), Verdict::Permit { .. })
    });
    permits.collect()
}

#[test]
fn no_request_gains_by_a_change_that_narrows() {
    let texts = texts();
    let requests = crate::cases::requests();
    let permitted: Vec<Vec<bool>> = texts.iter().map(|text| permitted(text, &requests)).collect();
    let (mut narrower, mut lost) = (0, 0);
    for (old, before) in texts.iter().zip(&permitted) {
        for (new, after) in texts.iter().zip(&permitted) {
            if old == new || widens(ObjectKind::Profile, Some(old), new) {
                continue;
            }
            narrower += 1;
            for (index, (before, after)) in before.iter().zip(after).enumerate() {
                assert!(
                    *before || !*after,
                    "{}: from {old}\nto {new}",
                    requests[index].0.subject()
                );
                lost += usize::from(*before && !*after);
            }
        }
    }
    // The way down, and each variant from its origin, so that the test has something to say.
    assert!(
        narrower > 150 && lost > 150,
        "{narrower} pairs, {lost} requests lost"
    );
}
