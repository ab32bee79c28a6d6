mod rows;

use portreeve_pkix::{DistinguishedName, GeneralName, KeyUsage, SerialNumber, der};

use super::*;
use crate::draft::Draft;
use crate::tests::{NOW, TestCa, addresses, contents, dns, ec_key, rsa_key};
use crate::validity::validity;
use rows::{
    Break::{self, Addresses as A, Contents as C, Draft as D, Issuer as I},
    rows,
};

fn findings(issuer: &Certificate, change: Option<&Break>) -> Vec<&'static str> {
    let mut contents = contents(ec_key());
    let mut addresses = addresses();
    match change {
        Some(C(change)) => change(&mut contents),
        Some(I(change)) => change(&mut contents, issuer),
        Some(A(change)) => change(&mut addresses),
        Some(D(_)) | None => {}
    }
    let algorithm = SignatureAlgorithm::EcdsaSha256;
    let issuer = Issuer {
        certificate: issuer,
        algorithm,
        addresses: &addresses,
    };
    let validity = validity(contents.validity, issuer.certificate, NOW).expect("validity");
    let serial = SerialNumber::random128(&[7; 16]);
    let mut draft = Draft::of_end_entity(&contents, &issuer, validity, serial);
    if let Some(D(change)) = change {
        change(&mut draft);
    }
    let tbs = draft.to_der();
    let specimen = Specimen {
        tbs: &tbs,
        contents: &contents,
        issuer: &issuer,
        now: NOW,
    };
    match lint(&specimen, &BTreeSet::new()) {
        Ok(()) => Vec::new(),
        Err(found) => found.0.iter().map(|finding| finding.rule).collect(),
    }
}

#[tokio::test]
async fn each_rule_finds_what_breaks_it() {
    let test = TestCa::new().await;
    assert_eq!(
        findings(test.ca.issuer(), None),
        Vec::<&str>::new(),
        "nothing is broken"
    );
    for (rule, name, change) in rows() {
        let found = findings(test.ca.issuer(), Some(&change));
        assert!(found.contains(&rule), "{rule}, {name}: found {found:?}");
    }
}

#[test]
fn each_rule_has_a_row_and_a_name_of_its_own() {
    let rows: BTreeSet<&str> = rows().into_iter().map(|(rule, _, _)| rule).collect();
    let without: Vec<&str> = rules()
        .map(|rule| rule.name)
        .filter(|name| !rows.contains(name))
        .collect();
    assert_eq!(without, Vec::<&str>::new());
    assert!(all_differ(rules().map(|rule| rule.name)));
    assert!(rules().all(|rule| !rule.clause.is_empty()));
}

/// What the permissive profile of `dev` allows passes.
#[tokio::test]
async fn unusual_contents_that_are_fine() {
    let test = TestCa::new().await;
    type Change = fn(&mut CertificateContents);
    let rows: [(&str, Change); 9] = [
        ("single label", |c| c.names.push(dns("router"))),
        ("common name of one label", |c| {
            c.subject = DistinguishedName::common_name("router")
        }),
        ("common name that is no DNS name", |c| {
            c.subject = DistinguishedName::common_name("Device 7")
        }),
        ("no names", |c| c.names.clear()),
        ("no subject", |c| c.subject = DistinguishedName::empty()),
        ("no extended usage", |c| c.extended_key_usage.clear()),
        ("a directory name", |c| {
            let name = DistinguishedName::common_name("x").to_der();
            c.names.push(GeneralName::Other(der::tlv(
                der::tag::context_constructed(4),
                &name,
            )));
        }),
        ("a URN", |c| {
            c.names.push(GeneralName::Uri(
                "urn:uuid:f81d4fae-7dec-11d0-a765-00a0c91e6bf6".to_owned(),
            ))
        }),
        ("keyEncipherment of RSA", |c| {
            c.public_key = rsa_key(256, &[1, 0, 1]);
            c.key_usage = KeyUsage::DIGITAL_SIGNATURE | KeyUsage::KEY_ENCIPHERMENT;
        }),
    ];
    for (name, change) in rows {
        let found = findings(test.ca.issuer(), Some(&C(change)));
        assert_eq!(found, Vec::<&str>::new(), "{name}");
    }
}

#[test]
fn a_refusal_names_rules_and_stays_short() {
    let finding = |n: usize| Finding {
        rule: "rule",
        detail: n.to_string(),
    };
    let text = Findings((0..50).map(finding).collect()).to_string();
    assert!(
        text.starts_with("rule: 0; rule: 1; ") && text.len() < 200,
        "{text}"
    );
}
