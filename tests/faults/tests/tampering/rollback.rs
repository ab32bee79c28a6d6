//! Somebody brings a stream of configuration back to an earlier state: every record of it verifies, and it ends too early.

use portreeve_faults::client::request_for;
use portreeve_ra::{ObjectKind, ObjectVersion};

use super::{LIMIT, incidents, incidents_shown, signed, start};

const NARROWER: &str = r#"
profiles = ["dev"]
backend = "issuing"
inline_wait = "3s"
"#;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_endpoint_that_is_brought_back_issues_nothing_and_is_noticed() {
    let mut site = start().await;
    let client = site.client("default").await.unwrap();
    client.obtain("before.localhost", LIMIT).await.unwrap();
    let objects = site.gateway.data_dir().join("objects");
    std::fs::create_dir_all(objects.join("endpoints/acme")).unwrap();
    std::fs::write(objects.join("endpoints/acme/default.toml"), NARROWER).unwrap();
    let published = site
        .gateway
        .control(&["apply", "-f", objects.to_str().unwrap()])
        .unwrap();
    published.success().unwrap();
    client.obtain("between.localhost", LIMIT).await.unwrap();
    let url = client.order("after.localhost", LIMIT).await.unwrap();
    client.make_ready(&url, LIMIT).await.unwrap();
    let before = signed(&site).await;

    let stream = ObjectVersion::stream(ObjectKind::Endpoint, "acme/default");
    let mut database = site.database().await.unwrap();
    assert_eq!(database.stream(stream).await.unwrap().len(), 2);
    database.cut_after(stream, 1).await.unwrap();

    for _ in 0..2 {
        client
            .finalize(&url, &request_for("after.localhost").unwrap())
            .await
            .unwrap_err();
    }
    assert_eq!(incidents(&site).await, [("tampered", stream)]);
    assert_eq!(incidents_shown(&site), 1);
    assert_eq!(signed(&site).await, before);

    // What a node has seen it knows after a restart as well.
    if site.restart().is_ok() {
        let refused = client
            .finalize(&url, &request_for("after.localhost").unwrap())
            .await;
        refused.unwrap_err();
    }
    assert_eq!(incidents(&site).await, [("tampered", stream)]);
    assert_eq!(signed(&site).await, before);
}
