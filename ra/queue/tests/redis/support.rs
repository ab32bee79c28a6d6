//! Nodes of one installation at one Redis server.

use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_harness::redis::Redis;
use portreeve_queue::{NodeReport, RedisQueue, RedisServer, RedisTarget, SystemClock};
use portreeve_ra::ports::{ApprovalHint, ApprovalNews, WakeKey, Wakeups};
use portreeve_ra::{EnrollmentId, NodeId, ProposalId};

pub(crate) use portreeve_harness::pace::PATIENCE;

/// Far less than [`PATIENCE`], for which a wait lasts when nothing ends it, and far more than anything else takes.
pub(crate) const SOON: Duration = Duration::from_secs(15);

pub(crate) const INSTALLATION: [u8; 16] = [42; 16];

/// The names of the streams.
pub(crate) const STREAMS: [&str; 3] = ["tasks", "enrollments", "approvals"];

pub(crate) fn key(name: &str) -> String {
    format!("portreeve:{{2a2a2a2a-2a2a-2a2a-2a2a-2a2a2a2a2a2a}}:{name}")
}

pub(crate) fn enrollment(number: u8) -> WakeKey {
    WakeKey::Enrollment(EnrollmentId::from_bytes([number; 16]))
}

pub(crate) fn news(number: u8) -> ApprovalHint {
    ApprovalHint {
        proposal: ProposalId::from_bytes([number; 16]),
        enrollment: EnrollmentId::from_bytes([number; 16]),
        news: ApprovalNews::Step,
    }
}

pub(crate) fn report(number: u8) -> NodeReport {
    NodeReport {
        node: NodeId::from_bytes([number; 16]),
        version: "0.1.0".to_owned(),
        roles: vec!["edge".to_owned(), "worker".to_owned()],
        configuration: [("acme".to_owned(), "00".repeat(4))].into(),
        keyset: "11".repeat(32),
        started_at: i64::from(number),
        at: 0,
    }
}

pub(crate) fn server(url: &str) -> RedisServer {
    RedisServer::new(RedisTarget::parse(url).unwrap(), None).unwrap()
}

/// A node that may not be connected yet.
pub(crate) fn node_of(installation: [u8; 16], url: &str, number: u8) -> RedisQueue {
    RedisQueue::start(server(url), &installation, report(number), Arc::new(SystemClock))
}

/// A node that is connected.
pub(crate) async fn node(redis: &Redis, number: u8) -> RedisQueue {
    let node = node_of(INSTALLATION, &redis.url(), number);
    connected(&node).await;
    node
}

pub(crate) async fn connected(node: &RedisQueue) {
    eventually("a connection", || node.is_connected()).await;
}

/// Asks again and again until it is so.
pub(crate) async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !is_so() {
        assert!(begun.elapsed() < PATIENCE, "{what} did not happen");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// Whether a wait on one node ends because of a wake-up on another, and how soon; looked at for as long as one wait
/// lasts at most.
pub(crate) async fn crosses(from: &RedisQueue, to: &RedisQueue, number: u8) -> Option<Duration> {
    let received = to.statistics().hints_received;
    let woken = to.wakeups().wait(enrollment(number), PATIENCE);
    let begun = Instant::now();
    from.wakeups().wake(enrollment(number));
    woken.await;
    let took = begun.elapsed();
    (to.statistics().hints_received > received).then_some(took)
}

/// A hint of one node wakes whoever waits on the other: how soon the wait has ended. The hint must arrive, however late.
pub(crate) async fn arrives(from: &RedisQueue, to: &RedisQueue, number: u8) -> Duration {
    let received = to.statistics().hints_received;
    let woken = to.wakeups().wait(enrollment(number), PATIENCE);
    let begun = Instant::now();
    from.wakeups().wake(enrollment(number));
    woken.await;
    let took = begun.elapsed();
    eventually("a hint", || to.statistics().hints_received > received).await;
    took
}

/// Waits until hints of one node arrive at the other: after trouble the first ones may be lost.
pub(crate) async fn hears_again(from: &RedisQueue, to: &RedisQueue) {
    let begun = Instant::now();
    let mut number = 0_u8;
    while crosses(from, to, number).await.is_none() {
        assert!(begun.elapsed() < PATIENCE, "hints do not arrive");
        number = number.wrapping_add(1);
    }
}

/// Plays a scene of limits, on other keys each time, until Redis has answered every question in it: one that is answered
/// late is decided by the node alone.
pub(crate) async fn together<T>(nodes: &[&RedisQueue], mut scene: impl AsyncFnMut(u32) -> T) -> T {
    let alone = || {
        nodes
            .iter()
            .map(|node| node.statistics().limits_alone)
            .sum::<u64>()
    };
    let (begun, mut round) = (Instant::now(), 0);
    loop {
        let before = alone();
        let seen = scene(round).await;
        if alone() == before {
            return seen;
        }
        assert!(begun.elapsed() < PATIENCE, "Redis is late each time");
        round += 1;
    }
}
