//! Row 21: what belongs to somebody else looks exactly like what does not exist.

use portreeve_conformance::acme::{Answer, Csr, Site, base64url, new_key};
use serde_json::{Value, json};

#[test]
fn row_21_foreign_and_missing_objects_look_the_same() {
    let site = Site::shared();
    let (owner, stranger) = (site.account(), site.account());
    let issued = owner.issue(site, &["owned.isolation.test"], &new_key());
    let order = owner.order(&["open.isolation.test"]);
    let (authorization, object) = owner.only_authorization(&order);
    let challenge = object["challenges"][0]["url"].as_str().unwrap().to_owned();
    let certificate = issued.order.object["certificate"].as_str().unwrap().to_owned();
    let csr = json!({"csr": base64url(Csr::of(&["open.isolation.test"]).sign(&new_key()))});
    let rows: [(&str, String, Option<Value>); 8] = [
        ("order", order.url.clone(), None),
        ("finalize", order.finalize(), Some(csr.clone())),
        ("finalize of an issued order", issued.order.finalize(), Some(csr)),
        ("authorization", authorization.clone(), None),
        (
            "deactivate an authorization",
            authorization,
            Some(json!({"status": "deactivated"})),
        ),
        ("challenge", challenge.clone(), None),
        ("answer a challenge", challenge, Some(json!({}))),
        ("certificate", certificate, None),
    ];
    for (name, url, payload) in rows {
        let ask = |url: &str| {
            payload
                .as_ref()
                .map_or_else(|| stranger.read(url), |payload| stranger.post(url, payload))
        };
        let foreign = ask(&url);
        let missing = ask(&with_another_id(&url));
        assert_eq!(foreign.status(), 404, "{name}: {foreign}");
        assert_eq!(shape(&foreign), shape(&missing), "{name}");
        foreign.is_problem(404, "malformed");
    }
    assert_eq!(
        owner.read(&order.url).is(200)["status"],
        "pending",
        "nothing was changed"
    );
}

#[test]
fn row_21_a_foreign_account_is_out_of_reach() {
    let site = Site::shared();
    let (owner, stranger) = (site.account(), site.account());
    let urls = [owner.url.clone(), format!("{}/orders", owner.url)];
    for url in urls {
        for payload in [None, Some(json!({"status": "deactivated"}))] {
            let ask = |url: &str| {
                payload
                    .as_ref()
                    .map_or_else(|| stranger.read(url), |payload| stranger.post(url, payload))
            };
            let (foreign, missing) = (ask(&url), ask(&with_another_id(&url)));
            assert_eq!(foreign.status(), 404, "{url}: {foreign}");
            assert_eq!(shape(&foreign), shape(&missing), "{url}");
        }
    }
    assert_eq!(owner.read(&owner.url).is(200)["status"], "valid");
}

#[test]
fn row_21_objects_of_another_endpoint_are_not_there() {
    let site = Site::shared();
    let account = site.account();
    let order = account.order(&["elsewhere.isolation.test"]);
    let url = order.url.replacen("/default/", "/short/", 1);
    let other = portreeve_conformance::acme::Account::open_with(&site.client("short"), account.key);
    assert_eq!(
        other.read(&url).status(),
        other.read(&with_another_id(&url)).status()
    );
    other.read(&url).is_problem(404, "malformed");
}

/// Status and document: all that a stranger could compare.
fn shape(answer: &Answer) -> (u16, Value) {
    (answer.status(), answer.json())
}

/// The same URL with an id that was never given out.
fn with_another_id(url: &str) -> String {
    let id = url
        .split('/')
        .find(|part| part.len() == 36 && part.matches('-').count() == 4)
        .expect("an id");
    url.replacen(id, "019a0000-0000-7000-8000-00000000abcd", 1)
}
