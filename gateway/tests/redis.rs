//! A gateway with Redis, which it uses and never needs.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Output;
use std::time::{Duration, Instant};

use portreeve::config::Override;
use portreeve::{DevAddresses, Mode, Running, StartOptions, dev_configuration, manifest_path, start};
use portreeve_harness::pace::PATIENCE;
use portreeve_harness::process::free_port;
use portreeve_harness::redis::Redis;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const PROGRAM: &str = env!("CARGO_BIN_EXE_portreeve");

fn home() -> tempfile::TempDir {
    tempfile::Builder::new()
        .permissions(std::fs::Permissions::from_mode(0o700))
        .tempdir()
        .unwrap()
}

/// Ports out of the range from which the system takes those of outgoing connections: after a restart they are free again.
/// The second time the gateway is to remember them.
fn addresses(data_dir: &Path) -> DevAddresses {
    if manifest_path(data_dir).exists() {
        return DevAddresses::remembered();
    }
    let free = || SocketAddr::from(([127, 0, 0, 1], free_port()));
    DevAddresses {
        public: free(),
        http: free(),
        admin: free(),
        management: free(),
    }
}

fn options(data_dir: &Path, url: &str) -> StartOptions {
    let overrides: Vec<Override> = [format!("redis.url={url}")]
        .iter()
        .map(|text| text.parse().unwrap())
        .collect();
    StartOptions {
        config: dev_configuration(data_dir, addresses(data_dir), &overrides).unwrap(),
        mode: Mode::Dev,
        program: Some(PROGRAM.into()),
        ..StartOptions::default()
    }
}

async fn get(running: &Running, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(running.addresses()["management"])
        .await
        .unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head[9..12].parse().unwrap(), body.to_owned())
}

/// Asks `/readyz` until it says so; the status and the finding of this check.
async fn ready(running: &Running, check: &str, degraded: bool) -> (u16, Value) {
    let begun = Instant::now();
    loop {
        let (status, body) = get(running, "/readyz").await;
        let report: Value = serde_json::from_str(&body).unwrap();
        let found = report["checks"]
            .as_array()
            .unwrap()
            .iter()
            .find(|one| one["check"] == check);
        let found = found
            .unwrap_or_else(|| panic!("no check {check} in {report}"))
            .clone();
        if found["degraded"] == degraded {
            assert!(!degraded || report["degraded"] == true, "{report}");
            return (status, found);
        }
        assert!(begun.elapsed() < PATIENCE, "{report}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
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
    let begun = Instant::now();
    let body = loop {
        let (status, body) = get(&running, "/readyz").await;
        if status == 503 {
            break body;
        }
        assert!(begun.elapsed() < PATIENCE, "{body}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    };
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
