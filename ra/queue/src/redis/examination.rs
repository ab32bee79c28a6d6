//! What a server says about itself, for `doctor`.

use std::collections::HashMap;
use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::Clock;
use tokio::time::Instant;

use super::error::RedisError;
use super::server::RedisServer;

/// How long the whole examination may take.
const TIMEOUT: Duration = Duration::from_secs(3);

/// The oldest version that has what is used here.
pub const REDIS_VERSION_MIN: (u32, u32) = (6, 2);

/// What a server says about itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisExamination {
    /// How long a command takes over an open connection.
    pub latency: Duration,
    /// How far its clock is from this machine's, up to the latency.
    pub clock_offset: Duration,
    /// What it tells beyond that; `None` when the user may not ask.
    pub details: Option<RedisDetails>,
}

/// What a server tells with INFO.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RedisDetails {
    /// Its version.
    pub version: String,
    /// Major and minor number of it.
    pub version_number: Option<(u32, u32)>,
    /// What it does when its memory is full.
    pub eviction_policy: String,
    /// Octets in use.
    pub memory_used: u64,
    /// Octets it may use; `None` when there is no limit.
    pub memory_max: Option<u64>,
    /// Whether it appends every change to a file.
    pub appends: bool,
    /// Whether it has written a snapshot without an error, as far as it has written one.
    pub snapshot_ok: bool,
}

impl RedisServer {
    /// Connects and asks.
    ///
    /// # Errors
    /// When there is no connection, or no answer in time.
    pub async fn examine(&self, clock: &dyn Clock) -> Result<RedisExamination, RedisError> {
        let examined = tokio::time::timeout(TIMEOUT, self.asked(clock)).await;
        examined.unwrap_or_else(|_| Err(RedisError::connection(self.target(), RedisError::Late(TIMEOUT))))
    }

    async fn asked(&self, clock: &dyn Clock) -> Result<RedisExamination, RedisError> {
        let mut connection = self.connect().await?;
        let begun = Instant::now();
        let (seconds, micros): (i64, i64) = connection.ask(&redis::cmd("TIME")).await?;
        let latency = begun.elapsed();
        let theirs =
            Timestamp::from_unix_millis(seconds.saturating_mul(1_000).saturating_add(micros / 1_000));
        let ours = clock.now();
        let details = match connection.ask::<String>(&redis::cmd("INFO")).await {
            Ok(text) => Some(details(&text)),
            Err(RedisError::Denied(_)) => None,
            Err(error) => return Err(error),
        };
        Ok(RedisExamination {
            latency,
            clock_offset: ours.since(theirs).max(theirs.since(ours)),
            details,
        })
    }
}

fn details(text: &str) -> RedisDetails {
    let fields: HashMap<&str, &str> = text
        .lines()
        .filter_map(|line| line.trim_end().split_once(':'))
        .collect();
    let field = |name: &str| fields.get(name).copied().unwrap_or_default();
    let number = |name: &str| field(name).parse().unwrap_or(0);
    let version = field("redis_version").chars().take(32).collect::<String>();
    RedisDetails {
        version_number: version_number(&version),
        version,
        eviction_policy: field("maxmemory_policy").chars().take(32).collect(),
        memory_used: number("used_memory"),
        memory_max: Some(number("maxmemory")).filter(|max| *max > 0),
        appends: field("aof_enabled") == "1",
        snapshot_ok: field("rdb_last_bgsave_status") != "err",
    }
}

fn version_number(version: &str) -> Option<(u32, u32)> {
    let mut parts = version.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_info_says_is_read() {
        let text = "# Server\r\nredis_version:7.0.15\r\nused_memory:1048576\r\nmaxmemory:2097152\r\n\
                    maxmemory_policy:allkeys-lru\r\naof_enabled:1\r\nrdb_last_bgsave_status:ok\r\n";
        let read = details(text);
        assert_eq!(
            (read.version.as_str(), read.version_number),
            ("7.0.15", Some((7, 0)))
        );
        assert_eq!(read.eviction_policy, "allkeys-lru");
        assert_eq!((read.memory_used, read.memory_max), (1_048_576, Some(2_097_152)));
        assert!(read.appends && read.snapshot_ok);
        let nothing = details("no info at all");
        assert_eq!((nothing.version_number, nothing.memory_max), (None, None));
    }
}
