//! The backend with a key in this process.

use portreeve_pkix::{PathError, decode};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, IssueOutcome, ReconcileOutcome, RevocationPower, RevokeOrder, RevokeOutcome,
};
use portreeve_ra::{EnrollmentId, Intent, IntentBody, RevocationReason};

use super::*;
use crate::addresses::BadAddress;
use crate::backend::BadCa;

fn enrollment() -> EnrollmentId {
    EnrollmentId::new(NOW, &System)
}

fn prepare(test: &TestCa, contents: &CertificateContents) -> Intent {
    test.ca.prepare(contents, enrollment(), NOW).expect("prepared")
}

async fn issue(test: &TestCa, intent: &Intent) -> Certificate {
    match test.ca.sign_stored(enrollment(), intent).await {
        Ok(IssueOutcome::Issued(issued)) => issued.certificate.decoded().expect("certificate"),
        other => panic!("{other:?}"),
    }
}

fn reason(outcome: Result<IssueOutcome, CaError>) -> String {
    match outcome {
        Ok(IssueOutcome::Rejected { reason }) => reason,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn certifies_what_was_ordered() {
    let test = TestCa::new().await;
    let contents = contents(ec_key());
    let intent = prepare(&test, &contents);
    let certificate = issue(&test, &intent).await;
    assert!(matches!(&intent.body, IntentBody::Tbs { serial, tbs }
        if tbs == certificate.tbs_der() && serial == certificate.serial() && serial.as_bytes().len() == 16));
    assert_eq!(certificate.subject(), &contents.subject);
    assert_eq!(certificate.names(), contents.names);
    assert_eq!(certificate.public_key(), &contents.public_key);
    assert_eq!(certificate.key_usage(), Some(contents.key_usage));
    assert_eq!(
        certificate.extended_key_usage(),
        Some(contents.extended_key_usage.as_slice())
    );
    assert_eq!(certificate.authority_key_id(), test.ca.issuer().subject_key_id());
    assert!(!certificate.is_ca());
    assert_eq!(certificate.not_before().to_string(), "2026-11-22T11:59:00Z");
    assert_eq!(certificate.not_after().to_string(), "2027-02-20T11:58:59Z");
    assert_eq!(test.ca.chain().check(&certificate, NOW), Ok(()));
    assert_eq!(
        test.ca.chain().issuers(),
        [test.ca.issuer().clone(), test.root.clone()]
    );
    let value = |oid| certificate.extension(&oid).expect("extension").value.clone();
    let list = decode::crl_distribution_points(&value(Oid::CRL_DISTRIBUTION_POINTS)).expect("CDP");
    assert_eq!(list, addresses().crl);
    let access = decode::authority_info_access(&value(Oid::AUTHORITY_INFO_ACCESS)).expect("AIA");
    assert_eq!(
        (access.ca_issuers, access.ocsp),
        (addresses().ca_issuers, addresses().ocsp)
    );
    assert_eq!(
        decode::certificate_policies(&value(Oid::CERTIFICATE_POLICIES)),
        Ok(contents.policies)
    );
}

/// A second opinion, by a parser that is not ours.
#[tokio::test]
async fn another_parser_agrees() {
    let test = TestCa::new().await;
    let intent = prepare(&test, &contents(ec_key()));
    let certificate = issue(&test, &intent).await;
    let (rest, parsed) = x509_parser::parse_x509_certificate(certificate.der()).expect("parses");
    assert!(rest.is_empty());
    assert_eq!(parsed.version(), x509_parser::x509::X509Version::V3);
    assert_eq!(parsed.raw_serial(), certificate.serial().as_bytes());
    let names = parsed
        .subject_alternative_name()
        .expect("well-formed")
        .expect("present");
    assert!(!names.critical);
    assert_eq!(names.value.general_names.len(), 5);
    assert!(
        parsed
            .key_usage()
            .expect("well-formed")
            .expect("present")
            .critical
    );
    assert!(
        !parsed
            .basic_constraints()
            .expect("well-formed")
            .expect("present")
            .value
            .ca
    );
    assert_eq!(
        parsed.validity().not_after.timestamp(),
        certificate.not_after().unix_seconds()
    );
}

#[tokio::test]
async fn what_is_not_ordered_is_not_there() {
    let test = TestCa::new().await;
    let mut contents = contents(ec_key());
    contents.subject = DistinguishedName::empty();
    contents.extended_key_usage.clear();
    contents.policies.clear();
    contents.basic_constraints = false;
    contents.publication = Publication::default();
    let certificate = issue(&test, &prepare(&test, &contents)).await;
    let present: Vec<&Oid> = certificate
        .extensions()
        .iter()
        .map(|extension| &extension.oid)
        .collect();
    let expected = [
        &Oid::SUBJECT_KEY_IDENTIFIER,
        &Oid::AUTHORITY_KEY_IDENTIFIER,
        &Oid::KEY_USAGE,
        &Oid::SUBJECT_ALT_NAME,
    ];
    assert_eq!(present, expected);
    assert!(
        certificate
            .extension(&Oid::SUBJECT_ALT_NAME)
            .expect("names")
            .critical,
        "no subject"
    );
}

#[tokio::test]
async fn serial_numbers_do_not_repeat() {
    let test = TestCa::new().await;
    let contents = contents(ec_key());
    let serials: std::collections::BTreeSet<Vec<u8>> = (0..200)
        .map(|_| {
            prepare(&test, &contents)
                .serial()
                .expect("serial")
                .as_bytes()
                .to_vec()
        })
        .collect();
    assert_eq!(serials.len(), 200);
}

#[tokio::test]
async fn a_stored_tbs_is_signed_again() {
    let test = TestCa::new().await;
    let intent = prepare(&test, &contents(ec_key()));
    let reconciled = test.ca.reconcile(&intent, None).await;
    assert!(matches!(reconciled, Ok(ReconcileOutcome::NotSeen)));
    let (first, second) = (issue(&test, &intent).await, issue(&test, &intent).await);
    assert_eq!(first.tbs_der(), second.tbs_der());
}

#[tokio::test]
async fn a_stored_tbs_that_must_not_be_signed() {
    let test = TestCa::new().await;
    let good = prepare(&test, &contents(ec_key()));
    let other_serial = prepare(&test, &contents(ec_key()));
    let IntentBody::Tbs { tbs, .. } = &good.body else {
        panic!("TBS")
    };
    let with = |serial: &Intent, tbs: &[u8]| Intent {
        body: IntentBody::Tbs {
            serial: serial.serial().expect("serial").clone(),
            tbs: tbs.to_vec(),
        },
        ..good.clone()
    };
    let upstream = IntentBody::Upstream {
        request: Vec::new(),
        key: Vec::new(),
    };
    let rows = [
        (
            "other backend",
            Intent {
                backend: BackendName::new("x").expect("name"),
                ..good.clone()
            },
            "another CA",
        ),
        (
            "other issuer",
            Intent {
                issuer: test.root.subject_der().to_vec(),
                ..good.clone()
            },
            "another CA",
        ),
        (
            "upstream",
            Intent {
                body: upstream,
                ..good.clone()
            },
            "not made by a local CA",
        ),
        ("other serial", with(&other_serial, tbs), "does not belong"),
        ("root's", with(&good, test.root.tbs_der()), "does not belong"),
        ("truncated", with(&good, &tbs[..tbs.len() - 1]), "at byte"),
        (
            "too old",
            Intent {
                prepared_at: NOW.saturating_sub(DAY * 2),
                ..good.clone()
            },
            "24 hours",
        ),
    ];
    for (name, intent, expected) in rows {
        let refused = reason(test.ca.sign_stored(enrollment(), &intent).await);
        assert!(refused.contains(expected), "{name}: {refused}");
    }
    let mut short = contents(ec_key());
    short.validity.lifetime = Duration::from_secs(3600);
    let short = prepare(&test, &short);
    test.clock.set(NOW.saturating_add(Duration::from_secs(3600)));
    assert!(reason(test.ca.sign_stored(enrollment(), &short).await).contains("past its times"));
    let asked = test.signer.asked.lock().expect("asked").len();
    assert_eq!(asked, 0, "the signer was not asked for any of them");
}

#[tokio::test]
async fn what_the_signer_says() {
    let test = TestCa::new().await;
    let intent = prepare(&test, &contents(ec_key()));
    let unavailable = |reason: &str| CaError::Unavailable {
        reason: reason.to_owned(),
        retry_after: Some(Duration::from_secs(1)),
    };
    let operator = CaError::NeedsOperator("signature does not verify".to_owned());
    let rows = [
        (
            SignError::Unavailable("down".to_owned()),
            unavailable("down"),
            true,
        ),
        (SignError::SecondContent, CaError::SecondContent, false),
        (SignError::Corrupt, operator.clone(), true),
    ];
    for (says, expected, ill) in rows {
        *test.signer.answer.lock().expect("answer") = Some(says.clone());
        assert_eq!(
            test.ca.sign_stored(enrollment(), &intent).await.err(),
            Some(expected),
            "{says}"
        );
        assert_eq!(test.ca.health().await != CaHealth::Ready, ill, "{says}");
    }
    *test.signer.answer.lock().expect("answer") = Some(SignError::Refused("too old".to_owned()));
    assert_eq!(
        reason(test.ca.sign_stored(enrollment(), &intent).await),
        "too old"
    );
    *test.signer.answer.lock().expect("answer") = None;
    test.signer.corrupts.store(true, Ordering::Relaxed);
    let corrupt = test.ca.sign_stored(enrollment(), &intent).await.err();
    assert_eq!(corrupt, Some(operator), "a signature that does not verify");
    assert_ne!(test.ca.health().await, CaHealth::Ready);
    test.signer.corrupts.store(false, Ordering::Relaxed);
    issue(&test, &intent).await;
    assert_eq!(test.ca.health().await, CaHealth::Ready);
    test.clock.set(test.ca.issuer().not_after().saturating_add(DAY));
    assert!(matches!(test.ca.health().await, CaHealth::NotReady(_)));
}

#[tokio::test]
async fn revoking_is_for_our_own_certificates() {
    let test = TestCa::new().await;
    let certificate = issue(&test, &prepare(&test, &contents(ec_key()))).await;
    let order = |certificate: Certificate| RevokeOrder {
        certificate,
        reason: RevocationReason::KeyCompromise,
        at: NOW,
    };
    assert_eq!(test.ca.revoke(&order(certificate)).await, Ok(RevokeOutcome::Done));
    let foreign = test.ca.revoke(&order(test.root.clone())).await;
    assert!(matches!(foreign, Err(CaError::NeedsOperator(_))));
    assert_eq!(test.ca.capabilities().revocation, RevocationPower::FromStore);
    assert!(test.ca.revocation_list().is_some());
}

#[tokio::test]
async fn parts_that_do_not_fit() {
    let test = TestCa::new().await;
    let issuer = test.ca.issuer().clone();
    let leaf = issue(&test, &prepare(&test, &contents(ec_key()))).await;
    let parts = |issuer: Certificate, chain: Vec<Certificate>, signer: Arc<TestSigner>| LocalCaParts {
        issuer,
        chain,
        signer,
        clock: test.clock.clone(),
        random: Arc::new(System),
    };
    let good = || parts(issuer.clone(), vec![test.root.clone()], test.signer.clone());
    let with = |change: fn(&mut LocalCaConfig)| {
        let mut config = config();
        change(&mut config);
        config
    };
    let https = "https://pki.example/a.crl";
    let rows = [
        (
            "leaf",
            config(),
            parts(leaf, Vec::new(), test.signer.clone()),
            BadCa::NotACa,
        ),
        (
            "other key",
            config(),
            parts(issuer.clone(), Vec::new(), TestSigner::new()),
            BadCa::OtherKey,
        ),
        (
            "chain",
            config(),
            parts(issuer.clone(), vec![issuer.clone()], test.signer.clone()),
            BadCa::Chain(PathError::NameMismatch { depth: 1 }),
        ),
        (
            "https",
            with(|config| config.addresses.crl = vec!["https://pki.example/a.crl".to_owned()]),
            good(),
            BadCa::Address(BadAddress(https.to_owned())),
        ),
        (
            "unknown rule",
            with(|config| config.excused.extend(["everything".to_owned()])),
            good(),
            BadCa::UnknownRule("everything".to_owned()),
        ),
    ];
    for (name, config, parts, expected) in rows {
        assert_eq!(LocalCa::new(config, parts).err(), Some(expected), "{name}");
    }
    let excused = with(|config| config.excused.extend(["common_name_in_names".to_owned()]));
    let mut odd = contents(ec_key());
    odd.subject = DistinguishedName::common_name("other.example.com");
    let strict = test.ca.prepare(&odd, enrollment(), NOW);
    assert!(
        matches!(&strict, Err(CaError::Contents(found)) if found.contains("common_name_in_names")),
        "{strict:?}"
    );
    let lenient = LocalCa::new(excused, good()).expect("CA");
    assert!(lenient.prepare(&odd, enrollment(), NOW).is_ok());
}
