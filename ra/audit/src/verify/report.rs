//! What verification found.

use serde::{Deserialize, Serialize};

/// Faults that are listed, at most; further ones are counted.
pub const FAULTS_MAX: usize = 1_000;

/// What is wrong.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultKind {
    /// The record of a leaf is gone, or the leaf itself.
    Removed,
    /// A record is not the one that was sealed.
    Changed,
    /// What a record says is not what was signed.
    Payload,
    /// What a record says was removed, and no event tells that it was erased.
    Emptied,
    /// A record stands elsewhere than it says, or leaves were exchanged.
    Reordered,
    /// A record does not follow the one before it in its stream.
    Chain,
    /// The signature of a record does not verify, or its role may not say what it says.
    Signature,
    /// A record or a leaf that was never sealed stands among those that were.
    Inserted,
    /// The log ends before what a checkpoint covers.
    Truncated,
    /// The tree is not the one that a checkpoint covers.
    Forked,
    /// A checkpoint cannot be read or is not signed by the log.
    Checkpoint,
    /// Stored hashes of the tree do not fit its leaves.
    Tree,
}

impl FaultKind {
    /// The word in tables.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Removed => "removed",
            Self::Changed => "changed",
            Self::Payload => "payload",
            Self::Emptied => "emptied",
            Self::Reordered => "reordered",
            Self::Chain => "chain",
            Self::Signature => "signature",
            Self::Inserted => "inserted",
            Self::Truncated => "truncated",
            Self::Forked => "forked",
            Self::Checkpoint => "checkpoint",
            Self::Tree => "tree",
        }
    }
}

/// One thing that is wrong.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct Fault {
    /// What.
    pub what: FaultKind,
    /// The first leaf it may be at, from 0.
    pub first: u64,
    /// The last leaf it may be at.
    pub last: u64,
    /// The record, as `stream position`, where one is known.
    pub record: Option<String>,
    /// In words.
    pub detail: String,
}

/// What verification found.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize)]
pub struct Report {
    /// The name of the log.
    pub origin: String,
    /// Leaves of the log.
    pub size: u64,
    /// The root over all of them, in hexadecimal; empty when it cannot be computed.
    pub root: String,
    /// The first leaf that was looked at, and the first after the last.
    pub looked_at: (u64, u64),
    /// Records that were looked at.
    pub records: u64,
    /// How many of them are erased.
    pub erased: u64,
    /// Whether the signature of each was checked.
    pub signatures: bool,
    /// Checkpoints of the log that fit.
    pub checkpoints: u64,
    /// Leaves under the largest of these.
    pub covered: u64,
    /// Trusted checkpoints that fit.
    pub trusted: u64,
    /// Records that wait to be sealed.
    pub unsealed: u64,
    /// All that is wrong; `faults` has the first of them.
    pub faults_total: u64,
    /// What is wrong.
    pub faults: Vec<Fault>,
}

impl Report {
    /// Whether nothing is wrong.
    pub const fn is_good(&self) -> bool {
        self.faults_total == 0
    }

    pub(crate) fn fault(&mut self, fault: Fault) {
        self.faults_total = self.faults_total.saturating_add(1);
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(fault);
        }
    }
}
