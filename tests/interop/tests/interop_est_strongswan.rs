//! strongSwan's `pki`: the commands of docs/est.md.

#![cfg(test)]

use portreeve_harness::clients::{StrongSwan, openssl};
use portreeve_interop::Site;

fn client(site: &Site, label: &str) -> StrongSwan {
    StrongSwan::new((&site.gateway, label), &site.path(&format!("swan-{label}"))).unwrap()
}

fn user(site: &Site) -> String {
    let text = |pointer| site.gateway.dev_text(pointer).unwrap().to_owned();
    format!("{}:{}", text("/est/username"), text("/est/password"))
}

fn enrols_and_renews(site: Site, label: &str) {
    let swan = client(&site, label);
    let certificates = swan.ca_certificates().unwrap();
    assert!(certificates.len() >= 2, "root and issuing CA: {certificates:?}");
    let root = site.gateway.dev_text("/ca/root").unwrap();
    let fingerprint =
        |file: &str| openssl(&["x509", "-noout", "-fingerprint", "-sha256", "-in", file]).unwrap();
    assert_eq!(fingerprint(&swan.text("est-ca.pem")), fingerprint(root));

    swan.request("e", ("CN=e1", &["e1.example"])).unwrap();
    let first = swan.enroll("e", &["--userpass", &user(&site)], "e").unwrap();
    assert!(first.names.contains("e1.example"), "{:?}", first.names);
    let verified = openssl(&[
        "verify",
        "-CAfile",
        root,
        "-untrusted",
        site.gateway.dev_text("/ca/chain").unwrap(),
        &swan.text("e.pem"),
    ]);
    verified.unwrap();

    let holder = ["--cert", &swan.text("e.pem"), "--key", &swan.text("e.key")];
    let renewed = swan.enroll("e", &holder, "e2").unwrap();
    assert_ne!(renewed.serial, first.serial);
    assert_eq!(renewed.names, first.names);

    swan.request("f", ("CN=f1", &["f1.example"])).unwrap();
    let other = ["--cert", &swan.text("e2.pem"), "--key", &swan.text("e.key")];
    let refused = swan.attempt("f", &other).unwrap().failure().unwrap();
    assert!(refused.text().contains("403"), "{}", refused.text());
    let wrong = swan
        .attempt("e", &["--userpass", "dev:wrong"])
        .unwrap()
        .failure()
        .unwrap();
    assert!(wrong.text().contains("401"), "{}", wrong.text());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_enrols_and_renews() {
    enrols_and_renews(Site::start().unwrap(), "default");
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_reaches_an_endpoint_by_a_path_in_front() {
    enrols_and_renews(Site::start().unwrap(), "short");
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_enrols_and_renews_where_an_edge_only_receives() {
    enrols_and_renews(Site::start_nodes().unwrap(), "default");
}

/// `pki` 5.9 forgets a path in its URL when it polls, so the endpoint without a label is the one where people decide.
const DECIDES: &str = "endpoint.est.default.approval=one";

fn waits_for_a_decision(site: Site) {
    let swan = client(&site, "default");
    swan.request("w", ("CN=w1", &["w1.example"])).unwrap();
    let user = user(&site);
    let patience = ["--userpass", &user, "--interval", "1", "--maxpolltime", "150"];
    let mut running = swan.start("w", &patience).unwrap();
    let id = site.waiting_request().unwrap();
    assert!(running.is_running(), "it polls");
    let approve = ["request", "approve", &id, "--yes"];
    site.console().control(&approve).unwrap().success().unwrap();
    let finished = running.finish().unwrap().success().unwrap();
    let certificate = swan.certificate(&finished, "w").unwrap();
    assert!(
        certificate.names.contains("w1.example"),
        "{:?}",
        certificate.names
    );
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_waits_for_a_decision() {
    waits_for_a_decision(Site::start_with(vec![DECIDES.to_owned()]).unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_waits_at_an_edge_for_a_decision_at_a_console() {
    waits_for_a_decision(Site::start_nodes_with(vec![DECIDES.to_owned()]).unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_is_told_of_a_denial() {
    let site = Site::start_with(vec![DECIDES.to_owned()]).unwrap();
    let swan = client(&site, "default");
    swan.request("d", ("CN=d1", &["d1.example"])).unwrap();
    let user = user(&site);
    let patience = ["--userpass", &user, "--interval", "1", "--maxpolltime", "150"];
    let running = swan.start("d", &patience).unwrap();
    let id = site.waiting_request().unwrap();
    let reject = ["request", "reject", &id, "--comment", "not known here", "--yes"];
    site.console().control(&reject).unwrap().success().unwrap();
    let refused = running.finish().unwrap().failure().unwrap();
    assert!(refused.text().contains("403"), "{}", refused.text());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn strongswan_is_locked_out_where_the_extended_master_secret_is_required() {
    let site = Site::start_with(vec!["server.listeners.public.require_ems=true".to_owned()]).unwrap();
    let swan = client(&site, "default");
    assert!(swan.ca_certificates().is_err());
}
