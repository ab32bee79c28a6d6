//! Workers that seal the audit log by turns: they are killed, and stand still past their lease. Nothing is missed, nothing
//! sealed twice, and the checkpoints of all of them are of one log.

use std::path::PathBuf;

use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use portreeve_harness::process::portreeve;

use crate::{LIMIT, assert_whole, load, more_certificates};

const WORKERS: [&str; 2] = ["worker1", "worker2"];

const WITHOUT_LEAF: &str = "SELECT count(*) FROM record r WHERE NOT EXISTS (SELECT FROM audit_leaf l \
                            WHERE l.kind = r.kind AND l.stream = r.stream AND l.position = r.position)";

const WITHOUT_CHECKPOINT: &str = "SELECT size - coalesce((SELECT size FROM audit_checkpoint ORDER BY number DESC LIMIT 1), 0) \
                                  FROM audit_tree";

/// Waits until every record has its leaf, under a checkpoint.
async fn all_sealed(fleet: &Fleet) {
    os::eventually("all records sealed", LIMIT, || async {
        let (leaf, checkpoint) = (
            fleet.count(WITHOUT_LEAF).await?,
            fleet.count(WITHOUT_CHECKPOINT).await?,
        );
        Ok((leaf == 0 && checkpoint == 0).then_some(()))
    })
    .await
    .unwrap();
}

fn config(fleet: &Fleet, name: &str) -> PathBuf {
    fleet.node(name).unwrap().process.config().to_owned()
}

/// What a worker's own command finds, with the checkpoints of both workers.
fn verified(fleet: &Fleet, name: &str) -> serde_json::Value {
    let files = WORKERS.map(|name| config(fleet, name).with_extension("").join("audit-checkpoints"));
    let mut arguments = vec!["audit", "verify", "--output", "json"];
    for file in &files {
        assert!(file.exists(), "both have sealed: {}", file.display());
        arguments.extend(["--trusted", file.to_str().unwrap()]);
    }
    let finished = portreeve(&config(fleet, name), &arguments)
        .unwrap()
        .success()
        .unwrap();
    serde_json::from_str(&finished.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn workers_that_die_and_sleep_seal_everything_once() {
    let mut fleet = Fleet::of(&Plan::SMALL).await.unwrap();
    let load = load(&fleet, 3).await;
    for name in WORKERS {
        more_certificates(&fleet, 3).await;
        tokio::task::block_in_place(|| fleet.node_mut(name).unwrap().process.restart()).unwrap();
    }
    load.end().await.unwrap();
    all_sealed(&fleet).await;
    let client = fleet.client("default").await.unwrap();
    for (turn, sleeper) in ["worker2", "worker1", "worker2"].into_iter().enumerate() {
        fleet.node(sleeper).unwrap().process.pause();
        client
            .obtain(&format!("{turn}.asleep.localhost"), LIMIT)
            .await
            .unwrap();
        // The duty goes to the other one when the lease has ended.
        all_sealed(&fleet).await;
        fleet.node(sleeper).unwrap().process.resume();
    }
    client.obtain("awake.localhost", LIMIT).await.unwrap();
    all_sealed(&fleet).await;
    for name in WORKERS {
        let found = tokio::task::block_in_place(|| verified(&fleet, name));
        assert_eq!(
            (&found["good"], &found["unsealed"]),
            (&true.into(), &0.into()),
            "{found}"
        );
        assert!(found["trusted"].as_u64() > Some(2), "{found}");
    }
    assert_whole(&mut fleet).await;
}
