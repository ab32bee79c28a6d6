//! Servers that fail, lie or are not who they should be.

use super::peer::{ClientCertificates, Peer, Step, answer, certificates};
use super::*;
use crate::config::{BadEstCa, ClientIdentity};
use portreeve_pkix::Certificate;
use portreeve_ra::ports::{CaHealth, ReconcileOutcome};

/// What an outcome is, in a word.
fn word(outcome: &Result<IssueOutcome, CaError>) -> &'static str {
    match outcome {
        Ok(IssueOutcome::Issued(_)) => "issued",
        Ok(IssueOutcome::Deferred { .. }) => "deferred",
        Ok(IssueOutcome::Checkpoint { .. }) => "checkpoint",
        Ok(IssueOutcome::Rejected { .. }) => "rejected",
        Ok(IssueOutcome::Unknown) => "unknown",
        Err(CaError::Unavailable { .. }) => "unavailable",
        Err(CaError::NeedsOperator(_)) => "operator",
        Err(CaError::Contents(_)) => "contents",
        Err(CaError::SecondContent) => "second content",
    }
}

#[tokio::test]
async fn every_answer_means_something() {
    let (ca, want) = (ca(), wanted(&[]));
    let text = ["Content-Type: text/plain"];
    let rows: [(&str, Step, &str); 22] = [
        (
            "bad request",
            answer("400 Bad Request", &text, "malformed"),
            "rejected",
        ),
        ("no credential", answer("401 Unauthorized", &[], ""), "operator"),
        (
            "no right",
            answer("403 Forbidden", &text, "name not allowed"),
            "operator",
        ),
        ("label", answer("404 Not Found", &[], ""), "operator"),
        ("method", answer("405 Method Not Allowed", &[], ""), "operator"),
        ("too large", answer("413 Payload Too Large", &[], ""), "rejected"),
        ("type", answer("415 Unsupported Media Type", &[], ""), "operator"),
        (
            "too many",
            answer("429 Too Many Requests", &["Retry-After: 3"], ""),
            "unavailable",
        ),
        (
            "redirection",
            answer("302 Found", &["Location: https://elsewhere.example/"], ""),
            "operator",
        ),
        (
            "not now",
            answer("503 Service Unavailable", &["Retry-After: 3"], ""),
            "unavailable",
        ),
        (
            "broken",
            answer("500 Internal Server Error", &[], "oops"),
            "unknown",
        ),
        ("a proxy's", answer("504 Gateway Timeout", &[], ""), "unknown"),
        ("no content", answer("204 No Content", &[], ""), "unknown"),
        ("no answer", Step::CloseAfterRequest, "unknown"),
        ("no HTTP", Step::Answer(b"SSH-2.0-x\r\n".to_vec()), "unknown"),
        (
            "cut off",
            Step::Answer(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\nMII".to_vec()),
            "unknown",
        ),
        ("garbage", answer("200 OK", &[], "hello, world"), "unknown"),
        ("no CMS", answer("200 OK", &[], "MAMCAQE="), "unknown"),
        ("no certificate", certificates(&[]), "unknown"),
        (
            "too long",
            answer("200 OK", &[], &"A".repeat(1_100_000)),
            "unknown",
        ),
        (
            "another key's",
            certificates(&[&wanted(&[]).certificate(&ca)]),
            "issued",
        ),
        ("only a CA's", certificates(&[ca.certificate().der()]), "issued"),
    ];
    for (name, step, expected) in rows {
        let peer = Peer::start(vec![step]).await;
        let backend = backend(config(&peer, pinned(&ca)));
        let outcome = want.forward(&backend, Progress::NotSent).await;
        assert_eq!(word(&outcome), expected, "{name}: {outcome:?}");
    }
}

#[tokio::test]
async fn a_refusal_is_a_decision_only_on_what_was_admitted() {
    let (ca, want) = (ca(), wanted(&[]));
    let rows = [
        ("403 Forbidden", Progress::NotSent, "operator"),
        ("403 Forbidden", Progress::Pending, "rejected"),
        ("401 Unauthorized", Progress::NotSent, "operator"),
        ("401 Unauthorized", Progress::Pending, "operator"),
    ];
    for (status, progress, expected) in rows {
        let peer = Peer::start(vec![answer(status, &[], "")]).await;
        let backend = backend(config(&peer, pinned(&ca)));
        let outcome = want.forward(&backend, progress).await;
        assert_eq!(word(&outcome), expected, "{status} {progress:?}: {outcome:?}");
        peer.then(certificates(&[ca.certificate().der()]));
        let health = backend.health().await;
        let told = matches!(&health, CaHealth::NotReady(reason) if reason.contains(status));
        assert_eq!(told, expected == "operator", "{status} {progress:?}: {health:?}");
    }
    let peer = Peer::start(vec![
        answer("403 Forbidden", &[], ""),
        certificates(&[&want.certificate(&ca)]),
        certificates(&[ca.certificate().der()]),
    ])
    .await;
    let backend = backend(config(&peer, pinned(&ca)));
    for expected in ["operator", "issued"] {
        let outcome = want.forward(&backend, Progress::NotSent).await;
        assert_eq!(word(&outcome), expected, "{outcome:?}");
    }
    assert_eq!(backend.health().await, CaHealth::Ready, "it is taken again");
}

#[tokio::test]
async fn a_refusal_is_a_decision_once_the_server_has_taken_a_request() {
    let (ca, want) = (ca(), wanted(&[]));
    let rows = [
        (certificates(&[&want.certificate(&ca)]), "issued"),
        (answer("202 Accepted", &[], ""), "deferred"),
    ];
    for (step, taken) in rows {
        let peer = Peer::start(vec![
            step,
            answer("403 Forbidden", &[], ""),
            answer("401 Unauthorized", &[], ""),
            answer("403 Forbidden", &[], ""),
            certificates(&[ca.certificate().der()]),
        ])
        .await;
        let backend = backend(config(&peer, pinned(&ca)));
        for expected in [taken, "rejected", "operator", "rejected"] {
            let outcome = want.forward(&backend, Progress::NotSent).await;
            assert_eq!(word(&outcome), expected, "{taken}: {outcome:?}");
        }
        let health = backend.health().await;
        let told = matches!(&health, CaHealth::NotReady(reason) if reason.contains("401"));
        assert!(told, "{taken}: a rejection does not end it: {health:?}");
    }
}

#[tokio::test]
async fn a_server_that_cannot_be_reached_was_sent_nothing() {
    let (ca, want) = (ca(), wanted(&[]));
    let peer = Peer::start(vec![Step::CloseAtOnce]).await;
    for (name, repeats, progress, expected) in [
        (
            "recognised",
            Repeats::AreRecognised,
            Progress::NotSent,
            "unavailable",
        ),
        (
            "recorded as sent",
            Repeats::MayIssueAgain,
            Progress::Sent,
            "deferred",
        ),
        (
            "pending",
            Repeats::MayIssueAgain,
            Progress::Pending,
            "unavailable",
        ),
    ] {
        peer.then(Step::CloseAtOnce);
        let mut settings = config(&peer, pinned(&ca));
        settings.repeats = repeats;
        let backend = backend(settings);
        let outcome = want.forward(&backend, progress).await;
        assert_eq!(word(&outcome), expected, "{name}: {outcome:?}");
        if let Ok(IssueOutcome::Deferred { handle, .. }) = &outcome {
            let known = backend.reconcile(&want.intent(&backend), Some(handle)).await;
            assert!(matches!(known, Ok(ReconcileOutcome::NotSeen)), "{name}");
        }
        let again = want.forward(&backend, Progress::Pending).await;
        assert_eq!(
            word(&again),
            "unavailable",
            "{name}: it is left alone for a while"
        );
    }
    assert!(peer.seen().is_empty());
}

#[tokio::test]
async fn a_lost_answer_is_in_doubt_only_where_it_must_be() {
    let (ca, want) = (ca(), wanted(&[]));
    let sent = Progress::Sent.handle();
    for (repeats, certain) in [(Repeats::AreRecognised, true), (Repeats::MayIssueAgain, false)] {
        let peer = Peer::start(vec![Step::CloseAfterRequest]).await;
        let mut settings = config(&peer, pinned(&ca));
        settings.repeats = repeats;
        let backend = backend(settings);
        let outcome = want.forward(&backend, Progress::Sent).await;
        assert_eq!(word(&outcome), "unknown", "{outcome:?}");
        let known = backend
            .reconcile(&want.intent(&backend), Some(&sent))
            .await
            .expect("known");
        assert_eq!(matches!(known, ReconcileOutcome::NotSeen), certain, "{repeats:?}");
        assert_eq!(
            matches!(known, ReconcileOutcome::CannotTell),
            !certain,
            "{repeats:?}"
        );
    }
}

#[tokio::test]
async fn neither_side_is_trusted_blindly() {
    let (ca, want) = (ca(), wanted(&[]));
    let peer = Peer::start(vec![Step::CloseAfterRequest]).await;
    let stranger = Peer::start(Vec::new()).await;
    let mut settings = config(&peer, pinned(&ca));
    settings.server_roots = vec![stranger.root()];
    let outcome = want.forward(&backend(settings), Progress::NotSent).await;
    assert_eq!(word(&outcome), "operator", "another root: {outcome:?}");
    let demanding = Peer::start_with(vec![Step::CloseAfterRequest], ClientCertificates::Demanded).await;
    let outcome = want
        .forward(&backend(config(&demanding, pinned(&ca))), Progress::NotSent)
        .await;
    assert_eq!(word(&outcome), "operator", "no client certificate: {outcome:?}");
    assert!(peer.seen().is_empty() && demanding.seen().is_empty());
}

#[tokio::test]
async fn an_earlier_certificate_is_not_taken_for_a_new_one() {
    let (ca, want) = (ca(), wanted(&[]));
    let earlier = ca.issue(&want.contents, now().saturating_sub(DAY * 2), &Fault::None);
    let peer = Peer::start(vec![certificates(&[&earlier])]).await;
    let outcome = want
        .forward(&backend(config(&peer, pinned(&ca))), Progress::NotSent)
        .await;
    assert_eq!(word(&outcome), "rejected", "{outcome:?}");
}

#[tokio::test]
async fn a_server_that_changes_its_issuer_is_reported_and_not_followed() {
    let (old, new) = (ca(), ca());
    let named = |ca: &TestCa| certificates(&[ca.certificate().der()]);
    let peer = Peer::start(vec![
        named(&old),
        named(&new),
        answer("404 Not Found", &[], ""),
        Step::CloseAtOnce,
    ])
    .await;
    let fingerprint = Certificate::fingerprint(old.certificate());
    let backend = backend(config(&peer, IssuerPin::Fingerprint(fingerprint)));
    assert!(backend.chain().issuers().is_empty(), "not known yet");
    let want = wanted(&[]);
    let early = backend.prepare(&want.contents, EnrollmentId::from_bytes([1; 16]), now());
    assert!(matches!(early, Err(CaError::Unavailable { .. })), "{early:?}");
    assert_eq!(backend.health().await, CaHealth::Ready);
    for name in ["another issuer", "no certificates", "no server"] {
        let health = backend.health().await;
        assert!(matches!(health, CaHealth::NotReady(_)), "{name}: {health:?}");
        assert_eq!(backend.chain().issuers(), [old.certificate().clone()], "{name}");
    }
}

#[tokio::test]
async fn a_client_certificate_that_ends_soon_is_reported() {
    let ca = ca();
    let named = || certificates(&[ca.certificate().der()]);
    for (days, healthy) in [(13, false), (15, true)] {
        let peer = Peer::start(vec![named()]).await;
        let key = rcgen::KeyPair::generate().expect("key");
        let mut params = rcgen::CertificateParams::default();
        params.not_after = time::OffsetDateTime::now_utc() + DAY * days;
        let own = params.self_signed(&key).expect("certificate");
        let mut settings = config(&peer, pinned(&ca));
        settings.identity = Some(ClientIdentity {
            chain: vec![own.der().to_vec()],
            key: Secret::new(key.serialize_pem().into_bytes()),
        });
        let health = backend(settings).health().await;
        assert_eq!(health == CaHealth::Ready, healthy, "{days} days: {health:?}");
    }
}

#[tokio::test]
async fn settings_that_make_no_backend() {
    let ca = ca();
    let peer = Peer::start(Vec::new()).await;
    let made = |change: fn(&mut EstCaConfig)| {
        let mut settings = config(&peer, pinned(&ca));
        change(&mut settings);
        EstCa::new(settings, Arc::new(SystemClock)).err()
    };
    let is_url = |error: Option<BadEstCa>| matches!(error, Some(BadEstCa::Url(_)));
    for url in [
        |s: &mut EstCaConfig| s.url = "http://127.0.0.1/.well-known/est".to_owned(),
        |s: &mut EstCaConfig| s.url = "https://user@127.0.0.1/.well-known/est".to_owned(),
        |s: &mut EstCaConfig| s.url = "https://127.0.0.1/.well-known/est?x".to_owned(),
        |s: &mut EstCaConfig| s.url = "est".to_owned(),
        |s: &mut EstCaConfig| s.url = format!("https://127.0.0.1/{}", "x".repeat(600)),
    ] {
        assert!(is_url(made(url)));
    }
    assert!(made(|_| {}).is_none());
    assert!(matches!(
        made(|s| s.password = None),
        Some(BadEstCa::NoCredential)
    ));
    assert!(matches!(
        made(|s| s.server_roots.clear()),
        Some(BadEstCa::NoRoots)
    ));
    let colon = made(|s| {
        s.password = Some(Password {
            user: "a:b".to_owned(),
            password: Secret::new(b"x".to_vec()),
        });
    });
    assert!(matches!(colon, Some(BadEstCa::Password)));
    assert!(matches!(
        made(|s| s.issuer = IssuerPin::Chain(Vec::new())),
        Some(BadEstCa::Chain(_))
    ));
}
