//! What the web server answers (RFC 8555 section 8.3).

use std::net::IpAddr;

use hickory_resolver::proto::rr::RecordType;
use portreeve_acme::validator::ChallengeKind;

use crate::support::dns::Dns;
use crate::support::web::{Script, Then, Web, answer, ok, raw};
use crate::support::{KEY_AUTHORIZATION, LOOPBACK, TOKEN, config, expect, outcome, single, validator};

#[tokio::test]
async fn what_the_server_answers_decides() {
    let key = KEY_AUTHORIZATION;
    let chunked = |body: &str| {
        let len = body.len();
        raw(format!(
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{len:x}\r\n{body}\r\n0\r\n\r\n"
        ))
    };
    let spaces = " ".repeat(128);
    let many_fields = "X-Field: 1\r\n".repeat(100);
    let long_field = format!("X-Field: {}\r\n", "x".repeat(20_000));
    let rows: Vec<(&str, Script, &[&str])> = vec![
        ("the key authorization", ok(), &["valid"]),
        ("chunked", chunked(key), &["valid"]),
        (
            "HTTP/1.0, ended by closing",
            raw(format!("HTTP/1.0 200 OK\r\n\r\n{key}")),
            &["valid"],
        ),
        (
            "white space at the end",
            answer(200, "", &format!("{key} \t\r\n\n")),
            &["valid"],
        ),
        (
            "as much white space as is read",
            answer(200, "", &format!("{key}{spaces}")),
            &["valid"],
        ),
        (
            "one byte more",
            answer(200, "", &format!("{key}{spaces} ")),
            &["unauthorized", "more than the key authorization"],
        ),
        (
            "white space in front",
            answer(200, "", &format!(" {key}")),
            &["unauthorized", "not the key"],
        ),
        (
            "other content",
            answer(200, "", "hello"),
            &["unauthorized", "5 bytes"],
        ),
        ("the token alone", answer(200, "", TOKEN), &["unauthorized"]),
        (
            "something after it",
            answer(200, "", &format!("{key}x")),
            &["unauthorized"],
        ),
        ("nothing", answer(200, "", ""), &["unauthorized", "0 bytes"]),
        ("not found", answer(404, "", key), &["unauthorized", "404"]),
        (
            "no content",
            raw("HTTP/1.1 204 No\r\n\r\n"),
            &["unauthorized", "204"],
        ),
        ("server error", answer(500, "", ""), &["unauthorized", "500"]),
        ("created, not OK", answer(201, "", key), &["unauthorized", "201"]),
        (
            "a huge body, announced",
            answer(200, "", &"x".repeat(1 << 20)),
            &["unauthorized", "more than"],
        ),
        (
            "a huge length, announced",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n"),
            &["unauthorized", "more than"],
        ),
        (
            "an endless body",
            raw("HTTP/1.1 200 OK\r\n\r\n").then(Then::Endless),
            &["unauthorized", "more than the key authorization"],
        ),
        (
            "an endless header",
            raw("HTTP/1.1 200 OK\r\nX: ").then(Then::Endless),
            &["connection", "too large"],
        ),
        (
            "too many fields",
            answer(200, &many_fields, key),
            &["connection", "too large"],
        ),
        (
            "a long field",
            answer(200, &long_field, key),
            &["connection", "too large"],
        ),
        (
            "a body cut short",
            raw(format!("HTTP/1.1 200 OK\r\nContent-Length: 999\r\n\r\n{key}")),
            &["unauthorized"],
        ),
        (
            "a short body cut short",
            raw("HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nabc"),
            &["connection", "closed"],
        ),
        (
            "garbage",
            raw("SSH-2.0-OpenSSH_9.2\r\n"),
            &["connection", "not HTTP/1.1"],
        ),
        (
            "HTTP/2 only",
            raw(b"\0\0\x12\x04\0\0\0\0\0\0\x03\0\0\0\x80\0\x04\0\x01\0\0\0\x05\0\xff\xff\xff".to_vec()),
            &["connection", "not HTTP/1.1"],
        ),
        ("closed at once", raw(""), &["connection", "closed"]),
    ];
    for (row, script, expected) in rows {
        expect(row, &single(script).await, expected);
    }
}

#[tokio::test]
async fn the_request_is_a_plain_get_at_the_well_known_place() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    let web = Web::start(|_| ok()).await;
    let port = web.port();
    let evidence = outcome(
        &validator(config(&dns, port, &LOOPBACK)),
        ChallengeKind::Http01,
        "a.test",
    )
    .await
    .unwrap();

    let hits = web.hits();
    assert_eq!(hits.len(), 1);
    let mut lines = hits[0].head.lines();
    assert_eq!(
        lines.next().unwrap(),
        format!("GET /.well-known/acme-challenge/{TOKEN} HTTP/1.1")
    );
    let header = hits[0].head.to_ascii_lowercase();
    assert!(
        header.contains(&format!("\r\nhost: a.test:{port}\r\n")),
        "{header}"
    );
    assert!(header.contains("\r\nuser-agent: portreeve\r\n"), "{header}");

    assert_eq!(evidence.addresses, ["127.0.0.1".parse::<IpAddr>().unwrap()]);
    assert_eq!(
        evidence.detail.as_str(),
        format!("http://a.test:{port}/.well-known/acme-challenge/{TOKEN}")
    );
    let mut questions = dns.questions();
    questions.sort();
    questions.dedup();
    assert_eq!(
        questions,
        [
            ("a.test.".to_owned(), RecordType::A),
            ("a.test.".to_owned(), RecordType::AAAA)
        ],
        "the name itself, absolute, and nothing else"
    );
}
