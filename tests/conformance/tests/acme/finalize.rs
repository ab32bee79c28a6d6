//! Finalizing an order (RFC 8555 section 7.4): row 36.

use portreeve_conformance::acme::{Account, Csr, Order, Site, new_key, new_key_of};
use portreeve_wire::jose::Algorithm;

/// An account with an order of which everything is proven.
#[track_caller]
pub(crate) fn ready(names: &[&str]) -> (Account, Order) {
    let account = Site::shared().account();
    let order = account.ready_order(Site::shared(), names);
    (account, order)
}

#[test]
fn every_key_type_is_certified() {
    for algorithm in Algorithm::SIGNATURES {
        let name = format!("{}.finalize.test", algorithm.name().to_ascii_lowercase());
        let key = new_key_of(algorithm);
        let retrieved = Site::shared().account().issue(Site::shared(), &[&name], &key);
        assert_eq!(
            retrieved.leaf().public_key(),
            portreeve_wire::jose::SigningKey::public_key(&key),
            "{algorithm}"
        );
    }
}

#[test]
fn names_may_stand_in_the_common_name_too() {
    let name = "cn.finalize.test";
    for csr in [Csr::of(&[name]).common_name(name), Csr::of(&[]).common_name(name)] {
        let (account, order) = ready(&[name]);
        account.finalize(&order, &csr.sign(&new_key())).is(200);
        let certificate = account.retrieve(&order).leaf().clone();
        let names: Vec<String> = certificate.names().iter().map(ToString::to_string).collect();
        assert_eq!(names.len(), 1, "{names:?}");
        assert!(names[0].contains(name), "{names:?}");
    }
}

#[test]
fn row_36_finalizing_twice_gives_one_certificate() {
    let name = "twice.finalize.test";
    let (account, order) = ready(&[name]);
    let csr = Csr::of(&[name]).sign(&new_key());
    account.finalize(&order, &csr).is(200);
    let first = account.retrieve(&order);
    account.finalize(&order, &csr).is(200);
    account
        .finalize(&order, &Csr::of(&[name]).sign(&new_key()))
        .is_problem(403, "orderNotReady");
    assert_eq!(account.retrieve(&order).pem, first.pem);
}

#[test]
fn row_36_of_finalizes_at_once_comes_one_certificate() {
    let name = "at-once.finalize.test";
    let (account, order) = ready(&[name]);
    let (same, others) = (
        Csr::of(&[name]).sign(&new_key()),
        [(); 3].map(|()| Csr::of(&[name]).sign(&new_key())),
    );
    let requests: Vec<&Vec<u8>> = [&same, &same, &same].into_iter().chain(&others).collect();
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let finalize = |csr: &[u8]| {
            let answer = account.finalize(&order, csr);
            if answer.status() != 200 {
                answer.is_problem(403, "orderNotReady");
            }
            answer.status()
        };
        let threads: Vec<_> = requests
            .iter()
            .map(|csr| scope.spawn(move || finalize(csr)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(statuses.contains(&200), "{statuses:?}");
    let first = account.retrieve(&order);
    assert_eq!(account.retrieve(&order).pem, first.pem);
    let listed = Site::shared().control(&["request", "list", "--output", "json", "--limit", "200"]);
    let listed: serde_json::Value = serde_json::from_str(&listed.success().unwrap().stdout).unwrap();
    let about = listed["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|item| item["names"].as_str().unwrap().contains(name));
    let states: Vec<&str> = about.map(|item| item["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["issued"], "one request, and it is issued");
}
