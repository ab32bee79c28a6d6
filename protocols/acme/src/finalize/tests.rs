use rcgen::{CertificateParams, DnType, KeyPair, SanType};

use super::*;
use crate::problem::ProblemType;
use crate::site::tests::site;

/// A CSR with this common name and these alternative names.
fn csr(common_name: Option<&str>, names: Vec<SanType>) -> String {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    if let Some(common_name) = common_name {
        params.distinguished_name.push(DnType::CommonName, common_name);
    }
    params.subject_alt_names = names;
    let request = params.serialize_request(&KeyPair::generate().unwrap()).unwrap();
    URL_SAFE_NO_PAD.encode(request.der())
}

fn dns(names: &[&str]) -> Vec<SanType> {
    names
        .iter()
        .map(|name| SanType::DnsName((*name).try_into().unwrap()))
        .collect()
}

fn verdict(csr: &str, ordered: &[&str]) -> Option<ProblemType> {
    let ordered: Vec<DnsName> = ordered.iter().map(|name| DnsName::parse(name).unwrap()).collect();
    let checked = read(csr).and_then(|request| check_names(&request, &ordered));
    checked.err().map(|error| error.problem(&site()).failure.kind)
}

#[test]
fn the_csr_names_exactly_what_was_ordered() {
    let bad = Some(ProblemType::BadCsr);
    let uri = SanType::URI("https://a.test/".try_into().unwrap());
    let email = SanType::Rfc822Name("a@a.test".try_into().unwrap());
    let address = SanType::IpAddress([192, 0, 2, 1].into());
    let mixed = |other: SanType| [dns(&["a.test"]), vec![other]].concat();
    let rows = [
        ("the same", csr(None, dns(&["a.test"])), vec!["a.test"], None),
        (
            "in another order",
            csr(None, dns(&["b.test", "a.test"])),
            vec!["a.test", "b.test"],
            None,
        ),
        (
            "in another case",
            csr(None, dns(&["A.TEST"])),
            vec!["a.test"],
            None,
        ),
        (
            "a wildcard",
            csr(None, dns(&["*.a.test", "a.test"])),
            vec!["*.a.test", "a.test"],
            None,
        ),
        (
            "with a common name",
            csr(Some("b.test"), dns(&["a.test", "b.test"])),
            vec!["a.test", "b.test"],
            None,
        ),
        (
            "in the common name alone",
            csr(Some("a.test"), dns(&[])),
            vec!["a.test"],
            None,
        ),
        (
            "split between both",
            csr(Some("a.test"), dns(&["b.test"])),
            vec!["a.test", "b.test"],
            None,
        ),
        (
            "one more",
            csr(None, dns(&["a.test", "b.test"])),
            vec!["a.test"],
            bad,
        ),
        (
            "one less",
            csr(None, dns(&["a.test"])),
            vec!["a.test", "b.test"],
            bad,
        ),
        ("none", csr(None, dns(&[])), vec!["a.test"], bad),
        (
            "the base of a wildcard",
            csr(None, dns(&["a.test"])),
            vec!["*.a.test"],
            bad,
        ),
        (
            "a wildcard of the base",
            csr(None, dns(&["*.a.test"])),
            vec!["a.test"],
            bad,
        ),
        (
            "another common name",
            csr(Some("c.test"), dns(&["a.test"])),
            vec!["a.test"],
            bad,
        ),
        (
            "a common name that is none",
            csr(Some("My server"), dns(&["a.test"])),
            vec!["a.test"],
            bad,
        ),
        (
            "an address as common name",
            csr(Some("192.0.2.1"), dns(&["a.test"])),
            vec!["a.test"],
            bad,
        ),
        ("an address", csr(None, mixed(address)), vec!["a.test"], bad),
        ("an e-mail address", csr(None, mixed(email)), vec!["a.test"], bad),
        ("a URI", csr(None, mixed(uri)), vec!["a.test"], bad),
    ];
    for (name, csr, ordered, expected) in rows {
        assert_eq!(verdict(&csr, &ordered), expected, "{name}");
    }
}

#[test]
fn what_is_no_csr_is_refused() {
    let good = csr(None, dns(&["a.test"]));
    let mut trailing = URL_SAFE_NO_PAD.decode(&good).unwrap();
    trailing.push(0);
    let long = csr(Some(&"a".repeat(65)), dns(&["a.test"]));
    let rows = [
        ("trailing octets", URL_SAFE_NO_PAD.encode(trailing)),
        ("padding", format!("{good}=")),
        ("standard base64", format!("+/{good}")),
        ("not DER", URL_SAFE_NO_PAD.encode("not DER")),
        ("empty", String::new()),
        ("common name over 64", long),
    ];
    for (name, csr) in rows {
        assert_eq!(verdict(&csr, &["a.test"]), Some(ProblemType::BadCsr), "{name}");
    }
}
