//! Input that no client would send: every answer is quick and small, and the gateway goes on.

use std::time::{Duration, Instant};

use portreeve_conformance::acme::{Answer, Client, Site, base64url, new_key};
use serde_json::json;

/// Far more than any refusal takes, and far less than a hanging one would.
const LIMIT: Duration = Duration::from_secs(80);

#[track_caller]
fn is_refused(row: &str, statuses: &[u16], answer: &Answer) {
    assert!(statuses.contains(&answer.status()), "{row}: {answer}");
    assert!(
        answer.body().len() < 4096,
        "{row}: {} octets",
        answer.body().len()
    );
    answer.is_problem_of(
        answer.status(),
        &["malformed", "badNonce", "badSignatureAlgorithm", "badPublicKey"],
    );
}

/// The gateway still does what it is for.
#[track_caller]
fn still_serves(site: &Site) {
    assert!(site.is_running());
    let account = site.account();
    account.read(&account.url).is(200);
}

#[test]
fn bodies_that_are_no_jws() {
    let site = Site::shared();
    let client = site.client("default");
    let deep = |open: &str, close: &str, depth: usize| open.repeat(depth) + &close.repeat(depth);
    let rows: Vec<(&str, Vec<u8>)> = vec![
        ("nothing", Vec::new()),
        ("null octets", vec![0; 1000]),
        ("not UTF-8", vec![0xff; 1000]),
        ("an open brace", b"{".to_vec()),
        ("many open braces", vec![b'{'; 60_000]),
        ("deep lists", deep("[", "]", 30_000).into_bytes()),
        ("deep objects", deep("{\"a\":", "}", 10_000).into_bytes()),
        ("half a string", b"{\"protected\":\"".to_vec()),
        ("a number", b"1e999999".to_vec()),
        ("byte order mark", b"\xef\xbb\xbf{}".to_vec()),
        ("form data", b"csr=x".to_vec()),
        ("PEM", b"-----BEGIN CERTIFICATE REQUEST-----\n".to_vec()),
        (
            "many members",
            format!(
                "{{{}\"z\":0}}",
                (0..4000)
                    .map(|number| format!("\"m{number}\":0,"))
                    .collect::<String>()
            )
            .into_bytes(),
        ),
    ];
    let started = Instant::now();
    for resource in ["newAccount", "newOrder", "revokeCert", "keyChange"] {
        for (row, body) in &rows {
            is_refused(row, &[400, 413], &client.post(&client.url(resource), body));
        }
    }
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    still_serves(site);
}

#[test]
fn headers_and_payloads_that_are_no_json() {
    let site = Site::shared();
    let client = site.client("default");
    let key = new_key();
    let url = client.url("newAccount");
    let started = Instant::now();
    let deep = "[".repeat(20_000) + &"]".repeat(20_000);
    for payload in [
        &b"\xff\xfe"[..],
        &[0; 1000],
        deep.as_bytes(),
        b"{\"contact\":",
        b"{\"contact\":{}}",
        b"[1,2",
    ] {
        is_refused(
            "payload",
            &[400],
            &client
                .draft_with_key(&key, &url, &json!({}))
                .payload(payload)
                .send(),
        );
    }
    let draft = client.draft_with_key(&key, &url, &json!({}));
    let nested = format!("{{\"alg\":\"ES256\",\"x\":{}}}", &deep[..100]);
    for protected in [
        "",
        "null",
        "[]",
        "{",
        "\"x\"",
        "{\"alg\":1}",
        "{\"alg\":null}",
        "{}",
        nested.as_str(),
    ] {
        is_refused(
            "header",
            &[400],
            &draft.send_body(&draft.body_with_protected(protected)),
        );
    }
    assert!(started.elapsed() < LIMIT, "{:?}", started.elapsed());
    still_serves(site);
}

#[test]
fn bodies_that_are_too_large() {
    let site = Site::shared();
    let client = site.client("default");
    let account = site.account();
    for size in [70_000, 200_000, 5_000_000] {
        let body = vec![b'a'; size];
        let answer = post_large(&client, &client.url("newAccount"), &body);
        // The connection may be gone before the answer could be read; then there is none to look at.
        if let Some(answer) = answer {
            is_refused("raw", &[413], &answer);
        }
        let padded = json!({"contact": [], "x": "a".repeat(size)});
        let signed = account.draft(&account.url, &padded).body().to_string();
        if let Some(answer) = post_large(&client, &account.url, signed.as_bytes()) {
            is_refused("signed", &[413], &answer);
        }
        still_serves(site);
    }
    let just_large = account.draft(&account.url, &json!({"contact": [], "x": "a".repeat(40_000)}));
    just_large.send().is(200);
}

#[test]
fn a_length_that_is_only_announced_costs_nothing() {
    let site = Site::shared();
    let client = site.client("default");
    let head = head(&client, "newAccount", "Content-Length: 9999999999");
    let answer = client.post_octets(head.as_bytes()).expect("an answer");
    is_refused("announced", &[413], &answer);
    still_serves(site);
}

#[test]
fn requests_that_break_off() {
    let site = Site::shared();
    let client = site.client("default");
    let whole = format!(
        "{}{{\"protected\":\"",
        head(&client, "newAccount", "Content-Length: 5000")
    );
    for length in [1, 10, whole.len() / 2, whole.len() - 1, whole.len()] {
        client.transport().abandon(&whole.as_bytes()[..length]);
    }
    still_serves(site);
}

#[test]
fn framing_that_two_readers_could_read_differently() {
    let site = Site::shared();
    let client = site.client("default");
    let rows = [
        ("two lengths", "Content-Length: 2\r\nContent-Length: 3"),
        (
            "length and chunks",
            "Content-Length: 2\r\nTransfer-Encoding: chunked",
        ),
        ("negative length", "Content-Length: -1"),
        ("length with a sign", "Content-Length: +2"),
        ("a header with a null", "X: a\0b"),
        ("a name with a blank", "Content-Length : 2"),
    ];
    for (row, header) in rows {
        let octets = format!("{}{{}}", head(&client, "newAccount", header));
        // Refused by whoever reads HTTP, so without the headers of ACME, or by closing the connection.
        if let Some(received) = client.transport().send_octets(octets.as_bytes(), "POST") {
            assert!(
                matches!(received.status, 400 | 411 | 413 | 431),
                "{row}: {}",
                received.status
            );
        }
    }
    still_serves(site);
}

#[test]
fn a_chunked_body_is_read_and_bounded() {
    let site = Site::shared();
    let account = site.account();
    let client = &account.client;
    let body = account.draft_octets(&account.url, b"").body().to_string();
    let target = client.transport().target(&account.url);
    let chunked = |chunks: &[&[u8]]| {
        let head = format!(
            "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/jose+json\r\nTransfer-Encoding: chunked\r\n\r\n"
        );
        let chunk = |chunk: &&[u8]| [format!("{:x}\r\n", chunk.len()).as_bytes(), chunk, b"\r\n"].concat();
        [
            head.into_bytes(),
            chunks.iter().flat_map(chunk).collect(),
            b"0\r\n\r\n".to_vec(),
        ]
        .concat()
    };
    let (one, two) = body.as_bytes().split_at(body.len() / 2);
    client
        .post_octets(&chunked(&[one, two]))
        .expect("an answer")
        .is(200);
    let large = vec![b'a'; 1_000_000];
    if let Some(answer) = client.post_octets(&chunked(&[&large])) {
        is_refused("chunks", &[413], &answer);
    }
    still_serves(site);
}

#[test]
fn a_header_that_is_too_large() {
    let site = Site::shared();
    let client = site.client("default");
    for size in [20_000, 500_000] {
        let octets = head(&client, "newAccount", &format!("X-Long: {}", "a".repeat(size)));
        if let Some(received) = client.transport().send_octets(octets.as_bytes(), "POST") {
            assert!(
                matches!(received.status, 400 | 413 | 431),
                "{size}: {}",
                received.status
            );
        }
    }
    still_serves(site);
}

#[test]
fn identifiers_of_absurd_size() {
    let site = Site::shared();
    let account = site.account();
    let long = "a".repeat(30_000);
    let answer = account.ask_order(&[&long]);
    is_refused("name", &[400], &answer);
    let answer = account
        .draft_octets(&account.url, b"")
        .set("kid", long.as_str())
        .send();
    is_refused("kid", &[400], &answer);
    let answer = account
        .draft_octets(&account.url, b"")
        .set("alg", long.as_str())
        .send();
    is_refused("alg", &[400], &answer);
    let answer = account.post(
        &account.client.url("newOrder"),
        &json!({"identifiers": [{"type": long, "value": "a.test"}]}),
    );
    assert_eq!(answer.status(), 400);
    assert!(answer.body().len() < 4096, "{} octets", answer.body().len());
    let path = account.client.below(&base64url([0; 3000]));
    account.read(&path).is_problem(404, "malformed");
    still_serves(site);
}

/// Request line and headers of a POST to a resource, with one more header.
fn head(client: &Client, resource: &str, header: &str) -> String {
    let url = client.url(resource);
    let target = client.transport().target(&url);
    format!("POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/jose+json\r\n{header}\r\n\r\n")
}

fn post_large(client: &Client, url: &str, body: &[u8]) -> Option<Answer> {
    let target = client.transport().target(url);
    let head = format!(
        "POST {target} HTTP/1.1\r\nHost: a\r\nContent-Type: application/jose+json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.post_octets(&[head.as_bytes(), body].concat())
}
