//! Where a policy guards configuration: through the API and the program, nobody gives anybody more alone.

use std::process::Output;

use portreeve_harness::postgres::PostgresServer;

use super::*;

/// An installation that is guarded: the clerks ann and bea may make operators, registrations and secrets, and approve.
async fn guarded(running: &Running) -> (Caller, Caller) {
    let rights = json!([
        "operator.read",
        "operator.write",
        "registration.read",
        "registration.write",
        "secret.write",
        "configuration.read",
        "configuration.approve"
    ]);
    let role = format!("rights = {rights}\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"");
    let admin = admin(running);
    let made = admin.post("roles", json!({"name": "clerk", "body": role})).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let (ann, bea) = (
        operator(running, "ann", &["clerk"]).await,
        operator(running, "bea", &["clerk"]).await,
    );
    let alone =
        json!({"name": "configuration", "body": "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = 9\n"});
    let alone = admin.post("approval-policies", alone).await;
    assert_problem(&alone, (422, "nobody_to_approve"), "nine people");
    let hasty = json!({"name": "configuration", "body": "age_max = \"1h\"\n[[step]]\nanyone = true\n"});
    let hasty = admin.post("approval-policies", hasty).await;
    assert_problem(&hasty, (422, "nobody_to_approve"), "too short a time");
    let policy = json!({"name": "configuration", "body": "age_max = \"7d\"\n[[step]]\nanyone = true\n"});
    let made = admin.post("approval-policies", policy).await;
    assert_eq!(made.status, 201, "{}", made.body);
    let confirmed = bea
        .post("approval-policies/configuration/versions/1/confirm", json!({}))
        .await;
    assert_eq!(confirmed.status, 200, "{}", confirmed.body);
    (ann, bea)
}

/// The proposal in an answer that says that something waits.
#[track_caller]
fn waits(answer: &Answer) -> String {
    assert_eq!(answer.status, 202, "{}", answer.body);
    let proposal = match answer.body["proposal"].is_object() {
        true => &answer.body["proposal"],
        false => &answer.body,
    };
    let id = proposal["id"].as_str().unwrap().to_owned();
    assert_eq!(proposal["state"], "open");
    assert_eq!(proposal["steps"][0]["who"], "anyone", "{proposal}");
    id
}

async fn decide(caller: &Caller, id: &str, verb: &str) -> Answer {
    let body = json!({"comment": "looked at"});
    caller.post(&format!("approvals/{id}/{verb}"), body).await
}

#[tokio::test(flavor = "multi_thread")]
async fn operators_and_what_they_sign_in_with_wait() {
    let directory = home();
    operators_wait(gateway(directory.path(), &[]).await).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn registrations_and_their_keys_wait() {
    let directory = home();
    registrations_wait(gateway(directory.path(), &[]).await).await;
}

/// The same where several nodes could share the store.
#[tokio::test(flavor = "multi_thread")]
async fn all_of_them_wait_with_postgresql() {
    let server = PostgresServer::shared().unwrap();
    let in_database = |directory: std::path::PathBuf| async move {
        let database = format!("database.url={}", json!(server.database().unwrap()));
        gateway(&directory, &[&database]).await
    };
    let (one, other) = (home(), home());
    operators_wait(in_database(one.path().to_owned()).await).await;
    registrations_wait(in_database(other.path().to_owned()).await).await;
}

async fn operators_wait(running: Running) {
    let (ann, bea) = guarded(&running).await;
    let new = json!({"name": "mallory", "body": "roles = [\"clerk\"]", "reason": "a friend"});
    let asked = ann.post("operators", new).await;
    let id = waits(&asked);
    assert_eq!(
        asked.header("location"),
        Some(format!("/api/v1/approvals/{id}").as_str())
    );
    assert_problem(
        &ann.get("operators/mallory").await,
        (404, "not_found"),
        "not there",
    );
    assert_problem(&decide(&ann, &id, "approve").await, (403, "excluded"), "her own");
    let shown = bea.get(&format!("approvals/{id}")).await;
    assert_eq!(shown.body["proposed"], "roles = [\"clerk\"]", "{}", shown.body);
    assert_eq!(decide(&bea, &id, "approve").await.body["state"], "approved");
    assert_eq!(ann.get("operators/mallory").await.status, 200);

    let more = json!({"body": "roles = [\"clerk\", \"superadmin\"]"});
    let fresh = |name: &str| {
        Caller::new(&running)
            .password(name, PASSWORD)
            .header("if-match", "\"v1\"")
    };
    let alone = fresh("ann").call("PUT", "operators/mallory", &more).await;
    assert_problem(&alone, (403, "reserved"), "only a superadmin makes one");
    let more = json!({"body": "rights = [\"*\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\""});
    let id = waits(&fresh("ann").call("PUT", "roles/clerk", &more).await);
    let shown = bea.get(&format!("approvals/{id}")).await;
    let change = &shown.body["changes"][0];
    assert_eq!(
        (&change["path"], &change["direction"]),
        (&json!("rights"), &json!("widens")),
        "{}",
        shown.body
    );
    assert_eq!(decide(&bea, &id, "reject").await.body["state"], "rejected");

    // Switched off at once, on again with somebody else.
    let off = ann.post("operators/mallory/disable", json!({})).await;
    assert_eq!(
        (off.status, &off.body["disabled"]),
        (200, &json!(true)),
        "{}",
        off.body
    );
    waits(&ann.post("operators/mallory/enable", json!({})).await);

    let set = json!({"password": "another long password"});
    let id = waits(&ann.call("PUT", "operators/bea/password", &set).await);
    assert_eq!(
        bea.get("whoami").await.status,
        200,
        "the one in force is as it was"
    );
    assert_problem(
        &decide(&bea, &id, "approve").await,
        (403, "excluded"),
        "it is hers",
    );
    let token = json!({"operator": "bea", "scopes": ["operator.read"]});
    let made = ann.post("tokens", token).await;
    let id = waits(&made);
    let holder = Caller::new(&running).token(made.body["token"].as_str().unwrap());
    assert_problem(
        &holder.get("whoami").await,
        (401, "bad_credentials"),
        "not good yet",
    );
    let admin = admin(&running);
    assert_eq!(decide(&admin, &id, "approve").await.body["state"], "approved");
    assert_eq!(holder.get("whoami").await.body["principal"], "operator:bea");

    // A certificate in somebody's name signs in as them where names are matched: there is none before others agree.
    let params = rcgen::CertificateParams::new(Vec::new()).unwrap();
    let request = params
        .serialize_request(&rcgen::KeyPair::generate().unwrap())
        .unwrap();
    let request = json!({"request": request.pem().unwrap()});
    let asked = ann.post("operators/bea/certificates", request.clone()).await;
    let id = waits(&asked);
    assert_eq!(asked.body["certificate"], Value::Null, "{}", asked.body);
    assert_eq!(decide(&admin, &id, "approve").await.body["state"], "approved");
    let again = ann.post("operators/bea/certificates", request).await;
    assert_eq!(again.status, 200, "{}", again.body);
    assert!(again.body["certificate"].is_string(), "{}", again.body);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_policy_for_revocation_stays_and_is_no_matter_of_one_profile() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let (.., bea) = guarded(&running).await;
    let admin = admin(&running);
    let limited = json!({"name": "limited", "body":
        "rights = [\"configuration.write\", \"operator.write\"]\nbackends = [\"*\"]\nprofiles = [\"short-lived\"]\nteams = \"all\""});
    let id = waits(&admin.post("roles", limited).await);
    assert_eq!(decide(&bea, &id, "approve").await.body["state"], "approved");
    let policy = json!({"name": "revocation", "body": "age_max = \"7d\"\n[[step]]\nanyone = true\n"});
    let made = admin.post("approval-policies", policy).await;
    assert_eq!(made.status, 202, "it changes who must agree: {}", made.body);
    let id = made.body["proposal"].as_str().unwrap();
    assert_eq!(decide(&bea, id, "approve").await.body["state"], "approved");
    let lim = json!({"name": "lim", "body": "roles = [\"limited\"]"});
    let id = waits(&admin.post("operators", lim).await);
    assert_eq!(decide(&bea, &id, "approve").await.body["state"], "approved");
    let set = json!({"password": PASSWORD});
    let id = waits(&admin.call("PUT", "operators/lim/password", &set).await);
    assert_eq!(decide(&bea, &id, "approve").await.body["state"], "approved");
    let path = "approval-policies/revocation?reason=x";
    let conditional = |caller: Caller| caller.header("if-match", "\"v1\"");
    let lim = conditional(Caller::new(&running).password("lim", PASSWORD));
    let refused = lim.call("DELETE", path, &Value::Null).await;
    assert_problem(&refused, (403, "forbidden"), "no right on everything");
    let refused = conditional(admin).call("DELETE", path, &Value::Null).await;
    assert_eq!(refused.status, 409, "{}", refused.body);
    running.stop().await;
}

async fn registrations_wait(running: Running) {
    let (ann, bea) = guarded(&running).await;
    let web = |names: Value| json!({"name": "web", "names": names});
    let trial = ann
        .post("registrations?dry_run=true", web(json!([".web.test"])))
        .await;
    assert_eq!(trial.body["verdict"], "would wait for approval");
    let id = waits(&ann.post("registrations", web(json!([".web.test"]))).await);
    let shown = ann.get("registrations/web").await;
    assert_eq!(
        (&shown.body["state"], &shown.body["proposal"]),
        (&json!("pending"), &json!(id)),
        "{}",
        shown.body
    );
    assert_problem(&decide(&ann, &id, "approve").await, (403, "excluded"), "her own");
    assert_eq!(decide(&bea, &id, "approve").await.body["state"], "approved");
    assert_eq!(ann.get("registrations/web").await.body["state"], "active");

    let fresh = Caller::new(&running)
        .password("ann", PASSWORD)
        .header("if-match", "\"v1\"");
    let id = waits(
        &fresh
            .call("PUT", "registrations/web", &web(json!([".web.test", "b.test"])))
            .await,
    );
    let shown = bea.get(&format!("approvals/{id}")).await;
    assert_eq!(shown.body["subject"]["name"], "web");
    assert_eq!(shown.body["changes"][0]["path"], "names", "{}", shown.body);
    let narrower = fresh
        .call("PUT", "registrations/web", &web(json!(["a.web.test"])))
        .await;
    assert_eq!(
        (narrower.status, &narrower.body["version"]),
        (200, &json!(2)),
        "{}",
        narrower.body
    );
    assert_problem(
        &decide(&bea, &id, "approve").await,
        (409, "overtaken"),
        "another one is in force",
    );

    let made = ann.post("eab-keys", json!({"registration": "web"})).await;
    let id = waits(&made);
    assert!(
        made.body["secret"]
            .as_str()
            .is_some_and(|secret| secret.len() > 40)
    );
    let keys = ann.get("eab-keys?registration=web").await;
    let key = &keys.body["items"][0];
    assert_eq!((&key["state"], &key["proposal"]), (&json!("pending"), &json!(id)));
    assert_eq!(decide(&bea, &id, "reject").await.body["state"], "rejected");
    let keys = ann.get("eab-keys?registration=web").await;
    assert_eq!(keys.body["items"][0]["state"], "revoked");
    running.stop().await;
}

fn program(running: &Running, arguments: &[&str]) -> (Option<i32>, String) {
    let socket = running.control_socket().to_str().unwrap().to_owned();
    let Output { status, stdout, .. } = std::process::Command::new(PROGRAM)
        .args(arguments)
        .args(["--socket", &socket])
        .output()
        .unwrap();
    (status.code(), String::from_utf8_lossy(&stdout).into_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn the_program_says_what_waits_and_who_decides() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let (_, bea) = guarded(&running).await;
    let role = directory.path().join("role.toml");
    std::fs::write(&role, "rights = [\"system.read\"]\n").unwrap();
    let role = role.to_str().unwrap();
    let rows: [(&str, &[&str]); 6] = [
        (
            "operator carl",
            &["operator", "create", "carl", "--role", "clerk"],
        ),
        ("role watcher", &["role", "apply", "watcher", "-f", role]),
        (
            "registration web",
            &["registration", "create", "web", "--allow", "a.test"],
        ),
        ("acme-eab of registration:web", &["eab", "create", "web"]),
        (
            "est-password of registration:web",
            &[
                "registration",
                "secret",
                "create",
                "web",
                "--kind",
                "est-password",
            ],
        ),
        ("token of operator:bea", &["operator", "bootstrap", "bea"]),
    ];
    for (about, arguments) in rows {
        let (code, said) = program(&running, arguments);
        assert_eq!(code, Some(0), "{about}: {said}");
        for wanted in [
            about,
            "waits for approval",
            "(anyone, open)",
            "host:root: asks for it",
        ] {
            assert!(said.contains(wanted), "{about}: {wanted} in {said}");
        }
        let id = said
            .lines()
            .find_map(|line| line.strip_prefix("proposal"))
            .unwrap();
        let id = id.trim().split(' ').next().unwrap();
        let (_, shown) = program(&running, &["approval", "show", id]);
        assert!(
            shown.contains(about) && shown.contains("proposed"),
            "{about}: {shown}"
        );
        if !about.ends_with(":bea") {
            let approved = decide(&bea, id, "approve").await;
            assert_eq!(approved.body["state"], "approved", "{about}: {}", approved.body);
        }
    }
    let (_, json) = program(&running, &["operator", "enable", "carl", "--output", "json"]);
    assert!(!json.contains("proposed"), "nothing changes: {json}");
    let (_, json) = program(&running, &["operator", "create", "cleo", "--output", "json"]);
    let found: Value = serde_json::from_str(&json).unwrap();
    assert_eq!(
        (&found["outcome"], found["proposal"].is_string()),
        (&json!("proposed"), true),
        "{json}"
    );
    running.stop().await;
}

/// What is proposed on objects is for those who read or approve objects of that kind, and does not exist for others.
#[tokio::test(flavor = "multi_thread")]
async fn proposals_on_objects_are_hidden_from_those_who_do_not_read_them() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running);
    let mut people = Vec::new();
    for (name, right) in [
        ("lea", "request.read"),
        ("conrad", "configuration.read"),
        ("olga", "operator.read"),
        ("paul", "configuration.approve"),
    ] {
        let role = format!("rights = [\"{right}\"]\nbackends = [\"*\"]\nprofiles = [\"*\"]\nteams = \"all\"");
        let made = admin.post("roles", json!({"name": name, "body": role})).await;
        assert_eq!(made.status, 201, "{}", made.body);
        people.push((name, operator(&running, name, &[name]).await));
    }
    let (ann, _) = guarded(&running).await;
    let team = json!({"name": "web", "body": "title = \"Web\""});
    let of_people = waits(&ann.post("teams", team).await);
    let policy = json!({"name": "two", "body": "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = 2\n"});
    let asked = admin.post("approval-policies", policy).await;
    assert_eq!(asked.status, 202, "{}", asked.body);
    let of_policy = asked.body["proposal"].as_str().unwrap().to_owned();
    for (name, caller) in people {
        let seen = match name {
            "lea" => (false, false),
            "conrad" => (false, true),
            "olga" => (true, false),
            _ => (true, true),
        };
        let list = caller.get("approvals").await;
        assert_eq!(list.status, 200, "{name}: {}", list.body);
        let listed: Vec<&str> = list.body["items"]
            .as_array()
            .unwrap()
            .iter()
            .map(|one| one["id"].as_str().unwrap())
            .collect();
        for (id, seen) in [(&of_people, seen.0), (&of_policy, seen.1)] {
            assert_eq!(listed.contains(&id.as_str()), seen, "{name}: {listed:?}");
            let shown = caller.get(&format!("approvals/{id}")).await;
            let decided = decide(&caller, id, "reject").await;
            match seen {
                true => assert_eq!(shown.status, 200, "{name}: {}", shown.body),
                false => {
                    assert_problem(&shown, (404, "not_found"), name);
                    assert_problem(&decided, (404, "not_found"), name);
                }
            }
        }
    }
    running.stop().await;
}
