//! The directory, fresh nonces, and what every answer has in common (RFC 8555 sections 6.1, 7.1.1 and 7.2).

use portreeve_conformance::acme::{Client, Site};
use serde_json::json;

const ENDPOINTS: [&str; 4] = ["default", "approval", "four-eyes", "short"];

#[test]
fn directory_names_what_works_and_nothing_else() {
    for endpoint in ENDPOINTS {
        let client = Site::shared().client(endpoint);
        let directory = client.directory().as_object().unwrap();
        let mut names: Vec<&str> = directory.keys().map(String::as_str).collect();
        names.sort_unstable();
        assert_eq!(
            names,
            [
                "keyChange",
                "meta",
                "newAccount",
                "newNonce",
                "newOrder",
                "revokeCert"
            ],
            "{endpoint}"
        );
        let meta = directory["meta"].as_object().unwrap();
        for absent in ["profiles", "renewalInfo", "caaIdentities", "termsOfService"] {
            assert!(!meta.contains_key(absent), "{endpoint}: {absent} in {meta:?}");
        }
        assert_ne!(
            meta.get("externalAccountRequired"),
            Some(&json!(true)),
            "{endpoint}"
        );
    }
}

#[test]
fn every_url_of_the_directory_lies_below_it_and_is_served() {
    for endpoint in ENDPOINTS {
        let client = Site::shared().client(endpoint);
        let base = client.below("");
        for (name, url) in client.directory().as_object().unwrap() {
            let Some(url) = url.as_str() else { continue };
            assert!(
                url.starts_with(&base) && url.starts_with("https://"),
                "{name}: {url}"
            );
            let answer = client.call("OPTIONS", url, &[("Origin", "https://browser.test")], b"");
            assert_eq!(answer.status(), 204, "{name}: {answer}");
        }
    }
}

#[test]
fn directory_is_json_without_an_index_link() {
    let client = Site::shared().client("default");
    let answer = client.call("GET", client.directory_url(), &[], b"");
    assert_eq!(
        (answer.status(), answer.header("content-type")),
        (200, Some("application/json")),
        "{answer}"
    );
    assert!(answer.links("index").is_empty(), "{answer}");
    let head = client.call("HEAD", client.directory_url(), &[], b"");
    assert_eq!((head.status(), head.body()), (200, &b""[..]), "{head}");
}

#[test]
fn directory_can_be_read_by_post_as_get() {
    let account = Site::shared().account();
    let answer = account.read(account.client.directory_url());
    assert_eq!(answer.status(), 200, "{answer}");
    assert_eq!(&answer.json(), account.client.directory());
    assert!(answer.nonce().is_some(), "{answer}");
}

#[test]
fn fresh_nonces_by_head_get_and_post_as_get() {
    let account = Site::shared().account();
    let client: &Client = &account.client;
    let url = client.url("newNonce");
    client.call("HEAD", &url, &[], b"").is_empty(200);
    client.call("GET", &url, &[], b"").is_empty(204);
    account.read(&url).is_empty(204);
}

#[test]
fn browsers_may_use_it() {
    let client = Site::shared().client("default");
    let origin = [("Origin", "https://browser.test")];
    let answers = [
        (
            "directory",
            client.call("GET", client.directory_url(), &origin, b""),
        ),
        (
            "nonce",
            client.call("HEAD", &client.url("newNonce"), &origin, b""),
        ),
        (
            "refusal",
            client.call("GET", &client.url("newOrder"), &origin, b""),
        ),
    ];
    for (name, answer) in &answers {
        assert_eq!(
            answer.header("access-control-allow-origin"),
            Some("*"),
            "{name}: {answer}"
        );
        let exposed = answer
            .header("access-control-expose-headers")
            .unwrap_or_default()
            .to_ascii_lowercase();
        for header in ["link", "location", "replay-nonce", "retry-after"] {
            assert!(
                exposed.split(", ").any(|word| word == header),
                "{name}: {header} in {answer}"
            );
        }
    }
    let asked = [
        origin[0],
        ("Access-Control-Request-Method", "POST"),
        ("Access-Control-Request-Headers", "content-type"),
    ];
    let preflight = client.call("OPTIONS", &client.url("newOrder"), &asked, b"");
    assert_eq!(preflight.status(), 204, "{preflight}");
    assert!(
        preflight
            .header("access-control-allow-methods")
            .unwrap_or_default()
            .contains("POST"),
        "{preflight}"
    );
    let allowed = preflight
        .header("access-control-allow-headers")
        .unwrap_or_default()
        .to_ascii_lowercase();
    assert!(allowed.contains("content-type"), "{preflight}");
}

#[test]
fn what_is_not_there_is_a_404_problem() {
    let account = Site::shared().account();
    for path in [
        "",
        "directory/",
        "new-authz",
        "renewal-info",
        "order",
        "order/1",
        "../default/new-order",
        "new-order/",
    ] {
        account
            .read(&account.client.below(path))
            .is_problem(404, "malformed");
    }
}

#[test]
fn an_endpoint_that_does_not_exist_is_404() {
    let client = Site::shared().client("default");
    let elsewhere = client.directory_url().replace("/default/", "/none/");
    let answer = client.call("GET", &elsewhere, &[], b"");
    assert_eq!(answer.status(), 404, "{answer}");
}

/// RFC 8555 section 6.1: HTTPS is required.
#[test]
fn nothing_is_served_over_plain_http() {
    let site = Site::shared();
    let crl = site.dev_text("/ca/crl");
    let base = crl.split("/crl/").next().unwrap();
    assert_eq!(site.fetch_plain(&crl).0, 200);
    for path in ["directory", "new-nonce", "new-order"] {
        assert_eq!(
            site.fetch_plain(&format!("{base}/acme/default/{path}")).0,
            404,
            "{path}"
        );
    }
}

#[test]
fn settings_of_meta_are_shown() {
    let site = Site::own(&[
        "acme.terms_of_service=\"https://ca.test/terms\"",
        "acme.website=\"https://ca.test/\"",
        "acme.caa_identities=[\"ca.test\"]",
    ]);
    let client = site.client("default");
    let meta = &client.directory()["meta"];
    assert_eq!(meta["termsOfService"], "https://ca.test/terms");
    assert_eq!(meta["website"], "https://ca.test/");
    assert_eq!(meta["caaIdentities"], json!(["ca.test"]));
    terms_must_be_agreed_to(&client);
}

/// RFC 8555 section 7.3: without agreement no account, with it the time is kept.
fn terms_must_be_agreed_to(client: &Client) {
    let key = portreeve_conformance::acme::new_key();
    let url = client.url("newAccount");
    for wish in [json!({}), json!({"termsOfServiceAgreed": false})] {
        let answer = client.post_with_key(&key, &url, &wish);
        answer.is_problem(403, "userActionRequired");
        assert_eq!(
            answer.links("terms-of-service"),
            ["https://ca.test/terms"],
            "{answer}"
        );
    }
    let account = client
        .post_with_key(&key, &url, &json!({"termsOfServiceAgreed": true}))
        .is(201);
    assert_eq!(account["termsOfServiceAgreed"], true);
}
