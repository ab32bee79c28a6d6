//! The audit log: leaves, tiles, checkpoints, and what is not sealed yet. The duty is held or not whatever the time.

use async_trait::async_trait;
use portreeve_ra::ports::{
    AuditLog, CheckpointRow, RecordPlace, Seal, SealError, SealHolder, SealProgress, SealedRecord, Sealing,
    StoreError, UnsealedRecord,
};
use portreeve_ra::{Digest, StreamId};
use sqlx::postgres::PgRow;

use super::failure::Failure;
use super::pool::{Pool, Question};
use super::store::PostgresStore;
use crate::row::{number, stored};
use crate::seals;

pub(crate) const PROGRESS: &str = "SELECT t.size, t.high, t.watermark, \
    coalesce((SELECT sequence FROM record ORDER BY sequence DESC LIMIT 1), 0), \
    coalesce((SELECT size FROM audit_checkpoint ORDER BY number DESC LIMIT 1), 0) \
    FROM audit_tree t WHERE singleton = 1";

pub(crate) const LEAF_TILE: &str =
    "SELECT leaf, hash FROM audit_leaf WHERE leaf >= $1 AND leaf < $2 ORDER BY leaf";

pub(crate) const NODE_TILE: &str =
    "SELECT node, hash FROM audit_node WHERE level = $3 AND node >= $1 AND node < $2 ORDER BY node";

/// The inner question with its limit keeps PostgreSQL from joining in another way than leaf by leaf, along the index.
pub(crate) const LEAVES: &str = "SELECT l.leaf, l.sequence, l.kind, l.stream, l.position, l.hash, \
    r.header, r.payload_digest, r.salt, r.payload, r.key, r.signature \
    FROM (SELECT * FROM audit_leaf WHERE leaf >= $1 ORDER BY leaf LIMIT $2) l LEFT JOIN LATERAL \
    (SELECT * FROM record WHERE kind = l.kind AND stream = l.stream AND position = l.position LIMIT 1) r ON true \
    ORDER BY l.leaf";

pub(crate) const INDEX_OF: &str =
    "SELECT leaf FROM audit_leaf WHERE kind = $1 AND stream = $2 AND position = $3";

pub(crate) const CHECKPOINTS: &str =
    "SELECT number, size, at, note FROM audit_checkpoint WHERE number < $1 ORDER BY number DESC LIMIT $2";

pub(crate) const SEQUENCES: &str =
    "SELECT sequence FROM record WHERE sequence > $1 AND sequence <= $2 ORDER BY sequence LIMIT $3";

const UNSEALED: &str = "SELECT * FROM audit_unsealed($1, $2, $3, $4)";

const SEAL: &str = "SELECT audit_seal($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)";

const KEEP_CHECKPOINT: &str = "SELECT audit_keep_checkpoint($1, $2, $3, $4, $5, $6, $7, $8)";

const ERASE: &str = "SELECT audit_erase($1, $2, $3)";

#[async_trait]
impl AuditLog for Pool {
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
impl Sealing for PostgresStore {
    async fn seal(&self, sealing: Seal) -> Result<(), SealError> {
        sealed_by(self.pool.persevere(&seal(&sealing)).await)
    }

    async fn keep_checkpoint(
        &self,
        holder: &SealHolder,
        row: &CheckpointRow,
        kept: u64,
    ) -> Result<(), SealError> {
        sealed_by(self.pool.persevere(&keep_checkpoint(holder, row, kept)).await)
    }

    async fn erase(&self, stream: StreamId, position: u64) -> Result<u64, StoreError> {
        self.count(&erase(stream, position)).await
    }
}

fn sealed_by(outcome: Result<Vec<PgRow>, Failure>) -> Result<(), SealError> {
    match outcome {
        Ok(_) => Ok(()),
        Err(Failure::Conflict { .. }) => Err(SealError::Overtaken),
        Err(failure) => Err(SealError::Store(failure.into())),
    }
}

/// How far sealing went.
async fn progress(pool: &Pool) -> Result<SealProgress, StoreError> {
    seals::progress(pool.read(&Question::new(PROGRESS)).await?.first())
}

/// The hashes of a tile.
async fn tile(pool: &Pool, level: u8, index: u64) -> Result<Vec<[u8; 32]>, StoreError> {
    let (from, to) = seals::tile_range(index)?;
    let question = match level {
        0 => Question::new(LEAF_TILE).bind(from).bind(to),
        _ => Question::new(NODE_TILE)
            .bind(from)
            .bind(to)
            .bind(i64::from(level)),
    };
    seals::tile(&pool.read(&question).await?, from)
}

/// Leaves with their records.
async fn leaves(pool: &Pool, from: u64, limit: u32) -> Result<Vec<SealedRecord>, StoreError> {
    let question = Question::new(LEAVES).bind(stored(from)).bind(i64::from(limit));
    pool.read(&question).await?.iter().map(seals::sealed).collect()
}

/// Which leaf a record is.
async fn index_of(pool: &Pool, place: RecordPlace) -> Result<Option<u64>, StoreError> {
    let question = Question::new(INDEX_OF)
        .bind(stored(place.kind))
        .bind(place.stream)
        .bind(stored(place.position));
    let found = pool.read(&question).await?;
    found.first().map(|row| number(row, 0)).transpose()
}

/// Checkpoints, the newest first.
async fn checkpoints(pool: &Pool, before: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError> {
    let question = Question::new(CHECKPOINTS)
        .bind(before.map_or(i64::MAX, stored))
        .bind(i64::from(limit));
    pool.read(&question)
        .await?
        .iter()
        .map(seals::checkpoint)
        .collect()
}

/// The numbers of records.
async fn sequences(pool: &Pool, (after, last): (u64, u64), limit: u32) -> Result<Vec<u64>, StoreError> {
    let question = Question::new(SEQUENCES)
        .bind(stored(after))
        .bind(stored(last))
        .bind(i64::from(limit));
    pool.read(&question)
        .await?
        .iter()
        .map(|row| number(row, 0))
        .collect()
}

/// Records that are not sealed.
async fn unsealed(
    pool: &Pool,
    (ranges, after): (&[(u64, u64)], u64),
    limit: u32,
) -> Result<Vec<UnsealedRecord>, StoreError> {
    let (first, last): (Vec<i64>, Vec<i64>) = ranges
        .iter()
        .map(|(first, last)| (stored(*first), stored(*last)))
        .unzip();
    let question = Question::new(UNSEALED)
        .bind(first)
        .bind(last)
        .bind(stored(after))
        .bind(i64::from(limit));
    pool.read(&question).await?.iter().map(seals::unsealed).collect()
}

/// Appends leaves.
fn seal(seal: &Seal) -> Question {
    let (leaves, nodes) = (&seal.leaves, &seal.nodes);
    let each = |value: fn(&UnsealedRecord) -> u64| -> Vec<i64> {
        leaves.iter().map(|leaf| stored(value(leaf))).collect()
    };
    held(SEAL, &seal.holder)
        .bind(stored(seal.size))
        .bind(stored(seal.high))
        .bind(stored(seal.watermark))
        .bind(each(|leaf| leaf.sequence))
        .bind(each(|leaf| leaf.place.kind))
        .bind(leaves.iter().map(|leaf| leaf.place.stream).collect::<Vec<_>>())
        .bind(each(|leaf| leaf.place.position))
        .bind(leaves.iter().map(|leaf| leaf.hash).collect::<Vec<_>>())
        .bind(nodes.iter().map(|node| i64::from(node.level)).collect::<Vec<_>>())
        .bind(nodes.iter().map(|node| stored(node.index)).collect::<Vec<_>>())
        .bind(nodes.iter().map(|node| node.hash).collect::<Vec<_>>())
}

/// Keeps a checkpoint.
fn keep_checkpoint(holder: &SealHolder, row: &CheckpointRow, kept: u64) -> Question {
    held(KEEP_CHECKPOINT, holder)
        .bind(stored(row.number))
        .bind(stored(row.size))
        .bind(row.at.unix_millis())
        .bind(row.note.clone())
        .bind(stored(kept))
}

/// Removes what records say, and names where they are shown.
fn erase(stream: StreamId, position: u64) -> Question {
    Question::new(ERASE)
        .bind(i64::from(stream.kind.number()))
        .bind(stream.id)
        .bind(stored(position))
}

fn held(sql: &'static str, holder: &SealHolder) -> Question {
    Question::new(sql)
        .bind(holder.duty.to_owned())
        .bind(*holder.node.as_bytes())
        .bind(stored(holder.fence))
}
