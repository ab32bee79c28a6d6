//! Which certificates are taken for the issuers.

use super::*;
use crate::config::BadEstCa;
use crate::issuer::{Issuers, OtherIssuer};
use portreeve_pkix::Certificate;
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyUsagePurpose};

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    params.distinguished_name.push(DnType::CommonName, name);
    params
}

/// Root, intermediate and issuing CA.
fn three() -> [Certificate; 3] {
    let keys: [rcgen::KeyPair; 3] = std::array::from_fn(|_| rcgen::KeyPair::generate().expect("key"));
    let [root_key, middle_key, issuing_key] = keys;
    let root = named("root").self_signed(&root_key).expect("root");
    let root_issuer = Issuer::new(named("root"), root_key);
    let middle = named("middle")
        .signed_by(&middle_key, &root_issuer)
        .expect("middle");
    let middle_issuer = Issuer::new(named("middle"), middle_key);
    let issuing = named("issuing")
        .signed_by(&issuing_key, &middle_issuer)
        .expect("issuing");
    [root, middle, issuing].map(|c| Certificate::from_der(c.der()).expect("certificate"))
}

#[test]
fn the_path_is_found_in_any_order() {
    let [root, middle, issuing] = three();
    let stranger = ca();
    let orders = [
        [&root, &middle, &issuing, stranger.certificate()],
        [&issuing, stranger.certificate(), &root, &middle],
    ];
    for order in orders {
        let issuers = Issuers::new(IssuerPin::Fingerprint(issuing.fingerprint()), now()).expect("issuers");
        let all: Vec<Certificate> = order.into_iter().cloned().collect();
        assert_eq!(issuers.compare(&all, now()), Ok(()));
        assert_eq!(
            issuers.chain().issuers(),
            [issuing.clone(), middle.clone(), root.clone()]
        );
    }
}

#[test]
fn a_path_with_a_gap_is_none() {
    let [root, middle, issuing] = three();
    let pin = || Issuers::new(IssuerPin::Fingerprint(issuing.fingerprint()), now()).expect("issuers");
    let alone = pin().compare(std::slice::from_ref(&issuing), now());
    assert!(matches!(alone, Err(OtherIssuer::NoPath(_))), "{alone:?}");
    let gap = pin().compare(&[issuing.clone(), root.clone()], now());
    assert!(matches!(gap, Err(OtherIssuer::NoPath(_))), "{gap:?}");
    assert_eq!(
        pin().compare(&[root.clone(), middle.clone()], now()),
        Err(OtherIssuer::NotNamed)
    );
    let chain = |chain: &[&Certificate]| {
        let chain = chain.iter().map(|c| (*c).clone()).collect();
        Issuers::new(IssuerPin::Chain(chain), now())
    };
    assert!(chain(&[&issuing, &middle, &root]).is_ok());
    for wrong in [
        &[&issuing, &root][..],
        &[&root, &middle, &issuing],
        &[&issuing],
        &[],
    ] {
        assert!(matches!(chain(wrong), Err(BadEstCa::Chain(_))), "{wrong:?}");
    }
}
