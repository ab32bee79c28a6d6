//! Rate limits that all nodes count together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use portreeve_ra::RateLimit;
use portreeve_ra::ports::{Admission, Clock, RateLimiter};

use super::error::RedisError;
use super::keys::Keys;
use super::link::{Link, Use};
use super::statistics::Counters;
use crate::limits::LocalRateLimiter;

/// Reads, decides and writes at once; a counter expires when its allowance is whole.
const SCRIPT: &str = include_str!("gcra.lua");

/// How long a request waits for Redis before this node counts alone.
const ANSWER_TIMEOUT: Duration = Duration::from_millis(50);

/// Longest time a counter can reach into the future: 100 years of microseconds are exact in the numbers of Lua.
const BURST_MAX: Duration = Duration::from_secs(100 * 365 * 86_400);

/// Rate limits that all nodes count together, by the server's clock.
///
/// What Redis admits this node counts as well, and refuses nothing by it. When Redis does not answer within 50 ms, this
/// node decides by its own count: the limit then holds for each node, not for all together, and never not at all.
#[derive(Clone)]
pub struct RedisRateLimiter {
    pub(crate) link: Arc<Link>,
    pub(crate) keys: Keys,
    pub(crate) alone: Arc<LocalRateLimiter>,
    pub(crate) counters: Arc<Counters>,
    hash: Arc<str>,
}

impl RedisRateLimiter {
    pub(crate) fn new(
        link: Arc<Link>,
        keys: Keys,
        (clock, counters): (Arc<dyn Clock>, Arc<Counters>),
    ) -> Self {
        // The name that Redis itself gives to a script.
        let hash = digest(&SHA1_FOR_LEGACY_USE_ONLY, SCRIPT.as_bytes());
        Self {
            link,
            keys,
            alone: Arc::new(LocalRateLimiter::new(clock)),
            counters,
            hash: hex::encode(hash).into(),
        }
    }

    async fn together(&self, key: &str, (cost, burst): (f64, f64)) -> Result<Admission, RedisError> {
        let key = self.keys.limit(key);
        match self.run("EVALSHA", &self.hash, (&key, cost, burst)).await {
            // After a restart of Redis; this way it keeps the script again.
            Err(RedisError::Refused(reason)) if reason.starts_with("NOSCRIPT") => {
                self.run("EVAL", SCRIPT, (&key, cost, burst)).await
            }
            other => other,
        }
    }

    async fn run(
        &self,
        verb: &str,
        script: &str,
        (key, cost, burst): (&str, f64, f64),
    ) -> Result<Admission, RedisError> {
        let mut command = redis::cmd(verb);
        command.arg(script).arg(1).arg(key);
        command.arg(format!("{cost:.3}")).arg(format!("{burst:.3}"));
        let wait: i64 = self.link.ask(&command, ANSWER_TIMEOUT).await?;
        Ok(u64::try_from(wait).map_or(Admission::Admitted, |micros| {
            Admission::RetryAfter(Duration::from_micros(micros))
        }))
    }
}

/// What a request and a full burst cost, in microseconds; `None` when the limit admits none. A request that costs nothing
/// asks whether one more would be admitted: that is said by a negative cost.
fn costs(limit: RateLimit, cost: u32) -> Option<(f64, f64)> {
    if limit.requests == 0 {
        return None;
    }
    let interval = limit.period.min(BURST_MAX).as_secs_f64() * 1e6 / f64::from(limit.requests);
    let burst = (interval * f64::from(limit.burst.max(1))).min(BURST_MAX.as_secs_f64() * 1e6);
    let cost = if cost == 0 {
        -interval
    } else {
        interval * f64::from(cost)
    };
    Some((cost, burst))
}

#[async_trait]
impl RateLimiter for RedisRateLimiter {
    async fn admit(&self, key: &str, limit: RateLimit, cost: u32) -> Admission {
        let Some(costs) = costs(limit, cost) else {
            return Admission::RetryAfter(limit.period);
        };
        let counted = self.together(key, costs).await;
        self.link.used(Use::Limits, counted.as_ref().err());
        match counted {
            Ok(admission) => {
                Counters::add(&self.counters.limits_shared, 1);
                if admission == Admission::Admitted {
                    // So that its own count is right when it must decide alone.
                    self.alone.count(key, limit, cost);
                }
                admission
            }
            Err(error) => {
                Counters::add(&self.counters.limits_alone, 1);
                tracing::debug!(%error, "a limit is counted by this node alone");
                self.alone.count(key, limit, cost)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn costs_of_limits() {
        let limit = |requests, secs, burst| RateLimit {
            requests,
            period: Duration::from_secs(secs),
            burst,
        };
        let rows = [
            ("ten a second", limit(10, 1, 5), 1, Some((100_000.0, 500_000.0))),
            ("no burst counts as one", limit(1, 1, 0), 1, Some((1e6, 1e6))),
            ("none at all", limit(0, 1, 5), 1, None),
            ("only asks", limit(1, 1, 1), 0, Some((-1e6, 1e6))),
        ];
        for (name, limit, cost, expected) in rows {
            assert_eq!(costs(limit, cost), expected, "{name}");
        }
        let endless = limit(1, u64::MAX, u32::MAX);
        assert!(costs(endless, 1).unwrap().1 <= BURST_MAX.as_secs_f64() * 1e6);
    }
}
