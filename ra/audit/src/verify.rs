//! Verification: every leaf from its record, every chain, the tree, and the checkpoints it must agree with.
//!
//! [`Auditor`] takes leaves one after the other, wherever they come from; [`verify_log`] reads them from a store and
//! [`verify_export`](crate::export::verify_export) from a file.

mod from_store;
mod record;
mod report;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use portreeve_ra::ports::{EventSigner, RecordPlace, SealedRecord};

use crate::checkpoint::Checkpoint;
use crate::tree::{Frontier, Hash};

pub use from_store::{Scope, VerifyError, verify_log};
pub use report::{FAULTS_MAX, Fault, FaultKind, Report};

/// The height of the subtrees whose roots are stored.
const GROUP_HEIGHT: u8 = 8;

/// Whose a checkpoint is that the tree must agree with.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Whose {
    /// It was stored with the log.
    Log,
    /// It was kept elsewhere.
    Trusted,
}

/// A root that the tree must have at some size.
struct Expected {
    whose: Whose,
    which: String,
    root: Hash,
}

/// The last record of a stream: its position, and the beginning of its hash.
#[derive(Copy, Clone)]
struct Last {
    position: u64,
    hash: [u8; 16],
}

/// Goes through a log, leaf by leaf. Needs some 60 octets of memory for each stream.
pub struct Auditor {
    report: Report,
    signer: Option<Arc<dyn EventSigner>>,
    /// `None` once a leaf is missing: the roots from there on cannot be known.
    tree: Option<Frontier>,
    next: u64,
    /// The root of the last full group of 256 leaves.
    group: Option<(u64, Hash)>,
    expected: BTreeMap<u64, Vec<Expected>>,
    /// The size up to which the tree has agreed with a checkpoint of the log or a trusted one, and with a trusted one.
    agreed: [u64; 2],
    /// Whether it has disagreed with one of the log, and with a trusted one: later ones disagree as well.
    forked: [bool; 2],
    streams: HashMap<(u64, [u8; 16]), Last>,
    /// Streams of which records before were left out.
    partial: bool,
    /// Records without payload, by the stream that must say why.
    emptied: BTreeMap<(u64, [u8; 16]), (u64, RecordPlace)>,
    /// The first leaf of the group whose number of writing is lower than that of the leaf before.
    disorder: Option<u64>,
    sequence: u64,
}

impl Auditor {
    /// For the log of this name. Signatures of records are checked if there is somebody to check them.
    pub fn new(origin: &str, signer: Option<Arc<dyn EventSigner>>) -> Self {
        let report = Report {
            origin: origin.to_owned(),
            signatures: signer.is_some(),
            ..Report::default()
        };
        Self {
            report,
            signer,
            tree: Some(Frontier::default()),
            next: 0,
            group: None,
            expected: BTreeMap::new(),
            agreed: [0; 2],
            forked: [false; 2],
            streams: HashMap::new(),
            partial: false,
            emptied: BTreeMap::new(),
            disorder: None,
            sequence: 0,
        }
    }

    /// The tree must agree with this checkpoint, which came with the log.
    pub fn expect(&mut self, checkpoint: &Checkpoint, which: &str) {
        self.must_agree(checkpoint, which, Whose::Log);
    }

    /// The tree must agree with this checkpoint, which was kept elsewhere.
    pub fn expect_trusted(&mut self, checkpoint: &Checkpoint, which: &str) {
        self.must_agree(checkpoint, which, Whose::Trusted);
    }

    fn must_agree(&mut self, checkpoint: &Checkpoint, which: &str, whose: Whose) {
        if checkpoint.origin != self.report.origin {
            let origin = &checkpoint.origin;
            return self.fault(
                FaultKind::Checkpoint,
                (0, 0),
                format!("{which} is of another log, {origin}"),
            );
        }
        self.expected.entry(checkpoint.size).or_default().push(Expected {
            whose,
            which: which.to_owned(),
            root: checkpoint.root,
        });
        if checkpoint.size == 0 {
            self.compare();
        }
    }

    /// The sizes at which a root must be known.
    fn sizes(&self) -> impl Iterator<Item = u64> {
        self.expected.keys().copied()
    }

    /// A full group of 256 leaves that is not looked at: its root is taken as stored, and shows in the roots above.
    fn pass(&mut self, root: Hash) {
        self.partial = true;
        if let Some(tree) = &mut self.tree
            && tree.append_subtree(GROUP_HEIGHT, root, |_, _| ()).is_err()
        {
            self.tree = None;
        }
        self.next = self.next.saturating_add(1 << GROUP_HEIGHT);
        self.compare();
    }

    /// The next leaf. One with a higher index than the next shows that those before are gone.
    pub fn leaf(&mut self, leaf: &SealedRecord) {
        if leaf.index < self.next {
            let detail = format!("leaf {} is there twice", leaf.index);
            return self.fault(FaultKind::Inserted, (leaf.index, leaf.index), detail);
        }
        if leaf.index > self.next {
            self.missing(leaf.index);
        }
        if leaf.index.is_multiple_of(1 << GROUP_HEIGHT) {
            self.disorder = None;
        } else if leaf.sequence < self.sequence && self.disorder.is_none() {
            self.disorder = Some(leaf.index);
        }
        self.sequence = leaf.sequence;
        self.record(leaf);
        self.report.records = self.report.records.saturating_add(1);
        let mut group = None;
        if let Some(tree) = &mut self.tree {
            tree.append(leaf.hash, |subtree, hash| {
                if subtree.height == GROUP_HEIGHT {
                    group = Some((subtree.index, hash));
                }
            });
        }
        self.group = group;
        self.next = leaf.index.saturating_add(1);
        self.compare();
    }

    /// Leaves up to this one are not there.
    fn missing(&mut self, until: u64) {
        let last = until.saturating_sub(1);
        self.fault(
            FaultKind::Removed,
            (self.next, last),
            "the leaf is gone".to_owned(),
        );
        self.tree = None;
        self.partial = true;
        self.next = until;
    }

    /// Compares the group that has just become full with its stored root.
    fn check_group(&mut self, stored: &Hash) {
        let Some((index, root)) = self.group.take() else {
            return;
        };
        if root == *stored {
            return;
        }
        let (first, last) = (index << GROUP_HEIGHT, (index << GROUP_HEIGHT) + 255);
        match self.disorder {
            Some(at) => {
                let detail =
                    "leaves of this group stand in another order than they were sealed in".to_owned();
                self.fault(FaultKind::Reordered, (at.saturating_sub(1), at), detail);
            }
            None => {
                let detail =
                    "the leaves of this group are not those that were sealed, or their root was changed";
                self.fault(FaultKind::Tree, (first, last), detail.to_owned());
            }
        }
    }

    /// Compares the root with those that it must have at this size.
    fn compare(&mut self) {
        let Some(all) = self.expected.remove(&self.next) else {
            return;
        };
        let root = self.tree.as_ref().map(Frontier::root);
        let before = self.agreed;
        for expected in all {
            let whose = usize::from(expected.whose == Whose::Trusted);
            if root == Some(expected.root) {
                // Who has the key of the log can have signed it late; a trusted one says more.
                self.agreed
                    .iter_mut()
                    .take(whose + 1)
                    .for_each(|size| *size = self.next);
                match expected.whose {
                    Whose::Log => {
                        self.report.checkpoints = self.report.checkpoints.saturating_add(1);
                        self.report.covered = self.next;
                    }
                    Whose::Trusted => self.report.trusted = self.report.trusted.saturating_add(1),
                }
            } else if let Some(told) = self.forked.get_mut(whose)
                && !*told
                && root.is_some()
            {
                *told = true;
                let (which, size) = (&expected.which, self.next);
                let from = before.get(whose).copied().unwrap_or_default();
                let detail = format!(
                    "{which} covers other records: one of those since the last that agrees was changed, or all \
                     were sealed and signed anew (size {size})"
                );
                self.fault(FaultKind::Forked, (from, size.saturating_sub(1)), detail);
            }
        }
    }

    /// A checkpoint of the log is not signed by it.
    pub(crate) fn not_signed(&mut self, detail: String) {
        self.fault(FaultKind::Checkpoint, (0, 0), detail);
    }

    fn fault(&mut self, what: FaultKind, (first, last): (u64, u64), detail: String) {
        self.report.fault(Fault {
            what,
            first,
            last,
            record: None,
            detail,
        });
    }

    /// The end of the log: it should have had this many leaves.
    pub fn finish(mut self, size: u64) -> Report {
        if self.next < size {
            let (first, last) = (self.next, size.saturating_sub(1));
            self.fault(
                FaultKind::Truncated,
                (first, last),
                format!("the log should have {size} leaves"),
            );
            self.tree = None;
        } else if self.next > size {
            let (first, last) = (size, self.next.saturating_sub(1));
            self.fault(
                FaultKind::Inserted,
                (first, last),
                format!("the log should have {size} leaves"),
            );
        }
        for (covers, expected) in std::mem::take(&mut self.expected) {
            for expected in expected {
                let (next, which) = (self.next, &expected.which);
                if covers > next {
                    let detail = format!("{which} covers {covers} records, and the log ends after {next}");
                    self.fault(FaultKind::Truncated, (next, covers.saturating_sub(1)), detail);
                }
            }
        }
        for (leaf, place) in std::mem::take(&mut self.emptied).into_values() {
            let detail = "what it said is gone, and no event says that it was erased".to_owned();
            self.fault_at(FaultKind::Emptied, leaf, place, detail);
        }
        self.report.size = self.next;
        let root = self.tree.as_ref().map(|tree| hex::encode(tree.root()));
        self.report.root = root.unwrap_or_default();
        self.report
    }
}
