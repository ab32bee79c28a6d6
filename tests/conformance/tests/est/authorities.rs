//! `/cacerts` (RFC 7030 section 4.1).

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::Client;
use portreeve_pkix::{Certificate, pem};

#[test]
fn rfc_7030_section_4_1_anybody_gets_the_whole_chain() {
    let site = Site::shared();
    let answer = Client::new(site, "default").get("cacerts").expect(200);
    assert_eq!(answer.0.header("content-type"), Some("application/pkcs7-mime"));
    assert!(!answer.is_wrapped());
    let chain = std::fs::read_to_string(site.dev_text("/ca/chain")).unwrap();
    let mut expected = pem::decode_all("CERTIFICATE", &chain).unwrap();
    let mut found: Vec<Vec<u8>> = answer
        .certificates()
        .iter()
        .map(|certificate| certificate.der().to_vec())
        .collect();
    expected.sort();
    found.sort();
    assert_eq!(found, expected);
    let is_root = |certificate: &Certificate| certificate.issuer() == certificate.subject();
    assert!(answer.certificates().iter().any(is_root), "up to the root");
}

#[test]
fn a_head_is_answered_as_a_get_without_the_body() {
    let site = Site::shared();
    let client = Client::new(site, "default");
    let length = client.get("cacerts").0.body.len().to_string();
    let answer = client.send("HEAD", "/.well-known/est/default/cacerts", (&[], b""));
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.0.header("content-length"), Some(length.as_str()));
}

#[test]
fn a_get_is_answered_as_the_endpoint_and_the_software_want_it() {
    let site = Site::own(&[
        "endpoint.est.plain.lines=one",
        "endpoint.est.wrapped.lines=wrapped",
        "endpoint.est.agents.lines=by_user_agent",
    ]);
    let rows = [
        ("plain", "libest 1.0", false),
        ("wrapped", "curl", true),
        ("agents", "libest 1.0", true),
        ("agents", "curl", false),
    ];
    for (label, agent, expected) in rows {
        for operation in ["cacerts", "csrattrs"] {
            let target = format!("/.well-known/est/{label}/{operation}");
            let headers = [("User-Agent", agent)];
            let answer = Client::new(&site, label).send("GET", &target, (&headers, b""));
            assert_eq!(
                answer.expect(200).is_wrapped(),
                expected,
                "{label} {agent} {operation}"
            );
        }
    }
}
