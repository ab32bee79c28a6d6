//! An operator asks for a certificate and tries to agree to it: with a token, twice, through a registration of their own.

#![cfg(test)]

use portreeve_harness::clients::{Certbot, CertbotRelease};
use portreeve_harness::process::{Finished, Running};
use portreeve_interop::person::Person;
use portreeve_interop::{Site, names};
use serde_json::{Value, json};

/// Roles that `dev` ships: who decides, and who registers end entities and gives them secrets.
const BOTH: [&str; 2] = ["approver", "ra-officer"];

fn host(site: &Site, arguments: &[&str]) -> Finished {
    site.console().control(arguments).unwrap().success().unwrap()
}

/// What a command printed as JSON.
fn json_of(finished: Finished) -> Value {
    serde_json::from_str(&finished.success().unwrap().stdout).unwrap()
}

/// certbot, bound to a registration by an external account key; it waits for people.
fn ask(site: &Site, key: &Value, name: &str) -> (Certbot, Running, String) {
    let at = (&site.gateway, "four-eyes");
    let certbot = Certbot::new(CertbotRelease::Debian, at, &site.path(name)).unwrap();
    let text = |field: &str| key[field].as_str().unwrap().to_owned();
    let (kid, hmac) = (text("reference"), text("secret"));
    let binding = ["--eab-kid", &kid, "--eab-hmac-key", &hmac];
    let running = certbot.start_standalone(name, &binding).unwrap();
    let id = site.waiting_request().unwrap();
    (certbot, running, id)
}

/// Refused, and with this code.
fn assert_refused(refused: Finished, code: &str) {
    let refused = refused.failure().unwrap();
    assert!(refused.stderr.contains(code), "{code}: {}", refused.text());
}

fn assert_code(answer: (u16, Value), status: u16, code: &str) {
    assert_eq!(
        (answer.0, &answer.1["code"]),
        (status, &json!(code)),
        "{}",
        answer.1
    );
}

/// A token of this operator for one right, bound to their certificate or to nothing.
fn token(person: &Person<'_>, (scope, bound): (&str, bool)) -> (u16, Value) {
    let mut body = json!({"scopes": [scope]});
    if bound {
        body["bound_to"] = json!(person.key_sha256());
    }
    person.calls("tokens", &body).unwrap()
}

/// The account is bound to a registration that one of the approvers owns; the host has made registration and key.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn whoever_owns_the_request_cannot_approve_it_by_any_way_of_theirs() {
    let site = Site::start().unwrap();
    let alice = Person::with_roles(&site, "alice", &BOTH).unwrap();
    let (bob, carol) = (
        Person::with_roles(&site, "bob", &BOTH).unwrap(),
        Person::new(&site, "carol").unwrap(),
    );
    let owned = [
        "registration",
        "create",
        "web",
        "--allow",
        "own.test",
        "--owner",
        "operator:alice",
    ];
    host(&site, &owned);
    let key = json_of(host(&site, &["eab", "create", "web", "--output", "json"]));
    let (certbot, mut running, id) = ask(&site, &key, "own.test");
    let path = format!("requests/{id}/approve");
    let yes = json!({"comment": "fine"});

    // Her certificate, her tokens, her password's operator: one principal.
    assert_refused(alice.approve(&id, &[]).unwrap(), "excluded");
    assert_code(alice.calls(&path, &yes).unwrap(), 403, "excluded");
    assert_code(
        token(&alice, ("request.approve", false)),
        422,
        "scope_needs_certificate",
    );
    let bound = token(&alice, ("request.approve", true));
    assert_eq!(bound.0, 201, "{}", bound.1);
    let bound = bound.1["token"].as_str().unwrap();
    let beside = alice.calls_with_token((&path, &yes), (bound, true)).unwrap();
    assert_code(beside, 403, "excluded");
    let alone = alice.calls_with_token((&path, &yes), (bound, false)).unwrap();
    assert_code(alone, 401, "bad_credentials");
    let reading = token(&alice, ("request.read", false)).1;
    let reading = reading["token"].as_str().unwrap();
    let read = alice.calls_with_token((&path, &yes), (reading, true)).unwrap();
    assert_code(read, 403, "right_missing");
    // The host has made the registration and the key.
    assert_refused(
        site.console().control(&["request", "approve", &id]).unwrap(),
        "excluded",
    );
    assert!(running.is_running());

    bob.approve(&id, &[]).unwrap().success().unwrap();
    let second = token(&bob, ("request.approve", true)).1;
    let second = second["token"].as_str().unwrap();
    let clicked = bob.calls_with_token((&path, &yes), (second, true)).unwrap();
    assert_code(clicked, 409, "decided_before");
    assert_refused(bob.approve(&id, &[]).unwrap(), "decided_before");
    assert!(running.is_running(), "one of two is not enough");

    carol.approve(&id, &[]).unwrap().success().unwrap();
    running.finish().unwrap().success().unwrap();
    let certificate = certbot.lineage("own.test").unwrap();
    certificate.verify(&site.gateway).unwrap();
    assert_eq!(certificate.names, names(&["own.test"]));
    assert_turned_away(&site);
}

/// What was refused stands in the audit log, under whose name it was tried.
fn assert_turned_away(site: &Site) {
    let seen = portreeve_harness::process::until(
        "the refusals in the log",
        portreeve_harness::pace::PATIENCE,
        || {
            let listed = site
                .console()
                .control(&["audit", "events", "--limit", "200", "--output", "json"])?;
            let listed: Value = serde_json::from_str(&listed.success()?.stdout).unwrap();
            let items = listed["items"].as_array().unwrap();
            let refused = items.iter().filter(|item| {
                item["events"]
                    .as_array()
                    .unwrap()
                    .contains(&json!("operator.turned_away"))
            });
            let said: Vec<String> = refused
                .map(|item| format!("{} {}", item["actor"], item["reason"]))
                .collect();
            let tried = [
                ("operator:alice", "excluded"),
                ("operator:alice", "right_missing"),
                ("operator:bob", "decided_before"),
                ("host:root", "excluded"),
            ];
            let found =
                |(who, why): &(&str, &str)| said.iter().any(|said| said.contains(who) && said.contains(why));
            Ok(tried.iter().all(found).then_some(()))
        },
    );
    seen.unwrap();
}

/// She makes a registration in the name of somebody else, and the key that binds the account.
#[test]
#[ignore = "needs real clients: cargo xtask test --only interop"]
fn a_detour_through_a_registration_of_ones_own_is_refused() {
    let site = Site::start().unwrap();
    let alice = Person::with_roles(&site, "alice", &BOTH).unwrap();
    let (bob, carol) = (
        Person::with_roles(&site, "bob", &BOTH).unwrap(),
        Person::with_roles(&site, "carol", &BOTH).unwrap(),
    );
    let made = [
        "registration",
        "create",
        "detour",
        "--allow",
        "detour.test",
        "--owner",
        "operator:bob",
    ];
    alice.says(&made).unwrap().success().unwrap();
    let key = alice
        .says(&["eab", "create", "detour", "--output", "json"])
        .unwrap();
    let (_certbot, running, id) = ask(&site, &json_of(key), "detour.test");
    for person in [&alice, &bob] {
        assert_refused(person.approve(&id, &[]).unwrap(), "excluded");
    }
    let shown = json_of(host(&site, &["request", "show", &id, "--output", "json"]));
    let excluded: Vec<&str> = shown["proposal"]["excluded"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["principal"].as_str().unwrap())
        .collect();
    assert_eq!(excluded, ["operator:alice", "operator:bob"]);

    // She cannot confirm what she wrote; and when somebody else does, the key is still hers.
    assert_refused(
        alice.says(&["registration", "confirm", "detour"]).unwrap(),
        "not_authorized",
    );
    carol
        .says(&["registration", "confirm", "detour"])
        .unwrap()
        .success()
        .unwrap();
    assert_refused(alice.approve(&id, &[]).unwrap(), "excluded");

    carol.approve(&id, &[]).unwrap().success().unwrap();
    host(&site, &["request", "approve", &id]);
    running.finish().unwrap().success().unwrap();
}
