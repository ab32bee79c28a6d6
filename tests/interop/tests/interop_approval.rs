//! Requests that wait for a decision: certbot polls, an operator on the host decides.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease};
use portreeve_interop::{Site, names};
use serde_json::Value;

const LIST_AWAITING: [&str; 6] = [
    "request",
    "list",
    "--state",
    "awaiting_approval",
    "--output",
    "json",
];

fn certbot(release: CertbotRelease, site: &Site) -> Certbot {
    Certbot::new(release, (&site.gateway, "approval"), &site.path("certbot")).unwrap()
}

fn awaiting(list: &str) -> Vec<String> {
    let list: Value = serde_json::from_str(list).unwrap_or_else(|error| panic!("{error}: {list}"));
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| item["id"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_certbot_waits_and_gets_the_certificate_once_approved() {
    waits_and_gets_the_certificate_once_approved(CertbotRelease::Debian, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_certbot_waits_and_gets_the_certificate_once_approved() {
    waits_and_gets_the_certificate_once_approved(CertbotRelease::Newest, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_certbot_waits_at_an_edge_for_a_decision_at_a_console() {
    waits_and_gets_the_certificate_once_approved(CertbotRelease::Debian, Site::start_nodes().unwrap());
}

fn waits_and_gets_the_certificate_once_approved(release: CertbotRelease, site: Site) {
    let certbot = certbot(release, &site);
    let mut running = certbot.start_standalone("waits.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    assert!(running.is_running(), "certbot waits");
    let shown = site
        .console()
        .control(&["request", "show", &id])
        .unwrap()
        .success()
        .unwrap();
    assert!(shown.stdout.contains("waits.test"), "{}", shown.text());

    site.console()
        .control(&["request", "approve", &id, "--yes"])
        .unwrap()
        .success()
        .unwrap();
    running.finish().unwrap().success().unwrap();
    let certificate = certbot.lineage("waits.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["waits.test"]));
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certbot_gets_a_terminal_error_once_rejected() {
    let site = Site::start().unwrap();
    let certbot = certbot(CertbotRelease::Newest, &site);
    let running = certbot.start_standalone("denied.test", &[]).unwrap();
    let id = site.waiting_request().unwrap();
    let reject = ["request", "reject", &id, "--comment", "not known here", "--yes"];
    site.console().control(&reject).unwrap().success().unwrap();

    let finished = running.finish().unwrap().failure().unwrap();
    assert!(
        !finished.text().contains("Timed out"),
        "a refusal, not a time-out: {}",
        finished.text()
    );
    assert!(!certbot.live("denied.test", "cert.pem").exists());
    let listed = site.console().control(&LIST_AWAITING).unwrap().success().unwrap();
    assert!(!awaiting(&listed.stdout).contains(&id), "{}", listed.stdout);
}
