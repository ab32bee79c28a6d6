//! Operators sign in from outside, over real TLS, and may do what their roles and tokens say.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod caller;
mod certificates;
mod configuration;
mod described;
#[path = "../dev/mod.rs"]
mod dev;
mod guarded;
mod program;
mod rights;
mod shipped;
mod teams;

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use portreeve::{ControlClient, Running, start};
use portreeve_ra::{AccessEvent, Event, StreamKind};
use serde_json::{Value, json};

use caller::{Answer, Caller};
use dev::{PROGRAM, home};

const PASSWORD: &str = "correct horse battery";

async fn gateway(data_dir: &Path, settings: &[&str]) -> Running {
    start(dev::options(data_dir, settings)).await.unwrap()
}

/// The operator of `dev`, with the token.
fn admin(running: &Running) -> Caller {
    let part = running.manifest().unwrap().admin.as_ref().unwrap();
    Caller::new(running).token(&std::fs::read_to_string(&part.token_file).unwrap())
}

/// Makes an operator with these roles and a password.
async fn operator(running: &Running, name: &str, roles: &[&str]) -> Caller {
    let admin = admin(running);
    let body = json!({"name": name, "body": format!("roles = {}", json!(roles))});
    let made = admin.post("operators", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let password = json!({"password": PASSWORD});
    let set = admin
        .call("PUT", &format!("operators/{name}/password"), &password)
        .await;
    assert_eq!(set.status, 204, "{}", set.body);
    Caller::new(running).password(name, PASSWORD)
}

async fn token(caller: &Caller, body: Value) -> String {
    let made = caller.post("tokens", body).await;
    assert_eq!(made.status, 201, "{}", made.body);
    made.body["token"].as_str().unwrap().to_owned()
}

fn assert_problem(answer: &Answer, expected: (u16, &str), row: &str) {
    assert_eq!(answer.problem(), expected, "{row}: {}", answer.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_files_of_dev_sign_in_and_survive_a_restart() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let part = running.manifest().unwrap().admin.clone().unwrap();
    let password = std::fs::read_to_string(&part.password_file).unwrap();
    for file in [&part.password_file, &part.token_file] {
        let mode = std::fs::metadata(file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "{}", file.display());
    }
    let who = Caller::new(&running)
        .password("admin", &password)
        .get("whoami")
        .await;
    assert_eq!((who.status, &who.body["method"]), (200, &json!("password")));
    assert!(who.header("strict-transport-security").is_some(), "{}", who.head);
    assert_eq!(who.header("cache-control"), Some("no-store"));
    // The token may even change operators, which no other token may.
    assert_eq!(
        admin(&running)
            .post("teams", json!({"name": "net", "body": "title = \"N\""}))
            .await
            .status,
        201
    );
    assert_problem(
        &Caller::new(&running).get("whoami").await,
        (401, "no_principal"),
        "nobody",
    );
    let foreign = admin(&running)
        .header("sec-fetch-site", "cross-site")
        .get("whoami")
        .await;
    assert_problem(&foreign, (403, "reserved"), "the page of another site");
    let description = Caller::new(&running).get("openapi.json").await;
    assert_eq!(description.body["openapi"], "3.1.0");
    running.stop().await;

    let running = gateway(directory.path(), &[]).await;
    assert_eq!(running.manifest().unwrap().admin.as_ref(), Some(&part));
    assert_eq!(std::fs::read_to_string(&part.password_file).unwrap(), password);
    assert_eq!(admin(&running).get("whoami").await.status, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_do_what_their_scopes_say_until_they_are_over() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let alice = operator(&running, "alice", &["ra-officer"]).await;
    let text = token(
        &alice,
        json!({"scopes": ["request.read"], "label": "ci", "expires_in": 3600}),
    )
    .await;
    let holder = Caller::new(&running).token(&text);
    assert_eq!(holder.get("whoami").await.body["rights"], json!(["request.read"]));
    assert_eq!(holder.get("requests").await.status, 200);
    let outside = holder.get("certificates").await;
    assert_problem(&outside, (403, "forbidden"), "outside its scopes");
    assert!(
        outside.body["detail"]
            .as_str()
            .unwrap()
            .contains("certificate.read")
    );
    let more = holder.post("tokens", json!({"scopes": ["request.read"]})).await;
    assert_problem(&more, (403, "forbidden"), "a token makes no tokens");
    let password = json!({"password": "another long password"});
    let changed = holder.call("PUT", "operators/alice/password", &password).await;
    assert_problem(&changed, (403, "forbidden"), "nor passwords");
    for scope in [
        "request.approve",
        "secret.write",
        "configuration.write",
        "operator.write",
    ] {
        let grave = alice.post("tokens", json!({"scopes": [scope]})).await;
        assert_problem(&grave, (422, "scope_needs_certificate"), scope);
    }
    let rows = [
        ("unknown scope", json!({"scopes": ["*"]}), (400, "malformed")),
        ("no scope", json!({"scopes": []}), (422, "object_rejected")),
        (
            "unknown field",
            json!({"scopes": ["request.read"], "colour": 1}),
            (400, "malformed"),
        ),
        (
            "too long",
            json!({"scopes": ["request.read"], "expires_in": 400 * 86_400}),
            (422, "object_rejected"),
        ),
        (
            "for another",
            json!({"scopes": ["request.read"], "operator": "admin"}),
            (403, "forbidden"),
        ),
    ];
    for (row, body, expected) in rows {
        assert_problem(&alice.post("tokens", body).await, expected, row);
    }
    let listed = alice.get("tokens").await;
    let [row] = listed.body["items"].as_array().unwrap().as_slice() else {
        panic!("{}", listed.body)
    };
    assert_eq!((&row["label"], &row["state"]), (&json!("ci"), &json!("live")));
    // The secret is base64url, in which `_` is a digit too.
    let secret = text.splitn(3, '_').nth(2).unwrap();
    assert!(!listed.body.to_string().contains(secret));
    assert_problem(
        &alice.get("tokens?operator=*").await,
        (200, ""),
        "an officer may read those of others",
    );

    // What a token may do is never more than its owner may at the time.
    let demoted = json!({"body": "roles = []"});
    let put = admin(&running)
        .header("if-match", "*")
        .call("PUT", "operators/alice", &demoted)
        .await;
    assert_eq!(put.status, 200, "{}", put.body);
    assert_problem(
        &holder.get("requests").await,
        (403, "forbidden"),
        "its owner lost the role",
    );
    let id = row["id"].as_str().unwrap();
    assert_eq!(
        alice
            .call("DELETE", &format!("tokens/{id}"), &Value::Null)
            .await
            .status,
        204
    );
    assert_problem(&holder.get("whoami").await, (401, "bad_credentials"), "revoked");
    let wrong = format!("{}A", &text[..text.len() - 1]);
    let wrong = if wrong == text {
        format!("{}B", &text[..text.len() - 1])
    } else {
        wrong
    };
    let answer = Caller::new(&running).token(&wrong).get("whoami").await;
    assert_problem(&answer, (401, "bad_credentials"), "another secret");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_locked_after_wrong_passwords_and_nobody_learns_which_names_there_are() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let right = operator(&running, "bob", &["reader"]).await;
    assert_eq!(right.get("requests").await.status, 200);
    let wrong = Caller::new(&running).password("bob", "wrong");
    let nobody = Caller::new(&running).password("nobody", "wrong");
    let (known, unknown) = (wrong.get("whoami").await, nobody.get("whoami").await);
    assert_eq!(known.body, unknown.body, "one answer for both");
    for _ in 1..10 {
        assert_problem(&wrong.get("whoami").await, (401, "bad_credentials"), "wrong");
    }
    assert_problem(&right.get("whoami").await, (401, "bad_credentials"), "locked");
    let store = running.ra().store();
    let streams = store.streams(StreamKind::Access, None, 200).await.unwrap().items;
    let mut locked = 0;
    for stream in streams {
        let records = store.load(&[stream]).await.unwrap();
        let events = records[0][0].events().unwrap();
        let named = Event::Access(AccessEvent::Locked {
            name: "bob".to_owned(),
        });
        if events == [named] {
            locked += 1;
            assert!(records[0][0].header().origin.address.is_some());
        }
    }
    assert_eq!(locked, 1, "one event for the lock");
    // The other ways stay open, and other names do.
    assert_eq!(admin(&running).get("whoami").await.status, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_operator_comes_from_a_credential_that_is_good_once() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let remote = admin(&running).post("operators/root/bootstrap", json!({})).await;
    assert_problem(&remote, (403, "reserved"), "only on the host");
    let host = ControlClient::new(running.control_socket());
    let made: Value = host
        .post("/api/v1/operators/root/bootstrap", &json!({}))
        .await
        .unwrap();
    let file = Path::new(made["file"].as_str().unwrap());
    assert_eq!(
        std::fs::metadata(file).unwrap().permissions().mode() & 0o777,
        0o600
    );
    let credential = Caller::new(&running).token(&std::fs::read_to_string(file).unwrap());
    let who = credential.get("whoami").await;
    assert_eq!(
        (&who.body["method"], &who.body["rights"]),
        (&json!("bootstrap"), &json!([]))
    );
    assert_problem(
        &credential.get("requests").await,
        (403, "forbidden"),
        "it gives no right",
    );
    let password = |text: &str| json!({"password": text});
    let other = credential
        .call("PUT", "operators/admin/password", &password(PASSWORD))
        .await;
    assert_problem(&other, (403, "forbidden"), "for its own name alone");
    let short = credential
        .call("PUT", "operators/root/password", &password("short"))
        .await;
    assert_problem(&short, (422, "object_rejected"), "and it is not spent by that");
    assert!(file.exists());
    let set = credential
        .call("PUT", "operators/root/password", &password(PASSWORD))
        .await;
    assert_eq!(set.status, 204, "{}", set.body);
    assert!(!file.exists(), "the file goes with its first use");
    let again = credential
        .call("PUT", "operators/root/password", &password("another long one"))
        .await;
    assert_problem(&again, (401, "bad_credentials"), "a second time");
    let root = Caller::new(&running)
        .password("root", PASSWORD)
        .get("whoami")
        .await;
    assert_eq!(root.body["roles"], json!(["superadmin"]));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_post_with_a_key_is_done_once() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running);
    let keyed = admin.header("idempotency-key", "k1");
    let body = json!({"name": "net", "body": "title = \"Network\""});
    let first = keyed.post("teams", body.clone()).await;
    assert_eq!(first.status, 201, "{}", first.body);
    let again = keyed.post("teams", body.clone()).await;
    assert_eq!((again.status, &again.body), (201, &first.body));
    assert_eq!(again.header("idempotency-replayed"), Some("true"));
    assert_problem(
        &admin.post("teams", body.clone()).await,
        (409, "exists"),
        "without the key",
    );
    let other = json!({"name": "web", "body": "title = \"Web\""});
    assert_problem(
        &keyed.post("teams", other.clone()).await,
        (422, "idempotency_key_reused"),
        "another body",
    );
    let elsewhere = keyed.post("roles", body.clone()).await;
    assert_problem(&elsewhere, (422, "idempotency_key_reused"), "another resource");
    let trial = keyed.post("teams?dry_run=true", body).await;
    assert_problem(&trial, (422, "idempotency_key_reused"), "another question");
    // Another principal has keys of its own, and what failed leaves its key free.
    let eve = operator(&running, "eve", &[])
        .await
        .header("idempotency-key", "k1");
    assert_problem(&eve.post("teams", other.clone()).await, (403, "forbidden"), "eve");
    let failed = admin.header("idempotency-key", "k2");
    let unreadable = json!({"name": "web", "body": "colour = 1"});
    assert_problem(
        &failed.post("teams", unreadable).await,
        (422, "object_rejected"),
        "unreadable",
    );
    assert_eq!(failed.post("teams", other).await.status, 201);
    let secret = admin.header("idempotency-key", "k3");
    let wanted = json!({"scopes": ["request.read"]});
    assert_eq!(secret.post("tokens", wanted.clone()).await.status, 201);
    assert_problem(
        &secret.post("tokens", wanted).await,
        (409, "secret_shown_before"),
        "not kept",
    );
    let bad = admin.header("idempotency-key", &"x".repeat(129));
    assert_problem(
        &bad.post("teams", json!({})).await,
        (400, "malformed"),
        "too long a key",
    );
    running.stop().await;
}
