use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::time::{Duration, Instant};

use portreeve_harness::process::free_port;
use portreeve_harness::redis::Redis;
use portreeve_queue::{LinkState, RedisError};
use portreeve_ra::ports::{WakeKey, Wakeups};

use crate::support::{
    INSTALLATION, PATIENCE, SOON, connected, crosses, enrollment, eventually, hears_again, node, node_of,
};

/// How long a client on one node waits for a result that another node puts into a store, when it looks each time a
/// wait returns.
async fn sees_a_result(one: &portreeve_queue::RedisQueue, two: &portreeve_queue::RedisQueue) -> Duration {
    let store = Arc::new(AtomicBool::new(false));
    let (looked_at, waiting) = (Arc::clone(&store), two.wakeups());
    let client = tokio::spawn(async move {
        loop {
            let woken = waiting.wait(enrollment(1), PATIENCE);
            if looked_at.load(Ordering::SeqCst) {
                return Instant::now();
            }
            woken.await;
        }
    });
    eventually("it waits", || two.wakeups().waiting() > 0).await;
    let done = Instant::now();
    store.store(true, Ordering::SeqCst);
    one.wakeups().wake(enrollment(1));
    client.await.unwrap().duration_since(done)
}

#[tokio::test]
async fn a_killed_server_costs_time_and_nothing_else_and_comes_back_by_itself() {
    let mut redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    for _ in 0..3 {
        redis.kill();
        let took = sees_a_result(&one, &two).await;
        assert!(took < SOON, "{took:?}");
        eventually("it is noticed", || matches!(one.state(), LinkState::Down(_))).await;
        let took = sees_a_result(&one, &two).await;
        assert!(took < SOON, "{took:?}");
        redis.restart().unwrap();
        connected(&one).await;
        connected(&two).await;
        hears_again(&one, &two).await;
    }
}

#[tokio::test]
async fn a_server_that_hangs_costs_time_and_nothing_else() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    redis.pause();
    for _ in 0..8 {
        let took = sees_a_result(&one, &two).await;
        assert!(took < SOON, "{took:?}");
    }
    eventually("it is noticed", || !two.is_connected() && !one.is_connected()).await;
    redis.resume();
    connected(&one).await;
    connected(&two).await;
    hears_again(&one, &two).await;
}

#[tokio::test]
async fn whoever_waits_when_the_server_dies_looks_at_once() {
    let mut redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let woken = one.wakeups().wait(WakeKey::Status, PATIENCE);
    assert_eq!(one.wakeups().waiting(), 1);
    redis.kill();
    // Nobody polls it so far: it does not look by itself.
    eventually("it is woken", || one.wakeups().waiting() == 0).await;
    woken.await;
}

#[tokio::test]
async fn a_server_that_is_emptied_all_the_time_breaks_nothing() {
    let redis = Arc::new(Redis::start().unwrap());
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let stop = Arc::new(AtomicBool::new(false));
    let flushed = Arc::new(AtomicU32::new(0));
    let flusher = {
        let (redis, stop, flushed) = (Arc::clone(&redis), Arc::clone(&stop), Arc::clone(&flushed));
        std::thread::spawn(move || {
            while !stop.load(Ordering::SeqCst) {
                redis.flush().unwrap();
                flushed.fetch_add(1, Ordering::SeqCst);
                std::thread::sleep(Duration::from_millis(50));
            }
        })
    };
    let (mut heard, begun) = (0_u8, Instant::now());
    while heard < 20 || flushed.load(Ordering::SeqCst) < 10 {
        let took = sees_a_result(&one, &two).await;
        assert!(took < SOON, "{took:?}");
        heard = heard.saturating_add(u8::from(crosses(&two, &one, heard).await.is_some()));
        assert!(begun.elapsed() < PATIENCE, "only {heard} hints were heard");
    }
    stop.store(true, Ordering::SeqCst);
    flusher.join().unwrap();
    connected(&one).await;
    connected(&two).await;
    hears_again(&one, &two).await;
}

#[tokio::test]
async fn a_server_that_evicts_breaks_nothing() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    redis.make_evict().unwrap();
    let fill = "for i = 1, 1000 do redis.call('SET', ARGV[1] .. i, string.rep('x', 1000)) end";
    for round in 0..20 {
        let _: Result<(), _> = redis.ask(&["EVAL", fill, "0", &round.to_string()]);
        let took = sees_a_result(&one, &two).await;
        assert!(took < SOON, "{took:?}");
    }
    let evicted: String = redis.ask(&["INFO", "stats"]).unwrap();
    assert!(!evicted.contains("evicted_keys:0\r"), "nothing was evicted");
    let () = redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    hears_again(&one, &two).await;
}

#[tokio::test]
async fn a_server_without_memory_is_said_until_it_has_some() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let () = redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).unwrap();
    one.wakeups().wake(WakeKey::Tasks);
    let is_full = || matches!(one.refusal(), Some(RedisError::Refused(reason)) if reason.starts_with("OOM"));
    eventually("it is said", is_full).await;
    eventually("the hint is dropped", || one.statistics().hints_dropped > 0).await;
    // It can still be heard, by a node that begins to listen now too.
    let three = node(&redis, 3).await;
    eventually("all are connected", || {
        one.is_connected() && two.is_connected() && three.is_connected()
    })
    .await;
    let () = redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).unwrap();
    hears_again(&one, &two).await;
    eventually("it is over", || one.refusal().is_none()).await;
}

#[tokio::test]
async fn a_node_starts_without_a_server_and_finds_it_later() {
    let url = format!("redis://127.0.0.1:{}/0", free_port());
    let one = node_of(INSTALLATION, &url, 1);
    eventually("it is noticed", || {
        matches!(one.state(), LinkState::Down(RedisError::Connection { .. }))
    })
    .await;
    one.wakeups().wake(WakeKey::Tasks);
    eventually("the hint is dropped", || one.statistics().hints_dropped == 1).await;
    let begun = Instant::now();
    one.stop().await;
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
}
