//! Two people decide, each with a key of their own: one by the command line, one by the API with a client certificate.
//! certbot waits, or gives up and comes back.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease};
use portreeve_interop::person::Person;
use portreeve_interop::{Site, names};
use serde_json::{Value, json};

fn certbot(site: &Site) -> Certbot {
    let at = (&site.gateway, "four-eyes");
    Certbot::new(CertbotRelease::Debian, at, &site.path("certbot")).unwrap()
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn two_operators_approve_one_by_cli_one_by_api_with_a_client_certificate() {
    let site = Site::start().unwrap();
    let (alice, bob) = (
        Person::new(&site, "alice").unwrap(),
        Person::new(&site, "bob").unwrap(),
    );
    let certbot = certbot(&site);
    let mut running = certbot.start_standalone("eyes.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();

    let first = alice.approve(&id, &[]).unwrap().success().unwrap();
    assert!(
        first.stdout.contains("operator:alice approve signed"),
        "{}",
        first.text()
    );
    let again = alice.approve(&id, &[]).unwrap().failure().unwrap();
    assert!(again.stderr.contains("decided_before"), "{}", again.text());
    assert!(running.is_running(), "one of two is not enough");

    let wrong = bob
        .calls(
            &format!("requests/{id}/approve"),
            &json!({"digest": "00".repeat(32)}),
        )
        .unwrap();
    assert_eq!((wrong.0, &wrong.1["code"]), (409, &json!("digest_mismatch")));
    let second = bob
        .calls(&format!("requests/{id}/approve"), &json!({"comment": "and I"}))
        .unwrap();
    assert_eq!(second.0, 200, "{}", second.1);
    assert_eq!(second.1["proposal"]["state"], "approved");
    running.finish().unwrap().success().unwrap();
    let certificate = certbot.lineage("eyes.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["eyes.test"]));
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certbot_that_gave_up_passes_with_a_grant() {
    let site = Site::start().unwrap();
    let (alice, bob) = (
        Person::new(&site, "alice").unwrap(),
        Person::new(&site, "bob").unwrap(),
    );
    let certbot = certbot(&site);
    let running = certbot.start_standalone("later.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    // certbot gives up after a while; here it is stopped, and people decide when nobody asks any more.
    drop(running);

    alice.approve(&id, &["--grant"]).unwrap().success().unwrap();
    let second = bob
        .calls(
            &format!("requests/{id}/approve"),
            &json!({"grant": {"uses": 1, "days": 7}}),
        )
        .unwrap();
    assert_eq!(second.0, 200, "{}", second.1);
    assert_eq!(second.1["proposal"]["granted"], json!({"uses": 1, "days": 7}));

    let certificate = certbot.issue(&["later.test"]).unwrap();
    certificate.verify(&site.gateway).unwrap();
    // It was for this name: about another one people are asked.
    let renewal = certbot.start_standalone("other.test", &[]).unwrap();
    site.waiting_request().unwrap();
    drop(renewal);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certbot_gets_a_terminal_error_once_one_of_two_denies() {
    let site = Site::start().unwrap();
    let (alice, bob) = (
        Person::new(&site, "alice").unwrap(),
        Person::new(&site, "bob").unwrap(),
    );
    let certbot = certbot(&site);
    let running = certbot.start_standalone("denied.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    alice.approve(&id, &[]).unwrap().success().unwrap();
    let silent = bob.says(&["request", "reject", &id]).unwrap().failure().unwrap();
    assert!(silent.stderr.contains("comment_missing"), "{}", silent.text());
    bob.says(&["request", "reject", &id, "--comment", "not ours"])
        .unwrap()
        .success()
        .unwrap();
    let finished = running.finish().unwrap().failure().unwrap();
    assert!(!finished.text().contains("Timed out"), "{}", finished.text());
    assert!(!certbot.live("denied.test", "cert.pem").exists());
}

/// Where the policy requires evidence, an approval that is not signed does not count, the host's included.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn where_evidence_is_required_only_signed_approvals_count() {
    let settings = vec!["approval-policy.four-eyes.evidence=required".to_owned()];
    let site = Site::start_with(settings).unwrap();
    let (alice, bob) = (
        Person::new(&site, "alice").unwrap(),
        Person::new(&site, "bob").unwrap(),
    );
    let certbot = certbot(&site);
    let running = certbot.start_standalone("signed.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    let path = format!("requests/{id}/approve");
    let unsigned = bob.calls(&path, &json!({"comment": "fine"})).unwrap();
    assert_eq!(
        (unsigned.0, &unsigned.1["code"]),
        (422, &json!("evidence_missing"))
    );
    let host = site
        .console()
        .control(&["request", "approve", &id])
        .unwrap()
        .failure()
        .unwrap();
    assert!(host.stderr.contains("evidence_missing"), "{}", host.text());
    let mut lent = vec!["request", "approve", &id, "--evidence-key"];
    let key = alice.file("key.pem");
    lent.push(&key);
    let lent = bob.says(&lent).unwrap().failure().unwrap();
    assert!(lent.stderr.contains("evidence_invalid"), "{}", lent.text());
    alice.approve(&id, &[]).unwrap().success().unwrap();
    bob.approve(&id, &[]).unwrap().success().unwrap();
    running.finish().unwrap().success().unwrap();
}

/// Who changes an endpoint counts as one of those who ask there.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn a_detour_through_an_endpoint_of_ones_own_is_refused() {
    let site = Site::start().unwrap();
    let alice = Person::new(&site, "alice").unwrap();
    let host = |arguments: &[&str]| site.console().control(arguments).unwrap().success().unwrap();
    let folder = site.path("objects");
    let write = |path: &str, text: &str| {
        let path = folder.join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    };
    let writer = "rights = [\"configuration.read\", \"configuration.write\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"\n";
    write("people/roles/writer.toml", writer);
    write("people/operators/alice.toml", &alice_text(&site));
    host(&["apply", "-f", folder.join("people").to_str().unwrap()]);
    write(
        "own/endpoints/acme/four-eyes.toml",
        "profiles = [\"dev\"]\nbackend = \"issuing\"\napproval = \"one\"\n",
    );
    alice
        .says(&["apply", "-f", folder.join("own").to_str().unwrap()])
        .unwrap()
        .success()
        .unwrap();
    let certbot = certbot(&site);
    let running = certbot.start_standalone("detour.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    let refused = alice.approve(&id, &[]).unwrap().failure().unwrap();
    assert!(refused.stderr.contains("excluded"), "{}", refused.text());
    let shown = host(&["request", "show", &id]);
    assert!(
        shown
            .stdout
            .contains("operator:alice: wrote endpoint acme/four-eyes"),
        "{}",
        shown.text()
    );
    host(&["request", "approve", &id]);
    running.finish().unwrap().success().unwrap();
}

/// The text of alice with one more role.
fn alice_text(site: &Site) -> String {
    let shown = site
        .console()
        .control(&["operator", "show", "alice", "--output", "json"])
        .unwrap()
        .success()
        .unwrap();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    let body = shown["body"].as_str().unwrap();
    body.replace("\"approver\"", "\"approver\", \"writer\"")
}
