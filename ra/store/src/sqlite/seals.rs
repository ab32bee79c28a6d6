//! The audit log: leaves, tiles, checkpoints, and what is not sealed yet.

use async_trait::async_trait;
use portreeve_ra::ports::{
    AuditLog, CheckpointRow, CommitError, Conflict, RecordPlace, Seal, SealError, SealHolder, SealProgress,
    SealedRecord, Sealing, Space, StoreError, TreeNode, UnsealedRecord,
};
use portreeve_ra::{Digest, StreamId, StreamKind};
use sqlx::AssertSqlSafe;

use super::plan::{Answer, Expected, Plan};
use super::read::rounded;
use super::readers::Readers;
use super::store::SqliteStore;
use crate::row::{number, stored};
use crate::seals;

pub(crate) const PROGRESS: &str = "SELECT t.size, t.high, t.watermark, \
    coalesce((SELECT sequence FROM record ORDER BY sequence DESC LIMIT 1), 0), \
    coalesce((SELECT size FROM audit_checkpoint ORDER BY number DESC LIMIT 1), 0) \
    FROM audit_tree t WHERE singleton = 1";

pub(crate) const LEAF_TILE: &str =
    "SELECT leaf, hash FROM audit_leaf WHERE leaf >= ? AND leaf < ? ORDER BY leaf";

pub(crate) const NODE_TILE: &str =
    "SELECT node, hash FROM audit_node WHERE level = ? AND node >= ? AND node < ? ORDER BY node";

pub(crate) const LEAVES: &str = "SELECT l.leaf, l.sequence, l.kind, l.stream, l.position, l.hash, \
    r.header, r.payload_digest, r.salt, r.payload, r.key, r.signature \
    FROM audit_leaf l LEFT JOIN record r ON r.kind = l.kind AND r.stream = l.stream AND r.position = l.position \
    WHERE l.leaf >= ? ORDER BY l.leaf LIMIT ?";

pub(crate) const INDEX_OF: &str =
    "SELECT leaf FROM audit_leaf WHERE kind = ? AND stream = ? AND position = ?";

pub(crate) const CHECKPOINTS: &str =
    "SELECT number, size, at, note FROM audit_checkpoint WHERE number < ? ORDER BY number DESC LIMIT ?";

pub(crate) const SEQUENCES: &str =
    "SELECT sequence FROM record WHERE sequence > ? AND sequence <= ? ORDER BY sequence LIMIT ?";

const IF_HELD: &str = "EXISTS (SELECT 1 FROM lease WHERE duty = ? AND node = ? AND fence = ?)";

const CUT: &str = "DELETE FROM audit_checkpoint WHERE number < ?";

/// Behind a record of the console (its purpose is the octet at place 59 of the header) and nowhere else.
pub(crate) const ERASE: &str = "UPDATE record SET salt = NULL, payload = NULL \
    WHERE kind = ? AND stream = ? AND position < ? AND salt IS NOT NULL AND EXISTS (SELECT 1 FROM record e \
    WHERE e.kind = record.kind AND e.stream = record.stream AND e.position = ? AND substr(e.header, 59, 1) = x'04')";

pub(crate) const ERASE_SHOWN: [&str; 3] = [
    "UPDATE request SET names = '', requester = '', cn = '', sans = '', registration = NULL \
     WHERE enrollment = ? AND state = 'erased'",
    "UPDATE certificate SET names = '', requester = '', cn = '', sans = '', registration = NULL WHERE enrollment = ? \
     AND EXISTS (SELECT 1 FROM request q WHERE q.enrollment = certificate.enrollment AND q.state = 'erased')",
    "DELETE FROM certificate_name WHERE enrollment = ? \
     AND EXISTS (SELECT 1 FROM request q WHERE q.enrollment = certificate_name.enrollment AND q.state = 'erased')",
];

/// The row that shows a registration.
pub(crate) const ERASE_REGISTRATION: &str = "DELETE FROM registration WHERE registration = ? \
    AND EXISTS (SELECT 1 FROM record e WHERE e.kind = 10 AND e.stream = registration.registration AND e.position = ? \
    AND substr(e.header, 59, 1) = x'04')";

/// Rows of one statement that inserts.
const CHUNKS: [usize; 4] = [256, 64, 16, 1];

/// The statement for records that are not sealed: in so many ranges, and after a number.
pub(crate) fn unsealed_statement(ranges: usize) -> String {
    let columns = "r.sequence, r.kind, r.stream, r.position, r.header, r.payload_digest, r.key, r.signature";
    let no_leaf = "NOT EXISTS (SELECT 1 FROM audit_leaf l WHERE l.kind = r.kind AND l.stream = r.stream \
                   AND l.position = r.position)";
    let behind = format!(
        "SELECT {columns} FROM record r WHERE r.sequence > ? AND {no_leaf} ORDER BY r.sequence LIMIT ?"
    );
    if ranges == 0 {
        return behind;
    }
    let places = vec!["(?, ?)"; ranges].join(", ");
    format!(
        "WITH w (lo, hi) AS (VALUES {places}) SELECT * FROM (SELECT {columns} FROM w CROSS JOIN record r \
         ON r.sequence BETWEEN w.lo AND w.hi WHERE {no_leaf}) \
         UNION ALL SELECT * FROM ({behind}) ORDER BY 1 LIMIT ?"
    )
}

#[async_trait]
impl AuditLog for Readers {
    async fn progress(&self) -> Result<SealProgress, StoreError> {
        progress(self).await
    }

    async fn tile(&self, level: u8, index: u64) -> Result<Vec<Digest>, StoreError> {
        tile(self, level, index).await
    }

    async fn leaves(&self, from: u64, limit: u32) -> Result<Vec<SealedRecord>, StoreError> {
        leaves(self, from, limit).await
    }

    async fn index_of(&self, place: RecordPlace) -> Result<Option<u64>, StoreError> {
        index_of(self, place).await
    }

    async fn checkpoints(&self, before: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
        checkpoints(self, before, limit).await
    }

    async fn sequences(&self, after: u64, last: u64, limit: u32) -> Result<Vec<u64>, StoreError> {
        sequences(self, (after, last), limit).await
    }

    async fn unsealed(
        &self,
        ranges: &[(u64, u64)],
        after: u64,
        limit: u32,
    ) -> Result<Vec<UnsealedRecord>, StoreError> {
        unsealed(self, (ranges, after), limit).await
    }
}

#[async_trait]
impl Sealing for SqliteStore {
    async fn seal(&self, sealing: Seal) -> Result<(), SealError> {
        sealed_by(self.writer.write(seal(&sealing)).await)
    }

    async fn keep_checkpoint(
        &self,
        holder: &SealHolder,
        row: &CheckpointRow,
        kept: u64,
    ) -> Result<(), SealError> {
        sealed_by(self.writer.write(keep_checkpoint(holder, row, kept)).await)
    }

    async fn erase(&self, stream: StreamId, position: u64) -> Result<u64, StoreError> {
        let erased = self.writer.write_plain(erase(stream, position)).await?;
        if let Some(shown) = erase_shown(stream, position) {
            self.writer.write_plain(shown).await?;
        }
        Ok(erased.changed)
    }
}

fn sealed_by(outcome: Result<Answer, CommitError>) -> Result<(), SealError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(CommitError::Conflict(_)) => Err(SealError::Overtaken),
        Err(CommitError::Store(error)) => Err(error.into()),
    }
}

/// How far sealing went.
async fn progress(readers: &Readers) -> Result<SealProgress, StoreError> {
    let row = readers.row(sqlx::query(PROGRESS)).await?;
    seals::progress(row.as_ref())
}

/// The hashes of a tile.
async fn tile(readers: &Readers, level: u8, index: u64) -> Result<Vec<[u8; 32]>, StoreError> {
    let (from, to) = seals::tile_range(index)?;
    let question = match level {
        0 => sqlx::query(LEAF_TILE).bind(from).bind(to),
        _ => sqlx::query(NODE_TILE).bind(i64::from(level)).bind(from).bind(to),
    };
    seals::tile(&readers.rows(question).await?, from)
}

/// Leaves with their records.
async fn leaves(readers: &Readers, from: u64, limit: u32) -> Result<Vec<SealedRecord>, StoreError> {
    let question = sqlx::query(LEAVES).bind(stored(from)).bind(i64::from(limit));
    readers.rows(question).await?.iter().map(seals::sealed).collect()
}

/// Which leaf a record is.
async fn index_of(readers: &Readers, place: RecordPlace) -> Result<Option<u64>, StoreError> {
    let question = sqlx::query(INDEX_OF)
        .bind(stored(place.kind))
        .bind(place.stream.to_vec())
        .bind(stored(place.position));
    let row = readers.row(question).await?;
    row.map(|row| number(&row, 0)).transpose()
}

/// Checkpoints, the newest first.
async fn checkpoints(
    readers: &Readers,
    before: Option<u64>,
    limit: u32,
) -> Result<Vec<CheckpointRow>, StoreError> {
    let question = sqlx::query(CHECKPOINTS)
        .bind(before.map_or(i64::MAX, stored))
        .bind(i64::from(limit));
    readers
        .rows(question)
        .await?
        .iter()
        .map(seals::checkpoint)
        .collect()
}

/// The numbers of records.
async fn sequences(readers: &Readers, (after, last): (u64, u64), limit: u32) -> Result<Vec<u64>, StoreError> {
    let question = sqlx::query(SEQUENCES)
        .bind(stored(after))
        .bind(stored(last))
        .bind(i64::from(limit));
    readers
        .rows(question)
        .await?
        .iter()
        .map(|row| number(row, 0))
        .collect()
}

/// Records that are not sealed.
async fn unsealed(
    readers: &Readers,
    (ranges, after): (&[(u64, u64)], u64),
    limit: u32,
) -> Result<Vec<UnsealedRecord>, StoreError> {
    let places = if ranges.is_empty() {
        0
    } else {
        rounded(ranges.len())
    };
    let mut question = sqlx::query(AssertSqlSafe(unsealed_statement(places)));
    let nothing = std::iter::repeat(&(1, 0));
    for (first, last) in ranges.iter().chain(nothing).take(places) {
        question = question.bind(stored(*first)).bind(stored(*last));
    }
    question = question.bind(stored(after)).bind(i64::from(limit));
    if places > 0 {
        question = question.bind(i64::from(limit));
    }
    readers
        .rows(question)
        .await?
        .iter()
        .map(seals::unsealed)
        .collect()
}

/// What a plan meets when somebody else seals: no conflict of a batch can be taken for it, since these plans have none.
const OVERTAKEN: Conflict = Conflict::Reservation(Space::Serial);

/// Appends leaves.
fn seal(seal: &Seal) -> Plan {
    let size = stored(seal.size);
    let grown = stored(
        seal.size
            .saturating_add(u64::try_from(seal.leaves.len()).unwrap_or(u64::MAX)),
    );
    let mut plan = Plan::new();
    plan.step(
        &format!("UPDATE audit_tree SET size = ?, high = ?, watermark = ? WHERE singleton = 1 AND size = ? AND {IF_HELD}"),
        Expected::OneRow(OVERTAKEN),
    )
    .integer(grown)
    .integer(stored(seal.high))
    .integer(stored(seal.watermark))
    .integer(size);
    bind_holder(&mut plan, &seal.holder);
    let leaves: Vec<(i64, &UnsealedRecord)> = (size..).zip(&seal.leaves).collect();
    for chunk in chunks(&leaves) {
        let rows = vec!["(?, ?, ?, ?, ?, ?)"; chunk.len()].join(", ");
        let sql =
            format!("INSERT INTO audit_leaf (leaf, sequence, kind, stream, position, hash) VALUES {rows}");
        plan.step(&sql, Expected::NoConstraint(OVERTAKEN));
        for (leaf, record) in chunk {
            plan.integer(*leaf)
                .integer(stored(record.sequence))
                .integer(stored(record.place.kind))
                .blob(record.place.stream)
                .integer(stored(record.place.position))
                .blob(record.hash);
        }
    }
    for TreeNode { level, index, hash } in &seal.nodes {
        plan.step(
            "INSERT INTO audit_node (level, node, hash) VALUES (?, ?, ?)",
            Expected::NoConstraint(OVERTAKEN),
        )
        .integer(i64::from(*level))
        .integer(stored(*index))
        .blob(*hash);
    }
    plan
}

/// Keeps a checkpoint.
fn keep_checkpoint(holder: &SealHolder, row: &CheckpointRow, kept: u64) -> Plan {
    let mut plan = Plan::new();
    plan.step(
        &format!("INSERT INTO audit_checkpoint (number, size, at, note) SELECT ?, ?, ?, ? WHERE {IF_HELD}"),
        Expected::OneRow(OVERTAKEN),
    )
    .integer(stored(row.number))
    .integer(stored(row.size))
    .integer(row.at.unix_millis())
    .text(&row.note);
    bind_holder(&mut plan, holder);
    plan.step(CUT, Expected::Whatever)
        .integer(stored(row.number.saturating_sub(kept)));
    plan
}

/// Removes what records say.
fn erase(stream: StreamId, position: u64) -> Plan {
    let mut plan = Plan::new();
    plan.step(ERASE, Expected::Whatever)
        .integer(i64::from(stream.kind.number()))
        .blob(stream.id)
        .integer(stored(position))
        .integer(stored(position));
    plan
}

/// Removes names where they are shown.
fn erase_shown(stream: StreamId, position: u64) -> Option<Plan> {
    let mut plan = Plan::new();
    match stream.kind {
        StreamKind::Enrollment => {
            for sql in ERASE_SHOWN {
                plan.step(sql, Expected::Whatever).blob(stream.id);
            }
        }
        StreamKind::Registration => {
            plan.step(ERASE_REGISTRATION, Expected::Whatever)
                .blob(stream.id)
                .integer(stored(position));
        }
        _ => return None,
    }
    Some(plan)
}

fn bind_holder(plan: &mut Plan, holder: &SealHolder) {
    plan.text(holder.duty)
        .blob(*holder.node.as_bytes())
        .integer(stored(holder.fence));
}

/// Pieces of few different lengths, so that few different statements are prepared.
fn chunks<T>(mut items: &[T]) -> Vec<&[T]> {
    let mut made = Vec::new();
    for size in CHUNKS {
        while let Some((chunk, rest)) = items.split_at_checked(size) {
            made.push(chunk);
            items = rest;
        }
    }
    made
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_have_few_lengths() {
        let all: Vec<u32> = (0..600).collect();
        let made = chunks(&all);
        let lengths: Vec<usize> = made.iter().map(|chunk| chunk.len()).collect();
        assert_eq!(lengths, [256, 256, 64, 16, 1, 1, 1, 1, 1, 1, 1, 1]);
        assert_eq!(made.concat(), all);
        assert!(chunks::<u32>(&[]).is_empty());
    }
}
