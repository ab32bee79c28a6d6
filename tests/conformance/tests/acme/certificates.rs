//! The download of a certificate (RFC 8555 section 7.4.2).

use std::collections::BTreeSet;
use std::time::{SystemTime, UNIX_EPOCH};

use portreeve_conformance::acme::{Site, new_key};
use portreeve_pkix::{Certificate, IssuerChain, Timestamp, pem};
use serde_json::json;

fn now() -> Timestamp {
    let seconds = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs();
    Timestamp::from_unix_seconds(i64::try_from(seconds).unwrap())
}

fn root(site: &Site) -> Certificate {
    let text = std::fs::read_to_string(site.dev_text("/ca/root")).unwrap();
    Certificate::from_der(&pem::decode_all("CERTIFICATE", &text).unwrap()[0]).unwrap()
}

#[test]
fn the_chain_leads_to_the_root_and_leaves_it_out() {
    let site = Site::shared();
    let key = new_key();
    let names = ["chain.certificates.test", "www.chain.certificates.test"];
    let retrieved = site.account().issue(site, &names, &key);
    let root = root(site);
    let issuers = [&retrieved.chain[1..], std::slice::from_ref(&root)].concat();
    let path = IssuerChain::new(issuers).unwrap();
    path.check(retrieved.leaf(), now()).unwrap();
    assert!(!retrieved.chain.contains(&root), "the root is not sent");
    assert!(retrieved.chain.len() >= 2, "the issuing CA is");

    let leaf = retrieved.leaf();
    assert_eq!(leaf.public_key(), key.public_key());
    assert!(!leaf.is_ca());
    let found: BTreeSet<String> = leaf
        .names()
        .iter()
        .filter_map(|name| name.identifier())
        .map(|name| name.to_string())
        .collect();
    assert_eq!(found, names.iter().map(|name| (*name).to_owned()).collect());
    assert!(
        leaf.serial().as_bytes().len() >= 8 && leaf.serial().as_bytes().len() <= 20,
        "{}",
        leaf.serial()
    );
    assert!(leaf.authority_key_id().is_some() && leaf.subject().common_names().count() == 0);
}

#[test]
fn the_download_is_the_same_each_time_and_strictly_pem() {
    let site = Site::shared();
    let account = site.account();
    let retrieved = account.issue(site, &["same.certificates.test"], &new_key());
    let text = String::from_utf8(retrieved.pem.clone()).unwrap();
    let expected: String = retrieved
        .chain
        .iter()
        .map(|certificate| pem::encode("CERTIFICATE", certificate.der()))
        .collect();
    assert_eq!(
        text, expected,
        "RFC 8555 section 9.1: nothing around the certificates"
    );
    let url = retrieved.order.object["certificate"].as_str().unwrap();
    for _ in 0..3 {
        let answer = account.read(url);
        answer.is_of_type(200, "application/pem-certificate-chain");
        assert_eq!(answer.body(), retrieved.pem);
    }
    account.post(url, &json!({})).is_problem(400, "malformed");
}

#[test]
fn wildcards_are_certified_as_ordered() {
    let site = Site::shared();
    let names = ["*.wild.certificates.test", "wild.certificates.test"];
    let retrieved = site.account().issue(site, &names, &new_key());
    let found: BTreeSet<String> = retrieved
        .leaf()
        .names()
        .iter()
        .filter_map(|name| name.identifier())
        .map(|name| name.to_string())
        .collect();
    assert_eq!(found, names.iter().map(|name| (*name).to_owned()).collect());
}

#[test]
fn serial_numbers_differ_and_look_random() {
    let site = Site::shared();
    let account = site.account();
    let serials: BTreeSet<Vec<u8>> = (0..4)
        .map(|_| {
            account
                .issue(site, &["serial.certificates.test"], &new_key())
                .leaf()
                .serial()
                .as_bytes()
                .to_vec()
        })
        .collect();
    assert_eq!(serials.len(), 4);
    let beginnings: BTreeSet<&[u8]> = serials.iter().map(|serial| &serial[..4]).collect();
    assert_eq!(beginnings.len(), 4, "{serials:?}");
}

#[test]
fn a_certificate_survives_a_restart() {
    let site = Site::own(&[]);
    let account = site.account();
    let retrieved = account.issue(&site, &["restart.certificates.test"], &new_key());
    site.restart();
    let account = portreeve_conformance::acme::Account {
        client: site.client("default"),
        ..account
    };
    let order = account.read(&retrieved.order.url).is(200);
    assert_eq!(order, retrieved.order.object);
    assert_eq!(
        account.read(order["certificate"].as_str().unwrap()).body(),
        retrieved.pem
    );
    let later = account.issue(&site, &["restart.certificates.test"], &new_key());
    assert_eq!(later.leaf().issuer(), retrieved.leaf().issuer());
}
