use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, KeyPair, KeyUsagePurpose};

use super::*;

/// A self-signed certificate with this name, changed so; PEM.
pub(crate) fn certificate(name: &str, change: impl FnOnce(&mut CertificateParams)) -> String {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    change(&mut params);
    params.self_signed(&KeyPair::generate().unwrap()).unwrap().pem()
}

/// A set of these certificates.
pub(crate) fn text(certificates: &[&str]) -> String {
    let certificates = certificates.concat();
    format!("description = \"devices\"\ncertificates = '''\n{certificates}'''\n")
}

fn with_usage(usage: KeyUsagePurpose) -> String {
    certificate("usage", |params| params.key_usages = vec![usage])
}

#[test]
fn reads_certificates_of_cas() {
    let (one, two) = (
        certificate("one", |_| {}),
        with_usage(KeyUsagePurpose::KeyCertSign),
    );
    let set = parse_trust_anchors("devices", &text(&[&one, &two])).unwrap();
    let subjects: Vec<String> = set
        .certificates
        .iter()
        .map(|found| found.subject().to_string())
        .collect();
    assert_eq!(subjects, ["CN=one", "CN=usage"]);
    assert_eq!(set.name.as_str(), "devices");
}

#[test]
fn refuses() {
    let good = certificate("good", |_| {});
    let leaf = certificate("leaf", |params| params.is_ca = IsCa::NoCa);
    let signer = with_usage(KeyUsagePurpose::DigitalSignature);
    let key = KeyPair::generate().unwrap().serialize_pem();
    let many: Vec<String> = (0..=TrustAnchorSet::MAX)
        .map(|number| certificate(&number.to_string(), |_| {}))
        .collect();
    let many: Vec<&str> = many.iter().map(String::as_str).collect();
    // The last octets are those of the signature.
    let mut forged = pem::decode_all(LABEL, &good).unwrap().remove(0);
    let last = forged.len() - 1;
    forged[last] ^= 1;
    let rows = [
        ("name", "a b", text(&[&good]), "name of trust anchors"),
        ("no certificate", "a", text(&[]), "number 1"),
        (
            "unknown key",
            "a",
            format!("{}colour = 1", text(&[&good])),
            "unknown field",
        ),
        ("no key", "a", "description = \"x\"".to_owned(), "certificates"),
        ("private key", "a", text(&[&good, &key]), "PRIVATE KEY"),
        ("leaf", "a", text(&[&good, &leaf]), "CN=leaf is no CA"),
        ("CA that must not sign", "a", text(&[&signer]), "is no CA"),
        ("twice", "a", text(&[&good, &good]), "twice"),
        ("too many", "a", text(&many), "1 to 32"),
        (
            "forged",
            "a",
            text(&[&pem::encode(LABEL, &forged)]),
            "does not verify",
        ),
        (
            "description of two lines",
            "a",
            text(&[&good]).replace("devices", "a\\nb"),
            "description",
        ),
    ];
    for (name, set, text, reason) in rows {
        let error = parse_trust_anchors(set, &text).expect_err(name).to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}
