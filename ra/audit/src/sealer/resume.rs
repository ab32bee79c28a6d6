//! Taking up the duty: what is stored must be what was sealed before, as far as signed checkpoints tell.

use portreeve_pkix::Timestamp;
use portreeve_ra::ports::SealProgress;

use super::{Held, Sealer, SealerError};
use crate::checkpoint::Checkpoint;
use crate::gaps::Looked;
use crate::note::{SignedNote, VerifierKey};
use crate::stored::StoredTree;

/// Numbers read at once.
const NUMBERS: u32 = 10_000;

impl Sealer {
    /// What a node knows that takes up the duty: from the store, checked against the last checkpoint there and the last
    /// one outside.
    pub(super) async fn resume(&self, fence: u64) -> Result<Held, SealerError> {
        let log = self.parts.log.as_ref();
        // Read under the lease: until it was taken another node may have sealed.
        let progress = &log.progress().await?;
        let mut tree = StoredTree::new(log);
        let last = log.checkpoints(None, 1).await?.pop();
        let (mut checkpoint, mut latest) = ((0, 0, Timestamp::default()), None);
        if let Some(row) = last {
            let note: SignedNote = row
                .note
                .parse()
                .map_err(|_| distrust("the last checkpoint", "cannot be read"))?;
            let known = self
                .check("the last checkpoint", &note, (progress.size, &mut tree))
                .await?;
            checkpoint = (row.number, known.size, row.at);
            latest = Some(note);
        }
        let mut missing = Vec::new();
        for outside in &self.parts.outside {
            // One that cannot be read now is no reason to stop sealing; a later checkpoint is missed there at once.
            match outside.last(&self.parts.origin).await {
                Ok(Some(note)) => {
                    let size = (progress.size, &mut tree);
                    let known = self.check(outside.name(), &note, size).await?;
                    missing.push(known.size < checkpoint.1);
                }
                Ok(None) => missing.push(true),
                Err(reason) => {
                    missing.push(true);
                    tracing::warn!(place = outside.name(), reason, "the last checkpoint is not known");
                }
            }
        }
        let frontier = tree.frontier(progress.size).await?;
        let looked = self.looked(progress).await?;
        if let Some(size) = (checkpoint.1 > 0).then_some(checkpoint.1) {
            self.parts.watch.signed(size);
        }
        tracing::info!(
            sealed = progress.size,
            checkpoint = checkpoint.1,
            "sealing the audit log"
        );
        Ok(Held {
            fence,
            renewed_at: self.parts.clock.now(),
            tree: frontier,
            looked,
            watermark: progress.watermark,
            checkpoint,
            // Whoever signed it may have ended before it got outside.
            waiting: latest
                .filter(|_| missing.contains(&true))
                .map(|note| (note, missing)),
        })
    }

    /// A checkpoint that was signed before must be one of the tree that is stored.
    async fn check(
        &self,
        which: &str,
        note: &SignedNote,
        (size, tree): (u64, &mut StoredTree<'_>),
    ) -> Result<Checkpoint, SealerError> {
        let keys: Vec<VerifierKey> = self.parts.keys.values().cloned().collect();
        let known = Checkpoint::verified(note, &keys).map_err(|error| distrust(which, &error.to_string()))?;
        if known.origin != self.parts.origin {
            return Err(distrust(which, "belongs to another log"));
        }
        if known.size > size {
            let reason = format!("covers {} records, and {size} are sealed", known.size);
            return Err(distrust(which, &reason));
        }
        if tree.frontier(known.size).await?.root() != known.root {
            let reason = format!("has another root over the first {} records", known.size);
            return Err(distrust(which, &reason));
        }
        Ok(known)
    }

    /// Which numbers are missing above the watermark.
    async fn looked(&self, progress: &SealProgress) -> Result<Looked, SealerError> {
        let (mut present, mut after) = (Vec::new(), progress.watermark);
        loop {
            let found = self.parts.log.sequences(after, progress.high, NUMBERS).await?;
            let Some(last) = found.last() else { break };
            after = *last;
            present.extend(found);
        }
        Ok(Looked::from(progress.watermark, present, self.parts.clock.now()))
    }
}

fn distrust(which: &str, reason: &str) -> SealerError {
    SealerError::Distrusted(format!("{which} {reason}"))
}
