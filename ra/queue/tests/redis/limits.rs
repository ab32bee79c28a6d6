use std::time::{Duration, Instant};

use portreeve_harness::redis::Redis;
use portreeve_queue::LinkState;
use portreeve_ra::RateLimit;
use portreeve_ra::ports::{Admission, RateLimiter};

use crate::support::{PATIENCE, SOON, connected, eventually, key, node, together};

const fn limit(requests: u32, period_secs: u64, burst: u32) -> RateLimit {
    RateLimit {
        requests,
        period: Duration::from_secs(period_secs),
        burst,
    }
}

#[tokio::test]
async fn two_nodes_count_together() {
    let redis = Redis::start().unwrap();
    let (one, two) = (node(&redis, 1).await, node(&redis, 2).await);
    let limit = limit(10, 3_600, 6);
    let limiters = [one.limiter(), two.limiter()];
    let (within, beyond, apart, last) = together(&[&one, &two], async |round| {
        let (a, b) = (format!("a{round}"), format!("b{round}"));
        let (mut within, mut beyond, mut apart) = (Vec::new(), Vec::new(), Vec::new());
        for turn in 0..6 {
            within.push(limiters[turn % 2].admit(&a, limit, 1).await);
        }
        for limiter in &limiters {
            beyond.push(limiter.admit(&a, limit, 1).await);
            apart.push(limiter.admit(&b, limit, 3).await);
        }
        (within, beyond, apart, limiters[0].admit(&b, limit, 1).await)
    })
    .await;
    assert_eq!(within, [Admission::Admitted; 6]);
    for answer in beyond {
        let Admission::RetryAfter(wait) = answer else {
            panic!("admitted beyond the limit");
        };
        let interval = Duration::from_secs(360);
        assert!(wait <= interval && wait > interval - PATIENCE, "{wait:?}");
    }
    assert_eq!(apart, [Admission::Admitted; 2], "keys are apart");
    assert!(matches!(last, Admission::RetryAfter(_)));
}

#[tokio::test]
async fn the_rate_is_kept_after_the_burst() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let (limiter, limit) = (one.limiter(), limit(20, 1, 2));
    let (begun, mut admitted) = (Instant::now(), 0_u32);
    while begun.elapsed() < Duration::from_secs(2) || admitted <= 10 {
        assert!(begun.elapsed() < PATIENCE, "{admitted}");
        match limiter.admit("a", limit, 1).await {
            Admission::Admitted => admitted += 1,
            Admission::RetryAfter(wait) => tokio::time::sleep(wait).await,
        }
    }
    // Never more than the rate allows; less when the machine is busy.
    let most = 2.0 + begun.elapsed().as_secs_f64() * 20.0 + 1.0;
    assert!(f64::from(admitted) <= most, "{admitted} of {most}");
}

#[tokio::test]
async fn odd_limits() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let limiter = one.limiter();
    let minute = Admission::RetryAfter(Duration::from_secs(60));
    let rows = [
        ("none at all", limit(0, 60, 5), 1, minute),
        ("no burst counts as one", limit(1, 60, 0), 1, Admission::Admitted),
        ("a cost beyond the burst", limit(1, 60, 2), 3, minute),
        (
            "a cost of the whole burst",
            limit(1, 60, 2),
            2,
            Admission::Admitted,
        ),
        ("only asks", limit(1, 60, 1), 0, Admission::Admitted),
        (
            "a period of centuries",
            limit(1, u64::MAX, u32::MAX),
            1,
            Admission::Admitted,
        ),
    ];
    for (name, limit, cost, expected) in rows {
        let answer = together(&[&one], async |round| {
            limiter.admit(&format!("{name}{round}"), limit, cost).await
        })
        .await;
        assert_eq!(answer, expected, "{name}");
    }
}

#[tokio::test]
async fn asking_counts_nothing_and_says_what_counting_would() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let (limiter, limit) = (one.limiter(), limit(1, 3_600, 1));
    for _ in 0..3 {
        assert_eq!(limiter.admit("a", limit, 0).await, Admission::Admitted);
    }
    assert_eq!(limiter.admit("a", limit, 1).await, Admission::Admitted);
    for cost in [0, 1] {
        let answer = limiter.admit("a", limit, cost).await;
        assert!(matches!(answer, Admission::RetryAfter(_)), "{cost}: {answer:?}");
    }
    assert_eq!(one.statistics().limits_alone, 0);
}

#[tokio::test]
async fn counters_expire() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let limiter = one.limiter();
    assert_eq!(limiter.admit("a", limit(10, 1, 1), 1).await, Admission::Admitted);
    let pattern = key("limit:*");
    let counters = || redis.ask::<Vec<String>>(&["KEYS", &pattern]).unwrap();
    eventually("it has expired", || counters().is_empty()).await;
    let kept = together(&[&one], async |round| {
        limiter.admit(&format!("b{round}"), limit(1, 60, 1), 1).await
    })
    .await;
    assert_eq!(kept, Admission::Admitted);
    let found = counters();
    let left: i64 = redis.ask(&["PTTL", &found[0]]).unwrap();
    assert!((1..=60_000).contains(&left), "{left}");
}

#[tokio::test]
async fn a_damaged_counter_begins_anew() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let limiter = one.limiter();
    let limit = limit(1, 60, 1);
    let first = together(&[&one], async |_| limiter.admit("a", limit, 1).await).await;
    assert_eq!(first, Admission::Admitted);
    let name = redis
        .ask::<Vec<String>>(&["KEYS", &key("limit:*")])
        .unwrap()
        .remove(0);
    let rows: [&[&str]; 5] = [
        &["SET", &name, "garbage"],
        &["SET", &name, "nan"],
        &["SET", &name, "-1e308"],
        &["LPUSH", &name, "a"],
        &["XADD", &name, "*", "a", "b"],
    ];
    for damage in rows {
        let answers = together(&[&one], async |_| {
            let _: i64 = redis.ask(&["DEL", &name]).unwrap();
            let _: redis::Value = redis.ask(damage).unwrap();
            [
                limiter.admit("a", limit, 1).await,
                limiter.admit("a", limit, 1).await,
            ]
        })
        .await;
        assert!(
            matches!(answers, [Admission::Admitted, Admission::RetryAfter(_)]),
            "{damage:?}: {answers:?}"
        );
    }
    // One that lies far ahead locks nobody out for longer than a full burst.
    let _: String = redis.ask(&["SET", &name, "1e300"]).unwrap();
    let ahead = together(&[&one], async |_| limiter.admit("a", limit, 1).await).await;
    let Admission::RetryAfter(wait) = ahead else {
        panic!("admitted");
    };
    assert!(wait <= Duration::from_secs(60), "{wait:?}");
}

#[tokio::test]
async fn without_the_server_each_node_goes_on_counting_by_itself() {
    let mut redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let (limiter, limit) = (one.limiter(), limit(1, 3_600, 4));
    let key = together(&[&one], async |round| {
        let key = format!("a{round}");
        for _ in 0..3 {
            assert_eq!(limiter.admit(&key, limit, 1).await, Admission::Admitted);
        }
        key
    })
    .await;
    let alone = one.statistics().limits_alone;
    redis.kill();
    assert_eq!(limiter.admit(&key, limit, 1).await, Admission::Admitted);
    assert!(
        matches!(limiter.admit(&key, limit, 1).await, Admission::RetryAfter(_)),
        "what was admitted before counts on"
    );
    assert_eq!(one.statistics().limits_alone, alone + 2);
    redis.restart().unwrap();
    connected(&one).await;
    let again = together(&[&one], async |round| {
        limiter.admit(&format!("b{round}"), limit, 1).await
    })
    .await;
    assert_eq!(again, Admission::Admitted, "the script is kept again");
}

#[tokio::test]
async fn a_server_that_hangs_delays_one_request_and_no_more() {
    let redis = Redis::start().unwrap();
    let one = node(&redis, 1).await;
    let (limiter, limit) = (one.limiter(), limit(1_000, 1, 1_000));
    assert_eq!(limiter.admit("a", limit, 1).await, Admission::Admitted);
    redis.pause();
    let begun = Instant::now();
    for _ in 0..900 {
        assert_eq!(limiter.admit("a", limit, 1).await, Admission::Admitted);
    }
    // So many delays are three times as much.
    assert!(begun.elapsed() < SOON, "{:?}", begun.elapsed());
    eventually("it is noticed", || matches!(one.state(), LinkState::Down(_))).await;
    redis.resume();
    connected(&one).await;
    let again = together(&[&one], async |_| limiter.admit("a", limit, 1).await).await;
    assert_eq!(again, Admission::Admitted);
}
