use std::time::{Duration, Instant};

use portreeve_harness::pace::within;
use portreeve_harness::redis::Redis;
use portreeve_ra::ports::{WakeKey, Wakeups};

use crate::support::{
    INSTALLATION, PATIENCE, SOON, STREAMS, arrives, connected, crosses, enrollment, eventually, hears_again,
    key, news, node, node_of,
};

#[tokio::test]
async fn a_wake_up_reaches_the_node_where_somebody_waits() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let mut times: Vec<Duration> = Vec::new();
    for number in 0..50 {
        times.push(arrives(&one, &two, number).await);
        times.push(arrives(&two, &one, number).await);
    }
    times.sort_unstable();
    let middle = times[times.len() / 2];
    // Who hears nothing looks by itself after half a second.
    let most = within(Duration::from_millis(20)).min(Duration::from_millis(300));
    assert!(middle < most, "{middle:?} of {times:?}");
}

#[tokio::test]
async fn every_kind_of_hint_crosses() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    for key in [WakeKey::Tasks, WakeKey::Status, enrollment(1)] {
        let received = two.statistics().hints_received;
        let woken = two.wakeups().wait(key, PATIENCE);
        one.wakeups().wake(key);
        woken.await;
        eventually("a hint", || two.statistics().hints_received == received + 1).await;
    }
    let (mut here, mut there) = (one.news(), two.news());
    let woken = two.wakeups().wait(WakeKey::Approvals, PATIENCE);
    one.wakeups().announce(news(3));
    assert_eq!(here.recv().await, Ok(news(3)), "at once, without Redis");
    assert_eq!(there.recv().await, Ok(news(3)));
    woken.await;
    let _ = crosses(&two, &one, 9).await;
    assert!(
        here.try_recv().is_err(),
        "its own entries are not passed on again"
    );
}

#[tokio::test]
async fn a_wake_up_of_its_own_makes_no_round_trip() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    redis.pause();
    let woken = one.wakeups().wait(WakeKey::Status, PATIENCE);
    assert_eq!(one.wakeups().waiting(), 1);
    one.wakeups().wake(WakeKey::Status);
    assert_eq!(
        one.wakeups().waiting(),
        0,
        "although nothing can be said to Redis"
    );
    woken.await;
    redis.resume();
}

#[tokio::test]
async fn a_wake_up_before_the_first_poll_is_not_lost() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let woken = two.wakeups().wait(WakeKey::Status, PATIENCE);
    assert_eq!(two.wakeups().waiting(), 1);
    one.wakeups().wake(WakeKey::Status);
    // Nobody polls it so far: it does not look by itself.
    eventually("the wake-up", || two.wakeups().waiting() == 0).await;
    assert_eq!(two.statistics().hints_received, 1);
    woken.await;
}

#[tokio::test]
async fn installations_share_a_server_without_hearing_each_other() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let stranger = node_of([7; 16], &redis.url(), 3);
    connected(&stranger).await;
    stranger.wakeups().wake(enrollment(1));
    eventually("it is written", || stranger.statistics().hints_sent == 1).await;
    arrives(&one, &two, 2).await;
    assert_eq!(two.statistics().hints_received, 1);
    assert_eq!(stranger.statistics().hints_received, 0);
}

#[tokio::test]
async fn streams_are_bounded() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let caps = [1_000_u64, 10_000, 10_000];
    // Written by hand as a node does, ten times as many as are kept.
    let script =
        "for i = 1, 100000 do redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[1], '*', 'a', 'b') end";
    for (name, cap) in STREAMS.iter().zip(caps) {
        let () = redis
            .ask(&["EVAL", script, "1", &key(name), &cap.to_string()])
            .unwrap();
    }
    one.wakeups().wake(WakeKey::Tasks);
    one.wakeups().wake(enrollment(1));
    one.wakeups().announce(news(1));
    eventually("they are written", || one.statistics().hints_sent == 3).await;
    for (name, cap) in STREAMS.iter().zip(caps) {
        let length: u64 = redis.ask(&["XLEN", &key(name)]).unwrap();
        assert!((cap..=cap + 100).contains(&length), "{name}: {length}");
    }
}

#[tokio::test]
async fn what_a_node_writes_keeps_streams_at_their_caps() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let mut written = 0;
    while written < 1_500 {
        // Each alone, or they would be written once.
        one.wakeups().wake(WakeKey::Tasks);
        written += 1;
        eventually("it is written", || one.statistics().hints_sent == written).await;
    }
    let length: u64 = redis.ask(&["XLEN", &key("tasks")]).unwrap();
    assert!((1_000..=1_100).contains(&length), "{length}");
    eventually("all are heard", || two.statistics().hints_received == written).await;
}

#[tokio::test]
async fn more_hints_than_fit_are_dropped_and_counted_and_nothing_blocks() {
    let redis = Redis::start().unwrap();
    let one = node_of(INSTALLATION, &redis.url(), 1);
    connected(&one).await;
    redis.pause();
    let begun = Instant::now();
    for number in 0..20_000_u32 {
        let mut id = [0; 16];
        id[..4].copy_from_slice(&number.to_be_bytes());
        one.wakeups()
            .wake(WakeKey::Enrollment(portreeve_ra::EnrollmentId::from_bytes(id)));
    }
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    eventually("hints are dropped", || one.statistics().hints_dropped >= 15_000).await;
    redis.resume();
    let two = node(&redis, 2).await;
    hears_again(&one, &two).await;
}
