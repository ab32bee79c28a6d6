use portreeve_harness::redis::Redis;
use portreeve_ra::ports::{WakeKey, Wakeups};

use crate::support::{PATIENCE, STREAMS, connected, enrollment, eventually, hears_again, key, news, node};

#[tokio::test]
async fn entries_of_somebody_else_are_ignored() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let node_id = "03030303-0303-0303-0303-030303030303";
    let long = "x".repeat(100_000);
    let rows: [&[&str]; 7] = [
        &["a", "b"],
        &["node", node_id],
        &["node", node_id, "what", "issue"],
        &["node", "root", "what", "tasks"],
        &["node", node_id, "enrollment", &long],
        &[
            "node",
            node_id,
            "proposal",
            "\u{1}",
            "enrollment",
            "\u{2}",
            "what",
            "opened",
        ],
        &[&long, &long],
    ];
    let mut written = 0;
    for name in STREAMS {
        for row in rows {
            let key = key(name);
            let words: Vec<&str> = ["XADD", &key, "*"]
                .into_iter()
                .chain(row.iter().copied())
                .collect();
            let _: String = redis.ask(&words).unwrap();
            written += 1;
        }
    }
    eventually("all are ignored", || {
        one.statistics().hints_ignored == written && two.statistics().hints_ignored == written
    })
    .await;
    assert_eq!(two.statistics().hints_received, 0);
    hears_again(&one, &two).await;
    // One that looks right wakes somebody for nothing.
    let forged = ["XADD", &key("tasks"), "*", "node", node_id, "what", "tasks"];
    let woken = two.wakeups().wait(WakeKey::Tasks, PATIENCE);
    let _: String = redis.ask(&forged).unwrap();
    woken.await;
}

#[tokio::test]
async fn an_entry_larger_than_memory_should_hold_is_not_read() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let huge = "redis.call('XADD', KEYS[1], '*', 'node', string.rep('x', 64 * 1024 * 1024))";
    for name in STREAMS {
        let () = redis.ask(&["EVAL", huge, "1", &key(name)]).unwrap();
    }
    eventually("hearing is given up", || !two.is_connected()).await;
    connected(&two).await;
    connected(&one).await;
    hears_again(&one, &two).await;
    hears_again(&two, &one).await;
    assert!(own_memory_peak() < 400 * 1024 * 1024, "{}", own_memory_peak());
}

/// The most memory this process has had, in octets.
fn own_memory_peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmHWM")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() * 1024
}

#[tokio::test]
async fn streams_that_were_damaged_are_begun_anew() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let last = "18446744073709551615-18446744073709551615";
    for name in STREAMS {
        let key = key(name);
        let rows: [&[&str]; 2] = [&["SET", &key, "no stream"], &["XADD", &key, last, "a", "b"]];
        for damage in rows {
            let _: i64 = redis.ask(&["DEL", &key]).unwrap();
            let _: String = redis.ask(damage).unwrap();
            one.wakeups().wake(WakeKey::Tasks);
            one.wakeups().wake(enrollment(7));
            one.wakeups().announce(news(7));
            hears_again(&one, &two).await;
            let kind: String = redis.ask(&["TYPE", &key]).unwrap();
            assert_ne!(kind, "string", "{name}");
        }
    }
}
