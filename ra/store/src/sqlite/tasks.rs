//! Tasks, leases of duties, sweeping and probing, as plans and questions.

use std::time::Duration;

use portreeve_pkix::Timestamp;
use portreeve_ra::NodeId;
use portreeve_ra::ports::{CLAIM_KEPT, CLOCKS_APART_MAX, NextDue, SECRET_LISTED, StoreError};

use super::plan::{Expected, Plan};
use super::readers::Readers;
use crate::row::time;

/// A number that cannot grow any more does not fail the claim of the others: whoever reads the row sees it.
pub(crate) const CLAIM_DUE: &str = "UPDATE task SET ready_at = ?, holder = ?, \
    fence = min(fence, 9007199254740991) + 1, attempts = min(attempts, 1073741823) + 1 \
    WHERE id IN (SELECT id FROM task WHERE ready_at <= ? ORDER BY ready_at, id LIMIT ?) \
    RETURNING id, kind, subject_kind, subject, attempts, fence, due";

const RELEASE_OF: &str = "UPDATE task SET ready_at = due, holder = NULL WHERE holder = ?";

pub(crate) const NEXT_DUE: &str = "SELECT ready_at FROM task ORDER BY ready_at LIMIT 1";

const LEASE: &str = "INSERT INTO lease (duty, node, fence, until) VALUES (?, ?, 1, ?) \
    ON CONFLICT (duty) DO UPDATE SET until = excluded.until, node = excluded.node, \
    fence = min(max(lease.fence, 0), 9007199254740991) + (lease.node <> excluded.node) \
    WHERE lease.node = excluded.node OR lease.until <= ? OR lease.until > ? RETURNING fence, until";

pub(crate) const SWEEP: [&str; 4] = [
    "DELETE FROM spent WHERE key IN (SELECT key FROM spent WHERE until < ? ORDER BY until LIMIT ?)",
    "DELETE FROM claim WHERE key IN (SELECT key FROM claim WHERE until <= ? ORDER BY until LIMIT ?)",
    "DELETE FROM document WHERE sequence IN \
     (SELECT sequence FROM document WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)",
    "DELETE FROM secret WHERE secret IN (SELECT secret FROM secret WHERE until <= ? ORDER BY until LIMIT ?)",
];

const PROBE: &str = "INSERT INTO probe (singleton, at) VALUES (1, ?) \
                     ON CONFLICT (singleton) DO UPDATE SET at = excluded.at";

const PROBED: &str = "SELECT at FROM probe WHERE singleton = 1";

/// Leases due tasks to a node.
pub(crate) fn claim_due(node: NodeId, lease: Duration, limit: u32, now: Timestamp) -> Plan {
    let mut plan = Plan::of(CLAIM_DUE);
    plan.integer(now.saturating_add(lease).unix_millis())
        .blob(*node.as_bytes())
        .integer(now.unix_millis())
        .integer(limit.into());
    plan
}

/// Voids what a node holds.
pub(crate) fn release_of(node: NodeId) -> Plan {
    let mut plan = Plan::of(RELEASE_OF);
    plan.blob(*node.as_bytes());
    plan
}

/// When the next task may be claimed.
pub(crate) async fn next_due(readers: &Readers, now: Timestamp) -> Result<Option<NextDue>, StoreError> {
    let row = readers.row(sqlx::query(NEXT_DUE)).await?;
    let at = row.map(|row| time(&row, 0)).transpose()?;
    Ok(at.map(|at| NextDue { at, now }))
}

/// Takes or extends a duty.
pub(crate) fn take_duty(duty: &str, node: NodeId, term: Duration, now: Timestamp) -> Plan {
    let mut plan = Plan::of(LEASE);
    plan.text(duty)
        .blob(*node.as_bytes())
        .integer(now.saturating_add(term).unix_millis())
        .integer(now.unix_millis())
        .integer(now.saturating_add(term.saturating_mul(2)).unix_millis());
    plan
}

/// Removes what has had its time.
pub(crate) fn sweep(now: Timestamp, limit: u32) -> Plan {
    let mut plan = Plan::new();
    let over = now.saturating_sub(CLOCKS_APART_MAX);
    let claims_before = now.saturating_sub(CLAIM_KEPT);
    let secrets_before = now.saturating_sub(SECRET_LISTED);
    for (sql, before) in SWEEP.into_iter().zip([over, claims_before, over, secrets_before]) {
        plan.step(sql, Expected::Whatever)
            .integer(before.unix_millis())
            .integer(limit.into());
    }
    plan
}

/// Writes the row of the probe.
pub(crate) fn probe(now: Timestamp) -> Plan {
    let mut plan = Plan::of(PROBE);
    plan.integer(now.unix_millis());
    plan
}

/// Reads the row of the probe.
pub(crate) async fn probed(readers: &Readers) -> Result<Timestamp, StoreError> {
    let row = readers.row(sqlx::query(PROBED)).await?;
    row.map_or_else(
        || Err(StoreError::Broken("the probe left no row".to_owned())),
        |row| time(&row, 0),
    )
}
