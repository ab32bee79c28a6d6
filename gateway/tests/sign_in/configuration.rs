//! Objects through the API and the program: drafted, in force, approved, confirmed, retired, applied and exported.

use std::process::Output;

use super::*;

/// A profile for names below this domain.
fn profile(domain: &str, max: &str) -> String {
    format!(
        "description = \"below {domain}\"\nnames.dns.allow = [\"{domain}\"]\nkey.allowed = [\"P-256\"]\n\
         validity = {{ default = \"7d\", max = \"{max}\" }}\nkey_usage.always = [\"digitalSignature\"]\n\
         extended_key_usage.fixed = [\"serverAuth\"]\n"
    )
}

/// Somebody who may change configuration and agree to changes of others.
async fn configurer(running: &Running, name: &str) -> Caller {
    let rights = json!([
        "configuration.read",
        "configuration.write",
        "configuration.approve"
    ]);
    let role = format!("rights = {rights}\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"");
    let made = admin(running)
        .post("roles", json!({"name": "configurer", "body": role}))
        .await;
    assert!(matches!(made.status, 201 | 409), "{}", made.body);
    operator(running, name, &["configurer"]).await
}

fn request(name: &str) -> String {
    let key = rcgen::KeyPair::generate().unwrap();
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).unwrap();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(&key).unwrap().pem().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_goes_from_draft_to_retired() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let alice = configurer(&running, "alice").await;
    let bob = configurer(&running, "bob").await;
    let write = |text: String, mode: &str| json!({"name": "web", "body": text, "mode": mode, "reason": "for the shop"});
    let drafted = alice
        .post("profiles", write(profile("a.test", "9d"), "draft"))
        .await;
    assert_eq!(
        (drafted.status, &drafted.body["outcome"]),
        (201, &json!("drafted"))
    );
    assert_eq!(
        drafted.header("location"),
        Some("/api/v1/profiles/web/versions/1")
    );
    let shown = alice.get("profiles/web").await;
    assert_eq!(
        (&shown.body["state"], shown.header("etag")),
        (&json!("draft"), None)
    );
    let nothing = alice.get("profiles?state=in_force&limit=200").await;
    assert!(
        nothing.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .all(|one| one["name"] != "web")
    );
    let waiting = alice.get("profiles?state=draft").await;
    assert_eq!(waiting.body["items"][0]["drafts"], json!([1]));
    let released = alice.post("profiles/web/versions/1/publish", json!({})).await;
    assert_eq!((released.status, released.header("etag")), (200, Some("\"v1\"")));

    let narrower = write(profile("b.a.test", "9d"), "publish");
    let stale = Caller::new(&running)
        .password("alice", PASSWORD)
        .header("if-match", "\"v9\"");
    assert_problem(
        &stale.post("profiles", narrower.clone()).await,
        (412, "precondition_failed"),
        "stale",
    );
    let fresh = Caller::new(&running)
        .password("alice", PASSWORD)
        .header("if-match", "\"v1\"");
    let published = fresh.post("profiles", narrower).await;
    assert_eq!((published.status, &published.body["version"]), (201, &json!(2)));
    let diff = bob.get("profiles/web/diff?from=1&to=2").await;
    assert_eq!(diff.body["widens"], json!(false));
    let change = diff.body["changes"].as_array().unwrap().iter();
    let directions: Vec<_> = change
        .map(|one| (one["path"].clone(), one["direction"].clone()))
        .collect();
    assert!(
        directions.contains(&(json!("names.dns.allow"), json!("narrows"))),
        "{directions:?}"
    );

    for (name, version, verdict) in [
        ("x.b.a.test", 2, "permit"),
        ("x.a.test", 2, "refuse"),
        ("x.a.test", 1, "permit"),
    ] {
        let trial = json!({"csr": request(name), "version": version});
        let tried = bob.post("profiles/web/test", trial).await;
        assert_eq!(
            tried.body["verdict"],
            json!(verdict),
            "{name} {version}: {}",
            tried.body
        );
        assert!(tried.body["findings"].as_array().unwrap().len() > 10);
    }
    let own = alice.post("profiles/web/versions/2/confirm", json!({})).await;
    assert_problem(&own, (403, "own_work"), "own work");
    let confirmed = bob
        .post("profiles/web/versions/2/confirm", json!({"reason": "looked at"}))
        .await;
    assert_eq!(
        confirmed.body["agreed"][0]["by"],
        json!("operator:bob"),
        "{}",
        confirmed.body
    );
    let versions = bob.get("profiles/web/versions").await;
    let states: Vec<_> = versions.body["items"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| one["state"].clone())
        .collect();
    assert_eq!(states, [json!("in_force"), json!("replaced")]);
    let first = bob.get("profiles/web/versions/1").await;
    assert_eq!(first.body["written_by"], json!("operator:alice"));
    assert_eq!(first.body["reason"], json!("for the shop"));
    assert_eq!(first.body["body"], json!(profile("a.test", "9d")));

    let long = alice
        .post("profiles", write(profile("a.test", "3000d"), "publish"))
        .await;
    assert_problem(&long, (422, "lint_blocked"), "blocked");
    let codes: Vec<_> = long.body["remarks"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["code"].clone(), one["blocks"].clone()))
        .collect();
    assert!(
        codes.contains(&(json!("validity_long"), json!(true))),
        "{codes:?}"
    );
    let rows = [
        (
            "no such version",
            bob.get("profiles/web/versions/9").await,
            (404, "not_found"),
        ),
        (
            "no number",
            bob.get("profiles/web/versions/x").await,
            (404, "not_found"),
        ),
        (
            "no such object",
            bob.get("profiles/none").await,
            (404, "not_found"),
        ),
        (
            "a state that is none",
            bob.get("profiles?state=gone").await,
            (400, "malformed"),
        ),
        (
            "a cursor that is none",
            bob.get("profiles?cursor=zz").await,
            (400, "bad_cursor"),
        ),
        (
            "a condition is wanted",
            bob.call("DELETE", "profiles/web", &json!({})).await,
            (428, "precondition_required"),
        ),
        (
            "an unknown field",
            bob.post("profiles", json!({"name": "a", "body": "", "x": 1}))
                .await,
            (400, "malformed"),
        ),
        (
            "no draft",
            bob.post("profiles/web/versions/1/publish", json!({})).await,
            (409, "not_a_draft"),
        ),
    ];
    for (name, answer, expected) in rows {
        assert_problem(&answer, expected, name);
    }
    let current = Caller::new(&running)
        .password("bob", PASSWORD)
        .header("if-match", "\"v2\"");
    let retired = current
        .call("DELETE", "profiles/web?reason=closed", &json!({}))
        .await;
    assert_eq!(retired.status, 204, "{}", retired.body);
    assert_eq!(bob.get("profiles/web").await.body["state"], json!("retired"));
    running.stop().await;
}

fn program(running: &Running, arguments: &[&str]) -> (Option<i32>, Value, String) {
    let socket = running.control_socket().to_str().unwrap().to_owned();
    let Output {
        status,
        stdout,
        stderr,
    } = std::process::Command::new(PROGRAM)
        .args(arguments)
        .args(["--socket", &socket, "--output", "json"])
        .output()
        .unwrap();
    let shown = serde_json::from_slice(&stdout).unwrap_or_default();
    (
        status.code(),
        shown,
        String::from_utf8_lossy(&stderr).into_owned(),
    )
}

/// Kind, name and outcome of everything that `apply` told.
fn outcomes(applied: &Value) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let rows = applied.as_array().unwrap().iter();
    rows.map(|one| (text(&one["name"]), text(&one["outcome"])))
        .collect()
}

fn outcome<'a>(outcomes: &'a [(String, String)], name: &str) -> &'a str {
    let found = outcomes.iter().find(|(one, _)| one == name);
    found.map_or("nothing", |(_, outcome)| outcome)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_directory_is_applied_and_what_widens_waits_for_another_person() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let alice = configurer(&running, "alice").await;
    let files = tempfile::tempdir().unwrap();
    let path = files.path().join("export");
    let (code, exported, said) = program(&running, &["export", path.to_str().unwrap()]);
    assert_eq!(code, Some(0), "{said}");
    assert!(exported.as_array().unwrap().len() > 10);
    let (code, _, said) = program(&running, &["export", path.to_str().unwrap()]);
    assert!(code == Some(2) && said.contains("not empty"), "{said}");
    let apply = |more: &[&str]| {
        let arguments: Vec<&str> = ["apply", "-f", path.to_str().unwrap()]
            .iter()
            .chain(more)
            .copied()
            .collect();
        program(&running, &arguments)
    };
    let (code, applied, _) = apply(&["--prune"]);
    assert_eq!(code, Some(0));
    assert!(
        outcomes(&applied)
            .iter()
            .all(|(_, outcome)| outcome == "unchanged"),
        "{applied}"
    );

    let people = "age_max = \"7d\"\n[[step]]\nanyone = true\n";
    std::fs::write(path.join("approval-policies/configuration.toml"), people).unwrap();
    let (_, applied, _) = apply(&["--dry-run"]);
    assert_eq!(
        outcome(&outcomes(&applied), "configuration"),
        "would be published",
        "{applied}"
    );
    let (code, applied, _) = apply(&[]);
    assert_eq!(
        (code, outcome(&outcomes(&applied), "configuration")),
        (Some(0), "published")
    );

    std::fs::write(path.join("profiles/web.toml"), profile("a.test", "9d")).unwrap();
    std::fs::write(path.join("roles/watcher.toml"), "rights = [\"system.read\"]\n").unwrap();
    std::fs::write(path.join("operators/wanda.toml"), "roles = [\"watcher\"]\n").unwrap();
    std::fs::write(path.join("operators/alice.toml"), "roles = []\n").unwrap();
    std::fs::write(path.join("profiles/long.toml"), profile("a.test", "3000d")).unwrap();
    let offer = "profiles = [\"web\"]\nbackend = \"issuing\"\napproval = \"team\"\n";
    std::fs::write(path.join("endpoints/acme/web.toml"), offer).unwrap();
    std::fs::write(path.join("approval-policies/team.toml"), people).unwrap();
    std::fs::create_dir_all(path.join("teams")).unwrap();
    std::fs::write(path.join("teams/bad.toml"), "members = []\n").unwrap();
    let (_, applied, _) = apply(&["--dry-run"]);
    let dry = outcomes(&applied);
    let expected = [
        ("watcher", "would be proposed"),
        ("wanda", "would be proposed"),
        ("alice", "would be published"),
        ("bad", "refused"),
        ("long", "refused"),
    ];
    for (name, wanted) in expected {
        assert_eq!(outcome(&dry, name), wanted, "{name}: {applied}");
    }
    std::fs::remove_dir_all(path.join("teams")).unwrap();
    std::fs::remove_file(path.join("operators/alice.toml")).unwrap();
    let (code, applied, _) = apply(&[]);
    let made = outcomes(&applied);
    // From the policy on that guards configuration, everything new waits for somebody else than the host.
    let expected = [
        ("configuration", "unchanged"),
        ("watcher", "proposed"),
        ("wanda", "proposed"),
        ("team", "proposed"),
        ("web", "proposed"),
        ("long", "refused"),
        ("acme/web", "refused"),
        ("dev", "unchanged"),
    ];
    for (name, wanted) in expected {
        assert_eq!(outcome(&made, name), wanted, "{name}: {applied}");
    }
    assert_eq!(code, Some(1), "something was refused");
    let (_, again, _) = apply(&[]);
    let proposals = |applied: &Value| -> Vec<Value> {
        let rows = applied.as_array().unwrap().iter();
        rows.map(|one| one["proposal"].clone())
            .filter(|id| !id.is_null())
            .collect()
    };
    assert_eq!(proposals(&again), proposals(&applied), "asked once");
    for proposal in proposals(&applied) {
        let path = format!("approvals/{}/approve", proposal.as_str().unwrap());
        let approved = alice.post(&path, json!({"comment": "looked at"})).await;
        assert_eq!(approved.body["state"], json!("approved"), "{}", approved.body);
    }
    let wanda = admin(&running).get("operators/wanda").await;
    assert_eq!((wanda.status, &wanda.body["roles"]), (200, &json!(["watcher"])));
    assert_eq!(
        alice.get("profiles/web").await.body["unconfirmed_authors"],
        json!([])
    );
    let waits = alice
        .post("endpoints", json!({"name": "acme/web", "body": offer}))
        .await;
    let location = format!(
        "/api/v1/approvals/{}",
        waits.body["proposal"].as_str().unwrap_or_default()
    );
    assert_eq!(
        (waits.status, waits.header("location")),
        (202, Some(location.as_str())),
        "{}",
        waits.body
    );
    std::fs::remove_file(path.join("profiles/long.toml")).unwrap();
    std::fs::remove_file(path.join("profiles/web.toml")).unwrap();
    std::fs::remove_file(path.join("approval-policies/configuration.toml")).unwrap();
    let (code, pruned, _) = apply(&["--prune"]);
    let pruned = outcomes(&pruned);
    assert_eq!((code, outcome(&pruned, "web")), (Some(1), "retired"));
    assert_eq!(
        outcome(&pruned, "configuration"),
        "refused",
        "it guards everything"
    );
    running.stop().await;
}
