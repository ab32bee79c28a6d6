//! External account binding with certbot and lego: the commands of docs/registrations.md.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease, Lego, LegoChallenge};
use portreeve_harness::process::Gateway;
use portreeve_interop::{Site, names};
use serde_json::Value;

use CertbotRelease::{Debian, Newest};

/// Creates a registration whose names need no challenge, and a key for one account.
fn key(console: &Gateway, name: &str, domain: &str) -> (String, String) {
    let create = ["registration", "create", name, "--allow", domain, "--vouched"];
    console.control(&create).unwrap().success().unwrap();
    let create = ["eab", "create", name, "--output", "json"];
    let made = console.control(&create).unwrap().success().unwrap();
    let made: Value = serde_json::from_str(&made.stdout).unwrap();
    let text = |key: &str| made[key].as_str().unwrap().to_owned();
    (text("reference"), text("secret"))
}

fn certbot_is_bound(release: CertbotRelease, site: Site) {
    let (kid, hmac_key) = key(site.console(), "certbot", ".c.test");
    let certbot = Certbot::new(release, (&site.gateway, "default"), &site.path("certbot")).unwrap();
    let binding = ["--eab-kid", &kid, "--eab-hmac-key", &hmac_key];
    // Nobody could answer a challenge there.
    let first = certbot.issue_with(&["a.c.test", "b.c.test"], &binding).unwrap();
    first.verify(&site.gateway).unwrap();
    assert_eq!(first.names, names(&["a.c.test", "b.c.test"]));
    let outside = certbot
        .issue_with(&["elsewhere.test"], &[])
        .unwrap_err()
        .to_string();
    assert!(
        outside.contains("rejectedIdentifier") || certbot.log().contains("rejectedIdentifier"),
        "{outside}"
    );

    let stranger = Certbot::new(release, (&site.gateway, "default"), &site.path("stranger")).unwrap();
    assert!(
        stranger.issue_with(&["c.c.test"], &binding).is_err(),
        "the key has bound its account"
    );
    assert!(stranger.log().contains("unauthorized"), "{}", stranger.log());

    let suspend = ["registration", "suspend", "certbot"];
    site.console().control(&suspend).unwrap().success().unwrap();
    assert!(certbot.issue(&["d.c.test"]).is_err());
    let resume = ["registration", "resume", "certbot"];
    site.console().control(&resume).unwrap().success().unwrap();
    certbot.issue(&["d.c.test"]).unwrap();
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_certbot_is_bound() {
    certbot_is_bound(Debian, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_certbot_is_bound() {
    certbot_is_bound(Newest, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_certbot_is_bound_where_an_edge_only_receives() {
    certbot_is_bound(Debian, Site::start_nodes().unwrap());
}

fn lego_is_bound(site: Site) {
    let (kid, hmac_key) = key(site.console(), "lego", "l.test");
    let lego = Lego::new((&site.gateway, "default"), &site.path("lego")).unwrap();
    let binding = ["--eab", "--kid", &kid, "--hmac", &hmac_key, "-d", "l.test"];
    lego.run(LegoChallenge::Http, &binding, &["run"])
        .unwrap()
        .success()
        .unwrap();
    let certificate = lego.certificate("l.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["l.test"]));

    let other = Lego::new((&site.gateway, "default"), &site.path("other")).unwrap();
    let wrong = [
        "--eab",
        "--kid",
        &kid,
        "--hmac",
        "AAAAAAAAAAAAAAAAAAAAAA",
        "-d",
        "l.test",
    ];
    let refused = other.run(LegoChallenge::Http, &wrong, &["run"]).unwrap();
    assert!(!refused.status.success());
    assert!(refused.text().contains("unauthorized"), "{}", refused.text());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn lego_is_bound_by_one_node() {
    lego_is_bound(Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn lego_is_bound_where_an_edge_only_receives() {
    lego_is_bound(Site::start_nodes().unwrap());
}
