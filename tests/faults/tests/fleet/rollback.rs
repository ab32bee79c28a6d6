//! Somebody brings a stream of configuration back to an earlier state in PostgreSQL: all that is left of it verifies.

use std::path::Path;

use portreeve_faults::client::request_for;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use portreeve_ra::{ObjectKind, ObjectVersion};

use crate::LIMIT;

const NODES: [&str; 2] = ["node1", "node2"];

const ENDPOINT: &str = "profiles = [\"dev\"]\nbackend = \"issuing\"\n";

const ISSUED: &str = "SELECT count(*) FROM certificate";

/// Publishes another version of the endpoint.
async fn publish(fleet: &Fleet, folder: &Path, version: u32) {
    let endpoints = folder.join("endpoints/acme");
    std::fs::create_dir_all(&endpoints).unwrap();
    let text = format!("{ENDPOINT}inline_wait = \"{version}s\"\n");
    std::fs::write(endpoints.join("default.toml"), text).unwrap();
    let apply = ["apply", "--from", folder.to_str().unwrap()];
    let console = fleet.console().unwrap();
    tokio::task::block_in_place(|| console.control(&apply).unwrap().success().unwrap());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_node_that_saw_the_newer_head_notices() {
    let fleet = Fleet::of(&Plan::PAIR).await.unwrap();
    let client = fleet.client("default").await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    publish(&fleet, folder.path(), 3).await;
    let mut ready = Vec::new();
    for (place, name) in NODES.into_iter().enumerate() {
        fleet.only_edge(Some(place));
        client.obtain(&format!("{name}.localhost"), LIMIT).await.unwrap();
        let host = format!("{name}.late.localhost");
        let url = client.order(&host, LIMIT).await.unwrap();
        client.make_ready(&url, LIMIT).await.unwrap();
        ready.push((url, request_for(&host).unwrap()));
    }
    let issued = fleet.count(ISSUED).await.unwrap();

    let stream = ObjectVersion::stream(ObjectKind::Endpoint, "acme/default");
    let mut owner = fleet.owner().await.unwrap();
    let cut = sqlx::query("DELETE FROM record WHERE kind = $1 AND stream = $2 AND position > 1")
        .bind(i64::from(stream.kind.number()))
        .bind(stream.id.to_vec())
        .execute(&mut owner)
        .await
        .unwrap();
    assert_eq!(cut.rows_affected(), 1);

    for (place, name) in NODES.into_iter().enumerate() {
        fleet.only_edge(Some(place));
        let (url, request) = &ready[place];
        for _ in 0..2 {
            client.finalize(url, request).await.unwrap_err();
        }
        os::eventually("the node says so", LIMIT, || async {
            let log = fleet.node(name).unwrap().process.log();
            Ok(log
                .contains("stream was brought back to an earlier state")
                .then_some(()))
        })
        .await
        .unwrap();
    }
    assert_eq!(
        fleet.count(ISSUED).await.unwrap(),
        issued,
        "nothing is issued by it"
    );
    let listed = tokio::task::block_in_place(|| fleet.console().unwrap().control(&["audit", "incidents"]));
    let listed = listed.unwrap().success().unwrap().stdout;
    assert_eq!(listed.matches("tampered").count(), 1, "one incident: {listed}");
}
