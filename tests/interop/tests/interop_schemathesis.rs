//! The operator API under calls made from its own description, allowed ones and others: none ends in a failure of the
//! gateway, and every answer is of the form that the description promises.
//!
//! The calls are made with the token of the operator of `dev`, who may do everything, so they meet objects that exist: a
//! certificate, a request that waits, a registration with secrets, an operator, profiles and endpoints.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease, schemathesis};
use portreeve_harness::process::Gateway;
use portreeve_interop::Site;
use serde_json::{Value, json};

/// All that schemathesis checks, but two things: a text may have to be more than JSON schema can say (TOML, names, digests);
/// and wrong credentials are refused as they should be, after 50 of them for a while.
const CHECKS: [&str; 2] = ["--exclude-checks", "positive_data_acceptance,ignored_auth"];

const PROFILE: &str = include_str!("../../../policies/profiles/dev.toml");

fn json_of(gateway: &Gateway, arguments: &[&str]) -> Value {
    let mut all = arguments.to_vec();
    all.extend(["--output", "json"]);
    let said = gateway.control(&all).unwrap().success().unwrap();
    serde_json::from_str(&said.stdout).unwrap()
}

/// certbot with an account that is bound to the registration: its names need no challenge.
fn certbot(site: &Site, (endpoint, name): (&str, &str), key: &Value) -> (Certbot, [String; 4]) {
    let certbot = Certbot::new(
        CertbotRelease::Debian,
        (&site.gateway, endpoint),
        &site.path(name),
    )
    .unwrap();
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    let (kid, hmac) = (text("reference"), text("secret"));
    let binding = ["--eab-kid".to_owned(), kid, "--eab-hmac-key".to_owned(), hmac];
    (certbot, binding)
}

/// What there is to be met, as words for parameters and bodies.
fn furnish(site: &Site) -> Value {
    let console = site.console();
    json_of(console, &["operator", "create", "kept", "--role", "approver"]);
    let registration = json_of(
        console,
        &[
            "registration",
            "create",
            "kept",
            "--allow",
            ".kept.test",
            "--vouched",
        ],
    );
    let eab = ["eab", "create", "kept"];
    let keys = [(); 3].map(|()| json_of(console, &eab));
    let secret = [
        "registration",
        "secret",
        "create",
        "kept",
        "--kind",
        "est-password",
    ];
    let secret = json_of(console, &secret);
    let token = json_of(
        console,
        &["token", "create", "--operator", "kept", "--scope", "request.read"],
    );

    let (issuing, binding) = certbot(site, ("default", "a.kept.test"), &keys[0]);
    issuing
        .issue_with(&["a.kept.test"], &binding.each_ref().map(String::as_str))
        .unwrap();
    let (asking, binding) = certbot(site, ("approval", "b.kept.test"), &keys[1]);
    let running = asking.start_standalone("b.kept.test", &binding.each_ref().map(String::as_str));
    let waiting = site.waiting_request().unwrap();
    drop(running);
    let certificates = json_of(console, &["cert", "list"]);
    let certificate = &certificates["items"][0];

    let csr = site.path("kept.csr");
    let mut openssl = std::process::Command::new("openssl");
    openssl.args([
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
    ]);
    openssl
        .args(["-subj", "/CN=kept", "-keyout"])
        .arg(site.path("kept.key"));
    let limit = portreeve_harness::pace::PATIENCE;
    portreeve_harness::process::succeed(openssl.arg("-out").arg(&csr), limit).unwrap();
    json!({
        "objects": ["kept", "dev", "one", "four-eyes", "approver", "superadmin", "default", "approval", "issuing"],
        "requests": [waiting, certificate["request"]],
        "serials": [certificate["serial"]],
        "registrations": [registration["id"], "kept"],
        "secrets": [secret["id"], keys[2]["id"]],
        "tokens": [token["id"]],
        "numbers": [0, 1, 2],
        "protocols": ["acme", "est"],
        "files": ["certificate.pem", "certificate.der", "certificate.p7b", "chain.pem"],
        "tags": ["\"v1\"", "\"v2\"", "*"],
        "queries": [
            "cn~\"kept\"", "state=issued and profile=dev", "expires<30d", "name=\"a.kept.test\" or serial=00",
            "not (team=x)", "cn=\"\u{0}\"", "profile=dev and state!=revoked",
        ],
        "states": ["awaiting_approval", "issued", "in_force", "draft", "all", "active", "retired", "open"],
        "texts": [
            "roles = [\"approver\"]\nteams = []\n", "description = \"x\"\n", PROFILE,
            "rights = [\"request.read\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n",
            "profiles = [\"dev\"]\nbackend = \"issuing\"\n", "age_max = \"7d\"\n[[step]]\nanyone = true\n",
        ],
        "csrs": [std::fs::read_to_string(csr).unwrap()],
        "names": ["kept", "made", "other.kept"],
        "scopes": ["request.read", "certificate.read", "request.approve"],
        "kinds": ["acme-eab", "est-password", "scep-challenge", "cmp-secret"],
        "allowed": ["a.kept.test", ".kept.test", "192.0.2.1"],
        "modes": ["draft", "publish", "dry_run"],
        "reasons": ["superseded", "key_compromise", "release"],
    })
}

/// Which of these words are put where, and in how many of ten calls.
const BINDINGS: [(&str, &str, u8); 27] = [
    ("path.name", "objects", 9),
    ("path.id", "requests", 9),
    ("path.serial", "serials", 9),
    ("path.registration", "registrations", 9),
    ("path.secret", "secrets", 9),
    ("path.version", "numbers", 9),
    ("path.protocol", "protocols", 9),
    ("path.file", "files", 9),
    ("header.If-Match", "tags", 9),
    ("query.q", "queries", 7),
    ("query.state", "states", 7),
    ("query.registration", "registrations", 7),
    ("query.from", "numbers", 7),
    ("query.to", "numbers", 7),
    ("body.body", "texts", 9),
    ("body.name", "names", 9),
    ("body.request", "csrs", 8),
    ("body.csr", "csrs", 9),
    ("body.registration", "registrations", 9),
    ("body.expected_serial", "serials", 9),
    ("body.scopes[*]", "scopes", 9),
    ("body.kind", "kinds", 8),
    ("body.names[*]", "allowed", 9),
    ("body.requests[*]", "requests", 9),
    ("body.mode", "modes", 7),
    ("body.reason", "reasons", 7),
    ("body.q", "queries", 8),
];

/// The configuration of schemathesis. JSON strings, numbers and arrays of them are TOML as well.
fn configuration(words: &Value) -> String {
    let mut text = "[dictionaries]\n".to_owned();
    for (name, values) in words.as_object().unwrap() {
        text.push_str(&format!("{name} = {{ values = {values} }}\n"));
    }
    text.push_str("[parameters]\n");
    for (place, name, of_ten) in BINDINGS {
        text.push_str(&format!(
            "\"{place}\" = {{ dictionary = \"{name}\", probability = 0.{of_ten} }}\n"
        ));
    }
    // Among all tokens is the one that the calls are made with.
    text.push_str("[[operations]]\ninclude-path = \"/api/v1/tokens/{id}\"\n");
    text.push_str("parameters = { \"path.id\" = { dictionary = \"tokens\", probability = 1.0 } }\n");
    text
}

/// Runs it, and looks whether the gateway is whole afterwards.
fn tried(site: &Site, arguments: &[&str], calls_min: u64) {
    let words = furnish(site);
    let folder = site.path("schemathesis");
    std::fs::create_dir_all(&folder).unwrap();
    std::fs::write(folder.join("schemathesis.toml"), configuration(&words)).unwrap();
    let mut all = vec!["--seed", "20261128", "--continue-on-failure"];
    all.extend(CHECKS);
    all.extend(arguments);
    let finished = schemathesis(site.console(), &folder, &all)
        .unwrap()
        .success()
        .unwrap();
    let calls: u64 = finished
        .stdout
        .lines()
        .find_map(|line| line.trim().split_once(" generated")?.0.parse().ok())
        .unwrap();
    assert!(calls >= calls_min, "{calls} calls: {}", finished.stdout);

    // Whoever called is still who they were, so the calls were not refused for want of a principal.
    let console = site.console();
    let mut command = console.command(&["whoami", "--url", console.dev_text("/admin/url").unwrap(), "--ca"]);
    command.arg(console.tls_root().unwrap());
    command.args(["--token-file", console.dev_text("/admin/token_file").unwrap()]);
    let who = portreeve_harness::process::succeed(&mut command, portreeve_harness::pace::PATIENCE).unwrap();
    assert!(who.stdout.contains("superadmin"), "{}", who.text());
    let incidents = json_of(console, &["audit", "incidents"]);
    assert_eq!(incidents["items"], json!([]));
    assert!(!console.log().contains("panicked"), "{}", console.log());
    let verified = json_of(console, &["audit", "verify"]);
    assert_eq!(verified["good"], true, "{verified}");
}

/// Each operation with every kind of value that is allowed and every kind that is not.
#[test]
#[ignore = "needs schemathesis: cargo xtask test --only interop"]
fn every_kind_of_value_is_answered_on_postgresql() {
    let site = Site::start_nodes().unwrap();
    tried(&site, &["--phases", "examples,coverage"], 2_000);
}

/// Values by chance, and calls that go on with what others have answered.
#[test]
#[ignore = "needs schemathesis: cargo xtask test --only interop"]
fn calls_by_chance_and_calls_in_a_row_are_answered() {
    let site = Site::start().unwrap();
    tried(
        &site,
        &["--phases", "fuzzing,stateful", "--max-examples", "8"],
        800,
    );
}
