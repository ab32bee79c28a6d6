//! Where redirects lead (RFC 8555 sections 8.3 and 10.4).

use std::sync::{Arc, OnceLock};

use portreeve_acme::validator::ChallengeKind;
use portreeve_validation::ValidationConfig;

use crate::support::dns::Dns;
use crate::support::web::{Hit, Script, Web, answer, ok, raw, redirect};
use crate::support::{LOOPBACK, config, expect, outcome, single, validator};

/// a.test answers its first request with `script` (`PORT` in it is the server's port); every other
/// path on every other name answers well.
async fn redirected(status: u16, location: &str) -> (Result<(), String>, Vec<Hit>) {
    let dns = Dns::start().await;
    for name in ["a.test", "b.test"] {
        dns.addresses(name, &["127.0.0.1"]);
    }
    dns.addresses("private.test", &["10.0.0.1"]);
    let location = location.to_owned();
    let web = Web::start(move |hit| {
        if !hit.path().starts_with("/.well-known/") {
            return ok();
        }
        let port = hit
            .head
            .split("a.test:")
            .nth(1)
            .unwrap()
            .split("\r\n")
            .next()
            .unwrap();
        redirect(status, &location.replace("PORT", port))
    })
    .await;
    let validator = validator(config(&dns, web.port(), &LOOPBACK));
    let outcome = outcome(&validator, ChallengeKind::Http01, "a.test").await;
    if let Ok(evidence) = &outcome {
        assert_eq!(evidence.addresses.len(), 2, "one for each hop");
        assert!(evidence.detail.as_str().ends_with("/x"), "{}", evidence.detail);
    }
    (outcome.map(drop), web.hits())
}

#[tokio::test]
async fn redirects_are_followed_by_hand() {
    let rows: [(&str, u16, &str, usize, &[&str]); 19] = [
        ("301", 301, "/x", 2, &[]),
        ("302", 302, "/x", 2, &[]),
        ("307", 307, "/x", 2, &[]),
        ("308", 308, "/x", 2, &[]),
        ("another name", 302, "http://b.test:PORT/x", 2, &[]),
        (
            "over TLS, with a certificate for another name",
            302,
            "https://b.test:PORT/x",
            2,
            &[],
        ),
        ("300", 300, "/x", 1, &["unauthorized", "300"]),
        ("303", 303, "/x", 1, &["unauthorized", "303"]),
        ("304", 304, "/x", 1, &["unauthorized", "304"]),
        (
            "back to itself",
            302,
            "/.well-known/acme-challenge/again",
            11,
            &["connection", "more than 10 redirects"],
        ),
        (
            "an IPv4 literal",
            302,
            "http://127.0.0.1:PORT/x",
            1,
            &["connection", "an IP address"],
        ),
        (
            "an IPv4 literal in disguise",
            302,
            "http://0x7f000001:PORT/x",
            1,
            &["connection", "an IP address"],
        ),
        (
            "an IPv6 literal",
            302,
            "http://[::1]:PORT/x",
            1,
            &["connection", "an IP address"],
        ),
        (
            "a forbidden port",
            302,
            "http://b.test:22/x",
            1,
            &["connection", "port 22"],
        ),
        ("ftp", 302, "ftp://b.test/x", 1, &["connection", "scheme"]),
        (
            "a user name",
            302,
            "http://me@b.test:PORT/x",
            1,
            &["connection", "user name"],
        ),
        (
            "an empty location",
            302,
            "",
            11,
            &["connection", "more than 10 redirects"],
        ),
        (
            "a name that does not exist",
            302,
            "http://none.test:PORT/x",
            1,
            &["dns", "NXDOMAIN"],
        ),
        (
            "a private address",
            302,
            "http://private.test:PORT/x",
            1,
            &["connection", "none of its 1 addresses"],
        ),
    ];
    for (row, status, location, hits_expected, failure) in rows {
        let (outcome, hits) = redirected(status, location).await;
        assert_eq!(hits.len(), hits_expected, "{row}: {outcome:?}");
        assert_eq!(hits.last().unwrap().tls, location.starts_with("https:"), "{row}");
        match outcome {
            Ok(()) => assert!(failure.is_empty(), "{row}: passed"),
            Err(text) => {
                assert!(!failure.is_empty(), "{row}: {text}");
                assert!(failure.iter().all(|part| text.contains(part)), "{row}: {text}");
            }
        }
    }
}

#[tokio::test]
async fn a_redirect_without_a_location_leads_nowhere() {
    let rows: [(&str, Script); 2] = [
        ("absent", answer(302, "", "")),
        (
            "not text",
            raw(b"HTTP/1.1 302 Any\r\nContent-Length: 0\r\nLocation: /\xff\r\n\r\n".to_vec()),
        ),
    ];
    for (row, script) in rows {
        expect(
            row,
            &single(script).await,
            &["connection", "302 without a usable Location"],
        );
    }
}

#[tokio::test]
async fn redirects_can_be_forbidden() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    let web = Web::start(|hit| {
        if hit.path() == "/x" {
            ok()
        } else {
            redirect(302, "/x")
        }
    })
    .await;
    let validator = validator(ValidationConfig {
        redirects_max: 0,
        ..config(&dns, web.port(), &LOOPBACK)
    });
    let outcome = outcome(&validator, ChallengeKind::Http01, "a.test").await;
    expect("no redirect", &outcome, &["connection", "more than 0 redirects"]);
    assert_eq!(web.hits().len(), 1);
}

/// RFC 8555 section 10.4; the second address would even serve the right content.
#[tokio::test]
async fn a_name_that_changes_its_address_between_hops_is_checked_again() {
    let dns = Dns::start().await;
    dns.addresses("rebind.test", &["127.0.0.1"]);
    let changed = dns.clone();
    let web = Web::start_on(&["127.0.0.1", "127.0.0.2"], move |hit| {
        if hit.path() == "/x" {
            return ok();
        }
        changed.addresses("rebind.test", &["127.0.0.2"]);
        redirect(302, "/x")
    })
    .await;
    let attempted = |allow: &'static [&'static str]| {
        let validator = validator(config(&dns, web.port(), allow));
        async move { outcome(&validator, ChallengeKind::Http01, "rebind.test").await }
    };
    expect(
        "refused",
        &attempted(&LOOPBACK).await,
        &["connection", "none of its 1 addresses"],
    );
    assert!(
        web.hits().iter().all(|hit| hit.to.to_string() == "127.0.0.1"),
        "the other was never asked"
    );

    dns.addresses("rebind.test", &["127.0.0.1"]);
    let both = attempted(&["127.0.0.0/8"]).await.unwrap();
    let addresses: Vec<_> = both.addresses.iter().map(ToString::to_string).collect();
    assert_eq!(
        addresses,
        ["127.0.0.1", "127.0.0.2"],
        "where both are allowed it passes"
    );
}

#[tokio::test]
async fn a_server_without_tls_behind_an_https_redirect_is_a_tls_failure() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    let port = Arc::new(OnceLock::new());
    let known = Arc::clone(&port);
    let web =
        Web::start_without_tls(move |_| redirect(302, &format!("https://a.test:{}/x", known.get().unwrap())))
            .await;
    port.set(web.port()).unwrap();
    let validator = validator(config(&dns, web.port(), &LOOPBACK));
    let outcome = outcome(&validator, ChallengeKind::Http01, "a.test").await;
    expect("no TLS there", &outcome, &["tls: a.test", "handshake failed"]);
}
