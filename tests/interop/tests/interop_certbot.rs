//! certbot, in both releases: issue, renew, revoke, wildcard, account.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease};
use portreeve_interop::{Site, names};

use CertbotRelease::{Debian, Newest};

fn certbot(release: CertbotRelease, site: &Site) -> Certbot {
    Certbot::new(release, (&site.gateway, "default"), &site.path("certbot")).unwrap()
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_issues_renews_and_revokes() {
    issues_renews_and_revokes(Debian, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_issues_renews_and_revokes() {
    issues_renews_and_revokes(Newest, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_gets_a_wildcard_over_dns() {
    gets_a_wildcard_over_dns(Debian, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_gets_a_wildcard_over_dns() {
    gets_a_wildcard_over_dns(Newest, Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_shows_updates_and_closes_its_account() {
    shows_updates_and_closes_its_account(Debian);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_shows_updates_and_closes_its_account() {
    shows_updates_and_closes_its_account(Newest);
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_issues_renews_and_revokes_where_an_edge_only_receives() {
    issues_renews_and_revokes(Debian, Site::start_nodes().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn newest_issues_renews_and_revokes_where_an_edge_only_receives() {
    issues_renews_and_revokes(Newest, Site::start_nodes().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn debian_gets_a_wildcard_over_dns_where_an_edge_only_receives() {
    gets_a_wildcard_over_dns(Debian, Site::start_nodes().unwrap());
}

fn issues_renews_and_revokes(release: CertbotRelease, site: Site) {
    let certbot = certbot(release, &site);

    let first = certbot.issue(&["a1.test", "a2.test"]).unwrap();
    first.verify(&site.gateway).unwrap();
    assert_eq!(first.names, names(&["a1.test", "a2.test"]));

    // No chain leads to such a root: the default one is as good (RFC 8555 section 7.4.2).
    let by_key = certbot
        .issue_with(&["b1.test"], &["--preferred-chain", "No such root"])
        .unwrap();
    by_key.verify(&site.gateway).unwrap();
    let port = site.gateway.http01_port().to_string();
    let renew = [
        "--no-random-sleep-on-renew",
        "--force-renewal",
        "--http-01-port",
        &port,
        "--cert-name",
        "a1.test",
    ];
    certbot.run("renew", &renew).unwrap().success().unwrap();
    let renewed = certbot.lineage("a1.test").unwrap();
    renewed.verify(&site.gateway).unwrap();
    assert_ne!(renewed.serial, first.serial);
    assert_eq!(renewed.names, first.names);
    assert!(!site.is_revoked(&renewed).unwrap());

    let revoke = [
        "--cert-name",
        "a1.test",
        "--reason",
        "superseded",
        "--no-delete-after-revoke",
    ];
    certbot.run("revoke", &revoke).unwrap().success().unwrap();
    site.wait_until_revoked(&renewed).unwrap();
    assert!(
        !site.is_revoked(&first).unwrap(),
        "only the certificate that was named"
    );

    let (cert, key) = (
        certbot.live("b1.test", "cert.pem"),
        certbot.live("b1.test", "privkey.pem"),
    );
    let (cert, key) = (cert.to_str().unwrap(), key.to_str().unwrap());
    let revoke = ["--cert-path", cert, "--key-path", key, "--no-delete-after-revoke"];
    certbot.run("revoke", &revoke).unwrap().success().unwrap();
    site.wait_until_revoked(&by_key).unwrap();
}

fn gets_a_wildcard_over_dns(release: CertbotRelease, site: Site) {
    let certificate = certbot(release, &site)
        .issue_dns(&["*.w.test", "w.test"], &site.dns)
        .unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["*.w.test", "w.test"]));
}

fn shows_updates_and_closes_its_account(release: CertbotRelease) {
    let site = Site::start().unwrap();
    let certbot = certbot(release, &site);
    certbot
        .run("register", &["--agree-tos", "-m", "a@example.com"])
        .unwrap()
        .success()
        .unwrap();

    let shown = certbot
        .run("show_account", &[])
        .unwrap()
        .success()
        .unwrap()
        .text();
    let url = shown
        .lines()
        .find_map(|line| line.trim().strip_prefix("Account URL: "))
        .unwrap()
        .to_owned();
    assert!(
        url.starts_with(
            site.gateway
                .directory("default")
                .unwrap()
                .trim_end_matches("directory")
        ),
        "{url}"
    );
    assert!(shown.contains("a@example.com"), "{shown}");

    certbot
        .run("update_account", &["-m", "b@example.com"])
        .unwrap()
        .success()
        .unwrap();
    let shown = certbot
        .run("show_account", &[])
        .unwrap()
        .success()
        .unwrap()
        .text();
    assert!(shown.contains(&url) && shown.contains("b@example.com"), "{shown}");

    certbot.run("unregister", &[]).unwrap().success().unwrap();
    certbot.run("show_account", &[]).unwrap().failure().unwrap();
}
