//! Accounts (RFC 8555 section 7.3): opened, found, changed, closed.

use std::sync::{Arc, Barrier};

use portreeve_conformance::acme::{Account, Draft, Site, new_key, new_key_of};
use portreeve_wire::jose::Algorithm;
use serde_json::{Value, json};

#[test]
fn an_account_is_opened_with_its_contacts() {
    let client = Site::shared().client("default");
    let contact = json!(["mailto:one@accounts.test", "mailto:two@accounts.test"]);
    let wish = json!({"contact": contact, "termsOfServiceAgreed": true});
    let answer = client.post_with_key(&new_key(), &client.url("newAccount"), &wish);
    let account = answer.is(201);
    assert_eq!(account["status"], "valid");
    assert_eq!(account["contact"], contact);
    let orders = account["orders"].as_str().unwrap();
    assert!(orders.starts_with(&client.below("")), "{orders}");
    assert!(answer.location().starts_with(&client.below("")), "{answer}");
    assert!(account.get("key").is_none_or(Value::is_object), "{account}");
}

#[test]
fn accounts_of_every_algorithm_can_act() {
    let client = Site::shared().client("default");
    for algorithm in Algorithm::SIGNATURES {
        let account = Account::open_with(&client, Arc::new(new_key_of(algorithm)));
        assert_eq!(
            account.read(&account.url).is(200)["status"],
            "valid",
            "{algorithm}"
        );
        let name = format!("{}.accounts.test", algorithm.name().to_ascii_lowercase());
        assert_eq!(account.order(&[&name]).object["status"], "pending", "{algorithm}");
    }
}

#[test]
fn row_15_only_return_existing_opens_nothing() {
    let client = Site::shared().client("default");
    let (key, url) = (new_key(), client.url("newAccount"));
    let wish = json!({"onlyReturnExisting": true, "termsOfServiceAgreed": true});
    client
        .post_with_key(&key, &url, &wish)
        .is_problem(400, "accountDoesNotExist");
    client
        .post_with_key(&key, &url, &wish)
        .is_problem(400, "accountDoesNotExist");

    let account = Account::open_with(&client, Arc::new(key));
    let found = client.post_with_key(account.key.as_ref(), &url, &json!({"onlyReturnExisting": true}));
    assert_eq!(found.is(200)["status"], "valid");
    assert_eq!(found.location(), account.url);
}

#[test]
fn row_16_a_known_key_finds_its_account_and_changes_nothing() {
    let client = Site::shared().client("default");
    let key = new_key();
    let url = client.url("newAccount");
    let first = client.post_with_key(&key, &url, &json!({"contact": ["mailto:old@accounts.test"]}));
    let again = client.post_with_key(&key, &url, &json!({"contact": ["mailto:new@accounts.test"]}));
    let before = first.is(201);
    assert_eq!(again.is(200), before);
    assert_eq!(again.location(), first.location());
}

#[test]
fn one_key_opened_by_many_at_once_is_one_account() {
    let client = Site::shared().client("default");
    let key = new_key();
    let start = Barrier::new(6);
    let answers: Vec<_> = std::thread::scope(|scope| {
        // Made before anybody waits: who fails to make one must not keep the others at the barrier.
        let drafts: Vec<_> = (0..6)
            .map(|_| client.draft_with_key(&key, &client.url("newAccount"), &json!({})))
            .collect();
        let start = &start;
        let open = |draft: Draft<'_>| {
            start.wait();
            draft.send()
        };
        let threads: Vec<_> = drafts
            .into_iter()
            .map(|draft| scope.spawn(move || open(draft)))
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let locations: std::collections::BTreeSet<String> =
        answers.iter().map(|answer| answer.location()).collect();
    assert_eq!(locations.len(), 1, "{locations:?}");
    let created = answers.iter().filter(|answer| answer.status() == 201).count();
    let found = answers.iter().filter(|answer| answer.status() == 200).count();
    assert_eq!((created, found), (1, 5));
}

#[test]
fn the_same_key_is_another_account_at_another_endpoint() {
    let site = Site::shared();
    let key: Arc<dyn portreeve_conformance::acme::Signer> = Arc::new(new_key());
    let one = Account::open_with(&site.client("default"), Arc::clone(&key));
    let other = Account::open_with(&site.client("short"), key);
    assert_ne!(one.url, other.url);
}

#[test]
fn row_17_contacts_that_cannot_be_used() {
    let client = Site::shared().client("default");
    let many: Vec<String> = (0..11)
        .map(|number| format!("mailto:n{number}@accounts.test"))
        .collect();
    let long = format!("mailto:{}@accounts.test", "a".repeat(2000));
    let rows = [
        ("telephone", json!(["tel:+123456"]), "unsupportedContact"),
        (
            "web page",
            json!(["https://accounts.test/"]),
            "unsupportedContact",
        ),
        (
            "one of two",
            json!(["mailto:a@b.test", "tel:+1"]),
            "unsupportedContact",
        ),
        (
            "header fields",
            json!(["mailto:a@b.test?subject=x"]),
            "invalidContact",
        ),
        (
            "two addresses",
            json!(["mailto:a@b.test,c@b.test"]),
            "invalidContact",
        ),
        ("no address", json!(["mailto:"]), "invalidContact"),
        ("no domain", json!(["mailto:a"]), "invalidContact"),
        ("empty domain", json!(["mailto:a@"]), "invalidContact"),
        ("not ASCII", json!(["mailto:\u{e4}@b.test"]), "invalidContact"),
        ("line break", json!(["mailto:a@b.test\r\nx"]), "invalidContact"),
        ("very long", json!([long]), "invalidContact"),
        ("more than ten", json!(many), "malformed"),
        ("not a list", json!("mailto:a@b.test"), "malformed"),
        ("not texts", json!([1]), "malformed"),
    ];
    let account = Account::open(&client);
    for (name, contact, kind) in rows {
        let opened = client.post_with_key(
            &new_key(),
            &client.url("newAccount"),
            &json!({"contact": contact}),
        );
        let updated = account.post(&account.url, &json!({"contact": contact}));
        for answer in [opened, updated] {
            assert_eq!(answer.status(), 400, "{name}: {answer}");
            assert!(
                answer.json()["type"]
                    .as_str()
                    .unwrap()
                    .ends_with(&format!(":{kind}")),
                "{name}: {answer}"
            );
            answer.is_problem(400, kind);
        }
    }
    assert_eq!(
        account.read(&account.url).is(200)["contact"],
        json!([]),
        "nothing was changed"
    );
}

#[test]
fn row_17_an_empty_contact_is_refused() {
    let account = Site::shared().account();
    account
        .post(&account.url, &json!({"contact": [""]}))
        .is_problem(400, "invalidContact");
}

#[test]
fn contacts_are_replaced_and_removed() {
    let account = Site::shared().account();
    for contact in [
        json!(["mailto:a@accounts.test"]),
        json!(["mailto:b@accounts.test", "mailto:c@accounts.test"]),
        json!([]),
    ] {
        let updated = account.post(&account.url, &json!({"contact": contact})).is(200);
        assert_eq!(updated["contact"], contact);
        assert_eq!(account.read(&account.url).is(200), updated);
    }
    let ignored = json!({"status": "valid", "orders": "https://elsewhere.test/", "x": 1});
    let after = account.post(&account.url, &ignored).is(200);
    assert_eq!(after, account.read(&account.url).is(200));
    assert!(
        after["orders"]
            .as_str()
            .unwrap()
            .starts_with(&account.client.below("")),
        "{after}"
    );
}

/// RFC 8555 section 7.3.2: whatever else is said about the status is ignored.
#[test]
fn an_account_can_only_be_deactivated() {
    let account = Site::shared().account();
    for status in ["revoked", "pending", "x", ""] {
        assert_eq!(
            account.post(&account.url, &json!({"status": status})).is(200)["status"],
            "valid"
        );
    }
    account
        .post(&account.url, &json!({"status": 1}))
        .is_problem(400, "malformed");
    assert_eq!(account.read(&account.url).is(200)["status"], "valid");
}

#[test]
fn updates_at_once_all_succeed() {
    let account = Site::shared().account();
    let answers: Vec<_> = std::thread::scope(|scope| {
        let update = |number: usize| {
            let contact = json!([format!("mailto:n{number}@accounts.test")]);
            account.post(&account.url, &json!({"contact": contact}))
        };
        let threads: Vec<_> = (0..6).map(|number| scope.spawn(move || update(number))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    for answer in &answers {
        answer.is(200);
    }
    let last = account.read(&account.url).is(200);
    assert!(
        answers
            .iter()
            .any(|answer| answer.json()["contact"] == last["contact"]),
        "{last}"
    );
}

#[test]
fn a_deactivated_account_can_do_nothing() {
    let site = Site::shared();
    let account = site.account();
    let order = account.ready_order(site, &["deactivated.accounts.test"]);
    let closed = account
        .post(&account.url, &json!({"status": "deactivated"}))
        .is(200);
    assert_eq!(closed["status"], "deactivated");

    let csr = portreeve_conformance::acme::Csr::of(&["deactivated.accounts.test"]).sign(&new_key());
    let answers = [
        ("read", account.read(&account.url)),
        ("update", account.post(&account.url, &json!({"contact": []}))),
        (
            "reactivate",
            account.post(&account.url, &json!({"status": "valid"})),
        ),
        ("order", account.ask_order(&["more.accounts.test"])),
        ("read an order", account.read(&order.url)),
        ("authorization", account.read(&order.authorizations()[0])),
        ("finalize", account.finalize(&order, &csr)),
        ("change key", account.key_change(&new_key()).send(&new_key())),
        ("list", account.read(&format!("{}/orders", account.url))),
    ];
    for (name, answer) in answers {
        assert_eq!(answer.status(), 401, "{name}: {answer}");
        answer.is_problem(401, "unauthorized");
    }
    let url = account.client.url("newAccount");
    for wish in [json!({"onlyReturnExisting": true}), json!({})] {
        account
            .client
            .post_with_key(account.key.as_ref(), &url, &wish)
            .is_problem(401, "unauthorized");
    }
}

#[test]
fn a_payload_on_new_account_is_needed() {
    let client = Site::shared().client("default");
    let key = new_key();
    let url = client.url("newAccount");
    for payload in [&b""[..], b"[]", b"null"] {
        client
            .draft_with_key(&key, &url, &json!({}))
            .payload(payload)
            .send()
            .is_problem(400, "malformed");
    }
}
