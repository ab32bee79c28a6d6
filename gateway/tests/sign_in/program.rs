//! The real program, over HTTPS and on the host.

use std::process::Output;

use serde_json::json;

use super::*;

/// Runs the program; the gateway lives in this process and goes on answering meanwhile.
async fn run(arguments: Vec<String>) -> Output {
    let mut command = std::process::Command::new(PROGRAM);
    command
        .args(arguments)
        .args(["--output", "json"])
        .stdin(std::process::Stdio::null());
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

async fn done(arguments: Vec<String>) -> Value {
    let output = run(arguments.clone()).await;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{arguments:?}: {said}");
    serde_json::from_slice(&output.stdout).unwrap_or_default()
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_work_on_the_host_and_from_elsewhere() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let manifest = running.manifest().unwrap();
    let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
    let host = |verb: &str| {
        let mut all = words(verb);
        all.extend([
            "--socket".to_owned(),
            running.control_socket().to_str().unwrap().to_owned(),
        ]);
        all
    };
    let admin = manifest.admin.as_ref().unwrap();
    let elsewhere = |verb: &str, more: &[&str]| {
        let mut all = words(verb);
        let root = manifest.tls_root.to_str().unwrap();
        all.extend(["--url", &admin.url, "--ca", root].map(str::to_owned));
        all.extend(more.iter().map(|word| (*word).to_owned()));
        all
    };
    assert_eq!(done(host("whoami")).await["principal"], "host:root");
    let made = done(host("operator create alice --role ra-officer --title Alice")).await;
    assert_eq!(
        (&made["title"], &made["has_password"]),
        (&json!("Alice"), &json!(false))
    );
    let boot = done(host("operator bootstrap alice")).await;
    let credential = boot["file"].as_str().unwrap().to_owned();

    // With the one-time credential alice has a certificate issued for her own key.
    let key = rcgen::KeyPair::generate().unwrap();
    let request = rcgen::CertificateParams::new(Vec::<String>::new()).unwrap();
    let request = request.serialize_request(&key).unwrap().pem().unwrap();
    std::fs::write(file("alice.csr"), request).unwrap();
    std::fs::write(file("alice.key"), key.serialize_pem()).unwrap();
    let issue = format!("operator certificate alice --csr {}", file("alice.csr"));
    let named = done(elsewhere(&issue, &["--token-file", &credential])).await;
    std::fs::write(file("alice.pem"), named["certificate"].as_str().unwrap()).unwrap();
    let again = run(elsewhere(&issue, &["--token-file", &file("alice.key")])).await;
    assert_eq!(again.status.code(), Some(5), "not a token: denied");
    let (cert, secret) = (file("alice.pem"), file("alice.key"));
    let alice = ["--cert", cert.as_str(), "--cert-key", secret.as_str()];
    let who = done(elsewhere("whoami", &alice)).await;
    assert_eq!(
        (&who["principal"], &who["method"]),
        (&json!("operator:alice"), &json!("certificate"))
    );

    std::fs::write(file("password"), format!("{PASSWORD}\n")).unwrap();
    let set = format!("operator set-password alice --from {}", file("password"));
    done(elsewhere(&set, &alice)).await;
    let password = file("password");
    let by_password = ["--user", "alice", "--password-file", password.as_str()];
    assert_eq!(
        done(elsewhere("whoami", &by_password)).await["method"],
        "password"
    );
    let made = done(elsewhere(
        "token create --scope request.read --expires-in 1h",
        &by_password,
    ))
    .await;
    std::fs::write(file("token"), made["token"].as_str().unwrap()).unwrap();
    let token = file("token");
    let by_token = ["--token-file", token.as_str()];
    assert!(done(elsewhere("request list", &by_token)).await["items"].is_array());
    let denied = run(elsewhere("operator list", &by_token)).await;
    assert_eq!(denied.status.code(), Some(5));
    assert!(String::from_utf8_lossy(&denied.stderr).contains("operator.read"));
    let listed = done(elsewhere("token list", &by_password)).await;
    let id = listed["items"][0]["id"].as_str().unwrap().to_owned();
    done(elsewhere(&format!("token revoke {id}"), &by_password)).await;
    assert_eq!(run(elsewhere("whoami", &by_token)).await.status.code(), Some(5));

    std::fs::write(file("role.toml"), "rights = [\"system.read\"]\n").unwrap();
    let applied = done(host(&format!("role apply watcher -f {}", file("role.toml")))).await;
    assert_eq!(applied["version"], 1);
    let roles = done(host("role list")).await;
    let roles: Vec<&str> = roles["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["name"].as_str().unwrap())
        .collect();
    assert!(
        ["superadmin", "watcher", "reader"]
            .iter()
            .all(|name| roles.contains(name)),
        "{roles:?}"
    );
    let shown = done(host("role show watcher")).await;
    assert_eq!(shown["unconfirmed_authors"], json!(["host:root"]));
    let own = run(host("role confirm watcher 1")).await;
    assert!(String::from_utf8_lossy(&own.stderr).contains("own_work"));
    let by_admin = ["--token-file", admin.token_file.to_str().unwrap()];
    let confirmed = done(elsewhere("role confirm watcher 1", &by_admin)).await;
    assert_eq!(confirmed["unconfirmed_authors"], json!([]));
    // A certificate was added since.
    let stale = run(elsewhere("operator confirm alice 1", &by_admin)).await;
    assert!(String::from_utf8_lossy(&stale.stderr).contains("precondition_failed"));
    let confirmed = done(elsewhere("operator confirm alice 2 --reason known", &by_admin)).await;
    assert_eq!(confirmed["unconfirmed_authors"], json!([]));
    assert_eq!(
        done(host("role show watcher")).await["unconfirmed_authors"],
        json!([])
    );

    done(host(
        "registration create web --allow a.test --certificates-max 2",
    ))
    .await;
    let updated = done(host("registration update web --allow b.test --reason moved")).await;
    assert_eq!(
        (
            &updated["version"],
            &updated["names"],
            &updated["certificates_max"]
        ),
        (&json!(2), &json!(["b.test"]), &json!(2))
    );
    let stale = run(host("registration update web --any-name --only-if 1")).await;
    assert!(String::from_utf8_lossy(&stale.stderr).contains("stale"));
    let shown = done(host("registration show web")).await;
    assert_eq!(shown["version"], 2, "{shown}");
    done(host("operator disable alice --reason leaves")).await;
    assert_eq!(run(elsewhere("whoami", &alice)).await.status.code(), Some(5));
    let last = run(host("operator disable admin")).await;
    assert!(String::from_utf8_lossy(&last.stderr).contains("last_superadmin"));
    running.stop().await;
}
