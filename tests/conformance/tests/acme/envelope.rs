//! Signed requests (RFC 8555 sections 6.2 to 6.4): who signs what with which key. Rows 3 to 9.

use portreeve_conformance::acme::{Account, Site, base64url, new_key};
use serde_json::{Value, json};

fn account() -> Account {
    Site::shared().account()
}

#[test]
fn row_03_a_url_header_for_another_url_is_unauthorized() {
    let account = account();
    let by_name = account.url.replacen("127.0.0.1", "localhost", 1);
    let rows = [
        ("another resource", account.client.url("newOrder")),
        ("another host", by_name),
        ("another scheme", account.url.replacen("https://", "http://", 1)),
        ("with a query", format!("{}?a=b", account.url)),
        (
            "path alone",
            account.client.transport().target(&account.url).to_owned(),
        ),
        ("upper case", account.url.to_uppercase()),
        ("empty", String::new()),
    ];
    for (name, url) in rows {
        let answer = account.draft_octets(&account.url, b"").set("url", url).send();
        assert_eq!(answer.status(), 403, "{name}: {answer}");
        answer.is_problem(403, "unauthorized");
    }
    let url = account.client.url("newOrder");
    let moved = account.draft(&url, &json!({"identifiers": []})).to(&account.url);
    moved.send().is_problem(403, "unauthorized");
}

#[test]
fn row_03_the_host_header_does_not_matter() {
    let account = account();
    let body = account.draft_octets(&account.url, b"").body().to_string();
    let target = account.client.transport().target(&account.url);
    let octets = format!(
        "POST {target} HTTP/1.1\r\nHost: other.test\r\nContent-Type: application/jose+json\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    account.client.post_octets(octets.as_bytes()).unwrap().is(200);
}

#[test]
fn row_04_a_request_without_url_is_malformed() {
    let account = account();
    account
        .draft_octets(&account.url, b"")
        .without("url")
        .send()
        .is_problem(400, "malformed");
    account
        .draft_octets(&account.url, b"")
        .set("url", 7)
        .send()
        .is_problem(400, "malformed");
}

#[test]
fn row_05_jwk_and_kid_have_their_places() {
    let account = account();
    let new_account = account.client.url("newAccount");
    let rows = [
        (
            "jwk where kid is needed",
            account
                .draft_octets(&account.url, b"")
                .without("kid")
                .set("jwk", account.key.jwk()),
        ),
        ("kid on newAccount", account.draft(&new_account, &json!({}))),
        (
            "both",
            account
                .draft_octets(&account.url, b"")
                .set("jwk", account.key.jwk()),
        ),
        (
            "both on newAccount",
            account
                .draft(&new_account, &json!({}))
                .set("jwk", account.key.jwk()),
        ),
        ("neither", account.draft_octets(&account.url, b"").without("kid")),
        (
            "neither on newAccount",
            account.draft(&new_account, &json!({})).without("kid"),
        ),
        (
            "kid that is no string",
            account.draft_octets(&account.url, b"").set("kid", 1),
        ),
    ];
    for (name, draft) in rows {
        let answer = draft.send();
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "malformed");
    }
}

#[test]
fn row_06_other_signature_algorithms_are_named_back() {
    let account = account();
    for algorithm in ["none", "HS256", "RS1", "ES256K", "PS256", "es256", ""] {
        let answer = account
            .draft_octets(&account.url, b"")
            .set("alg", algorithm)
            .send();
        let problem = answer.is_problem(400, "badSignatureAlgorithm");
        let mut known: Vec<&str> = problem["algorithms"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(Value::as_str)
            .collect();
        known.sort_unstable();
        assert_eq!(
            known,
            ["ES256", "ES384", "ES512", "EdDSA", "RS256"],
            "{algorithm}"
        );
    }
}

#[test]
fn row_06_an_unsigned_request_is_refused_whatever_alg_says() {
    let account = account();
    let draft = account.draft_octets(&account.url, b"");
    let unsigned = draft.body_with(|members| {
        members.insert("signature".to_owned(), json!(""));
    });
    draft.send_body(&unsigned).is_problem(400, "malformed");
    let none = account.draft_octets(&account.url, b"").set("alg", "none");
    let unsigned = none.body_with(|members| {
        members.insert("signature".to_owned(), json!(""));
    });
    none.send_body(&unsigned).is_problem(400, "badSignatureAlgorithm");
}

#[test]
fn row_06_an_algorithm_that_does_not_fit_the_key_is_refused() {
    let account = account();
    for algorithm in ["ES384", "ES512", "EdDSA", "RS256"] {
        let answer = account
            .draft_octets(&account.url, b"")
            .set("alg", algorithm)
            .send();
        answer.is_problem(400, "malformed");
    }
}

#[test]
fn row_07_a_bad_signature_is_malformed() {
    let account = account();
    let other = new_key();
    let forged = account.with_key(std::sync::Arc::new(other));
    forged
        .draft_octets(&account.url, b"")
        .send()
        .is_problem(400, "malformed");

    let draft = account.draft(&account.url, &json!({"contact": []}));
    let changed_payload = draft.body_with(|members| {
        members.insert(
            "payload".to_owned(),
            json!(base64url(b"{\"status\":\"deactivated\"}")),
        );
    });
    draft.send_body(&changed_payload).is_problem(400, "malformed");

    let draft = account.draft_octets(&account.url, b"");
    let body = draft.body();
    let signature = body["signature"].as_str().unwrap();
    let first = if signature.starts_with('A') { "B" } else { "A" };
    for wrong in [
        format!("{first}{}", &signature[1..]),
        signature[..signature.len() - 4].to_owned(),
        base64url([0; 64]),
    ] {
        let changed = draft.body_with(|members| {
            members.insert("signature".to_owned(), json!(wrong));
        });
        draft.send_body(&changed).is_problem(400, "malformed");
    }
    account.read(&account.url).is(200);
}

#[test]
fn row_08_a_kid_that_names_no_account() {
    let account = account();
    let unknown = format!(
        "{}00000000-0000-7000-8000-000000000000",
        &account.url[..account.url.len() - 36]
    );
    account
        .draft_octets(&account.url, b"")
        .set("kid", unknown)
        .send()
        .is_problem(400, "accountDoesNotExist");
    let rows = [
        ("another host", account.url.replacen("127.0.0.1", "ca.test", 1)),
        (
            "another endpoint",
            account.url.replacen("/default/", "/short/", 1),
        ),
        ("the id alone", account.url.rsplit('/').next().unwrap().to_owned()),
        (
            "not an id",
            format!("{}x", &account.url[..account.url.len() - 36]),
        ),
        ("empty", String::new()),
    ];
    for (name, kid) in rows {
        let answer = account.draft_octets(&account.url, b"").set("kid", kid).send();
        assert_eq!(answer.status(), 400, "{name}: {answer}");
        answer.is_problem(400, "malformed");
    }
}

#[test]
fn row_08_an_account_of_one_endpoint_is_unknown_at_another() {
    let site = Site::shared();
    let account = account();
    let other = site.client("short");
    let kid = account.url.replacen("/default/", "/short/", 1);
    let stranger = Account {
        client: other,
        url: kid,
        ..account
    };
    stranger
        .read(&stranger.url)
        .is_problem(400, "accountDoesNotExist");
}

#[test]
fn row_09_the_content_type_must_be_jose_json() {
    let account = account();
    let body = account.draft_octets(&account.url, b"").body().to_string();
    let send = |headers: &[(&str, &str)]| {
        account
            .client
            .call("POST", &account.url, headers, body.as_bytes())
    };
    for wrong in [
        "application/json",
        "application/jose",
        "text/plain",
        "application/x-www-form-urlencoded",
        "",
    ] {
        send(&[("Content-Type", wrong)]).is_problem(415, "malformed");
    }
    send(&[]).is_problem(415, "malformed");
    send(&[("Content-Type", "application/jose+json")]).is(200);
}
