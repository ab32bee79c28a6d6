//! dns-01 against a scripted DNS server (RFC 8555 section 8.4).

use crate::support::dns::{Dns, Reply, cname, txt};
use crate::support::{BRIEF, config, expect, outcome};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use portreeve_acme::validator::{ChallengeKind, Evidence};
use portreeve_validation::{NetworkValidator, ValidationConfig};

/// base64url(SHA-256(KEY_AUTHORIZATION)), computed apart from the code under test.
const DIGEST: &str = "lCM7cZyQXcVHK2nnW3jjAhNT3Fvm18UN-kWZZknKoYM";
const OWNER: &str = "_acme-challenge.a.test";

async fn asked(dns: &Dns) -> Result<Evidence, String> {
    let validator = NetworkValidator::new(config(dns, 80, &[])).unwrap();
    outcome(&validator, ChallengeKind::Dns01, "a.test").await
}

#[tokio::test]
async fn any_one_matching_txt_record_passes() {
    let (left, right) = DIGEST.split_at(20);
    let padded = format!("{DIGEST} ");
    let quoted = format!("\"{DIGEST}\"");
    let upper = DIGEST.to_ascii_uppercase();
    let other = "x".repeat(43);
    let hundred: Vec<_> = (0..100).map(|n| txt(OWNER, &[&format!("noise {n}")])).collect();
    let hundred_and_it = [hundred.clone(), vec![txt(OWNER, &[DIGEST])]].concat();
    let rows: Vec<(&str, Reply, &[&str])> = vec![
        (
            "the digest",
            Reply::Records(vec![txt(OWNER, &[DIGEST])]),
            &["valid"],
        ),
        (
            "in two strings",
            Reply::Records(vec![txt(OWNER, &[left, right])]),
            &["valid"],
        ),
        (
            "one of three",
            Reply::Records(vec![
                txt(OWNER, &["v=1"]),
                txt(OWNER, &[DIGEST]),
                txt(OWNER, &[&other]),
            ]),
            &["valid"],
        ),
        (
            "over TCP when truncated",
            Reply::OverTcp(hundred_and_it),
            &["valid"],
        ),
        (
            "one other",
            Reply::Records(vec![txt(OWNER, &[&other])]),
            &["unauthorized", "the TXT record at", OWNER],
        ),
        (
            "two others",
            Reply::Records(vec![txt(OWNER, &[&other]), txt(OWNER, &["x"])]),
            &["unauthorized", "none of the 2 TXT records"],
        ),
        (
            "a hundred others",
            Reply::OverTcp(hundred),
            &["unauthorized", "none of the 100 TXT records"],
        ),
        (
            "with a space",
            Reply::Records(vec![txt(OWNER, &[&padded])]),
            &["unauthorized"],
        ),
        (
            "in quotes",
            Reply::Records(vec![txt(OWNER, &[&quoted])]),
            &["unauthorized"],
        ),
        (
            "in another case",
            Reply::Records(vec![txt(OWNER, &[&upper])]),
            &["unauthorized"],
        ),
        (
            "halves in two records",
            Reply::Records(vec![txt(OWNER, &[left]), txt(OWNER, &[right])]),
            &["unauthorized"],
        ),
        (
            "an empty record",
            Reply::Records(vec![txt(OWNER, &[""])]),
            &["unauthorized", "the TXT record at"],
        ),
        (
            "another name's record",
            Reply::Records(vec![txt("b.test", &[DIGEST])]),
            &["unauthorized", "no TXT record"],
        ),
        (
            "no record",
            Reply::Records(vec![]),
            &["unauthorized", "no TXT record at _acme-challenge.a.test"],
        ),
        (
            "NXDOMAIN",
            Reply::Code(ResponseCode::NXDomain),
            &["unauthorized", "no TXT record", "NXDOMAIN"],
        ),
        (
            "SERVFAIL, as for bogus DNSSEC",
            Reply::Code(ResponseCode::ServFail),
            &["dns", "SERVFAIL"],
        ),
        ("REFUSED", Reply::Code(ResponseCode::Refused), &["dns", "REFUSED"]),
    ];
    for (row, reply, expected) in rows {
        let dns = Dns::start().await;
        dns.set(OWNER, RecordType::TXT, reply);
        expect(row, &asked(&dns).await, expected);
    }
}

/// A row's name, what the DNS holds, and what comes of it.
type Row = (&'static str, Vec<(&'static str, Reply)>, &'static [&'static str]);

#[tokio::test]
async fn aliases_are_followed() {
    let digest = || txt("proof.test", &[DIGEST]);
    let there = || Reply::Records(vec![digest()]);
    let rows: [Row; 6] = [
        (
            "the answer holds alias and record",
            vec![(OWNER, Reply::Records(vec![cname(OWNER, "proof.test"), digest()]))],
            &["valid"],
        ),
        (
            "the record has to be asked for",
            vec![
                (OWNER, Reply::Records(vec![cname(OWNER, "proof.test")])),
                ("proof.test", there()),
            ],
            &["valid"],
        ),
        (
            "two aliases",
            vec![
                (OWNER, Reply::Records(vec![cname(OWNER, "mid.test")])),
                (
                    "mid.test",
                    Reply::Records(vec![cname("mid.test", "proof.test"), digest()]),
                ),
                ("proof.test", there()),
            ],
            &["valid"],
        ),
        (
            "the target does not exist",
            vec![(OWNER, Reply::Records(vec![cname(OWNER, "none.test")]))],
            &["unauthorized", "no TXT record"],
        ),
        (
            "an alias of itself",
            vec![(OWNER, Reply::Records(vec![cname(OWNER, OWNER)]))],
            &["unauthorized", "no TXT record"],
        ),
        (
            "the target fails",
            vec![
                (OWNER, Reply::Records(vec![cname(OWNER, "proof.test")])),
                ("proof.test", Reply::Code(ResponseCode::ServFail)),
            ],
            &["dns", "SERVFAIL"],
        ),
    ];
    for (row, replies, expected) in rows {
        let dns = Dns::start().await;
        for (name, reply) in replies {
            dns.set(name, RecordType::TXT, reply);
        }
        let outcome = asked(&dns).await;
        expect(row, &outcome, expected);
        if let Ok(evidence) = outcome {
            assert_eq!(
                evidence.detail.as_str(),
                format!("TXT {OWNER}, an alias of proof.test"),
                "{row}"
            );
        }
    }
}

#[tokio::test]
async fn evidence_names_the_owner_and_only_that_name_is_asked_for() {
    let dns = Dns::start().await;
    dns.set(
        OWNER,
        RecordType::TXT,
        Reply::Records(vec![txt(OWNER, &[DIGEST])]),
    );
    let evidence = asked(&dns).await.unwrap();
    assert_eq!(evidence.detail.as_str(), format!("TXT {OWNER}"));
    assert!(evidence.addresses.is_empty());
    let mut questions = dns.questions();
    questions.dedup();
    assert_eq!(questions, [(format!("{OWNER}."), RecordType::TXT)]);
}

#[tokio::test]
async fn nothing_is_remembered_between_attempts() {
    let dns = Dns::start().await;
    let validator = NetworkValidator::new(config(&dns, 80, &[])).unwrap();
    let ask = async || outcome(&validator, ChallengeKind::Dns01, "a.test").await;
    expect("before", &ask().await, &["unauthorized", "NXDOMAIN"]);
    dns.set(
        OWNER,
        RecordType::TXT,
        Reply::Records(vec![txt(OWNER, &[DIGEST])]),
    );
    expect("once published", &ask().await, &["valid"]);
    dns.set(OWNER, RecordType::TXT, Reply::Records(vec![]));
    expect("once removed", &ask().await, &["unauthorized", "no TXT record"]);
}

#[tokio::test]
async fn servers_that_do_not_answer_are_not_waited_for() {
    let rows: [(&str, Reply); 2] = [("silence", Reply::Silence), ("garbage", Reply::Garbage)];
    for (row, reply) in rows {
        let dns = Dns::start().await;
        dns.set(OWNER, RecordType::TXT, reply);
        let limited = ValidationConfig {
            dns_timeout: BRIEF,
            ..config(&dns, 80, &[])
        };
        let validator = NetworkValidator::new(limited).unwrap();
        expect(
            row,
            &outcome(&validator, ChallengeKind::Dns01, "a.test").await,
            &["dns: TXT of"],
        );
    }
}

#[tokio::test]
async fn names_that_become_too_long_and_names_under_localhost_are_answered_without_asking() {
    let long = format!("{0}.{0}.{0}.{1}.test", "a".repeat(63), "a".repeat(50));
    let rows: [(&str, &str, &[&str]); 2] = [
        (
            "too long with the prefix",
            &long,
            &["dns", "not a name that can be looked up"],
        ),
        ("localhost", "tour.localhost", &["unauthorized", "no TXT record"]),
    ];
    let dns = Dns::start().await;
    let validator = NetworkValidator::new(config(&dns, 80, &[])).unwrap();
    for (row, name, expected) in rows {
        expect(
            row,
            &outcome(&validator, ChallengeKind::Dns01, name).await,
            expected,
        );
    }
    assert_eq!(dns.questions(), []);
}
