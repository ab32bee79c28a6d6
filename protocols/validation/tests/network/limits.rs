//! What is bounded: time, numbers, the shape of an attempt.

use std::sync::Arc;

use hickory_resolver::proto::rr::RecordType;
use portreeve_acme::validator::{ChallengeKind, Validator};
use portreeve_validation::{NetworkValidator, ValidationConfig};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::support::dns::{Dns, Reply};
use crate::support::web::{Script, Then, Web, ok, raw};
use crate::support::{
    AMPLE, BRIEF, KEY_AUTHORIZATION, LOOPBACK, TOKEN, attempt, config, expect, outcome, validator,
};

#[tokio::test]
async fn every_stage_ends_in_time() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    for kind in [RecordType::A, RecordType::AAAA] {
        dns.set("silent.test", kind, Reply::Silence);
    }
    let web = Web::start(|_| raw("").then(Then::Hang)).await;
    let limited = |dns_timeout, attempt_timeout| {
        validator(ValidationConfig {
            dns_timeout,
            attempt_timeout,
            ..config(&dns, web.port(), &LOOPBACK)
        })
    };
    let rows: [(&str, NetworkValidator, &str, &[&str]); 3] = [
        (
            "DNS, its own limit",
            limited(BRIEF, AMPLE),
            "silent.test",
            &["dns", "no DNS answer in time"],
        ),
        (
            "DNS, the attempt's limit",
            limited(AMPLE, BRIEF),
            "silent.test",
            &["dns", "no DNS answer in time"],
        ),
        (
            "the answer",
            limited(AMPLE, BRIEF),
            "a.test",
            &["connection", "no complete answer in time"],
        ),
    ];
    for (row, validator, name, expected) in rows {
        expect(
            row,
            &outcome(&validator, ChallengeKind::Http01, name).await,
            expected,
        );
    }
}

#[tokio::test]
async fn slow_answers_end_in_time_wherever_they_stop() {
    let rows: [(&str, Script); 4] = [
        ("before the status line", raw("")),
        ("inside the header", raw("HTTP/1.1 200 OK\r\nContent-")),
        (
            "inside the body",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc"),
        ),
        (
            "inside a chunk",
            raw("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\na\r\nabc"),
        ),
    ];
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    for (row, script) in rows {
        let web = Web::start(move |_| script.clone().then(Then::Hang)).await;
        let validator = validator(ValidationConfig {
            attempt_timeout: BRIEF,
            ..config(&dns, web.port(), &LOOPBACK)
        });
        let outcome = outcome(&validator, ChallengeKind::Http01, "a.test").await;
        expect(row, &outcome, &["connection", "no complete answer in time"]);
    }
}

#[tokio::test]
async fn attempts_that_make_no_sense_are_refused_before_anything_is_asked() {
    let dns = Dns::start().await;
    let validator = validator(config(&dns, 80, &LOOPBACK));
    let sound = attempt(ChallengeKind::Http01, "a.test");
    let long = "x".repeat(129);
    let rows: [(&str, &str, &str, &str); 6] = [
        ("a wildcard", "*.a.test", TOKEN, KEY_AUTHORIZATION),
        ("no token", "a.test", "", KEY_AUTHORIZATION),
        ("a token that climbs", "a.test", "../../admin", KEY_AUTHORIZATION),
        ("a token with a query", "a.test", "x?y", KEY_AUTHORIZATION),
        ("a long token", "a.test", &long, KEY_AUTHORIZATION),
        ("no key authorization", "a.test", TOKEN, ""),
    ];
    for (row, name, token, key_authorization) in rows {
        let mut attempt = attempt(ChallengeKind::Http01, name);
        attempt.token = token.into();
        attempt.key_authorization = key_authorization.into();
        let failure = validator.validate(&attempt).await.expect_err(row);
        assert_eq!(failure.problem_type(), "malformed", "{row}: {failure}");
    }
    assert_eq!(dns.questions(), []);
    let failure = validator.validate(&sound).await.unwrap_err();
    assert_eq!(failure.problem_type(), "dns", "the sound one gets further");
}

#[tokio::test]
async fn only_so_many_attempts_run_at_once() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    let asked = Arc::new(Notify::new());
    let seen = Arc::clone(&asked);
    let web = Web::start(move |_| {
        seen.notify_one();
        raw("").then(Then::Hang)
    })
    .await;
    let limits = ValidationConfig {
        concurrent_max: 1,
        waiting_max: 0,
        ..config(&dns, web.port(), &LOOPBACK)
    };
    let validator = Arc::new(validator(limits));
    let first = {
        let validator = Arc::clone(&validator);
        tokio::spawn(async move {
            validator
                .validate(&attempt(ChallengeKind::Http01, "a.test"))
                .await
        })
    };
    asked.notified().await;
    let second = outcome(&validator, ChallengeKind::Http01, "a.test").await;
    expect("the second", &second, &["connection", "too many validations"]);
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    assert_eq!(web.hits().len(), 1);
    let third = validator
        .validate(&attempt(ChallengeKind::Dns01, "none.test"))
        .await
        .unwrap_err();
    assert_eq!(
        third.problem_type(),
        "unauthorized",
        "the place of a cancelled attempt is free again"
    );
}

#[tokio::test]
async fn as_many_attempts_as_are_admitted_get_their_answers() {
    let dns = Dns::start().await;
    let names: Vec<String> = (0..100).map(|n| format!("n{n}.test")).collect();
    for name in &names {
        dns.addresses(name, &["127.0.0.1"]);
    }
    let web = Web::start(|_| ok()).await;
    let validator = Arc::new(validator(config(&dns, web.port(), &LOOPBACK)));
    let mut attempts = JoinSet::new();
    for name in names {
        let validator = Arc::clone(&validator);
        attempts.spawn(async move { outcome(&validator, ChallengeKind::Http01, &name).await });
    }
    for outcome in attempts.join_all().await {
        expect("one of a hundred", &outcome, &["valid"]);
    }
    assert_eq!(web.hits().len(), 100);
}
