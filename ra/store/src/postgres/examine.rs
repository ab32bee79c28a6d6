//! What a server says of itself, for `doctor`.

use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::StoreError;
use sqlx::postgres::PgRow;

use crate::row::{column, number, time};

pub(crate) const FACTS: &str = "SELECT store_time(NULL), current_setting('server_version_num')::bigint, \
    current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'), \
    current_setting('full_page_writes'), pg_is_in_recovery(), \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false)";

/// What a server says of itself.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ServerFacts {
    /// Its version, in words.
    pub version: String,
    /// Its version as a number: 150018 is 15.18.
    pub version_number: u32,
    /// How long an answer takes.
    pub latency: Duration,
    /// How far its clock is from this node's, in milliseconds; positive when it is ahead. Half the latency is
    /// taken off.
    pub clock_offset_millis: i64,
    /// Settings that let an acknowledged commit be lost, with their values; empty when all is well.
    pub not_durable: Vec<(String, String)>,
    /// Whether it is a standby, which cannot be written to.
    pub standby: bool,
    /// Whether the connection is encrypted.
    pub encrypted: bool,
}

pub(crate) fn facts(row: &PgRow, asked: Timestamp, latency: Duration) -> Result<ServerFacts, StoreError> {
    let theirs = time(row, 0)?.unix_millis();
    let half = i64::try_from(latency.as_millis() / 2).unwrap_or(0);
    let mut not_durable = Vec::new();
    for (index, name) in [(3, "synchronous_commit"), (4, "fsync"), (5, "full_page_writes")] {
        let value: String = column(row, index)?;
        if !matches!(value.as_str(), "on" | "remote_apply") {
            not_durable.push((name.to_owned(), value));
        }
    }
    Ok(ServerFacts {
        version: column(row, 2)?,
        version_number: number(row, 1)?,
        latency,
        clock_offset_millis: theirs.saturating_sub(asked.unix_millis()).saturating_sub(half),
        not_durable,
        standby: column(row, 6)?,
        encrypted: column(row, 7)?,
    })
}
