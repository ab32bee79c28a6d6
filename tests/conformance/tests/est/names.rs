//! Case 3: whoever renews gets its own names and nobody else's (RFC 7030 section 4.2.2), compared as values.

use portreeve_conformance::acme::Site;
use portreeve_conformance::est::{Client, Csr, change_subject_name};
use rcgen::{DnType, KeyPair, SanType};

use super::support::{enrolled, fresh};

#[test]
fn the_certificate_of_one_does_not_renew_for_another() {
    let site = Site::shared();
    let (a, b) = (fresh("a"), fresh("b"));
    let (_, identity) = enrolled(site, "default", &Csr::new(&a, &[&a]));
    let client = Client::new(site, "default").showing(&identity);
    let address = SanType::IpAddress([127, 0, 0, 1].into());
    let rows = [
        ("another subject", Csr::new(&b, &[&a])),
        ("another name", Csr::new(&a, &[&b])),
        ("both", Csr::new(&b, &[&b])),
        ("one name more", Csr::new(&a, &[&a, &b])),
        ("no name", Csr::new(&a, &[])),
        ("no subject", Csr::new("", &[&a])),
        ("an address", Csr::new(&a, &[&a]).with_name(address)),
        (
            "one attribute more",
            Csr::new(&a, &[&a]).with_attribute_of_subject(DnType::OrganizationName, "Example"),
        ),
    ];
    for (name, csr) in rows {
        let answer = client.post("simplereenroll", &csr.der());
        assert_eq!(answer.status(), 403, "{name}: {}", answer.text());
    }
    client
        .post("simplereenroll", &Csr::new(&a, &[&a]).der())
        .certificate();
}

#[test]
fn what_is_equal_by_value_is_equal() {
    let site = Site::shared();
    let (a, b) = (fresh("equal"), fresh("equal"));
    let (_, identity) = enrolled(site, "default", &Csr::new(&a, &[&a, &b]));
    let client = Client::new(site, "default").showing(&identity);
    let rows = [
        ("the same", Csr::new(&a, &[&a, &b])),
        ("in another order", Csr::new(&a, &[&b, &a])),
        ("names in upper case", Csr::new(&a, &[&a.to_uppercase(), &b])),
        (
            "the subject in upper case",
            Csr::new(&a.to_uppercase(), &[&a, &b]),
        ),
        (
            "another type of string",
            Csr::new("", &[&a, &b]).with_printable_name(&a),
        ),
    ];
    for (name, csr) in rows {
        let answer = client.post("simplereenroll", &csr.der());
        assert_eq!(answer.status(), 200, "{name}: {}", answer.text());
    }
}

#[test]
fn rfc_6402_section_2_8_another_name_is_had_where_the_endpoint_allows_it() {
    let site = Site::own(&[
        "endpoint.est.rename.names=profile",
        "endpoint.est.rename.renew_names=changed",
        "endpoint.est.keep.names=profile",
        "endpoint.est.keep.renew_window=any",
        "endpoint.est.rename.renew_window=any",
    ]);
    let (old, new) = ("old.est.test", "new.est.test");
    let (_, identity) = enrolled(&site, "rename", &Csr::new(old, &[old]));
    let client = Client::new(&site, "rename").showing(&identity);
    let without = client.post("simplereenroll", &Csr::new(new, &[new]).der());
    assert_eq!(without.status(), 403, "it must be asked for: {}", without.text());
    let csr =
        Csr::of(KeyPair::generate().unwrap(), old, &[old]).with_change(change_subject_name(new, &[new]));
    let renamed = client.post("simplereenroll", &csr.der()).certificate();
    assert_eq!(renamed.subject().common_names().collect::<Vec<_>>(), [new]);
    assert_eq!(renamed.names().len(), 1);

    let (_, identity) = enrolled(&site, "keep", &Csr::new(old, &[old]));
    let keep = Client::new(&site, "keep").showing(&identity);
    let refused = keep.post("simplereenroll", &csr.der());
    assert_eq!(refused.status(), 403, "{}", refused.text());
}
