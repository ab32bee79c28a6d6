//! What is sent, and what good answers lead to.

use super::peer::{ClientCertificates, Peer, answer, certificates};
use super::*;
use crate::config::ClientIdentity;
use portreeve_pkix::{BasicConstraints, ChangeSubjectName};
use portreeve_ra::ports::{CaHealth, ReconcileOutcome, RevocationPower};
use portreeve_wire::est::body;

#[tokio::test]
async fn the_request_goes_on_as_it_was_received() {
    let (ca, want) = (ca(), wanted(&[]));
    let other = wanted(&[]).certificate(&ca);
    let certificate = want.certificate(&ca);
    let peer = Peer::start(vec![certificates(&[
        ca.certificate().der(),
        &other,
        &certificate,
    ])])
    .await;
    let backend = backend(config(&peer, pinned(&ca)));
    let outcome = want
        .forward(&backend, Progress::NotSent)
        .await
        .expect("an answer");
    let IssueOutcome::Issued(issued) = outcome else {
        panic!("not issued: {outcome:?}");
    };
    assert_eq!(
        issued.certificate.der(),
        certificate,
        "that of the key, wherever it stands"
    );
    assert_eq!(issued.chain.len(), 2);
    let seen = peer.seen();
    let (head, sent) = seen[0].split_once("\r\n\r\n").expect("a request");
    assert!(
        head.starts_with("POST /.well-known/est/devices/simpleenroll HTTP/1.1\r\n"),
        "{head}"
    );
    let head = head.to_ascii_lowercase();
    assert!(head.contains("content-type: application/pkcs10"), "{head}");
    assert!(
        head.contains("authorization: basic z2f0zxdhetpzzwnyzxqgd29yza=="),
        "{head}"
    );
    assert!(!sent.contains('\n'));
    assert_eq!(
        body::decode(sent.as_bytes(), 100_000).expect("base64").der,
        want.request.der()
    );
}

#[tokio::test]
async fn rfc_7030_section_4_2_3_the_same_request_asks_again() {
    let (ca, want) = (ca(), wanted(&[]));
    let certificate = want.certificate(&ca);
    let peer = Peer::start(Vec::new()).await;
    for repeats in [Repeats::AreRecognised, Repeats::MayIssueAgain] {
        peer.then(answer("202 Accepted", &["Retry-After: 7"], ""));
        peer.then(answer("202 Accepted", &[], ""));
        peer.then(certificates(&[&certificate]));
        let mut settings = config(&peer, pinned(&ca));
        settings.repeats = repeats;
        let backend = backend(settings);
        let mut progress = match repeats {
            Repeats::AreRecognised => Progress::NotSent,
            Repeats::MayIssueAgain => Progress::Sent,
        };
        for seconds in [7, 60] {
            let outcome = want.forward(&backend, progress).await.expect("an answer");
            let IssueOutcome::Deferred { handle, retry_after } = outcome else {
                panic!("not deferred: {outcome:?}");
            };
            assert_eq!(retry_after, Duration::from_secs(seconds));
            progress = Progress::of(Some(&handle));
            assert_eq!(progress, Progress::Pending);
            let known = backend.reconcile(&want.intent(&backend), Some(&handle)).await;
            assert!(
                matches!(known, Ok(ReconcileOutcome::NotSeen)),
                "asking is sending again"
            );
        }
        let outcome = want.forward(&backend, progress).await.expect("an answer");
        assert!(matches!(outcome, IssueOutcome::Issued(_)), "{outcome:?}");
    }
    let bodies: Vec<String> = peer
        .seen()
        .iter()
        .map(|seen| seen.split_once("\r\n\r\n").expect("body").1.to_owned())
        .collect();
    assert!(
        bodies.windows(2).all(|pair| pair[0] == pair[1]),
        "the same octets each time"
    );
}

#[tokio::test]
async fn a_request_that_may_be_issued_twice_is_recorded_before_it_is_sent() {
    let (ca, want) = (ca(), wanted(&[]));
    let peer = Peer::start(vec![certificates(&[&want.certificate(&ca)])]).await;
    let mut settings = config(&peer, pinned(&ca));
    settings.repeats = Repeats::MayIssueAgain;
    let backend = backend(settings);
    let intent = want.intent(&backend);
    let outcome = want
        .forward(&backend, Progress::NotSent)
        .await
        .expect("an answer");
    let IssueOutcome::Checkpoint { handle } = outcome else {
        panic!("no checkpoint: {outcome:?}");
    };
    assert!(peer.seen().is_empty(), "nothing was sent before that");
    let before = backend.reconcile(&intent, None).await;
    assert!(matches!(before, Ok(ReconcileOutcome::NotSeen)));
    let after = backend.reconcile(&intent, Some(&handle)).await;
    assert!(matches!(after, Ok(ReconcileOutcome::CannotTell)), "never guessed");
    let outcome = want
        .forward(&backend, Progress::of(Some(&handle)))
        .await
        .expect("an answer");
    assert!(matches!(outcome, IssueOutcome::Issued(_)), "{outcome:?}");
}

#[tokio::test]
async fn a_client_certificate_signs_in() {
    let (ca, want) = (ca(), wanted(&[]));
    let certificate = want.certificate(&ca);
    let peer = Peer::start_with(vec![certificates(&[&certificate])], ClientCertificates::Demanded).await;
    let mut settings = config(&peer, pinned(&ca));
    let (chain, key) = peer.identity();
    settings.password = None;
    settings.identity = Some(ClientIdentity {
        chain: vec![chain],
        key: Secret::new(key.into_bytes()),
    });
    let outcome = want
        .forward(&backend(settings), Progress::NotSent)
        .await
        .expect("an answer");
    assert!(matches!(outcome, IssueOutcome::Issued(_)), "{outcome:?}");
    assert!(!peer.seen()[0].to_ascii_lowercase().contains("authorization"));
}

#[tokio::test]
async fn nothing_is_asked_that_was_not_decided() {
    let ca = ca();
    let peer = Peer::start(Vec::new()).await;
    let change = |subject: Option<&str>, name: Option<&str>| {
        RequestAttribute::ChangeSubjectName(ChangeSubjectName {
            subject: subject.map(DistinguishedName::common_name),
            names: name.map(|name| vec![GeneralName::Dns(name.parse().expect("name"))]),
        })
    };
    let mut other_key = wanted(&[]);
    other_key.contents.public_key = wanted(&[]).contents.public_key;
    let mut other_name = wanted(&[]);
    other_name.contents.names = vec![GeneralName::Dns("b.example".parse().expect("name"))];
    let mut other_subject = wanted(&[]);
    other_subject.contents.subject = DistinguishedName::common_name("b.example");
    let rows = [
        ("another key", other_key),
        ("another name", other_name),
        ("another subject", other_subject),
        ("a changed subject", wanted(&[change(Some("b.example"), None)])),
        ("a changed name", wanted(&[change(None, Some("b.example"))])),
        (
            "a challenge password",
            wanted(&[RequestAttribute::ChallengePassword("x".to_owned())]),
        ),
    ];
    let backend = backend(config(&peer, pinned(&ca)));
    for (name, want) in rows {
        let refused = want.forward(&backend, Progress::NotSent).await;
        assert!(
            matches!(refused, Err(CaError::Contents(_))),
            "{name}: {refused:?}"
        );
    }
    assert!(peer.seen().is_empty());
}

/// A request for `a.example` that asks for this extension as well.
fn asking_for(oid: Oid, value: Vec<u8>) -> Wanted {
    let mut want = wanted(&[]);
    let key = KeyPair::generate(KeyAlgorithm::EcP256).expect("key");
    let extensions = [want.request.extensions(), &[Extension::non_critical(oid, value)]].concat();
    let attributes = [RequestAttribute::Extensions(extensions)];
    let request = CertificationRequest::sign(want.request.subject(), &attributes, &key);
    want.request = request.expect("request");
    want.contents.public_key = want.request.public_key().clone();
    want
}

#[tokio::test]
async fn no_extension_is_asked_for_that_was_not_decided() {
    let ca = ca();
    let constraints = |ca| encode::basic_constraints(BasicConstraints { ca, path_len: None });
    let usage = KeyUsage::DIGITAL_SIGNATURE;
    let policy: Oid = "2.999.1".parse().expect("policy");
    let peer = Peer::start(Vec::new()).await;
    let backend = backend(config(&peer, pinned(&ca)));
    let rows = [
        ("a CA", Oid::BASIC_CONSTRAINTS, constraints(true)),
        (
            "another usage",
            Oid::KEY_USAGE,
            encode::key_usage(usage | KeyUsage::KEY_CERT_SIGN),
        ),
        (
            "another purpose",
            Oid::EXTENDED_KEY_USAGE,
            encode::extended_key_usage(&[Oid::EKU_CLIENT_AUTH, Oid::EKU_CMC_RA]),
        ),
        (
            "a policy",
            Oid::CERTIFICATE_POLICIES,
            encode::certificate_policies(std::slice::from_ref(&policy)),
        ),
        (
            "an identifier",
            Oid::SUBJECT_KEY_IDENTIFIER,
            encode::subject_key_identifier(&[7; 20]),
        ),
        ("what is unknown", policy, vec![5, 0]),
        ("what cannot be read", Oid::KEY_USAGE, vec![5, 0]),
    ];
    for (name, oid, value) in rows {
        let refused = asking_for(oid, value).forward(&backend, Progress::NotSent).await;
        assert!(
            matches!(refused, Err(CaError::Contents(_))),
            "{name}: {refused:?}"
        );
    }
    assert!(peer.seen().is_empty());
    let rows = [
        ("no CA", Oid::BASIC_CONSTRAINTS, constraints(false)),
        ("the usage", Oid::KEY_USAGE, encode::key_usage(usage)),
        (
            "the purpose",
            Oid::EXTENDED_KEY_USAGE,
            encode::extended_key_usage(&[Oid::EKU_CLIENT_AUTH]),
        ),
    ];
    for (name, oid, value) in rows {
        let want = asking_for(oid, value);
        peer.then(certificates(&[&want.certificate(&ca)]));
        let outcome = want.forward(&backend, Progress::NotSent).await;
        assert!(
            matches!(outcome, Ok(IssueOutcome::Issued(_))),
            "{name}: {outcome:?}"
        );
    }
}

#[tokio::test]
async fn a_challenge_password_is_forwarded_where_the_server_does_not_judge_it() {
    let ca = ca();
    let want = wanted(&[RequestAttribute::ChallengePassword("binding".to_owned())]);
    let peer = Peer::start(vec![certificates(&[&want.certificate(&ca)])]).await;
    let mut settings = config(&peer, pinned(&ca));
    settings.challenge_password = ChallengePassword::Forward;
    let outcome = want
        .forward(&backend(settings), Progress::NotSent)
        .await
        .expect("an answer");
    assert!(matches!(outcome, IssueOutcome::Issued(_)), "{outcome:?}");
}

#[tokio::test]
async fn what_it_can_do() {
    let ca = ca();
    let peer = Peer::start(vec![certificates(&[ca.certificate().der()])]).await;
    let backend = backend(config(&peer, pinned(&ca)));
    let able = backend.capabilities();
    assert_eq!(
        (able.revocation, able.defers),
        (RevocationPower::Impossible, true)
    );
    assert_eq!(backend.chain().issuers(), [ca.certificate().clone()]);
    assert_eq!(backend.health().await, CaHealth::Ready);
    let seen = peer.seen();
    assert!(
        seen[0].starts_with("GET /.well-known/est/devices/cacerts HTTP/1.1\r\n"),
        "{seen:?}"
    );
    assert!(
        !seen[0].to_ascii_lowercase().contains("authorization"),
        "no secret where none is needed"
    );
}
