//! http-01 (RFC 8555 section 8.3): row 33.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use portreeve_conformance::acme::{Account, Site, challenge, problem_type};
use portreeve_harness::dns::{Data, DnsReply, RecordKind};
use portreeve_harness::http01::{WebReply, challenge_path};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// The test's web server answers there, and the gateway is told not to go there.
const DENIED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Makes a wrong answer of the right response.
type Spoil = fn(&[u8]) -> WebReply;

/// An order for one name, its challenge, and the response that would be right.
struct Attempt {
    account: Account,
    authorization: String,
    challenge: serde_json::Value,
    response: Vec<u8>,
}

impl Attempt {
    #[track_caller]
    fn new(name: &str) -> Self {
        let account = Site::shared().account();
        let (authorization, object) = account.only_authorization(&account.order(&[name]));
        let challenge = challenge(&object, "http-01").clone();
        let response = account.key_authorization(&challenge).into_bytes();
        Self {
            account,
            authorization,
            challenge,
            response,
        }
    }

    fn token(&self) -> &str {
        self.challenge["token"].as_str().unwrap()
    }

    fn path(&self) -> String {
        challenge_path(self.token())
    }

    fn reply(&self, reply: WebReply) {
        Site::shared().web().set_challenge(self.token(), reply);
    }

    #[track_caller]
    fn succeeds(&self) {
        self.account.answer_challenge(&self.challenge).is(200);
        self.account.poll(&self.authorization, "valid");
    }

    /// The type of the error it ends with.
    #[track_caller]
    fn fails(&self) -> String {
        self.account.answer_challenge(&self.challenge).is(200);
        let invalid = self.account.poll(&self.authorization, "invalid");
        problem_type(&challenge(&invalid, "http-01")["error"]).to_owned()
    }
}

fn elsewhere(name: &str, path: &str) -> String {
    format!("http://{name}:{}{path}", Site::shared().web().port())
}

#[test]
fn row_33_a_response_with_white_space_after_it_is_right() {
    let attempt = Attempt::new("blank.http01.test");
    attempt.reply(WebReply::Body(
        [attempt.response.as_slice(), b" \r\n\t\n"].concat(),
    ));
    attempt.succeeds();
}

#[test]
fn row_33_wrong_responses_are_unauthorized() {
    let rows: [(&str, Spoil); 6] = [
        ("empty", |_| WebReply::Body(Vec::new())),
        ("something before", |right| WebReply::Body([b"x", right].concat())),
        ("something after", |right| WebReply::Body([right, b"x"].concat())),
        ("upper case", |right| WebReply::Body(right.to_ascii_uppercase())),
        ("the token alone", |right| {
            WebReply::Body(right.split(|byte| *byte == b'.').next().unwrap().to_vec())
        }),
        ("an error page", |right| {
            WebReply::Raw([b"HTTP/1.1 500 Oh\r\nContent-Length: 87\r\n\r\n", right].concat())
        }),
    ];
    for (name, reply) in rows {
        let attempt = Attempt::new("wrong.http01.test");
        attempt.reply(reply(&attempt.response));
        assert_eq!(attempt.fails(), "unauthorized", "{name}");
    }
}

#[test]
fn row_33_a_long_body_is_refused_although_it_begins_rightly() {
    for blanks in [200, 1 << 20] {
        let attempt = Attempt::new("long.http01.test");
        attempt.reply(WebReply::Body(
            [attempt.response.as_slice(), &vec![b' '; blanks]].concat(),
        ));
        let kind = attempt.fails();
        assert!(kind == "unauthorized" || kind == "connection", "{blanks}: {kind}");
    }
}

#[test]
fn row_33_a_server_that_stalls_is_given_up() {
    let attempt = Attempt::new("stall.http01.test");
    attempt.reply(WebReply::Stall);
    assert_eq!(attempt.fails(), "connection");
}

#[test]
fn row_33_a_server_that_speaks_only_http2_is_a_connection_error() {
    let attempt = Attempt::new("http2.http01.test");
    // An empty SETTINGS frame, and GOAWAY.
    let frames = [
        0, 0, 0, 4, 0, 0, 0, 0, 0, 0, 0, 8, 7, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1,
    ];
    attempt.reply(WebReply::Raw(frames.to_vec()));
    assert_eq!(attempt.fails(), "connection");
}

#[test]
fn row_33_a_name_without_addresses_is_a_dns_error() {
    Site::shared().dns().set_addresses("nowhere.http01.test", &[]);
    assert_eq!(Attempt::new("nowhere.http01.test").fails(), "dns");
}

#[test]
fn row_33_after_an_ipv6_address_that_does_not_answer_comes_ipv4() {
    Site::shared()
        .dns()
        .set_addresses("both.http01.test", &[IpAddr::V6(Ipv6Addr::LOCALHOST), LOOPBACK]);
    let attempt = Attempt::new("both.http01.test");
    attempt.reply(WebReply::Body(attempt.response.clone()));
    attempt.succeeds();
    let hits = Site::shared().web().hits(&attempt.path());
    assert_eq!(hits.iter().map(|hit| hit.to).collect::<Vec<_>>(), [LOOPBACK]);
}

#[test]
fn row_33_a_name_at_a_denied_address_is_not_asked() {
    for addresses in [
        [DENIED].as_slice(),
        &[IpAddr::from([169, 254, 169, 254])],
        &[IpAddr::from([0, 0, 0, 0])],
    ] {
        Site::shared()
            .dns()
            .set_addresses("denied.http01.test", addresses);
        let attempt = Attempt::new("denied.http01.test");
        attempt.reply(WebReply::Body(attempt.response.clone()));
        let kind = attempt.fails();
        assert!(
            ["connection", "dns", "unauthorized"].contains(&kind.as_str()),
            "{addresses:?}: {kind}"
        );
        assert!(
            Site::shared().web().hits(&attempt.path()).is_empty(),
            "{addresses:?}"
        );
    }
}

#[test]
fn row_33_a_redirect_to_a_good_name_is_followed() {
    for status in [301, 302, 307, 308] {
        let attempt = Attempt::new("moved.http01.test");
        let path = format!("/moved/{}", attempt.token());
        attempt.reply(WebReply::Redirect(status, elsewhere("target.http01.test", &path)));
        Site::shared()
            .web()
            .set(&path, WebReply::Body(attempt.response.clone()));
        attempt.succeeds();
        assert_eq!(Site::shared().web().hits(&path).len(), 1, "{status}");
    }
}

#[test]
fn row_33_the_address_behind_a_redirect_is_checked_again() {
    Site::shared().dns().set_addresses("inner.http01.test", &[DENIED]);
    let attempt = Attempt::new("outer.http01.test");
    let path = format!("/inner/{}", attempt.token());
    attempt.reply(WebReply::Redirect(302, elsewhere("inner.http01.test", &path)));
    Site::shared()
        .web()
        .set(&path, WebReply::Body(attempt.response.clone()));
    let kind = attempt.fails();
    assert!(
        ["connection", "dns", "unauthorized"].contains(&kind.as_str()),
        "{kind}"
    );
    assert_eq!(
        Site::shared().web().hits(&attempt.path()).len(),
        1,
        "the first hop was made"
    );
    assert!(Site::shared().web().hits(&path).is_empty(), "the second was not");
}

#[test]
fn row_33_a_name_that_changes_its_address_between_hops_is_caught() {
    let turn = |address| DnsReply::Records(vec![Data::Address(address)]);
    Site::shared().dns().set_turns(
        "rebinds.http01.test",
        RecordKind::A,
        vec![turn(LOOPBACK), turn(DENIED)],
    );
    let attempt = Attempt::new("rebinds.http01.test");
    let path = format!("/rebound/{}", attempt.token());
    attempt.reply(WebReply::Redirect(302, elsewhere("rebinds.http01.test", &path)));
    Site::shared()
        .web()
        .set(&path, WebReply::Body(attempt.response.clone()));
    attempt.fails();
    let hits = Site::shared().web().hits(&path);
    assert!(hits.iter().all(|hit| hit.to != DENIED), "{hits:?}");
}

#[test]
fn row_33_redirects_that_lead_astray_are_not_followed() {
    let port = Site::shared().web().port();
    let rows = [
        ("IP literal", format!("http://127.0.0.1:{port}/astray")),
        ("another port", "http://target.http01.test:22/astray".to_owned()),
        ("another scheme", "ftp://target.http01.test/astray".to_owned()),
        ("file", "file:///etc/passwd".to_owned()),
        ("no URL", "http://".to_owned()),
        (
            "user name",
            format!("http://user:secret@target.http01.test:{port}/astray"),
        ),
    ];
    for (name, to) in rows {
        let attempt = Attempt::new("astray.http01.test");
        Site::shared()
            .web()
            .set("/astray", WebReply::Body(attempt.response.clone()));
        attempt.reply(WebReply::Redirect(302, to));
        let kind = attempt.fails();
        assert!(
            ["connection", "unauthorized", "malformed"].contains(&kind.as_str()),
            "{name}: {kind}"
        );
    }
}

#[test]
fn row_33_endless_redirects_end() {
    let attempt = Attempt::new("endless.http01.test");
    attempt.reply(WebReply::Redirect(
        302,
        elsewhere("endless.http01.test", &attempt.path()),
    ));
    attempt.fails();
    let hits = Site::shared().web().hits(&attempt.path()).len();
    assert!((2..=21).contains(&hits), "{hits} requests");
}
