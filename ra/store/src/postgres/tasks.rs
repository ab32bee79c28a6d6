//! Tasks, leases of duties, sweeping and probing, as questions. `given` is the store's time, if it is not the
//! database's.

use std::time::Duration;

use portreeve_ra::NodeId;
use portreeve_ra::ports::{CLAIM_KEPT, CLOCKS_APART_MAX, SECRET_LISTED};

use super::pool::Question;

/// Rows that another node is claiming at this moment are left to it. The array is made once, before anything is
/// changed: no more tasks are claimed than were asked for. A number that cannot grow any more does not fail the claim of
/// the others: whoever reads the row sees it.
pub(crate) const CLAIM_DUE: &str = "UPDATE task SET ready_at = store_time($1) + $2, holder = $3, \
    fence = least(fence, 9007199254740991) + 1, attempts = least(attempts, 1073741823) + 1 WHERE id = ANY (ARRAY(SELECT id FROM task WHERE ready_at <= (SELECT store_time($1)) \
    ORDER BY ready_at, id LIMIT $4 FOR UPDATE SKIP LOCKED)) \
    RETURNING id, kind, subject_kind, subject, attempts, fence, due";

const RELEASE_OF: &str = "WITH released AS \
    (UPDATE task SET ready_at = due, holder = NULL WHERE holder = $1 RETURNING 1) SELECT count(*) FROM released";

pub(crate) const NEXT_DUE: &str = "SELECT ready_at, store_time($1) FROM task ORDER BY ready_at LIMIT 1";

const LEASE: &str = "INSERT INTO lease AS l (duty, node, fence, until) \
    SELECT $2, $3, 1, t.moment + $4 FROM (SELECT store_time($1) AS moment) t \
    ON CONFLICT (duty) DO UPDATE SET until = excluded.until, node = excluded.node, \
    fence = greatest(least(l.fence, 9007199254740991), 0) + CASE WHEN l.node = excluded.node THEN 0 ELSE 1 END \
    WHERE l.node = excluded.node OR l.until <= excluded.until - $4 OR l.until > excluded.until + $4 \
    RETURNING fence, until";

/// What another node is sweeping at this moment is left to it.
pub(crate) const SWEEP: &str = "WITH \
    values_gone AS (DELETE FROM spent WHERE key = ANY (ARRAY( \
        SELECT key FROM spent WHERE until < (SELECT store_time($1)) - $2 ORDER BY until LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING 1), \
    claims_gone AS (DELETE FROM claim WHERE key = ANY (ARRAY( \
        SELECT key FROM claim WHERE until <= (SELECT store_time($1)) - $3 ORDER BY until LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING 1), \
    documents_gone AS (DELETE FROM document WHERE sequence = ANY (ARRAY( \
        SELECT sequence FROM document WHERE expires_at <= (SELECT store_time($1)) - $2 \
         ORDER BY expires_at LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING 1), \
    secrets_gone AS (DELETE FROM secret WHERE secret = ANY (ARRAY( \
        SELECT secret FROM secret WHERE until <= (SELECT store_time($1)) - $5 \
        ORDER BY until LIMIT $4 FOR UPDATE SKIP LOCKED)) RETURNING 1) \
    SELECT (SELECT count(*) FROM values_gone) + (SELECT count(*) FROM claims_gone) \
        + (SELECT count(*) FROM documents_gone) + (SELECT count(*) FROM secrets_gone)";

/// Quarters for which partitions are made ahead.
const QUARTERS_AHEAD: i32 = 2;

const MAKE_PARTITIONS: &str = "SELECT make_partitions($1)::bigint";

const PROBE: &str = "INSERT INTO probe (singleton, at) VALUES (1, store_time($1)) \
    ON CONFLICT (singleton) DO UPDATE SET at = excluded.at RETURNING at";

/// A time span as stored: 5,000 years at most, so that it can be added to any time.
pub(crate) fn millis(term: Duration) -> i64 {
    const MAX: i64 = 5_000 * 366 * 86_400_000;
    i64::try_from(term.as_millis()).map_or(MAX, |millis| millis.min(MAX))
}

/// Leases due tasks to a node.
pub(crate) fn claim_due(node: NodeId, lease: Duration, limit: u32, given: Option<i64>) -> Question {
    Question::new(CLAIM_DUE)
        .bind(given)
        .bind(millis(lease))
        .bind(*node.as_bytes())
        .bind(i64::from(limit))
}

/// Voids what a node holds; says how many.
pub(crate) fn release_of(node: NodeId) -> Question {
    Question::new(RELEASE_OF).bind(*node.as_bytes())
}

/// When the next task may be claimed.
pub(crate) fn next_due(given: Option<i64>) -> Question {
    Question::new(NEXT_DUE).bind(given)
}

/// Takes or extends a duty.
pub(crate) fn take_duty(duty: &str, node: NodeId, term: Duration, given: Option<i64>) -> Question {
    Question::new(LEASE)
        .bind(given)
        .bind(duty.to_owned())
        .bind(*node.as_bytes())
        .bind(millis(term))
}

/// Removes what has had its time; says how many.
pub(crate) fn sweep(limit: u32, given: Option<i64>) -> Question {
    Question::new(SWEEP)
        .bind(given)
        .bind(millis(CLOCKS_APART_MAX))
        .bind(millis(CLAIM_KEPT))
        .bind(i64::from(limit))
        .bind(millis(SECRET_LISTED))
}

/// Makes the partitions of this and of the next quarters where they are missing; says how many.
pub(crate) fn make_partitions() -> Question {
    Question::new(MAKE_PARTITIONS).bind(QUARTERS_AHEAD)
}

/// Writes the row of the probe and reads it.
pub(crate) fn probe(given: Option<i64>) -> Question {
    Question::new(PROBE).bind(given)
}
