use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair,
    date_time_ymd,
};

use super::*;
use crate::domain::TrustAnchorsName;

/// The first second of a year.
fn year(year: i64) -> Timestamp {
    Timestamp::from_unix_seconds((year - 1970) * 31_556_952)
}

/// Somebody who issues, until the end of some year.
struct Maker {
    params: CertificateParams,
    key: KeyPair,
    certificate: Certificate,
}

impl Maker {
    fn params(name: &str, until: i32) -> CertificateParams {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
        params
    }

    fn ca(name: &str, until: i32) -> CertificateParams {
        let mut params = Self::params(name, until);
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params
    }

    fn root(until: i32) -> Self {
        let (params, key) = (Self::ca("Root", until), KeyPair::generate().unwrap());
        let certificate = Certificate::from_der(params.self_signed(&key).unwrap().der()).unwrap();
        Self {
            params,
            key,
            certificate,
        }
    }

    fn sign(&self, params: &CertificateParams, key: &KeyPair) -> Certificate {
        let issuer = Issuer::from_params(&self.params, &self.key);
        Certificate::from_der(params.signed_by(key, &issuer).unwrap().der()).unwrap()
    }

    fn below(&self, until: i32) -> Self {
        let (params, key) = (Self::ca("Line 7", until), KeyPair::generate().unwrap());
        let certificate = self.sign(&params, &key);
        Self {
            params,
            key,
            certificate,
        }
    }

    fn device(&self, until: i32, purpose: ExtendedKeyUsagePurpose) -> Certificate {
        let mut params = Self::params("device", until);
        params.extended_key_usages = vec![purpose];
        self.sign(&params, &KeyPair::generate().unwrap())
    }

    fn anchors(&self) -> TrustAnchorSet {
        TrustAnchorSet {
            name: TrustAnchorsName::new("makers").unwrap(),
            certificates: vec![self.certificate.clone()],
        }
    }
}

#[test]
fn a_path_that_was_known_ends_with_the_first_of_its_certificates() {
    let root = Maker::root(2040);
    let line = root.below(2030);
    let chain = [
        line.device(2050, ExtendedKeyUsagePurpose::ClientAuth),
        line.certificate.clone(),
    ];
    let (anchors, paths) = (root.anchors(), KnownPaths::default());
    let at = |now| paths.trusted(&chain, &[&anchors], Purpose::Client, now);
    assert_eq!(at(year(2026)), Ok(()));
    assert_eq!(at(year(2027)), Ok(()), "known");
    assert_eq!(at(year(2031)), Err(Rejection::Expired), "the one between");
    assert_eq!(at(year(2026)), Ok(()));
    assert_eq!(
        at(year(2019)),
        Err(Rejection::Untrusted),
        "before there was an anchor"
    );
}

#[test]
fn a_path_that_was_known_ends_with_its_anchor() {
    let root = Maker::root(2030);
    let chain = [root.device(2050, ExtendedKeyUsagePurpose::ClientAuth)];
    let (anchors, paths) = (root.anchors(), KnownPaths::default());
    let at = |now| paths.trusted(&chain, &[&anchors], Purpose::Client, now);
    assert_eq!(at(year(2026)), Ok(()));
    assert_eq!(at(year(2031)), Err(Rejection::Untrusted));
    let other = Maker::root(2040).anchors();
    let at_other = paths.trusted(&chain, &[&other], Purpose::Client, year(2026));
    assert_eq!(at_other, Err(Rejection::Untrusted), "another of that name");
}

#[test]
fn what_is_known_of_clients_gives_no_right_to_ask_for_others() {
    let root = Maker::root(2040);
    let (anchors, paths) = (root.anchors(), KnownPaths::default());
    let device = [root.device(2030, ExtendedKeyUsagePurpose::ClientAuth)];
    for _ in 0..2 {
        let as_whom = |purpose| paths.trusted(&device, &[&anchors], purpose, year(2026));
        assert_eq!(as_whom(Purpose::Others), Err(Rejection::Purpose));
        assert_eq!(as_whom(Purpose::Client), Ok(()));
    }
}

#[test]
fn what_is_remembered_is_bounded() {
    let paths = KnownPaths::default();
    let span = (year(2026), year(2027));
    let path = |number: usize| sha256(&number.to_be_bytes());
    for number in 0..KNOWN_MAX * 5 {
        paths.remember(path(number), span);
    }
    let known = paths.known.lock().unwrap();
    assert!(known.0.len() + known.1.len() <= 2 * KNOWN_MAX);
    drop(known);
    assert!(paths.holds(&path(KNOWN_MAX * 5 - 1), year(2026)), "the last");
}
