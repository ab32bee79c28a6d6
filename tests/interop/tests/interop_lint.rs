//! Issued certificates, and those of the CA, before pkilint.

#![cfg(test)]

use std::path::PathBuf;

use portreeve_harness::clients::{Certbot, CertbotRelease, lint, openssl};
use portreeve_interop::Site;

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn certificates_pass_the_linter() {
    let site = Site::start().unwrap();
    let certbot = Certbot::new(
        CertbotRelease::Debian,
        (&site.gateway, "default"),
        &site.path("certbot"),
    )
    .unwrap();
    certbot
        .issue(&["plain.example.com", "www.plain.example.com"])
        .unwrap();
    certbot.issue(&["single"]).unwrap();
    certbot
        .issue_dns(&["*.wild.test", "wild.test"], &site.dns)
        .unwrap();
    let rows = [
        ("two names", certbot.live("plain.example.com", "cert.pem")),
        ("a single label", certbot.live("single", "cert.pem")),
        ("a wildcard", certbot.live("wild.test", "cert.pem")),
        ("the issuing CA", certbot.live("plain.example.com", "chain.pem")),
        (
            "the root",
            PathBuf::from(site.gateway.dev_text("/ca/root").unwrap()),
        ),
    ];
    for (name, file) in rows {
        let findings = lint(&file).unwrap();
        assert!(findings.is_empty(), "{name}: {}", findings.join("\n"));
    }
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn the_linter_finds_what_is_wrong() {
    let folder = tempfile::TempDir::new().unwrap();
    let (key, bad) = (folder.path().join("key.pem"), folder.path().join("bad.pem"));
    let (key, bad) = (key.to_str().unwrap(), bad.to_str().unwrap());
    openssl(&[
        "req",
        "-x509",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-256",
        "-nodes",
        "-keyout",
        key,
        "-out",
        bad,
        "-days",
        "3",
        "-subj",
        "/CN=bad",
    ])
    .unwrap();
    assert!(!lint(bad.as_ref()).unwrap().is_empty());
}
