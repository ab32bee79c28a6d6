//! Orders that wait for people: `processing` until somebody decides (RFC 8555 sections 7.1.6 and 7.4).

use portreeve_conformance::acme::{Account, Csr, Order, Site, new_key, problem_type};
use serde_json::Value;

/// An order at `approval` that is finalized and waits.
#[track_caller]
fn waiting(name: &str) -> (Account, Order) {
    let site = Site::shared();
    let account = Account::open(&site.client("approval"));
    let order = account.ready_order(site, &[name]);
    let answer = account.finalize(&order, &Csr::of(&[name]).sign(&new_key()));
    assert_eq!(answer.is(200)["status"], "processing", "{answer}");
    assert!((1..=600).contains(&answer.retry_after()), "{answer}");
    (account, order)
}

/// The id of the request for this name.
#[track_caller]
fn request_of(name: &str) -> String {
    let listed = Site::shared().control(&[
        "request",
        "list",
        "--state",
        "awaiting_approval",
        "--output",
        "json",
    ]);
    let listed: Value = serde_json::from_str(&listed.success().unwrap().stdout).unwrap();
    let mut ids = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["names"].as_str().unwrap().contains(name));
    let id = ids.next().unwrap_or_else(|| panic!("{name} is not in {listed}"))["id"]
        .as_str()
        .unwrap()
        .to_owned();
    assert!(ids.next().is_none(), "{listed}");
    id
}

#[track_caller]
fn decide(verb: &str, id: &str) {
    Site::shared()
        .control(&["request", verb, id, "--comment", "decided by a test"])
        .success()
        .unwrap();
}

#[test]
fn an_order_waits_and_becomes_valid_once_approved() {
    let (account, order) = waiting("approved.approval.test");
    let certificate = order.url.replacen("/order/", "/certificate/", 1);
    for _ in 0..3 {
        let polled = account.read(&order.url);
        assert_eq!(polled.is(200)["status"], "processing");
        assert!((1..=600).contains(&polled.retry_after()), "{polled}");
        account.read(&certificate).is_problem(404, "malformed");
    }
    decide("approve", &request_of("approved.approval.test"));
    let retrieved = account.retrieve(&order);
    assert_eq!(retrieved.order.object["status"], "valid");
    assert!(account.read(&order.url).header("retry-after").is_none());
}

#[test]
fn a_rejected_order_is_invalid_with_an_error() {
    let (account, order) = waiting("rejected.approval.test");
    decide("reject", &request_of("rejected.approval.test"));
    let object = account.poll(&order.url, "invalid");
    assert_eq!(problem_type(&object["error"]), "unauthorized", "{object}");
    assert!(
        !object["error"]["detail"].as_str().unwrap().is_empty(),
        "{object}"
    );
    assert!(object.get("certificate").is_none(), "{object}");
    let csr = Csr::of(&["rejected.approval.test"]).sign(&new_key());
    account.finalize(&order, &csr).is_problem(403, "orderNotReady");
}

#[test]
fn a_waiting_order_is_finalized_again_by_the_same_csr_alone() {
    let site = Site::shared();
    let name = "again.approval.test";
    let account = Account::open(&site.client("approval"));
    let order = account.ready_order(site, &[name]);
    let csr = Csr::of(&[name]).sign(&new_key());
    assert_eq!(account.finalize(&order, &csr).is(200)["status"], "processing");
    assert_eq!(account.finalize(&order, &csr).is(200)["status"], "processing");
    account
        .finalize(&order, &Csr::of(&[name]).sign(&new_key()))
        .is_problem(403, "orderNotReady");
    decide("approve", &request_of(name));
    account.retrieve(&order);
}

#[test]
fn one_person_alone_does_not_suffice_for_two() {
    let site = Site::shared();
    let name = "two.approval.test";
    let account = Account::open(&site.client("four-eyes"));
    let order = account.ready_order(site, &[name]);
    account
        .finalize(&order, &Csr::of(&[name]).sign(&new_key()))
        .is(200);
    let id = request_of(name);
    decide("approve", &id);
    site.control(&["request", "approve", &id]).failure().unwrap();
    assert_eq!(account.read(&order.url).is(200)["status"], "processing");
}

#[test]
fn a_decision_is_final() {
    let (account, order) = waiting("final.approval.test");
    let id = request_of("final.approval.test");
    decide("reject", &id);
    Site::shared()
        .control(&["request", "approve", &id])
        .failure()
        .unwrap();
    account.poll(&order.url, "invalid");
}
