//! Verifying the log in a store.

use std::collections::BTreeSet;
use std::sync::Arc;

use portreeve_ra::ports::{AuditLog, EventSigner, SealProgress, StoreError, TILE};

use super::record::words;
use super::{Auditor, Fault, FaultKind, Report};
use crate::checkpoint::Checkpoint;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::tree::Hash;

/// Leaves read at once.
const LEAVES: u32 = 1_000;

/// Checkpoints read at once.
const CHECKPOINTS: u32 = 1_000;

/// Numbers in which records without leaf are looked for at once.
const NUMBERS: u64 = 20_000;

/// Records without leaf that are named, at most.
const STRAYS_MAX: u32 = 1_000;

/// Why a log cannot be verified at all.
#[derive(Debug, thiserror::Error)]
pub enum VerifyError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A trusted checkpoint is none.
    #[error("trusted checkpoint: {0}")]
    Trusted(#[from] NoteError),
    /// An export is none, or cannot be read.
    #[error("export, line {line}: {reason}")]
    Export {
        /// Which line, from 1.
        line: u64,
        /// What is wrong.
        reason: String,
    },
}

/// What is verified, and against what.
#[derive(Clone, Default)]
pub struct Scope {
    /// The name of the log.
    pub origin: String,
    /// The public keys that sign its checkpoints.
    pub keys: Vec<VerifierKey>,
    /// Checkpoints that were kept elsewhere.
    pub trusted: Vec<SignedNote>,
    /// The first leaf to look at, and the first after the last; all of them when absent.
    pub range: Option<(u64, u64)>,
    /// Checks the signatures of records; without it they are not checked.
    pub signer: Option<Arc<dyn EventSigner>>,
}

impl Scope {
    /// An auditor that expects the trusted checkpoints.
    pub(crate) fn auditor(&self) -> Result<Auditor, NoteError> {
        let mut auditor = Auditor::new(&self.origin, self.signer.clone());
        for note in &self.trusted {
            let checkpoint = Checkpoint::verified(note, &self.keys)?;
            let which = format!("the trusted checkpoint of size {}", checkpoint.size);
            auditor.expect_trusted(&checkpoint, &which);
        }
        Ok(auditor)
    }
}

/// Goes through the log in a store. `told` hears how many leaves are done, of how many. What is sealed meanwhile is left out.
pub async fn verify_log(
    log: &dyn AuditLog,
    scope: &Scope,
    mut told: impl FnMut(u64, u64),
) -> Result<Report, VerifyError> {
    let mut auditor = scope.auditor()?;
    let progress = log.progress().await?;
    checkpoints(log, &mut auditor, (&scope.keys, progress.size)).await?;
    let (from, to) = scope.range.unwrap_or((0, u64::MAX));
    let (from, to) = (from.min(progress.size), to.min(progress.size));
    let groups = wanted_groups((from, to, progress.size), auditor.sizes());
    let mut tiles = Tiles { log, known: None };
    for group in 0..progress.size.div_ceil(TILE) {
        let full = (group + 1) * TILE <= progress.size;
        let stored = if full { tiles.root(group).await? } else { None };
        match stored {
            Some(root) if groups.as_ref().is_some_and(|groups| !groups.contains(&group)) => {
                auditor.pass(root)
            }
            stored => {
                leaves(log, &mut auditor, (group, progress.size)).await?;
                match (full, stored) {
                    (true, Some(root)) => auditor.check_group(&root),
                    (true, None) => lacks(&mut auditor, group),
                    (false, _) => {}
                }
            }
        }
        told(((group + 1) * TILE).min(progress.size), progress.size);
    }
    // Leaves behind the end.
    for leaf in log.leaves(progress.size, LEAVES).await? {
        if log.progress().await?.size == progress.size {
            auditor.leaf(&leaf);
        }
    }
    let (strays, unsealed) = strays(log, &progress).await?;
    let mut report = auditor.finish(progress.size);
    report.looked_at = (from, to);
    report.unsealed = unsealed;
    strays.into_iter().for_each(|stray| report.fault(stray));
    Ok(report)
}

/// The groups to look at: those of the range, and those in which a checkpoint ends; `None` for all.
fn wanted_groups(
    (from, to, size): (u64, u64, u64),
    checkpoints: impl Iterator<Item = u64>,
) -> Option<BTreeSet<u64>> {
    if from == 0 && to >= size {
        return None;
    }
    let ends = checkpoints.filter(|end| end % TILE != 0).map(|end| end / TILE);
    Some((from / TILE..to.div_ceil(TILE)).chain(ends).collect())
}

/// The stored roots of full groups.
struct Tiles<'l> {
    log: &'l dyn AuditLog,
    known: Option<(u64, Vec<Hash>)>,
}

impl Tiles<'_> {
    async fn root(&mut self, group: u64) -> Result<Option<Hash>, StoreError> {
        let (tile, place) = (group / TILE, group % TILE);
        if self.known.as_ref().is_none_or(|(known, _)| *known != tile) {
            // One with a hole is taken as if it had nothing: each of its groups is then computed, and said to lack its root.
            let hashes = match self.log.tile(1, tile).await {
                Err(StoreError::Broken(_)) => Vec::new(),
                other => other?,
            };
            self.known = Some((tile, hashes));
        }
        let place = usize::try_from(place).unwrap_or(usize::MAX);
        Ok(self
            .known
            .as_ref()
            .and_then(|(_, hashes)| hashes.get(place).copied()))
    }
}

fn lacks(auditor: &mut Auditor, group: u64) {
    let detail = "the stored root of this group is gone".to_owned();
    auditor.fault(FaultKind::Tree, (group * TILE, group * TILE + TILE - 1), detail);
    auditor.group = None;
}

async fn leaves(
    log: &dyn AuditLog,
    auditor: &mut Auditor,
    (group, size): (u64, u64),
) -> Result<(), StoreError> {
    let end = ((group + 1) * TILE).min(size);
    let mut from = group * TILE;
    while from < end {
        let limit = u32::try_from(end - from).unwrap_or(LEAVES).min(LEAVES);
        let found = log.leaves(from, limit).await?;
        let Some(last) = found.last() else { break };
        from = last.index.saturating_add(1);
        for leaf in found.iter().filter(|leaf| leaf.index < end) {
            auditor.leaf(leaf);
        }
    }
    if auditor.next < end {
        auditor.missing(end);
    }
    Ok(())
}

/// Expects every checkpoint of the log; one that is not signed by it is a fault.
async fn checkpoints(
    log: &dyn AuditLog,
    auditor: &mut Auditor,
    (keys, size): (&[VerifierKey], u64),
) -> Result<(), StoreError> {
    let mut before = None;
    loop {
        let found = log.checkpoints(before, CHECKPOINTS).await?;
        for row in &found {
            let note = row.note.parse::<SignedNote>();
            let which = format!("checkpoint {}", row.number);
            match note.and_then(|note| Checkpoint::verified(&note, keys)) {
                // One signed since this began.
                Ok(known)
                    if known.size > size
                        && row.size > size
                        && before.is_none()
                        && is_newer(log, size).await? => {}
                Ok(known) => auditor.expect(&known, &which),
                Err(error) => {
                    let last = row.size.saturating_sub(1);
                    auditor.fault(FaultKind::Checkpoint, (last, last), format!("{which}: {error}"));
                }
            }
        }
        before = found.last().map(|row| row.number);
        if before.is_none() {
            return Ok(());
        }
    }
}

/// Whether the log has grown meanwhile.
async fn is_newer(log: &dyn AuditLog, size: u64) -> Result<bool, StoreError> {
    Ok(log.progress().await?.size > size)
}

/// Records that have no leaf though all around them were sealed, and how many wait.
async fn strays(log: &dyn AuditLog, progress: &SealProgress) -> Result<(Vec<Fault>, u64), StoreError> {
    let mut faults = Vec::new();
    let mut first = 1;
    while first <= progress.watermark && faults.len() < STRAYS_MAX as usize {
        let last = first.saturating_add(NUMBERS - 1).min(progress.watermark);
        for stray in log
            .unsealed(&[(first, last)], i64::MAX.unsigned_abs(), STRAYS_MAX)
            .await?
        {
            faults.push(Fault {
                what: FaultKind::Inserted,
                first: 0,
                last: progress.size.saturating_sub(1),
                record: Some(words(stray.place)),
                detail: format!(
                    "record number {} was never sealed, though those after it were",
                    stray.sequence
                ),
            });
        }
        first = last.saturating_add(1);
    }
    let waiting = log.unsealed(&[], progress.watermark, 10_000).await?;
    Ok((faults, u64::try_from(waiting.len()).unwrap_or(u64::MAX)))
}
