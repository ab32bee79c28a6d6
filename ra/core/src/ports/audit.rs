//! The audit log: committed records in the order in which they were sealed, and the tree over them. Like the rest of the
//! store it is durable, not trusted: checkpoints outside and whoever verifies decide.

use async_trait::async_trait;
use portreeve_pkix::Timestamp;

use super::conflict::StoreError;
use crate::domain::{Digest, NodeId, StoredRecord, StreamId};

/// Hashes of one tile, at most: a tile is a subtree of this many leaves.
pub const TILE: u64 = 256;

/// Where a record stands, as the columns say. Not a [`StreamId`]: what others write into the database need not be one.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct RecordPlace {
    /// The number of the kind of its stream.
    pub kind: u64,
    /// The id of its stream.
    pub stream: [u8; 16],
    /// Its position there.
    pub position: u64,
}

impl RecordPlace {
    /// This position of this stream.
    pub const fn of(stream: StreamId, position: u64) -> Self {
        Self {
            kind: stream.kind.number() as u64,
            stream: stream.id,
            position,
        }
    }
}

/// How far sealing went.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct SealProgress {
    /// Leaves of the tree.
    pub size: u64,
    /// The highest number of a record that was looked at.
    pub high: u64,
    /// Up to this number every record is sealed, or was never written.
    pub watermark: u64,
    /// The highest number of a record that there is.
    pub newest: u64,
    /// Leaves under the last checkpoint that is kept.
    pub checkpoint: u64,
}

/// A record that is not sealed yet.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnsealedRecord {
    /// Its number: the order in which records were written.
    pub sequence: u64,
    /// Where it stands.
    pub place: RecordPlace,
    /// Its leaf hash.
    pub hash: Digest,
}

/// A leaf, with its record if that is still there.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealedRecord {
    /// Which leaf, from 0.
    pub index: u64,
    /// The number that the record had when it was sealed.
    pub sequence: u64,
    /// Where the record stands.
    pub place: RecordPlace,
    /// The leaf hash.
    pub hash: Digest,
    /// The record at that place, whatever it says by now.
    pub record: Option<StoredRecord>,
}

/// The root of a perfect subtree whose height is a multiple of 8.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TreeNode {
    /// Its height divided by 8, from 1.
    pub level: u8,
    /// Which of its level, from the left.
    pub index: u64,
    /// Its hash.
    pub hash: Digest,
}

/// A signed checkpoint.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CheckpointRow {
    /// Which, from 1.
    pub number: u64,
    /// Leaves of the tree.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// The signed note.
    pub note: String,
}

/// Who seals, by its lease.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealHolder {
    /// The duty.
    pub duty: &'static str,
    /// The node that holds it.
    pub node: NodeId,
    /// Under this fence.
    pub fence: u64,
}

/// Leaves to append.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Seal {
    /// Who seals.
    pub holder: SealHolder,
    /// Leaves of the tree before.
    pub size: u64,
    /// The highest number that was looked at.
    pub high: u64,
    /// Up to this number everything is sealed.
    pub watermark: u64,
    /// The leaves, in their order.
    pub leaves: Vec<UnsealedRecord>,
    /// What they complete.
    pub nodes: Vec<TreeNode>,
}

/// Why nothing was sealed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    /// Another node has the duty by now, or has sealed meanwhile. Nothing was written.
    #[error("another node seals")]
    Overtaken,
    /// The store failed. Whether it was written is not known.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Reads what is sealed.
#[async_trait]
pub trait AuditLog: Send + Sync {
    /// How far sealing went.
    async fn progress(&self) -> Result<SealProgress, StoreError>;
    /// The hashes of a tile: [`TILE`] of them, fewer in the last of its level. Level 0 has leaves, level n the roots of
    /// full tiles of level n-1.
    async fn tile(&self, level: u8, index: u64) -> Result<Vec<Digest>, StoreError>;
    /// Leaves from this one on, with their records, in order. One that somebody removed is left out.
    async fn leaves(&self, from: u64, limit: u32) -> Result<Vec<SealedRecord>, StoreError>;
    /// Which leaf the record at this place is.
    async fn index_of(&self, place: RecordPlace) -> Result<Option<u64>, StoreError>;
    /// Checkpoints with a lower number, the newest first.
    async fn checkpoints(&self, before: Option<u64>, limit: u32) -> Result<Vec<CheckpointRow>, StoreError>;
    /// Numbers of the records from the one after `after` up to `last`, in order, at most `limit`.
    async fn sequences(&self, after: u64, last: u64, limit: u32) -> Result<Vec<u64>, StoreError>;
    /// Records that have no leaf: in these ranges of numbers (first and last, which do not overlap), and after a number
    /// that is above them all. The lowest numbers first, at most `limit`; all from one state of the store.
    async fn unsealed(
        &self,
        ranges: &[(u64, u64)],
        after: u64,
        limit: u32,
    ) -> Result<Vec<UnsealedRecord>, StoreError>;
}

/// Writes what is sealed, and erases.
#[async_trait]
pub trait Sealing: Send + Sync {
    /// Appends leaves, if the holder still has its duty and the tree has this size.
    async fn seal(&self, seal: Seal) -> Result<(), SealError>;
    /// Keeps a checkpoint, if the holder still has its duty and no other has this number; those that came more than
    /// `kept` numbers before go.
    async fn keep_checkpoint(
        &self,
        holder: &SealHolder,
        row: &CheckpointRow,
        kept: u64,
    ) -> Result<(), SealError>;
    /// Removes salt and payload of the records of an enrollment, a proposal or a registration below the position of the
    /// record that says it is erased, and the names in the rows that show it; says of how many records. Does nothing where
    /// there is no record of the console at that position.
    async fn erase(&self, stream: StreamId, position: u64) -> Result<u64, StoreError>;
}
