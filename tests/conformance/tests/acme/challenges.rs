//! Authorizations and challenges (RFC 8555 sections 7.1.4, 7.5 and 7.5.1).

use portreeve_conformance::acme::{Csr, Site, challenge, new_key};
use portreeve_harness::http01::{WebReply, challenge_path};
use serde_json::json;

#[test]
fn a_pending_authorization_and_its_challenges_say_when_to_come_back() {
    let account = Site::shared().account();
    let order = account.order(&["pending.challenges.test"]);
    let url = order.authorizations()[0].clone();
    let answer = account.read(&url);
    let authorization = answer.is(200);
    assert_eq!(authorization["status"], "pending");
    assert_eq!(
        authorization["identifier"],
        json!({"type": "dns", "value": "pending.challenges.test"})
    );
    assert!((1..=60).contains(&answer.retry_after()), "{answer}");
    for kind in ["http-01", "dns-01"] {
        let offered = challenge(&authorization, kind);
        let answer = account.read(offered["url"].as_str().unwrap());
        assert_eq!(&answer.is(200), offered);
        assert_eq!(offered["status"], "pending");
        assert_eq!(answer.links("up"), [url.as_str()], "{answer}");
        assert!((1..=60).contains(&answer.retry_after()), "{answer}");
    }
}

#[test]
fn a_challenge_is_answered_and_proves_the_name() {
    let site = Site::shared();
    let account = site.account();
    for kind in ["http-01", "dns-01"] {
        let name = format!("{kind}.challenges.test");
        let (url, authorization) = account.only_authorization(&account.order(&[&name]));
        let fulfilled = account.fulfil(site, &authorization, kind);
        let answer = account.answer_challenge(&fulfilled);
        let object = answer.is(200);
        assert_eq!(object["url"], fulfilled["url"], "{kind}");
        assert_eq!(object["type"], kind);
        assert_eq!(object["token"], fulfilled["token"]);
        assert!(
            ["processing", "valid"].contains(&object["status"].as_str().unwrap()),
            "{kind}: {object}"
        );
        if object["status"] == "processing" {
            assert!((1..=60).contains(&answer.retry_after()), "{answer}");
        }
        assert_eq!(answer.links("up"), [url.as_str()], "{answer}");

        let valid = account.poll(&url, "valid");
        assert!(valid["expires"].is_string(), "{valid}");
        let proven = challenge(&valid, kind);
        assert_eq!(proven["status"], "valid");
        assert!(proven["validated"].as_str().unwrap().ends_with('Z'), "{proven}");
        assert_eq!(
            valid["challenges"].as_array().unwrap().len(),
            1,
            "only the one that was validated: {valid}"
        );
        assert!(
            account.read(&url).header("retry-after").is_none(),
            "there is nothing to wait for"
        );
    }
}

#[test]
fn answering_what_is_decided_changes_nothing() {
    let site = Site::shared();
    let account = site.account();
    let (url, authorization) = account.only_authorization(&account.order(&["decided.challenges.test"]));
    let fulfilled = account.fulfil(site, &authorization, "http-01");
    account.answer_challenge(&fulfilled).is(200);
    let valid = account.poll(&url, "valid");
    let path = challenge_path(fulfilled["token"].as_str().unwrap());
    let asked = site.web().hits(&path).len();
    let again = account.answer_challenge(&fulfilled).is(200);
    assert_eq!(again["status"], "valid");
    assert_eq!(account.read(&url).is(200), valid);
    assert_eq!(site.web().hits(&path).len(), asked, "it was not looked at again");
}

#[test]
fn a_failed_challenge_shows_its_error_and_ends_the_authorization() {
    let site = Site::shared();
    let account = site.account();
    let (url, authorization) = account.only_authorization(&account.order(&["failed.challenges.test"]));
    let http = challenge(&authorization, "http-01").clone();
    account.answer_challenge(&http).is(200);
    let invalid = account.poll(&url, "invalid");
    let failed = challenge(&invalid, "http-01");
    assert_eq!(failed["status"], "invalid");
    assert_eq!(
        portreeve_conformance::acme::problem_type(&failed["error"]),
        "unauthorized"
    );
    assert!(
        !failed["error"]["detail"].as_str().unwrap().is_empty(),
        "{failed}"
    );

    let fulfilled = account.fulfil(site, &authorization, "dns-01");
    assert_eq!(account.answer_challenge(&fulfilled).is(200)["status"], "pending");
    assert_eq!(
        account.read(&url).is(200)["status"],
        "invalid",
        "there is no second try"
    );
}

#[test]
fn a_challenge_takes_an_object_and_nothing_else() {
    let account = Site::shared().account();
    let (url, authorization) = account.only_authorization(&account.order(&["payload.challenges.test"]));
    let http = challenge(&authorization, "http-01")["url"]
        .as_str()
        .unwrap()
        .to_owned();
    for payload in [&b"[]"[..], b"1", b"null", b"\"{}\"", b"{"] {
        account
            .draft_octets(&http, payload)
            .send()
            .is_problem(400, "malformed");
    }
    let unknown = http.replacen("http-01", "tls-alpn-01", 1);
    account.post(&unknown, &json!({})).is_problem(404, "malformed");
    assert_eq!(account.read(&url).is(200)["status"], "pending");
}

#[test]
fn row_36_of_two_answers_to_a_challenge_at_once_one_is_looked_at() {
    let site = Site::shared();
    let account = site.account();
    let (url, authorization) = account.only_authorization(&account.order(&["at-once.challenges.test"]));
    let fulfilled = account.fulfil(site, &authorization, "http-01");
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| scope.spawn(|| account.answer_challenge(&fulfilled).status()))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(statuses, [200; 4]);
    account.poll(&url, "valid");
    assert_eq!(
        site.web()
            .hits(&challenge_path(fulfilled["token"].as_str().unwrap()))
            .len(),
        1
    );
}

#[test]
fn a_response_for_another_account_does_not_count() {
    let site = Site::shared();
    let (account, other) = (site.account(), site.account());
    let (url, authorization) = account.only_authorization(&account.order(&["other-key.challenges.test"]));
    let http = challenge(&authorization, "http-01").clone();
    let foreign = other.key_authorization(&http).into_bytes();
    site.web()
        .set_challenge(http["token"].as_str().unwrap(), WebReply::Body(foreign));
    account.answer_challenge(&http).is(200);
    let invalid = account.poll(&url, "invalid");
    assert_eq!(
        portreeve_conformance::acme::problem_type(&challenge(&invalid, "http-01")["error"]),
        "unauthorized"
    );
}

#[test]
fn a_pending_authorization_expires() {
    let site = Site::own(&["acme.authorization_pending_lifetime=\"1s\""]);
    let account = site.account();
    let order = account.order(&["expires.challenges.test"]);
    let (url, authorization) = account.only_authorization(&order);
    account.poll(&url, "invalid");
    let fulfilled = account.fulfil(&site, &authorization, "http-01");
    account.answer_challenge(&fulfilled).is_problem(400, "malformed");
    assert_eq!(account.read(&order.url).is(200)["status"], "invalid");
    account
        .finalize(&order, &Csr::of(&["expires.challenges.test"]).sign(&new_key()))
        .is_problem(403, "orderNotReady");
}
