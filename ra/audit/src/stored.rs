//! The tree as it is stored: leaves, and the roots of every full subtree of 256, 65,536, … of them. A hash of it takes a
//! few tiles to compute, however large it is.

use std::collections::HashMap;
use std::ops::Range;

use portreeve_ra::ports::{AuditLog, StoreError, TILE};

use crate::proof::{self, subtrees};
use crate::tree::{Frontier, Hash, Subtree, root_over};

/// Levels are 8 apart: 256 is 2^8.
const LEVEL_HEIGHT: u8 = 8;

/// Why a hash of the stored tree cannot be computed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TreeError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Hashes are missing: somebody wrote to the database.
    #[error("the stored tree lacks what is over the leaves from {from} to {to}")]
    Missing {
        /// The first leaf.
        from: u64,
        /// The last leaf.
        to: u64,
    },
    /// There is no such leaf or tree.
    #[error("the tree has no such part")]
    NoSuchPart,
}

/// Reads hashes of the stored tree; each tile once.
pub struct StoredTree<'l> {
    log: &'l dyn AuditLog,
    tiles: HashMap<(u8, u64), Vec<Hash>>,
}

impl<'l> StoredTree<'l> {
    /// The tree of this log.
    pub fn new(log: &'l dyn AuditLog) -> Self {
        Self {
            log,
            tiles: HashMap::new(),
        }
    }

    /// The right edge of the tree when it had this size.
    pub async fn frontier(&mut self, size: u64) -> Result<Frontier, TreeError> {
        let mut peaks = Vec::new();
        for subtree in subtrees(&(0..size)) {
            peaks.push(self.root(subtree).await?);
        }
        Frontier::from_peaks(size, peaks).ok_or(TreeError::NoSuchPart)
    }

    /// The inclusion proof of a leaf in the tree of this size.
    pub async fn inclusion(&mut self, index: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        let ranges = proof::inclusion(index, size).ok_or(TreeError::NoSuchPart)?;
        self.hashes(&ranges).await
    }

    /// The proof that the tree of this size continues the earlier one.
    pub async fn consistency(&mut self, earlier: u64, size: u64) -> Result<Vec<Hash>, TreeError> {
        let ranges = proof::consistency(earlier, size).ok_or(TreeError::NoSuchPart)?;
        self.hashes(&ranges).await
    }

    async fn hashes(&mut self, ranges: &[Range<u64>]) -> Result<Vec<Hash>, TreeError> {
        let mut hashes = Vec::with_capacity(ranges.len());
        for range in ranges {
            let mut peaks = Vec::new();
            for subtree in subtrees(range) {
                peaks.push(self.root(subtree).await?);
            }
            hashes.push(root_over(&peaks));
        }
        Ok(hashes)
    }

    /// The root of a perfect subtree, from the nodes of the highest level that is stored below or at it.
    pub async fn root(&mut self, subtree: Subtree) -> Result<Hash, TreeError> {
        let (level, above) = (subtree.height / LEVEL_HEIGHT, subtree.height % LEVEL_HEIGHT);
        let first = subtree.index << above;
        let (tile, offset) = (first / TILE, first % TILE);
        let hashes = self.tile(level, tile).await?;
        let offset = usize::try_from(offset).unwrap_or(usize::MAX);
        let wanted = hashes.get(offset..).and_then(|rest| rest.get(..1 << above));
        let Some(wanted) = wanted else {
            let from = subtree.index << subtree.height;
            let to = from + (1 << subtree.height) - 1;
            return Err(TreeError::Missing { from, to });
        };
        let mut over = Frontier::default();
        for hash in wanted {
            over.append(*hash, |_, _| ());
        }
        Ok(over.root())
    }

    async fn tile(&mut self, level: u8, index: u64) -> Result<&[Hash], TreeError> {
        if !self.tiles.contains_key(&(level, index)) {
            let hashes = self.log.tile(level, index).await?;
            self.tiles.insert((level, index), hashes);
        }
        Ok(self.tiles.get(&(level, index)).map_or(&[], Vec::as_slice))
    }
}
