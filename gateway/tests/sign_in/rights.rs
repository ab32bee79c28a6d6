//! Each right once allowed and once refused; versions and bad input.

use serde_json::{Value, json};

use super::*;

/// A call, and the right it needs.
const CALLS: &[(&str, &str, &str)] = &[
    ("request.read", "GET", "requests"),
    ("certificate.read", "GET", "certificates"),
    ("configuration.read", "GET", "profiles"),
    ("configuration.read", "GET", "endpoints"),
    ("configuration.read", "GET", "authorities"),
    ("configuration.write", "POST", "profiles"),
    ("operator.read", "GET", "operators"),
    ("operator.read", "GET", "operators/admin"),
    ("operator.read", "GET", "roles"),
    ("operator.read", "GET", "teams"),
    ("operator.read", "GET", "tokens?operator=*"),
    ("operator.write", "POST", "teams"),
    ("operator.write", "POST", "roles"),
    ("operator.write", "POST", "operators"),
    ("system.read", "GET", "health"),
    ("system.read", "GET", "incidents"),
    ("audit.read", "GET", "audit"),
    ("audit.read", "GET", "audit/events"),
    ("audit.read", "GET", "audit/checkpoints"),
    ("audit.read", "GET", "audit/proofs/01"),
    (
        "audit.erase",
        "POST",
        "requests/00000000-0000-7000-8000-000000000000/erase",
    ),
    (
        "request.resolve",
        "POST",
        "incidents/00000000000000000000000000000000/close",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn each_right_is_needed_and_is_enough() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running);
    let role = |rights: Vec<&str>| {
        let rights = json!(rights);
        json!({"body": format!("rights = {rights}\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"")})
    };
    let mut first = role(Vec::new());
    first["name"] = json!("tested");
    assert_eq!(admin.post("roles", first).await.status, 201);
    let eve = operator(&running, "eve", &["tested"]).await;
    let mut rights: Vec<&str> = CALLS.iter().map(|(right, ..)| *right).collect();
    rights.dedup();
    let all: Vec<&str> = portreeve_ra::Right::ALL
        .iter()
        .map(|right| right.as_str())
        .collect();
    let body = |path: &str| match path {
        "profiles" => json!({"name": "x", "body": "unreadable"}),
        "teams" | "roles" | "operators" => json!({"name": "x", "body": "unreadable"}),
        _ if path.ends_with("/close") || path.ends_with("/erase") => json!({"comment": "seen"}),
        _ => Value::Null,
    };
    for right in rights {
        let calls = || CALLS.iter().filter(|(needs, ..)| *needs == right);
        let put = admin.header("if-match", "*");
        assert_eq!(
            put.call("PUT", "roles/tested", &role(vec![right])).await.status,
            200
        );
        for (_, method, path) in calls() {
            let answer = eve.call(method, path, &body(path)).await;
            assert!(
                ![401, 403].contains(&answer.status),
                "{right} is enough for {method} {path}: {}",
                answer.body
            );
        }
        let others = all.iter().copied().filter(|other| *other != right).collect();
        assert_eq!(put.call("PUT", "roles/tested", &role(others)).await.status, 200);
        for (_, method, path) in calls() {
            let answer = eve.call(method, path, &body(path)).await;
            assert_problem(&answer, (403, "forbidden"), path);
            assert!(
                answer.body["detail"].as_str().unwrap().ends_with(right),
                "{}",
                answer.body
            );
        }
    }
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_made_on_the_version_that_was_looked_at() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running);
    let team = |title: &str| json!({"body": format!("title = \"{title}\"")});
    let bare = admin.call("PUT", "teams/net", &team("a")).await;
    assert_problem(&bare, (428, "precondition_required"), "no condition");
    let first = admin
        .header("if-none-match", "*")
        .call("PUT", "teams/net", &team("a"))
        .await;
    assert_eq!((first.status, first.header("etag")), (200, Some("\"v1\"")));
    let second = admin
        .header("if-match", "\"v1\"")
        .call("PUT", "teams/net", &team("b"))
        .await;
    assert_eq!((second.status, second.header("etag")), (200, Some("\"v2\"")));
    let stale = admin.header("if-match", "\"v1\"");
    for method in ["PUT", "DELETE"] {
        let answer = stale.call(method, "teams/net", &team("c")).await;
        assert_problem(&answer, (412, "precondition_failed"), method);
    }
    let read = admin.get("teams/net").await;
    assert_eq!(
        (read.header("etag"), &read.body["version"]),
        (Some("\"v2\""), &json!(2))
    );
    let current = admin.header("if-match", "\"v2\"");
    assert_eq!(
        current.call("DELETE", "teams/net", &Value::Null).await.status,
        204
    );
    assert_problem(&admin.get("teams/net").await, (404, "not_found"), "removed");
    assert_problem(
        &admin.get("requests?cursor=0a").await,
        (400, "bad_cursor"),
        "cursor",
    );
    assert_problem(
        &admin.get("requests?colour=red").await,
        (400, "malformed"),
        "unknown parameter",
    );
    let unknown = json!({"name": "x", "body": "title = \"x\"", "colour": 1});
    assert_problem(
        &admin.post("teams", unknown).await,
        (400, "malformed"),
        "unknown field",
    );
    let large = json!({"name": "x", "body": "x".repeat(200 * 1024)});
    assert_problem(&admin.post("teams", large).await, (413, "too_large"), "too large");
    let superadmin = json!({"name": "superadmin", "body": "rights = []"});
    assert_problem(
        &admin.post("roles", superadmin).await,
        (422, "object_rejected"),
        "built in",
    );
    let last = admin.post("operators/admin/disable", json!({})).await;
    assert_problem(&last, (409, "last_superadmin"), "the last superadmin");
    running.stop().await;
}
