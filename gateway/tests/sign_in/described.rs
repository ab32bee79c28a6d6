//! The description of the API against the API: every call that it names is there.

use super::*;

#[tokio::test(flavor = "multi_thread")]
async fn every_described_call_is_answered() {
    let directory = home();
    let running = gateway(directory.path(), &[]).await;
    let nobody = Caller::new(&running);
    let description = nobody.get("openapi.json").await.body;
    let admin = admin(&running);
    let mut called = 0;
    for (path, item) in description["paths"].as_object().unwrap() {
        // A value that every kind of name and id refuses or does not know, so that nothing is changed.
        let filled = path
            .split('/')
            .map(|part| if part.starts_with('{') { "0" } else { part });
        let filled = filled.collect::<Vec<_>>().join("/");
        let below = filled.strip_prefix("/api/v1/").unwrap();
        for method in item.as_object().unwrap().keys() {
            let method = method.to_uppercase();
            let unsigned = nobody.call(&method, below, &Value::Null).await;
            assert_problem(&unsigned, (401, "no_principal"), &format!("{method} {path}"));
            let answer = admin.call(&method, below, &Value::Null).await;
            let detail = answer.body["detail"].as_str().unwrap_or_default();
            assert_ne!(answer.status, 405, "{method} {path}: {}", answer.body);
            assert!(
                !detail.contains("no resource with this name"),
                "{method} {path}: {}",
                answer.body
            );
            assert!(
                answer.status < 500 || answer.status == 503,
                "{method} {path}: {}",
                answer.body
            );
            called += 1;
        }
    }
    assert!(called > 60, "{called}");
    let absent = admin.get("0/0/0").await;
    let detail = absent.body["detail"].as_str().unwrap();
    assert!(
        detail.contains("no resource with this name"),
        "or the test shows nothing: {detail}"
    );
    running.stop().await;
}
