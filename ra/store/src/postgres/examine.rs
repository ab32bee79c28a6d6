//! What a server says of itself, for `doctor`.

use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::StoreError;
use sqlx::postgres::PgRow;

use crate::row::{column, number, time};

pub(crate) const FACTS: &str = "SELECT floor(extract(epoch FROM clock_timestamp()) * 1000)::bigint, \
    current_setting('server_version_num')::bigint, \
    current_setting('server_version'), current_setting('synchronous_commit'), current_setting('fsync'), \
    current_setting('full_page_writes'), pg_is_in_recovery(), \
    coalesce((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), false), \
    (SELECT ARRAY[current_user::text, c.relnamespace::regnamespace::text, pg_get_userbyid(c.relowner)::text] \
     FROM pg_class c WHERE c.oid = to_regclass('schema_version') \
     AND has_schema_privilege(c.relnamespace, 'CREATE') AND NOT pg_has_role(c.relowner, 'MEMBER'))";

/// A clock that differs by more is worth a warning.
const CLOCK_WARNING: i64 = 1_000;

/// A clock that differs by more is an error: what ends and what is due would be judged differently.
const CLOCK_ERROR: i64 = 30_000;

/// An answer that takes longer is worth a warning: an issuance asks more than ten times.
const LATENCY_WARNING: Duration = Duration::from_millis(20);

/// How something on a server is to be taken.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Verdict {
    /// All is well.
    Fine,
    /// Look at it soon.
    Doubtful,
    /// Nothing should be trusted to it.
    Wrong,
}

/// A role that may create in the schema of a store that is not its own.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error(
    "the role {role} may create in the schema {schema}, which is {owner}'s, and so have others run what it makes: run \
     `portreeve migrate roles` again as {owner}, or REVOKE CREATE ON SCHEMA {schema} FROM PUBLIC, {role}"
)]
pub struct Creator {
    /// Which.
    pub role: String,
    /// The schema.
    pub schema: String,
    /// The role that owns the store.
    pub owner: String,
}

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
    /// The role of this connection, if it may create in the store's schema without owning the store.
    pub creator: Option<Creator>,
}

impl ServerFacts {
    /// The clock, in words.
    pub fn clock(&self) -> (Verdict, String) {
        let offset = self.clock_offset_millis;
        let verdict = if offset.saturating_abs() <= CLOCK_WARNING {
            Verdict::Fine
        } else if offset.saturating_abs() <= CLOCK_ERROR {
            Verdict::Doubtful
        } else {
            Verdict::Wrong
        };
        let words = format!(
            "{} ms {} this node's",
            offset.saturating_abs(),
            if offset < 0 { "behind" } else { "ahead of" }
        );
        (verdict, words)
    }

    /// Whether what is acknowledged stays, in words.
    pub fn durability(&self) -> (Verdict, String) {
        if self.standby {
            return (Verdict::Wrong, "a standby, which cannot be written to".to_owned());
        }
        if self.not_durable.is_empty() {
            return (Verdict::Fine, "commits are on disk when acknowledged".to_owned());
        }
        let off: Vec<String> = self
            .not_durable
            .iter()
            .map(|(name, value)| format!("{name} = {value}"))
            .collect();
        let words = format!("acknowledged commits can be lost: {}", off.join(", "));
        (Verdict::Wrong, words)
    }

    /// Whether the role of the connection has no more rights than it should, in words.
    pub fn rights(&self) -> (Verdict, String) {
        match &self.creator {
            Some(creator) => (Verdict::Wrong, creator.to_string()),
            None => (
                Verdict::Fine,
                "its role owns the store, or creates nothing in its schema".to_owned(),
            ),
        }
    }

    /// Version and latency, in words.
    pub fn answer(&self) -> (Verdict, String) {
        let verdict = if self.latency > LATENCY_WARNING {
            Verdict::Doubtful
        } else {
            Verdict::Fine
        };
        let words = format!(
            "PostgreSQL {} answers in {:.1} ms",
            self.version,
            self.latency.as_secs_f64() * 1_000.0
        );
        (verdict, words)
    }
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
        creator: creator(row)?,
    })
}

/// Who may create in the schema without owning it, of a row of [`FACTS`].
pub(crate) fn creator(row: &PgRow) -> Result<Option<Creator>, StoreError> {
    let found: Option<Vec<String>> = column(row, 8)?;
    Ok(match found.as_deref() {
        Some([role, schema, owner]) => Some(Creator {
            role: role.clone(),
            schema: schema.clone(),
            owner: owner.clone(),
        }),
        Some(_) | None => None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn good() -> ServerFacts {
        ServerFacts {
            version: "15.18".to_owned(),
            version_number: 150_018,
            latency: Duration::from_millis(1),
            clock_offset_millis: 0,
            not_durable: Vec::new(),
            standby: false,
            encrypted: false,
            creator: None,
        }
    }

    #[test]
    fn verdicts() {
        let clock = |clock_offset_millis| ServerFacts {
            clock_offset_millis,
            ..good()
        };
        let rows = [
            ("no offset", clock(0).clock(), Verdict::Fine),
            ("a second", clock(-1_000).clock(), Verdict::Fine),
            ("more", clock(1_001).clock(), Verdict::Doubtful),
            ("half a minute", clock(-30_000).clock(), Verdict::Doubtful),
            ("more", clock(30_001).clock(), Verdict::Wrong),
            ("the largest", clock(i64::MIN).clock(), Verdict::Wrong),
            ("durable", good().durability(), Verdict::Fine),
            (
                "not durable",
                ServerFacts {
                    not_durable: vec![("fsync".to_owned(), "off".to_owned())],
                    ..good()
                }
                .durability(),
                Verdict::Wrong,
            ),
            (
                "a standby",
                ServerFacts {
                    standby: true,
                    ..good()
                }
                .durability(),
                Verdict::Wrong,
            ),
            ("near", good().answer(), Verdict::Fine),
            (
                "far",
                ServerFacts {
                    latency: Duration::from_millis(21),
                    ..good()
                }
                .answer(),
                Verdict::Doubtful,
            ),
        ];
        for (name, (verdict, words), expected) in rows {
            assert_eq!(verdict, expected, "{name}: {words}");
        }
    }
}
