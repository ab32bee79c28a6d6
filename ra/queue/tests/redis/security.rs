use std::sync::Arc;

use portreeve_harness::redis::{Redis, RedisOptions};
use portreeve_queue::{
    LinkState, Nodes, RedisError, RedisQueue, RedisServer, RedisSetupError, RedisTarget, RedisTlsFiles,
    SystemClock,
};
use portreeve_ra::RateLimit;
use portreeve_ra::ports::{Admission, RateLimiter};

use crate::support::{INSTALLATION, arrives, connected, eventually, node_of, report, server, together};

/// What the README says a user of Portreeve needs.
const USER: &str = "user portreeve on >s3cr%t ~portreeve:* +ping +select +xadd +xread +xgroup +xinfo +unlink +get +set \
                    +mget +sadd +srem +srandmember +pexpire +time +eval +evalsha +info";

fn encrypted() -> Redis {
    Redis::start_with(RedisOptions {
        tls: true,
        users: vec!["user default on nopass ~* +@all".to_owned(), USER.to_owned()],
    })
    .unwrap()
}

fn files(redis: &Redis) -> RedisTlsFiles {
    let files = redis.files().unwrap();
    RedisTlsFiles {
        ca: files.ca.clone(),
        client: Some((files.client_cert.clone(), files.client_key.clone())),
    }
}

#[tokio::test]
async fn tls_with_an_own_ca_a_client_certificate_and_a_user_with_few_rights() {
    let redis = encrypted();
    let target = RedisTarget::parse(&redis.tls_url("portreeve:s3cr%25t@")).unwrap();
    let server = RedisServer::new(target, Some(&files(&redis))).unwrap();
    let start = |number| {
        RedisQueue::start(
            server.clone(),
            &INSTALLATION,
            report(number),
            Arc::new(SystemClock),
        )
    };
    let (one, two) = (start(1), start(2));
    connected(&one).await;
    connected(&two).await;
    arrives(&one, &two, 1).await;
    let limit = RateLimit {
        requests: 1,
        period: std::time::Duration::from_secs(60),
        burst: 1,
    };
    let answers = together(&[&one, &two], async |round| {
        let key = format!("a{round}");
        [
            one.limiter().admit(&key, limit, 1).await,
            two.limiter().admit(&key, limit, 1).await,
        ]
    })
    .await;
    assert!(
        matches!(answers, [Admission::Admitted, Admission::RetryAfter(_)]),
        "{answers:?}"
    );
    let begun = std::time::Instant::now();
    while one.nodes().list().await.is_none_or(|nodes| nodes.len() < 2) {
        assert!(begun.elapsed() < crate::support::PATIENCE);
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    let examined = server.examine(&SystemClock).await.unwrap();
    let details = examined.details.unwrap();
    assert!(details.version_number.unwrap() >= portreeve_queue::REDIS_VERSION_MIN);
    assert_eq!(details.eviction_policy, "noeviction");
    assert!(
        examined.clock_offset < std::time::Duration::from_secs(30),
        "{:?}",
        examined.clock_offset
    );
    one.stop().await;
    two.stop().await;
}

#[tokio::test]
async fn trust_and_client_certificates_are_needed() {
    let redis = encrypted();
    let (good, other) = (files(&redis), redis.files().unwrap().other_ca.clone());
    let rows = [
        (
            "another CA",
            RedisTlsFiles {
                ca: other,
                ..good.clone()
            },
            "certificate",
        ),
        (
            "no client certificate",
            RedisTlsFiles { client: None, ..good },
            "ertificate",
        ),
    ];
    for (name, files, mentioned) in rows {
        let target = RedisTarget::parse(&redis.tls_url("portreeve:s3cr%25t@")).unwrap();
        let server = RedisServer::new(target, Some(&files)).unwrap();
        let error = server.examine(&SystemClock).await.unwrap_err();
        assert!(matches!(error, RedisError::Connection { .. }), "{name}: {error}");
        assert!(error.to_string().contains(mentioned), "{name}: {error}");
        assert!(!error.to_string().contains("s3cr"), "{name}: {error}");
    }
}

#[test]
fn files_that_do_not_fit_are_named() {
    let redis = encrypted();
    let encrypted = RedisTarget::parse(&redis.tls_url("")).unwrap();
    let plain = RedisTarget::parse(&redis.url()).unwrap();
    let good = files(&redis);
    let absent = RedisTlsFiles {
        ca: "/nowhere/ca.pem".into(),
        client: None,
    };
    let key_as_ca = RedisTlsFiles {
        ca: good.client.clone().unwrap().1,
        client: None,
    };
    assert!(matches!(
        RedisServer::new(encrypted.clone(), None),
        Err(RedisSetupError::NoCa)
    ));
    assert!(matches!(
        RedisServer::new(plain, Some(&good)),
        Err(RedisSetupError::NotEncrypted)
    ));
    for files in [absent, key_as_ca] {
        let error = RedisServer::new(encrypted.clone(), Some(&files)).unwrap_err();
        assert!(
            error.to_string().contains(&files.ca.display().to_string()),
            "{error}"
        );
    }
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_shown() {
    let redis = Redis::start_with(RedisOptions {
        tls: false,
        users: vec!["user default off".to_owned(), USER.to_owned()],
    })
    .unwrap();
    let rows = [
        ("wrong password", redis.url_of("portreeve", "hunter2")),
        ("no such user", redis.url_of("hunter2", "hunter2")),
        ("no password", redis.url()),
    ];
    for (name, url) in rows {
        let node = node_of(INSTALLATION, &url, 1);
        eventually("it is noticed", || matches!(node.state(), LinkState::Down(_))).await;
        let LinkState::Down(error) = node.state() else {
            panic!("{name}")
        };
        assert!(
            matches!(error, RedisError::Credentials { .. }),
            "{name}: {error:?}"
        );
        let shown = format!("{error} {error:?} {:?} {:?}", node.server(), server(&url));
        assert!(
            shown.contains("password") && !shown.contains("hunter2"),
            "{name}: {shown}"
        );
    }
}

#[tokio::test]
async fn a_user_without_rights_is_said() {
    let redis = Redis::start_with(RedisOptions {
        tls: false,
        users: vec![
            "user default on nopass ~* +@all".to_owned(),
            "user p on >pw ~x:* +ping".to_owned(),
        ],
    })
    .unwrap();
    let node = node_of(INSTALLATION, &redis.url_of("p", "pw"), 1);
    eventually("it is connected", || node.state() == LinkState::Up).await;
    let error = node.server().examine(&SystemClock).await.unwrap_err();
    assert!(
        matches!(&error, RedisError::Denied(what) if what.contains("time")),
        "{error}"
    );
    let limit = RateLimit {
        requests: 1,
        period: std::time::Duration::from_secs(60),
        burst: 1,
    };
    assert_eq!(node.limiter().admit("a", limit, 1).await, Admission::Admitted);
    assert!(
        matches!(
            node.limiter().admit("a", limit, 1).await,
            Admission::RetryAfter(_)
        ),
        "alone"
    );
    assert_eq!(node.statistics().limits_alone, 2);
    assert!(!node.is_connected(), "it hears nothing");
    assert!(
        matches!(node.refusal(), Some(RedisError::Denied(_))),
        "{:?}",
        node.refusal()
    );
}
