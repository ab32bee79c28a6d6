//! Nodes are killed, restarted and raced while clients go on.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use portreeve_faults::client::request_for;
use portreeve_faults::fleet::{Fleet, Plan};
use portreeve_faults::os;
use portreeve_harness::pace::{PATIENCE, within};

use crate::{LIMIT, assert_only_unavailable, assert_whole, load, more_certificates};

fn kills() -> u32 {
    let given = std::env::var("PORTREEVE_FLEET_KILLS").ok();
    given.and_then(|text| text.parse().ok()).unwrap_or(3)
}

/// Whichever node it hits, whatever Redis forgets: one certificate for each order.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn killed_nodes_and_a_redis_that_forgets_lose_nothing() {
    let mut fleet = Fleet::start().await.unwrap();
    let load = load(&fleet, 4).await;
    let (redis, over) = (Arc::clone(&fleet.redis), Arc::new(AtomicBool::new(false)));
    let flushing = tokio::task::spawn_blocking({
        let over = Arc::clone(&over);
        move || {
            let mut flushed = 0;
            while !over.load(Ordering::Relaxed) {
                redis.flush().unwrap();
                flushed += 1;
                std::thread::sleep(Duration::from_secs(1));
            }
            flushed
        }
    });
    let names: Vec<&str> = fleet.nodes.keys().copied().collect();
    for _ in 0..kills() {
        fleet
            .wire
            .reached(fleet.wire.sent() + 10 + u64::from(os::chance(30)))
            .await;
        let victim = names[usize::try_from(os::chance(6)).unwrap() % names.len()];
        tokio::task::block_in_place(|| fleet.node_mut(victim).unwrap().process.restart()).unwrap();
    }
    load.end().await.unwrap();
    over.store(true, Ordering::Relaxed);
    let flushed = flushing.await.unwrap();
    assert!(flushed > 0);
    assert_only_unavailable(&fleet.wire.exchanges());
    let issued = assert_whole(&mut fleet).await;
    assert!(issued >= 4);
    let _ = writeln!(
        std::io::stderr(),
        "{} kills, {flushed} times FLUSHALL, {issued} certificates",
        kills()
    );
}

/// Every node is asked to end and started again, one after the other; clients notice nothing they do not get over by
/// asking again.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rolling_restart_under_load_fails_nobody() {
    let mut fleet = Fleet::start().await.unwrap();
    let load = load(&fleet, 4).await;
    let names: Vec<&str> = fleet.nodes.keys().copied().collect();
    for name in names {
        more_certificates(&fleet, 4).await;
        tokio::task::block_in_place(|| {
            let node = &mut fleet.node_mut(name).unwrap().process;
            let status = node.terminate().unwrap();
            assert!(status.success(), "{name}: {status}");
            node.restart().unwrap();
        });
        fleet.until_ready(name, true, LIMIT).await.unwrap();
    }
    more_certificates(&fleet, 4).await;
    load.end().await.unwrap();
    assert_only_unavailable(&fleet.wire.exchanges());
    let (sent, answered) = (
        fleet.wire.sent(),
        u64::try_from(fleet.wire.exchanges().len()).unwrap(),
    );
    let issued = assert_whole(&mut fleet).await;
    let _ = writeln!(
        std::io::stderr(),
        "{issued} certificates, {sent} requests, {} without an answer",
        sent - answered
    );
    assert!(sent - answered <= 12, "only connections that were being made");
}

/// The same order is finalized at both edges at the same moment, and handed to two workers.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn an_order_finalized_at_two_edges_at_once_has_one_certificate() {
    const ORDERS: usize = 15;
    let mut fleet = Fleet::of(&Plan::SMALL).await.unwrap();
    let client = Arc::new(fleet.client("default").await.unwrap());
    for number in 0..ORDERS {
        let name = format!("{number}.race.localhost");
        let url = client.order(&name, LIMIT).await.unwrap();
        client.make_ready(&url, LIMIT).await.unwrap();
        let request = request_for(&name).unwrap();
        let given = client.race((&url, &request), LIMIT).await.unwrap();
        assert_eq!(given[0], given[1], "{name}");
    }
    assert_eq!(assert_whole(&mut fleet).await, ORDERS);
}

/// PostgreSQL is restarted: whoever asks an edge meanwhile is told when to come back, and soon may.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_restarted_database_is_back_soon() {
    let mut fleet = Fleet::of(&Plan::SMALL).await.unwrap();
    let load = load(&fleet, 4).await;
    more_certificates(&fleet, 4).await;
    tokio::task::block_in_place(|| fleet.server.stop()).unwrap();
    let begun = fleet.wire.exchanges().len();
    fleet.wire.reached(fleet.wire.sent() + 20).await;
    for name in ["edge1", "worker2"] {
        // What was found in the second before still counts.
        fleet.until_ready(name, false, PATIENCE).await.unwrap();
    }
    let exchanges = fleet.wire.exchanges();
    let posts = exchanges.iter().skip(begun).filter(|done| done.path != "/readyz");
    assert!(posts.clone().any(|done| done.status == 503), "somebody was told");
    tokio::task::block_in_place(|| fleet.server.start_again()).unwrap();
    let back = Instant::now();
    for name in ["edge1", "edge2", "worker1", "worker2"] {
        let left = within(Duration::from_secs(5)).saturating_sub(back.elapsed());
        fleet.until_ready(name, true, left).await.unwrap();
    }
    more_certificates(&fleet, 4).await;
    load.end().await.unwrap();
    assert_only_unavailable(&fleet.wire.exchanges());
    assert_whole(&mut fleet).await;
}
