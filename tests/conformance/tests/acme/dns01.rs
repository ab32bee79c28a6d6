//! dns-01 (RFC 8555 section 8.4): row 34.

use portreeve_conformance::acme::{Account, Site, base64url, challenge, problem_type, set_txt};
use portreeve_harness::dns::{DnsReply, RecordKind};
use portreeve_pkix::sha256;
use serde_json::Value;

/// An order for one name, its challenge, and the record that would be right.
struct Attempt {
    account: Account,
    url: String,
    authorization: Value,
    right: String,
}

impl Attempt {
    #[track_caller]
    fn new(name: &str) -> Self {
        let account = Site::shared().account();
        let (url, authorization) = account.only_authorization(&account.order(&[name]));
        let key_authorization = account.key_authorization(challenge(&authorization, "dns-01"));
        Self {
            account,
            url,
            authorization,
            right: base64url(sha256(key_authorization.as_bytes())),
        }
    }

    fn publish(&self, values: &[&str]) {
        set_txt(Site::shared().dns(), &self.authorization, values);
    }

    #[track_caller]
    fn answer(&self) {
        self.account
            .answer_challenge(challenge(&self.authorization, "dns-01"))
            .is(200);
    }

    #[track_caller]
    fn succeeds(&self) {
        self.answer();
        self.account.poll(&self.url, "valid");
    }

    /// The type of the error it ends with.
    #[track_caller]
    fn fails(&self) -> String {
        self.answer();
        let invalid = self.account.poll(&self.url, "invalid");
        problem_type(&challenge(&invalid, "dns-01")["error"]).to_owned()
    }
}

#[test]
fn row_34_a_resolver_that_fails_is_a_dns_error() {
    let attempt = Attempt::new("servfail.dns01.test");
    Site::shared().dns().set(
        "_acme-challenge.servfail.dns01.test",
        RecordKind::Txt,
        DnsReply::Failure,
    );
    assert_eq!(attempt.fails(), "dns");
}

#[test]
fn row_34_a_resolver_that_is_silent_is_a_dns_error() {
    let attempt = Attempt::new("silent.dns01.test");
    Site::shared().dns().set(
        "_acme-challenge.silent.dns01.test",
        RecordKind::Txt,
        DnsReply::Silence,
    );
    assert_eq!(attempt.fails(), "dns");
}

#[test]
fn row_34_no_record_is_unauthorized() {
    let attempt = Attempt::new("none.dns01.test");
    assert_eq!(attempt.fails(), "unauthorized");
    assert!(
        Site::shared()
            .dns()
            .questions("_acme-challenge.none.dns01.test")
            .contains(&RecordKind::Txt)
    );
}

#[test]
fn row_34_wrong_records_are_unauthorized() {
    let attempt = Attempt::new("wrong.dns01.test");
    let (padded, quoted, lower) = (
        format!("{}=", attempt.right),
        format!("\"{}\"", attempt.right),
        attempt.right.to_ascii_lowercase(),
    );
    attempt.publish(&["", "other", &padded, &quoted, &lower, &attempt.right[1..]]);
    assert_eq!(attempt.fails(), "unauthorized");
}

#[test]
fn row_34_of_many_records_one_right_one_suffices() {
    let attempt = Attempt::new("many.dns01.test");
    attempt.publish(&["other", "v=spf1 -all", &attempt.right, "another"]);
    attempt.succeeds();
}

#[test]
fn row_34_an_alias_is_followed() {
    let attempt = Attempt::new("alias.dns01.test");
    let dns = Site::shared().dns();
    dns.set_cname("_acme-challenge.alias.dns01.test", "challenges.elsewhere.test");
    dns.set_txt("challenges.elsewhere.test", &[&attempt.right]);
    attempt.succeeds();
}

#[test]
fn row_34_a_wildcard_is_proven_at_its_base() {
    let attempt = Attempt::new("*.wild.dns01.test");
    attempt.publish(&[&attempt.right]);
    attempt.succeeds();
    let questions = Site::shared().dns().questions("_acme-challenge.wild.dns01.test");
    assert!(questions.contains(&RecordKind::Txt), "{questions:?}");
}

#[test]
fn row_34_a_record_at_the_name_itself_does_not_count() {
    let attempt = Attempt::new("bare.dns01.test");
    Site::shared().dns().set_txt("bare.dns01.test", &[&attempt.right]);
    assert_eq!(attempt.fails(), "unauthorized");
}

#[test]
fn row_34_a_record_for_http01_does_not_count() {
    let attempt = Attempt::new("mixed.dns01.test");
    let other = attempt
        .account
        .key_authorization(challenge(&attempt.authorization, "http-01"));
    let plain = attempt
        .account
        .key_authorization(challenge(&attempt.authorization, "dns-01"));
    attempt.publish(&[&base64url(sha256(other.as_bytes())), &plain]);
    assert_eq!(attempt.fails(), "unauthorized");
}
