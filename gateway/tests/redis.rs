//! A gateway with Redis, which it uses and never needs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;

use std::path::Path;
use std::process::Output;

use dev::{PROGRAM, home};
use portreeve::{Running, StartOptions, start};
use portreeve_harness::http;
use portreeve_harness::pace::until;
use portreeve_harness::redis::Redis;
use serde_json::Value;

fn options(data_dir: &Path, url: &str) -> StartOptions {
    dev::options(data_dir, &[&format!("redis.url={url}")])
}

async fn get(running: &Running, path: &str) -> (u16, String) {
    let (status, body) = http::get(running.addresses()["management"], path).await;
    (status, String::from_utf8(body).unwrap())
}

/// Asks `/readyz` until it says so; the status and the finding of this check.
async fn ready(running: &Running, check: &str, degraded: bool) -> (u16, Value) {
    let what = format!("{check} with degraded = {degraded}");
    until(&what, || async {
        let (status, body) = get(running, "/readyz").await;
        let report: Value = serde_json::from_str(&body).unwrap();
        let mut checks = report["checks"].as_array().unwrap().iter();
        let found = checks.find(|one| one["check"] == check);
        let found = found.unwrap_or_else(|| panic!("no check {check} in {report}"));
        if found["degraded"] != degraded {
            return None;
        }
        assert!(!degraded || report["degraded"] == true, "{report}");
        Some((status, found.clone()))
    })
    .await
}

async fn doctor(data_dir: &Path) -> Output {
    let mut command = std::process::Command::new(PROGRAM);
    command
        .args(["doctor", "--data-dir"])
        .arg(data_dir)
        .env("NO_COLOR", "1");
    tokio::task::spawn_blocking(move || command.output().unwrap())
        .await
        .unwrap()
}

fn row(output: &Output, check: &str) -> String {
    let text = String::from_utf8_lossy(&output.stdout);
    let row = text.lines().find(|line| line.starts_with(check));
    row.unwrap_or_else(|| panic!("no {check} in\n{text}")).to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn without_its_redis_a_gateway_is_degraded_and_ready() {
    let (directory, mut redis) = (home(), Redis::start().unwrap());
    let running = start(options(directory.path(), &redis.url())).await.unwrap();
    assert_eq!(ready(&running, "redis", false).await.0, 200);
    let (status, nodes) = ready(&running, "nodes", false).await;
    assert_eq!(
        (status, nodes["detail"].as_str()),
        (200, Some("1 with the same keyset"))
    );
    assert!(
        get(&running, "/metrics")
            .await
            .1
            .contains("portreeve_redis_connected{} 1\n")
    );
    let examined = doctor(directory.path()).await;
    for check in [
        "redis ",
        "redis clock",
        "redis version",
        "redis eviction",
        "redis memory",
        "nodes",
    ] {
        let row = row(&examined, check);
        // On a busy machine its answer may take so long that somebody should look.
        assert!(row.contains(" ok ") || row.contains("answers in"), "{row}");
    }

    redis.kill();
    let (status, finding) = ready(&running, "redis", true).await;
    assert_eq!((status, &finding["ok"]), (200, &Value::Bool(true)), "{finding}");
    assert!(
        get(&running, "/metrics")
            .await
            .1
            .contains("portreeve_redis_connected{} 0\n")
    );
    let examined = doctor(directory.path()).await;
    let warned = row(&examined, "redis ");
    assert!(warned.contains("warning"), "{warned}");

    redis.restart().unwrap();
    assert_eq!(ready(&running, "redis", false).await.0, 200);
    let () = redis
        .ask(&["CONFIG", "SET", "maxmemory-policy", "allkeys-lru"])
        .unwrap();
    let warned = row(&doctor(directory.path()).await, "redis eviction");
    assert!(
        warned.contains("warning") && warned.contains("noeviction"),
        "{warned}"
    );
    running.stop().await;
    let left: Vec<String> = redis.ask(&["KEYS", "portreeve:*:node:*"]).unwrap();
    assert!(left.is_empty(), "a node that stops says so: {left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_password_is_said_by_all_and_shown_by_none() {
    let directory = home();
    let redis = Redis::start().unwrap();
    let running = start(options(directory.path(), &redis.url_of("nobody", "hunter2")))
        .await
        .unwrap();
    let (status, finding) = ready(&running, "redis", true).await;
    let detail = finding["detail"].as_str().unwrap();
    assert!(
        status == 200 && detail.contains("user or password is not accepted"),
        "{finding}"
    );
    let examined = doctor(directory.path()).await;
    assert!(row(&examined, "redis ").contains("user or password is not accepted"));
    let shown = format!("{finding} {}", String::from_utf8_lossy(&examined.stdout));
    assert!(!shown.contains("hunter2"), "{shown}");
    running.stop().await;
}

const ELDER: &str = "01010101-0101-0101-0101-010101010101";

/// Lets it look as if an older node of the installation with another keyset lived; under which key.
fn stranger(redis: &Redis, installation: [u8; 16]) -> String {
    let prefix = format!("portreeve:{{{}}}:", uuid::Uuid::from_bytes(installation));
    let report = serde_json::json!({
        "node": ELDER, "version": "0.0.1", "roles": [], "configuration": {}, "keyset": "another",
        "started_at": 1, "at": 1,
    });
    let _: i64 = redis.ask(&["SADD", &format!("{prefix}nodes"), ELDER]).unwrap();
    let key = format!("{prefix}node:{ELDER}");
    let _: String = redis.ask(&["SET", &key, &report.to_string()]).unwrap();
    key
}

/// From its start on, whether or not anybody has asked how it is, nobody who writes to Redis can make a node unready.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_joins_by_itself() {
    let (directory, redis) = (home(), Redis::start().unwrap());
    let running = start(options(directory.path(), &redis.url())).await.unwrap();
    stranger(&redis, running.installation().id);
    let (status, finding) = ready(&running, "nodes", true).await;
    assert_eq!((status, &finding["ok"]), (200, &Value::Bool(true)), "{finding}");
    let found = row(&doctor(directory.path()).await, "nodes");
    assert!(found.contains(ELDER) && found.contains("keyset"), "{found}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_joins_with_other_keys_than_an_older_node_is_not_ready() {
    let (directory, redis) = (home(), Redis::start().unwrap());
    let running = start(options(directory.path(), &redis.url())).await.unwrap();
    let id = running.installation().id;
    ready(&running, "nodes", false).await;
    running.stop().await;

    let elder = stranger(&redis, id);
    let running = start(options(directory.path(), &redis.url())).await.unwrap();
    let body = until("503", || async {
        let (status, body) = get(&running, "/readyz").await;
        (status == 503).then_some(body)
    })
    .await;
    assert!(body.contains(ELDER) && body.contains("another keyset"), "{body}");
    let found = row(&doctor(directory.path()).await, "nodes");
    assert!(found.contains("error"), "{found}");
    let _: i64 = redis.ask(&["DEL", &elder]).unwrap();
    assert_eq!(ready(&running, "nodes", false).await.0, 200);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_url_that_is_none_ends_the_start_and_is_not_shown() {
    let directory = home();
    for url in [
        "rediss+sentinel://u:hunter2@h/main",
        "redis://u:hunter2@h/x",
        "rediss://u:hunter2@h",
    ] {
        let mut command = std::process::Command::new(PROGRAM);
        command.args(["dev", "--listen", "127.0.0.1:0", "--listen-http", "127.0.0.1:0"]);
        command.args(["--listen-management", "127.0.0.1:0", "--redis", url, "--data-dir"]);
        let output = command
            .arg(directory.path())
            .env("NO_COLOR", "1")
            .output()
            .unwrap();
        let shown = format!(
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        assert!(
            !output.status.success() && shown.contains("redis."),
            "{url}: {shown}"
        );
        assert!(!shown.contains("hunter2"), "{url}: {shown}");
    }
}
