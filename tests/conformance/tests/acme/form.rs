//! Methods and the form of signed requests (RFC 8555 sections 6.2 and 6.3): rows 10 and 11.

use portreeve_conformance::acme::{Account, Answer, Site};
use serde_json::{Value, json};

fn account() -> Account {
    Site::shared().account()
}

#[test]
fn row_10_only_post_reads_what_is_private() {
    let account = account();
    let order = account.order(&["methods.envelope.test"]);
    let authorization = order.authorizations()[0].clone();
    let (_, object) = account.only_authorization(&order);
    let challenge = object["challenges"][0]["url"].as_str().unwrap().to_owned();
    let certificate = order.url.replacen("/order/", "/certificate/", 1);
    let rows = [
        account.url.clone(),
        format!("{}/orders", account.url),
        order.url.clone(),
        order.finalize(),
        authorization,
        challenge,
        certificate,
        account.client.url("newAccount"),
        account.client.url("newOrder"),
        account.client.url("keyChange"),
        account.client.url("revokeCert"),
    ];
    for url in rows {
        for method in ["GET", "PUT", "DELETE", "PATCH"] {
            let answer = account.client.call(method, &url, &[], b"");
            answer.is_problem(405, "malformed");
            let allow = answer.header("allow").unwrap_or_default();
            assert!(
                allow.contains("POST") && !allow.contains("GET"),
                "{method} {url}: Allow {allow:?}"
            );
        }
        assert_eq!(
            account.client.call("HEAD", &url, &[], b"").status(),
            405,
            "HEAD {url}"
        );
    }
    for url in [
        account.client.url("newNonce"),
        account.client.directory_url().to_owned(),
    ] {
        let answer = account.client.call("PUT", &url, &[], b"");
        assert_eq!(
            (answer.status(), answer.header("content-type")),
            (405, Some("application/problem+json")),
            "{answer}"
        );
    }
}

#[test]
fn row_11_only_the_flattened_form_is_read() {
    let account = account();
    let draft = account.draft_octets(&account.url, b"");
    let body = draft.body();
    let part = |name: &str| body[name].as_str().unwrap().to_owned();
    let signature = json!({"protected": part("protected"), "signature": part("signature")});
    let twice = json!([signature.clone(), signature.clone()]);
    let changed = |name: &str, value: Value| {
        draft.body_with(|members| {
            members.insert(name.to_owned(), value);
        })
    };
    let missing = |name: &str| {
        draft.body_with(|members| {
            members.remove(name);
        })
    };
    let rows = [
        ("general form", json!({"payload": "", "signatures": [signature]})),
        ("several signatures", json!({"payload": "", "signatures": twice})),
        ("both forms", changed("signatures", json!([]))),
        (
            "unprotected header",
            changed("header", json!({"kid": account.url})),
        ),
        ("empty unprotected header", changed("header", json!({}))),
        (
            "padded protected header",
            changed("protected", json!(format!("{}=", part("protected")))),
        ),
        (
            "padded signature",
            changed("signature", json!(format!("{}==", part("signature")))),
        ),
        (
            "standard alphabet",
            changed(
                "signature",
                json!(part("signature").replacen(['-', '_'], "+", 1) + "/"),
            ),
        ),
        (
            "white space",
            changed("signature", json!(format!("{}\n", part("signature")))),
        ),
        ("no protected header", missing("protected")),
        ("no payload", missing("payload")),
        ("no signature", missing("signature")),
        ("payload null", changed("payload", Value::Null)),
        (
            "protected header as an object",
            changed("protected", json!({"alg": "ES256"})),
        ),
        (
            "compact form",
            json!(format!("{}..{}", part("protected"), part("signature"))),
        ),
        ("a list", json!([body])),
    ];
    for (name, wrong) in rows {
        let answer = draft.send_body(&wrong);
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "malformed");
    }
    draft.send_body(&body).is(200);
}

#[test]
fn row_11_members_that_occur_twice_are_refused() {
    let account = account();
    let draft = account.draft_octets(&account.url, b"");
    let protected = draft.protected();
    let twice = protected.replacen('{', &format!("{{\"url\":\"{}\",", account.url), 1);
    draft
        .send_body(&draft.body_with_protected(&twice))
        .is_problem(400, "malformed");
    let body = draft.body().to_string();
    let twice = body.replacen('{', "{\"payload\":\"\",", 1);
    account
        .client
        .post(&account.url, twice.as_bytes())
        .is_problem(400, "malformed");

    let payload = br#"{"contact":[],"contact":["mailto:a@b.test"]}"#;
    account
        .draft_octets(&account.url, payload)
        .send()
        .is_problem(400, "malformed");
}

#[test]
fn row_11_critical_extensions_are_refused() {
    let account = account();
    let rows = [
        ("crit", json!(["b64"])),
        ("crit", json!([])),
        ("b64", json!(false)),
    ];
    for (name, value) in rows {
        account
            .draft_octets(&account.url, b"")
            .set(name, value)
            .send()
            .is_problem(400, "malformed");
    }
}

#[test]
fn unknown_header_members_are_ignored() {
    let account = account();
    let answer: Answer = account
        .draft_octets(&account.url, b"")
        .set("typ", "JOSE")
        .set("x", json!({"y": [1]}))
        .send();
    answer.is(200);
}

#[test]
fn payloads_that_are_no_object_are_malformed() {
    let account = account();
    let url = account.client.url("newOrder");
    for payload in [
        &b"[]"[..],
        b"1",
        b"\"x\"",
        b"null",
        b"{",
        b"{}x",
        b"\xff",
        b"{\"identifiers\": 1}",
        b" ",
    ] {
        account
            .draft_octets(&url, payload)
            .send()
            .is_problem(400, "malformed");
    }
}

#[test]
fn resources_that_are_only_read_take_no_payload() {
    let account = account();
    let order = account.order(&["payload.envelope.test"]);
    let rows = [
        order.url,
        format!("{}/orders", account.url),
        account.client.directory_url().to_owned(),
        account.client.url("newNonce"),
    ];
    for url in rows {
        let answer = account.post(&url, &json!({}));
        assert_eq!(answer.status(), 400, "{url}: {answer}");
        assert_eq!(
            answer.header("content-type"),
            Some("application/problem+json"),
            "{url}: {answer}"
        );
    }
}
