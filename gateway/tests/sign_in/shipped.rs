//! What `dev` ships, over restarts: what an operator has changed or retired stays as it is.

use portreeve::StartOptions;
use portreeve_ra::ObjectKind;

use super::*;

async fn gateway_with(data_dir: &Path, endpoints: &[&str]) -> Running {
    let options = StartOptions {
        endpoints: endpoints.iter().map(|text| text.parse().unwrap()).collect(),
        ..dev::options(data_dir, &[])
    };
    start(options).await.unwrap()
}

/// Version and text in force.
async fn current(running: &Running, kind: ObjectKind, name: &str) -> Option<(u32, String)> {
    let found = running.ra().objects().current(kind, name).await.unwrap();
    found.map(|found| (found.version, found.body))
}

#[tokio::test(flavor = "multi_thread")]
async fn what_an_operator_changed_stays_over_a_restart() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let admin = admin(&running).header("if-match", "*");
    let text = "backend = \"issuing\"\nprofiles = [\"dev\", \"tls-server\"]\n";
    let body = json!({"name": "acme/short", "body": text, "reason": "mine"});
    let written = admin.post("endpoints", body).await;
    assert_eq!(written.status, 201, "{}", written.body);
    let policy = json!({"name": "one", "body": "age_max = \"1d\"\n[[step]]\nanyone = true\n"});
    assert_eq!(admin.post("approval-policies", policy).await.status, 201);
    let role = json!({"body": "description = \"mine\"\nrights = []"});
    assert_eq!(admin.call("PUT", "roles/reader", &role).await.status, 200);
    let retired = admin
        .call("DELETE", "endpoints/acme/four-eyes", &Value::Null)
        .await;
    assert!(retired.status < 300, "{}", retired.body);
    let objects = [
        (ObjectKind::Endpoint, "acme/short"),
        (ObjectKind::Endpoint, "acme/four-eyes"),
        (ObjectKind::Endpoint, "acme/default"),
        (ObjectKind::ApprovalPolicy, "one"),
        (ObjectKind::Role, "reader"),
        (ObjectKind::Profile, "dev"),
    ];
    let mut before = Vec::new();
    for (kind, name) in objects {
        before.push(current(&running, kind, name).await);
    }
    assert_eq!(before[0].as_ref().map(|(_, body)| body.as_str()), Some(text));
    assert_eq!(before[1], None);
    running.stop().await;

    let running = gateway(directory.path(), &[]).await;
    for ((kind, name), before) in objects.into_iter().zip(&before) {
        assert_eq!(current(&running, kind, name).await, *before, "{name}");
    }
    running.stop().await;

    // What is asked for at the start is laid over what is in force, in the name of the host.
    let running = gateway_with(directory.path(), &["endpoint.acme.short.approval=one"]).await;
    let (version, laid) = current(&running, ObjectKind::Endpoint, "acme/short")
        .await
        .unwrap();
    assert_eq!(version, before[0].as_ref().unwrap().0 + 1);
    assert!(
        laid.contains("tls-server") && laid.contains("approval = \"one\""),
        "{laid}"
    );
    let history = running
        .ra()
        .objects()
        .history(ObjectKind::Endpoint, "acme/short")
        .await;
    let history = history.unwrap().unwrap();
    let written = &history.revision(version).unwrap().written;
    assert_eq!(written.by.principal().unwrap().to_string(), "host:root");
    running.stop().await;

    // Said again it makes no new version, and left out it stays.
    for given in [&["endpoint.acme.short.approval=one"] as &[&str], &[]] {
        let running = gateway_with(directory.path(), given).await;
        let again = current(&running, ObjectKind::Endpoint, "acme/short").await;
        assert_eq!(again, Some((version, laid.clone())), "{given:?}");
        running.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operator_of_dev_who_was_removed_does_not_come_back() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let host = ControlClient::new(running.control_socket());
    let made = json!({"name": "ann", "body": "roles = [\"superadmin\"]"});
    let _: Value = host.post("/api/v1/operators", &made).await.unwrap();
    let password = json!({"password": PASSWORD});
    let () = host
        .put("/api/v1/operators/ann/password", (&password, None))
        .await
        .unwrap();
    let ann = Caller::new(&running)
        .password("ann", PASSWORD)
        .header("if-match", "*");
    let removed = ann.call("DELETE", "operators/admin", &Value::Null).await;
    assert!(removed.status < 300, "{}", removed.body);
    running.stop().await;

    let running = gateway(directory.path(), &[]).await;
    assert_eq!(current(&running, ObjectKind::Operator, "admin").await, None);
    let gone = admin(&running).get("whoami").await;
    assert_problem(&gone, (401, "bad_credentials"), "its token");
    running.stop().await;
}
