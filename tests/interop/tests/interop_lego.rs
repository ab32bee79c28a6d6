//! lego: http-01, dns-01 with a wildcard, renewal, revocation, its own request, key types.

#![cfg(test)]

use portreeve_harness::clients::{Lego, LegoChallenge, openssl};
use portreeve_interop::{Site, names};

use LegoChallenge::{Dns, Http};

fn lego(site: &Site) -> Lego {
    Lego::new((&site.gateway, "default"), &site.path("lego")).unwrap()
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn issues_renews_and_revokes_over_http() {
    issues_renews_and_revokes(Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn issues_renews_and_revokes_where_an_edge_only_receives() {
    issues_renews_and_revokes(Site::start_nodes().unwrap());
}

fn issues_renews_and_revokes(site: Site) {
    let lego = lego(&site);
    lego.run(Http, &["-d", "l1.test", "-d", "l2.test"], &["run"])
        .unwrap()
        .success()
        .unwrap();
    let first = lego.certificate("l1.test").unwrap();
    first.verify(&site.gateway).unwrap();
    assert_eq!(first.names, names(&["l1.test", "l2.test"]));

    let renew = ["renew", "--days", "9999", "--no-random-sleep"];
    lego.run(Http, &["-d", "l1.test", "-d", "l2.test"], &renew)
        .unwrap()
        .success()
        .unwrap();
    let renewed = lego.certificate("l1.test").unwrap();
    renewed.verify(&site.gateway).unwrap();
    assert_ne!(renewed.serial, first.serial);

    lego.run(Http, &["-d", "l1.test"], &["revoke", "--reason", "4"])
        .unwrap()
        .success()
        .unwrap();
    site.wait_until_revoked(&renewed).unwrap();
    assert!(!site.is_revoked(&first).unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn gets_a_wildcard_over_dns_from_one_node() {
    gets_a_wildcard_over_dns(Site::start().unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn gets_a_wildcard_over_dns_where_an_edge_only_receives() {
    gets_a_wildcard_over_dns(Site::start_nodes().unwrap());
}

fn gets_a_wildcard_over_dns(site: Site) {
    let lego = lego(&site);
    lego.run(Dns(&site.dns), &["-d", "*.l3.test", "-d", "l3.test"], &["run"])
        .unwrap()
        .success()
        .unwrap();
    let certificate = lego.certificate("*.l3.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["*.l3.test", "l3.test"]));
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn sends_a_request_made_elsewhere() {
    let site = Site::start().unwrap();
    let lego = lego(&site);
    let (key, csr) = (site.path("my.key"), site.path("my.csr"));
    let (key, csr) = (key.to_str().unwrap(), csr.to_str().unwrap());
    openssl(&[
        "req",
        "-new",
        "-newkey",
        "ec",
        "-pkeyopt",
        "ec_paramgen_curve:P-384",
        "-nodes",
        "-keyout",
        key,
        "-out",
        csr,
        "-subj",
        "/CN=l5.test",
        "-addext",
        "subjectAltName=DNS:l5.test",
    ])
    .unwrap();
    lego.run(Http, &["--csr", csr], &["run"])
        .unwrap()
        .success()
        .unwrap();
    let certificate = lego.certificate("l5.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    let of_certificate = openssl(&[
        "x509",
        "-noout",
        "-pubkey",
        "-in",
        certificate.file().to_str().unwrap(),
    ])
    .unwrap();
    assert_eq!(of_certificate, openssl(&["pkey", "-pubout", "-in", key]).unwrap());
}

#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn every_key_type_is_certified() {
    let site = Site::start().unwrap();
    let lego = lego(&site);
    let rows = [
        ("ec256", "Public-Key: (256 bit)"),
        ("ec384", "Public-Key: (384 bit)"),
        ("rsa2048", "Public-Key: (2048 bit)"),
        ("rsa4096", "Public-Key: (4096 bit)"),
    ];
    for (key, shown) in rows {
        let name = format!("{key}.test");
        lego.run(Http, &["-k", key, "-d", &name], &["run"])
            .unwrap()
            .success()
            .unwrap();
        let certificate = lego.certificate(&name).unwrap();
        certificate.verify(&site.gateway).unwrap();
        let text = certificate.describe().unwrap();
        assert!(text.contains(shown), "{key}: {text}");
    }
}
