//! acme-client from npm: the whole life of an account, a key change among it.

#![cfg(test)]

use portreeve_harness::clients::{Certificate, npm_acme_client};
use portreeve_interop::{Site, names};

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn issues_changes_its_key_revokes_and_closes_its_account() {
    let site = Site::start().unwrap();
    let chain = site.path("chain.pem");
    let finished = npm_acme_client(&site.gateway, "n1.test", &chain)
        .unwrap()
        .success()
        .unwrap();
    assert!(
        finished.stdout.contains("account deactivated"),
        "{}",
        finished.text()
    );
    let certificate = Certificate::read(&chain).unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["n1.test"]));
    site.wait_until_revoked(&certificate).unwrap();
}
