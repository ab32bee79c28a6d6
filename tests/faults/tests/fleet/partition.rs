//! One node is cut off from a server that the others reach.

use std::time::Duration;

use portreeve_faults::cable::Cable;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;

use crate::{assert_only_unavailable, assert_whole, load, more_certificates};

/// How long a node may take to notice, and to be back.
const NOTICED: Duration = Duration::from_secs(60);

async fn until_degraded(fleet: &Fleet, name: &str, degraded: bool) {
    os::eventually(&format!("{name} degraded: {degraded}"), NOTICED, || async {
        let (status, report) = fleet.readiness(name).await?;
        assert_eq!(status, 200, "ready without Redis: {report}");
        Ok((report["degraded"] == degraded).then_some(()))
    })
    .await
    .unwrap();
}

async fn cut_off(name: &'static str) {
    let plan = Plan {
        cabled: Some(name),
        ..Plan::SMALL
    };
    let mut fleet = Fleet::of(&plan).await.unwrap();
    let load = load(&fleet, 4).await;
    more_certificates(&fleet, 4).await;

    let to_database = |act: fn(&Cable)| act(&fleet.node(name).unwrap().cables.as_ref().unwrap().0);
    let to_redis = |act: fn(&Cable)| act(&fleet.node(name).unwrap().cables.as_ref().unwrap().1);
    to_redis(Cable::cut);
    until_degraded(&fleet, name, true).await;
    more_certificates(&fleet, 8).await;
    to_redis(Cable::mend);
    until_degraded(&fleet, name, false).await;

    to_database(Cable::cut);
    fleet.until_ready(name, false, NOTICED).await.unwrap();
    more_certificates(&fleet, 2).await;
    to_database(Cable::mend);
    fleet.until_ready(name, true, NOTICED).await.unwrap();
    more_certificates(&fleet, 4).await;
    load.end().await.unwrap();
    assert_only_unavailable(&fleet.wire.exchanges());
    assert_whole(&mut fleet).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_edge_that_is_cut_off_says_so_and_comes_back() {
    cut_off("edge2").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_worker_that_is_cut_off_leaves_the_work_to_others() {
    cut_off("worker2").await;
}
