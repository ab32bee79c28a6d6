//! People who decide at a console that is nothing else: over HTTPS, each with a client certificate.

use portreeve_faults::fleet::Fleet;
use portreeve_harness::process::Finished;
use serde_json::Value;

/// Exit code of what is denied.
const DENIED: Option<i32> = Some(5);

/// Somebody else agrees to what the host has published, so that the host does not count as one of those who ask.
pub(crate) fn confirm(fleet: &Fleet) {
    let another = fleet.operator("another", "superadmin").unwrap();
    for (noun, name) in [
        ("endpoint", "acme/approval"),
        ("profile", "dev"),
        ("approval-policy", "one"),
    ] {
        let confirm = [noun, "confirm", name, "1", "--reason", "looked at"];
        let confirmed = fleet.as_operator(Some(&another), &confirm).unwrap();
        confirmed.success().unwrap();
    }
}

/// Two operators approve a request that needs two; neither the host, which wrote what it is judged by, nor one of them
/// twice, nor somebody without a certificate will do.
pub(crate) fn decide(fleet: &Fleet, id: &str) {
    let alice = fleet.operator("alice", "approver").unwrap();
    let bob = fleet.operator("bob", "approver").unwrap();
    let reader = fleet.operator("carol", "reader").unwrap();
    let who = fleet.as_operator(Some(&alice), &["whoami", "--output", "json"]);
    let who: Value = serde_json::from_str(&who.unwrap().success().unwrap().stdout).unwrap();
    assert_eq!(
        (who["principal"].as_str(), who["method"].as_str()),
        (Some(alice.principal().as_str()), Some("certificate"))
    );

    let approve = ["request", "approve", id, "--yes"];
    refused("nobody", fleet.as_operator(None, &approve).unwrap());
    refused("a reader", fleet.as_operator(Some(&reader), &approve).unwrap());
    let host = fleet.console().unwrap().control(&approve).unwrap();
    refused("the host, which wrote the endpoint", host);

    fleet
        .as_operator(Some(&alice), &approve)
        .unwrap()
        .success()
        .unwrap();
    let again = fleet
        .as_operator(Some(&alice), &approve)
        .unwrap()
        .failure()
        .unwrap();
    assert!(again.text().contains("decided_before"), "{}", again.text());
    let show = ["request", "show", id, "--output", "json"];
    let shown = fleet.as_operator(Some(&bob), &show).unwrap().success().unwrap();
    let shown: Value = serde_json::from_str(&shown.stdout).unwrap();
    assert_eq!(shown["state"], "awaiting_approval", "{shown}");
    let approved = fleet.as_operator(Some(&bob), &[&approve[..], &["--output", "json"]].concat());
    let approved: Value = serde_json::from_str(&approved.unwrap().success().unwrap().stdout).unwrap();
    let decisions = approved["proposal"]["decisions"].as_array().unwrap();
    let by: Vec<_> = decisions.iter().filter_map(|one| one["by"].as_str()).collect();
    assert_eq!(by, [alice.principal(), bob.principal()], "{approved}");
}

fn refused(who: &str, finished: Finished) {
    assert_eq!(finished.status.code(), DENIED, "{who}: {}", finished.text());
}
