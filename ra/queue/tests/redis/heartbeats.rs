use std::time::Duration;

use portreeve_harness::redis::Redis;
use portreeve_queue::{NodeReport, Nodes, OnlyNode};
use portreeve_ra::NodeId;

use crate::support::{PATIENCE, connected, key, node, report};

async fn listed(nodes: &impl Nodes, count: usize) -> Vec<NodeReport> {
    let begun = std::time::Instant::now();
    loop {
        let found = nodes.list().await.unwrap_or_default();
        if found.len() == count {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{found:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test]
async fn nodes_see_each_other_and_who_goes_is_gone() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    for nodes in [one.nodes(), two.nodes()] {
        let found = listed(&nodes, 2).await;
        for (number, found) in [1, 2].into_iter().zip(found) {
            assert_eq!(
                NodeReport {
                    at: 0,
                    ..found.clone()
                },
                report(number)
            );
            assert!(found.heard_at().unix_seconds() > 1_700_000_000, "{found:?}");
        }
    }
    two.stop().await;
    listed(&one.nodes(), 1).await;
}

#[tokio::test]
async fn a_heartbeat_expires_within_20_seconds() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    listed(&one.nodes(), 1).await;
    let two = node(&redis, 2).await;
    listed(&one.nodes(), 2).await;
    let left: i64 = redis
        .ask(&["PTTL", &key(&format!("node:{}", NodeId::from_bytes([2; 16])))])
        .unwrap();
    assert!((1..=20_000).contains(&left), "{left}");
    // A node that dies says nothing; here what it said is made to expire at once.
    drop(two);
    let _: i64 = redis
        .ask(&[
            "PEXPIRE",
            &key(&format!("node:{}", NodeId::from_bytes([2; 16]))),
            "1",
        ])
        .unwrap();
    listed(&one.nodes(), 1).await;
    let members: i64 = redis.ask(&["SCARD", &key("nodes")]).unwrap();
    assert_eq!(members, 1, "it is forgotten");
}

#[tokio::test]
async fn garbage_is_no_node() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    listed(&one.nodes(), 1).await;
    let id = NodeId::from_bytes([9; 16]).to_string();
    let _: i64 = redis
        .ask(&["SADD", &key("nodes"), "garbage", "\u{1}", &id])
        .unwrap();
    let _: String = redis
        .ask(&["SET", &key(&format!("node:{id}")), "{\"node\":1}"])
        .unwrap();
    listed(&one.nodes(), 1).await;
    let members: Vec<String> = redis.ask(&["SMEMBERS", &key("nodes")]).unwrap();
    assert_eq!(members, [NodeId::from_bytes([1; 16]).to_string()]);
    // Another value under the name of the set is replaced with the next heartbeat.
    let _: String = redis.ask(&["SET", &key("nodes"), "garbage"]).unwrap();
    let two = node(&redis, 2).await;
    listed(&two.nodes(), 1).await;
    connected(&one).await;
}

#[tokio::test]
async fn without_a_server_nobody_can_say() {
    let mut redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    redis.kill();
    assert_eq!(one.nodes().list().await, None);
    assert_eq!(OnlyNode::new(report(3)).list().await, Some(vec![report(3)]));
}
