//! `portreeve profile check|lint|diff`: what is said of texts and requests without a gateway.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

const SERVER: &str = r#"
description = "servers of one zone"
names.dns = { allow = ["*"] }
key = { allowed = ["P-256"] }
validity = { default = "90d", max = "90d" }
key_usage = { always = ["digitalSignature"] }
extended_key_usage = { fixed = ["serverAuth"] }
publication = { crl = true }

[[condition]]
name = "zone"
expression = "request.names.dns.all(n, n.endsWith('.example')) && profile.name == 'server'"
message = "names below .example only"
"#;

struct Place(tempfile::TempDir);

impl Place {
    fn new() -> Self {
        let place = Self(tempfile::tempdir().unwrap());
        place.write("server.toml", SERVER);
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: impl AsRef<[u8]>) -> PathBuf {
        std::fs::write(self.path(name), text).unwrap();
        self.path(name)
    }

    fn request(&self, dns: &str) -> PathBuf {
        let key = rcgen::KeyPair::generate().unwrap();
        let mut parameters = rcgen::CertificateParams::new(vec![dns.to_owned()]).unwrap();
        parameters.distinguished_name = rcgen::DistinguishedName::new();
        let request = parameters.serialize_request(&key).unwrap();
        self.write("request.der", request.der())
    }
}

/// Exit code and standard output.
fn run(arguments: &[&str], files: &[&Path]) -> (i32, String) {
    let output = Command::new(PROGRAM)
        .arg("profile")
        .args(arguments)
        .args(files)
        .output()
        .unwrap();
    (
        output.status.code().unwrap(),
        String::from_utf8(output.stdout).unwrap(),
    )
}

fn json(arguments: &[&str], files: &[&Path]) -> (i32, Value) {
    let (code, text) = run(&[arguments, &["--output", "json"]].concat(), files);
    (
        code,
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")),
    )
}

#[test]
fn check_judges_conditions_and_shows_lints() {
    let place = Place::new();
    for (name, expected, verdict) in [("a.example", 0, "permit"), ("a.test", 1, "refuse")] {
        let csr = place.request(name);
        let arguments = ["check", "--csr", csr.to_str().unwrap()];
        let (code, checked) = json(&arguments, &[&place.path("server.toml")]);
        assert_eq!(
            (code, checked["verdict"].as_str()),
            (expected, Some(verdict)),
            "{checked}"
        );
        let findings = checked["findings"].as_array().unwrap();
        assert!(
            findings.iter().any(|one| one["rule"] == "conditions"),
            "{checked}"
        );
        assert_eq!(checked["lints"], Value::Array(Vec::new()));
    }
    let lax = place.write("server.toml", SERVER.replace("serverAuth", "OCSPSigning"));
    let csr = place.request("a.test");
    let (code, text) = run(&["check", "--csr", csr.to_str().unwrap()], &[&lax]);
    assert_eq!(code, 1);
    assert!(text.contains("names below .example only (zone)"), "{text}");
    assert!(text.contains("purpose_ocsp (error)"), "{text}");
}

#[test]
fn lint_looks_at_the_offer() {
    let place = Place::new();
    let profile = place.path("server.toml");
    let endpoint = "profiles = [\"server\"]\nbackend = \"issuing\"\nnames = \"profile\"\n";
    let open = place.write("open.toml", endpoint);
    let reason = "lint.override.names_unproven = \"the condition keeps to one zone\"\n";
    let answered = place.write("answered.toml", format!("{endpoint}{reason}"));
    assert_eq!(json(&["lint"], &[&profile]), (0, Value::Array(Vec::new())));
    let at = |endpoint: &Path| json(&["lint", "--endpoint", endpoint.to_str().unwrap()], &[&profile]);
    let (code, found) = at(&open);
    assert_eq!(code, 1, "{found}");
    assert_eq!(
        (&found[0]["code"], &found[0]["blocks"]),
        (&"names_unproven".into(), &true.into())
    );
    let (code, found) = at(&answered);
    assert_eq!(code, 0, "{found}");
    assert_eq!(found[0]["reason"], "the condition keeps to one zone");
}

#[test]
fn diff_says_whether_more_can_be_had() {
    let place = Place::new();
    let old = place.path("server.toml");
    let shorter = place.write("shorter.toml", SERVER.replace("\"90d\"", "\"60d\""));
    let (code, difference) = json(&["diff"], &[&old, &shorter]);
    assert_eq!((code, &difference["widens"]), (0, &false.into()), "{difference}");
    let (_, difference) = json(&["diff"], &[&shorter, &old]);
    assert_eq!(difference["widens"], true, "{difference}");
    let paths: Vec<&str> = difference["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["path"].as_str().unwrap())
        .collect();
    assert_eq!(paths, ["validity.default", "validity.max"]);
    let (_, text) = run(&["diff"], &[&old, &shorter]);
    assert!(text.contains("narrows"), "{text}");
    let (code, _) = run(&["diff"], &[&old, &place.write("none.toml", "nonsense")]);
    assert_eq!(code, 1);
}
