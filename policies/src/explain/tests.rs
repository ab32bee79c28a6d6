use super::*;
use crate::shipped::shipped;

const NOW: Timestamp = Timestamp::from_unix_seconds(1_800_000_000);

fn profile(name: &str) -> &'static str {
    shipped()
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, body)| *body)
        .expect("shipped profile")
}

fn request(names: &[&str], common_name: &str) -> rcgen::CertificateSigningRequest {
    let key = rcgen::KeyPair::generate().expect("key");
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut parameters = rcgen::CertificateParams::new(names).expect("parameters");
    parameters.distinguished_name = rcgen::DistinguishedName::new();
    parameters
        .distinguished_name
        .push(rcgen::DnType::OrganizationName, "Evil Ltd");
    parameters
        .distinguished_name
        .push(rcgen::DnType::CommonName, common_name);
    parameters.serialize_request(&key).expect("request")
}

#[test]
fn explains_a_permit() {
    let request = request(&["a.example", "*.a.example"], "a.example");
    let explanation =
        explain(profile("tls-server"), request.der(), &Assumptions::at(NOW)).expect("explanation");
    assert_eq!(explanation.refusal(), None);
    let expected = "\
profile  TLS server certificates for proven DNS names, 90 days
subject  CN=a.example,O=Evil Ltd
names    a.example, *.a.example
key      P-256

RULE                OUTCOME   REASON
possession          held      signed with the key of the request
key.algorithm       held      P-256 is allowed
key.hygiene         held      no known weakness
key.blocked         held      not reported as compromised
names.common_name   held      a.example is the common name and a subject alternative name
names.dns           held      2 DNS names lie in allowed domains
names.wildcard      held      *.a.example: wildcards are allowed
names.count         held      2 names
names.proven        held      2 names were proven by the requester
subject.attributes  dropped   O=Evil Ltd: the profile has no rule for it
subject.common_name held      a.example is one of the names
subject.required    held      the subject is CN=a.example
validity            applied   90d, beginning 1h back from the profile
key_usage           applied   digitalSignature from the profile
extended_key_usage  applied   serverAuth from the profile
basic_constraints   held      no CA certificate is asked for
publication         applied   address of the CRL
publication         applied   address of the CA certificate
publication         applied   address of the OCSP responder

verdict: permit
  subject             CN=a.example
  names               a.example, *.a.example
  validity            90d, beginning 1h back
  key usage           digitalSignature
  extended key usage  serverAuth
  policies            (none)
  basic constraints   not a CA
  addresses           CRL, CA certificate, OCSP
";
    // Columns adapt to the longest rule; compare words and lines.
    let words = |text: &str| {
        text.lines()
            .map(|l| l.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect::<Vec<_>>()
    };
    assert_eq!(words(&explanation.to_string()), words(expected));
}

#[test]
fn columns_are_aligned() {
    let request = request(&["localhost"], "localhost");
    let text = explain(profile("dev"), request.der(), &Assumptions::at(NOW))
        .expect("explanation")
        .to_string();
    let table: Vec<&str> = text.lines().skip(5).take_while(|line| !line.is_empty()).collect();
    let column = table[0].find("OUTCOME").expect("heading");
    let reason = table[0].find("REASON").expect("heading");
    for line in &table {
        assert_eq!(line.as_bytes()[column - 1], b' ', "{line}");
        assert_ne!(line.as_bytes()[column], b' ', "{line}");
        assert_ne!(line.as_bytes()[reason], b' ', "{line}");
    }
}

#[test]
fn explains_refusals_and_referrals() {
    let request = request(&["a.example", "localhost", "127.0.0.1"], "a.example");
    let refused = explain(profile("tls-client"), request.der(), &Assumptions::at(NOW)).expect("explanation");
    let text = refused.to_string();
    assert!(
        text.contains("verdict: refuse (names_rejected): names are not allowed\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  localhost: names of one label are not allowed\n"),
        "{text}"
    );
    assert!(
        text.contains("\n  127.0.0.1: IP addresses are not allowed\n"),
        "{text}"
    );

    let mut assumptions = Assumptions::at(NOW);
    let two = "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = 2\n";
    assumptions.approval = Some(crate::parse_approval_policy("two", 1, two).expect("policy"));
    let referred = explain(profile("dev"), request.der(), &assumptions).expect("explanation");
    assert!(
        referred
            .to_string()
            .contains("verdict: refer (2 approvals within 7d)"),
        "{referred}"
    );

    assumptions.validated = Some(Vec::new());
    let unproven = explain(profile("dev"), request.der(), &assumptions).expect("explanation");
    assert_eq!(unproven.refusal().map(Refusal::code), Some("names_unproven"));
}

/// The RA checks possession before policy, so a request that fails both is refused for possession.
#[test]
fn possession_comes_first() {
    let mut der = request(&["localhost"], "localhost").der().to_vec();
    if let Some(last) = der.last_mut() {
        *last ^= 1;
    }
    for name in ["dev", "tls-server"] {
        let explanation = explain(profile(name), &der, &Assumptions::at(NOW)).expect("explanation");
        assert_eq!(
            explanation.refusal(),
            Some(&Refusal::PossessionNotProven),
            "{name}"
        );
        assert_eq!(explanation.findings()[0].outcome, Outcome::Refused, "{name}");
        assert!(
            explanation.findings().len() > 10,
            "{name}: the rules are shown all the same"
        );
    }
}

#[test]
fn reads_der_and_pem() {
    let request = request(&["a.example"], "a.example");
    let pem = request.pem().expect("PEM");
    let old = pem.replace("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST");
    for input in [
        request.der().to_vec(),
        pem.clone().into_bytes(),
        old.into_bytes(),
        format!("text\n{pem}").into_bytes(),
    ] {
        assert!(explain(profile("dev"), &input, &Assumptions::at(NOW)).is_ok());
    }
    for input in [
        &b""[..],
        b"nonsense",
        &request.der()[..40],
        pem.replace("REQUEST", "CERTIFICATE").as_bytes(),
    ] {
        let result = explain(profile("dev"), input, &Assumptions::at(NOW));
        assert!(matches!(result, Err(ExplainError::Request(_))), "{result:?}");
    }
    let result = explain("nonsense", request.der(), &Assumptions::at(NOW));
    assert!(matches!(result, Err(ExplainError::Profile(_))));
}
