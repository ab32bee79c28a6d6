//! Case 1: labels. Nothing of a path is decoded, and what names no published endpoint is not there.

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr};

use super::support::{dev, fresh};

#[test]
fn rfc_7030_section_3_2_2_endpoints_are_found_with_and_without_label() {
    let site = Site::shared();
    let client = Client::new(site, "default");
    for path in [
        "/.well-known/est/cacerts",
        "/.well-known/est/default/cacerts",
        "/default/.well-known/est/cacerts",
        "/.well-known/est/short/cacerts",
        "/short/.well-known/est/cacerts",
    ] {
        assert_eq!(client.send("GET", path, (&[], b"")).status(), 200, "{path}");
    }
    let csr = Csr::new(&fresh("alias"), &[]);
    for path in [
        "/.well-known/est/simpleenroll",
        "/approval/.well-known/est/simpleenroll",
    ] {
        let headers = [("Content-Type", "application/pkcs10")];
        let body = portreeve_conformance::acme::base64url(csr.der())
            .replace('-', "+")
            .replace('_', "/");
        let answer = dev(site).send("POST", path, (&headers, body.as_bytes()));
        let expected = if path.starts_with("/approval/") { 202 } else { 200 };
        assert_eq!(answer.status(), expected, "{path}: {}", answer.text());
    }
}

#[test]
fn what_is_no_label_is_not_found() {
    let site = Site::shared();
    let client = Client::new(site, "default");
    let long = "x".repeat(4096);
    let labels = [
        "..%2f",
        "%2e%2e",
        "..",
        ".",
        "%00",
        "a%00b",
        "%2fetc%2fpasswd",
        "%c3%a9",
        "%ff",
        "nobody",
        "Default",
        "default%20",
        "default;a=b",
        "cacerts",
        "simpleenroll",
        "fullcmc",
        "",
        &long,
    ];
    for label in labels {
        for path in [
            format!("/.well-known/est/{label}/cacerts"),
            format!("/{label}/.well-known/est/cacerts"),
        ] {
            let answer = client.send("GET", &path, (&[], b""));
            assert_eq!(answer.status(), 404, "{path}");
        }
    }
    for path in [
        "/.well-known/est/",
        "/.well-known/est/nothing",
        "/.well-known/est/fullcmc",
        "/.well-known/est/default/fullcmc",
        "/.well-known/est/cacerts/",
        "/.well-known/est/default/default/cacerts",
        "/default/.well-known/est/default/cacerts",
        "/default/default/.well-known/est/cacerts",
    ] {
        assert_eq!(client.send("GET", path, (&[], b"")).status(), 404, "{path}");
    }
}

#[test]
fn a_query_changes_nothing() {
    let site = Site::shared();
    let client = Client::new(site, "default");
    assert_eq!(
        client
            .send("GET", "/.well-known/est/cacerts?a=b", (&[], b""))
            .status(),
        200
    );
}
