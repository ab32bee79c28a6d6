use super::*;
use rcgen::{
    BasicConstraints, CertificateParams, DnType, ExtendedKeyUsagePurpose as Eku, IsCa, Issuer, KeyPair,
    KeyUsagePurpose as Usage, date_time_ymd,
};

struct Ca(Issuer<'static, KeyPair>, Certificate);

fn named(name: &str) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::<String>::new()).unwrap();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2026, 1, 1);
    params.not_after = date_time_ymd(2027, 1, 1);
    params
}

fn ca(name: &str) -> Ca {
    let key = KeyPair::generate().unwrap();
    let mut params = named(name);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![Usage::KeyCertSign];
    let own = params.self_signed(&key).unwrap();
    let certificate = Certificate::from_der(own.der()).unwrap();
    Ca(Issuer::new(params, key), certificate)
}

fn client() -> CertificateParams {
    let mut params = named("alice");
    params.key_usages = vec![Usage::DigitalSignature];
    params.extended_key_usages = vec![Eku::ClientAuth];
    params
}

fn at(text: &str) -> Timestamp {
    Timestamp::parse_rfc3339(text).unwrap()
}

#[test]
fn only_valid_client_certificates_of_the_management_ca_are_accepted() {
    let (management, other) = (ca("Management CA"), ca("Management CA"));
    let trust = ManagementTrust::new(vec![management.1.clone()]);
    let changed = |change: fn(&mut CertificateParams)| {
        let mut params = client();
        change(&mut params);
        params
    };
    let server = changed(|params| params.extended_key_usages = vec![Eku::ServerAuth]);
    let unspecified = changed(|params| params.extended_key_usages = Vec::new());
    let agreement = changed(|params| params.key_usages = vec![Usage::KeyAgreement]);
    let below = changed(|params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let now = "2026-06-01T00:00:00Z";
    let rows = [
        ("good", client(), &management, now, true),
        ("wrong CA of the same name", client(), &other, now, false),
        ("expired", client(), &management, "2027-06-01T00:00:00Z", false),
        (
            "not valid yet",
            client(),
            &management,
            "2025-06-01T00:00:00Z",
            false,
        ),
        ("for servers", server, &management, now, false),
        ("for nothing in particular", unspecified, &management, now, false),
        ("a key that does not sign", agreement, &management, now, false),
        ("a CA", below, &management, now, false),
    ];
    for (name, params, issuer, now, accepted) in rows {
        let key = KeyPair::generate().unwrap();
        let own = params.signed_by(&key, &issuer.0).unwrap();
        let found = trust.accept(&[own.der().to_vec()], at(now));
        assert_eq!(found.is_ok(), accepted, "{name}: {:?}", found.err());
    }
    let (nothing, garbage) = (
        trust.accept(&[], at(now)),
        trust.accept(&[vec![0x30, 0]], at(now)),
    );
    assert_eq!(nothing.err(), Some(NotTrusted::Unreadable));
    assert_eq!(garbage.err(), Some(NotTrusted::Unreadable));
    let own = client()
        .signed_by(&KeyPair::generate().unwrap(), &management.0)
        .unwrap();
    let nobody = ManagementTrust::new(Vec::new());
    assert!(
        nobody.accept(&[own.der().to_vec()], at(now)).is_err(),
        "without a management CA"
    );
}
