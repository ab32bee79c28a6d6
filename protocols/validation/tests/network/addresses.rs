//! Which addresses are looked up, let through and tried (RFC 8555 section 10.4).

use std::net::IpAddr;

use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::RecordType;
use portreeve_acme::validator::ChallengeKind;
use portreeve_validation::ValidationConfig;

use crate::support::dns::{Dns, Reply, cname};
use crate::support::web::{Web, ok};
use crate::support::{LOOPBACK, config, expect, outcome, validator};

/// A row's name, the identifier, the networks allowed and denied, and what comes of it.
type Row = (
    &'static str,
    &'static str,
    &'static [&'static str],
    &'static [&'static str],
    &'static [&'static str],
);

#[tokio::test]
async fn addresses_that_are_not_let_through_are_never_connected_to() {
    let dns = Dns::start().await;
    dns.addresses("a.test", &["127.0.0.1"]);
    dns.addresses("mapped.test", &["::ffff:127.0.0.1"]);
    dns.addresses("mixed.test", &["127.0.0.2", "127.0.0.1"]);
    let web = Web::start_on(&["127.0.0.1", "127.0.0.2"], |_| ok()).await;
    let rows: [Row; 7] = [
        (
            "loopback by default",
            "a.test",
            &[],
            &[],
            &["connection", "none of its 1 addresses may be"],
        ),
        (
            "mapped loopback by default",
            "mapped.test",
            &[],
            &[],
            &["connection", "none of its 1 addresses"],
        ),
        ("allowed", "a.test", &LOOPBACK, &[], &["valid"]),
        (
            "allowed and denied",
            "a.test",
            &["127.0.0.0/8"],
            &["127.0.0.1/32"],
            &["connection", "none of its"],
        ),
        ("one of two allowed", "mixed.test", &LOOPBACK, &[], &["valid"]),
        (
            "one of two denied",
            "mixed.test",
            &["127.0.0.0/8"],
            &["127.0.0.2/32"],
            &["valid"],
        ),
        (
            "neither",
            "mixed.test",
            &["127.0.0.3/32"],
            &[],
            &["connection", "none of its 2 addresses"],
        ),
    ];
    for (row, name, allow, deny, expected) in rows {
        let before = web.hits().len();
        let deny_networks = deny.iter().map(|network| network.parse().unwrap()).collect();
        let validator = validator(ValidationConfig {
            deny_networks,
            ..config(&dns, web.port(), allow)
        });
        expect(
            row,
            &outcome(&validator, ChallengeKind::Http01, name).await,
            expected,
        );
        let asked = web.hits().len() - before;
        assert_eq!(asked, usize::from(expected == ["valid"]), "{row}");
    }
    assert!(web.hits().iter().all(|hit| hit.to.to_string() == "127.0.0.1"));
}

#[tokio::test]
async fn an_address_that_does_not_answer_gives_way_to_the_next() {
    let dns = Dns::start().await;
    dns.addresses("both.test", &["::1", "127.0.0.1"]);
    dns.addresses("dead.test", &["::1", "127.0.0.2"]);
    let web = Web::start(|_| ok()).await;
    let loopback = ["127.0.0.0/8", "::1/128"];
    let rows: [(&str, &str, usize, &[&str]); 3] = [
        ("AAAA dead, A alive", "both.test", 4, &["valid"]),
        (
            "only one address is tried",
            "both.test",
            1,
            &["connection", "addresses tried: 1"],
        ),
        ("all dead", "dead.test", 4, &["connection", "addresses tried: 2"]),
    ];
    for (row, name, addresses_max, expected) in rows {
        let validator = validator(ValidationConfig {
            addresses_max,
            ..config(&dns, web.port(), &loopback)
        });
        let outcome = outcome(&validator, ChallengeKind::Http01, name).await;
        expect(row, &outcome, expected);
        if let Ok(evidence) = outcome {
            assert_eq!(
                evidence.addresses,
                ["127.0.0.1".parse::<IpAddr>().unwrap()],
                "{row}"
            );
        }
    }
}

#[tokio::test]
async fn what_the_dns_answers_decides() {
    let dns = Dns::start().await;
    let web = Web::start(|_| ok()).await;
    let good = |name: &str| dns.addresses(name, &["127.0.0.1"]);
    let failing = |name: &str, kind| dns.set(name, kind, Reply::Code(ResponseCode::ServFail));

    failing("servfail.test", RecordType::A);
    failing("servfail.test", RecordType::AAAA);
    good("half.test");
    failing("half.test", RecordType::AAAA);
    dns.addresses("empty.test", &[]);
    dns.addresses("emptyfail.test", &[]);
    failing("emptyfail.test", RecordType::A);
    good("target.test");
    for kind in [RecordType::A, RecordType::AAAA] {
        dns.set(
            "alias.test",
            kind,
            Reply::Records(vec![cname("alias.test", "target.test")]),
        );
        dns.set(
            "loop.test",
            kind,
            Reply::Records(vec![cname("loop.test", "loop.test")]),
        );
        dns.set("refused.test", kind, Reply::Code(ResponseCode::Refused));
    }
    let rows: [(&str, &str, &[&str]); 8] = [
        ("NXDOMAIN", "none.test", &["dns", "none.test", "NXDOMAIN"]),
        ("SERVFAIL", "servfail.test", &["dns", "SERVFAIL"]),
        ("REFUSED", "refused.test", &["dns", "REFUSED"]),
        (
            "one family fails, the other has an address",
            "half.test",
            &["valid"],
        ),
        (
            "no address",
            "empty.test",
            &["dns", "neither an A nor an AAAA record"],
        ),
        (
            "one family fails, the other is empty",
            "emptyfail.test",
            &["dns", "SERVFAIL"],
        ),
        ("an alias", "alias.test", &["valid"]),
        ("an alias of itself", "loop.test", &["dns"]),
    ];
    let validator = validator(config(&dns, web.port(), &LOOPBACK));
    for (row, name, expected) in rows {
        expect(
            row,
            &outcome(&validator, ChallengeKind::Http01, name).await,
            expected,
        );
    }
}

/// RFC 6761 section 6.3.
#[tokio::test]
async fn names_under_localhost_are_loopback_without_asking_and_still_guarded() {
    let dns = Dns::start().await;
    let web = Web::start(|_| ok()).await;
    let rows: [(&str, &[&str], &[&str]); 3] = [
        ("allowed", &["127.0.0.0/8", "::1/128"], &["valid"]),
        ("IPv4 only", &LOOPBACK, &["valid"]),
        ("not allowed", &[], &["connection", "none of its 2 addresses"]),
    ];
    for (row, allow, expected) in rows {
        let validator = validator(config(&dns, web.port(), allow));
        expect(
            row,
            &outcome(&validator, ChallengeKind::Http01, "tour.localhost").await,
            expected,
        );
    }
    assert_eq!(dns.questions(), []);
}
