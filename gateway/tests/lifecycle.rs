//! A gateway of `dev` from start to stop, with real sockets, a real store and the real signer child.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod dev;

use std::path::Path;

use dev::{home, options};
use portreeve::{ControlClient, DrainOutcome, Manifest, Running, StartOptions, manifest_path, start};
use portreeve_console::{List, ObjectView};
use portreeve_harness::http::get;
use portreeve_harness::pace::until;
use portreeve_ra::ObjectKind;

async fn gateway(data_dir: &Path) -> Running {
    start(options(data_dir, &[])).await.unwrap()
}

fn text(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_answers_and_keeps_everything_over_a_restart() {
    let directory = home();
    let read = |name: &str| std::fs::read(directory.path().join(name)).unwrap();

    let running = gateway(directory.path()).await;
    let manifest = Manifest::read(&manifest_path(directory.path())).unwrap();
    assert_eq!(Some(&manifest), running.manifest());
    assert_eq!(manifest.pid, std::process::id());
    assert_eq!(
        get(running.addresses()["http"], "/").await,
        (200, b"up\n".to_vec())
    );
    assert_eq!(get(running.addresses()["management"], "/livez").await.0, 200);
    let (status, ready) = get(running.addresses()["management"], "/readyz").await;
    assert_eq!(status, 200, "{}", text(&ready));
    assert!(text(&ready).contains("CRL issuing"), "{}", text(&ready));
    let metrics = text(&get(running.addresses()["management"], "/metrics").await.1);
    let left = metrics
        .lines()
        .find_map(|line| line.strip_prefix("portreeve_crl_left_seconds{ca=\"issuing\"} "));
    let left: f64 = left.unwrap().parse().unwrap();
    assert!((80_000.0..=86_400.0).contains(&left), "of 24 h: {left}");
    let (status, list) = get(running.addresses()["http"], "/crl/issuing.crl").await;
    assert!(
        status == 200 && list.first() == Some(&0x30),
        "a CRL is there from the start: {status}"
    );
    assert_eq!(
        get(running.addresses()["http"], "/acme/default/directory")
            .await
            .0,
        404,
        "never in the clear"
    );
    let files = ["tls-root.pem", "ca-chain.pem", "ca-root.pem"].map(read);
    assert_eq!(running.stop().await, DrainOutcome::Clean);

    let again = gateway(directory.path()).await;
    let restarted = Manifest::read(&manifest_path(directory.path())).unwrap();
    assert_eq!(restarted, manifest, "ports and paths");
    assert_eq!(
        ["tls-root.pem", "ca-chain.pem", "ca-root.pem"].map(read),
        files,
        "CAs"
    );
    let client = ControlClient::new(again.control_socket());
    let endpoints: List<ObjectView> = client.read("/api/v1/endpoints").await.unwrap();
    let versions: Vec<_> = endpoints
        .items
        .iter()
        .map(|one| (one.name.as_str(), one.version))
        .collect();
    let shipped = [
        ("acme/approval", 1),
        ("acme/default", 1),
        ("acme/four-eyes", 1),
        ("acme/short", 1),
        ("est/approval", 1),
        ("est/default", 1),
        ("est/four-eyes", 1),
        ("est/short", 1),
    ];
    assert_eq!(versions, shipped, "nothing is published twice");
    assert_eq!(again.stop().await, DrainOutcome::Clean);
    assert!(
        !manifest.control_socket.exists(),
        "the socket goes with the gateway"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn one_directory_has_one_gateway() {
    let directory = home();
    let running = gateway(directory.path()).await;
    let mut options = options(directory.path(), &[]);
    // Other addresses, or those would be taken first.
    for listener in options.config.server.listeners.values_mut() {
        listener.addr.set_port(0);
    }
    let error = start(options).await.err().unwrap().to_string();
    assert!(error.contains("in use by another process"), "{error}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn endpoints_of_dev_can_be_set() {
    let directory = home();
    let endpoints = vec!["endpoint.acme.mine.profiles=[\"tls-server\"]".parse().unwrap()];
    let running = start(StartOptions {
        endpoints,
        ..options(directory.path(), &[])
    })
    .await
    .unwrap();
    let object = running
        .ra()
        .objects()
        .current(ObjectKind::Endpoint, "acme/mine")
        .await
        .unwrap()
        .unwrap();
    assert!(object.body.contains("tls-server"), "{}", object.body);
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signer_that_dies_is_replaced() {
    let directory = home();
    let running = gateway(directory.path()).await;
    let management = running.addresses()["management"];
    let signer = running.installation().signer.clone().unwrap();
    let first = signer.pid().unwrap();
    let pid = rustix::process::Pid::from_raw(i32::try_from(first).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::KILL).unwrap();
    let second = until("another signer", || async {
        signer.pid().filter(|pid| *pid != first)
    })
    .await;
    assert_ne!(first, second);
    until("readiness", || async {
        (get(management, "/readyz").await.0 == 200).then_some(())
    })
    .await;
    let metrics = text(&get(management, "/metrics").await.1);
    assert!(
        metrics.contains("portreeve_signer_restarts_total 1\n"),
        "{metrics}"
    );
    running.stop().await;
}
