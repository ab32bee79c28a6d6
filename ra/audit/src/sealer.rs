//! The duty of sealing: one node at a time gives committed records their leaves and signs checkpoints. It follows the
//! commits and never stands in their way.

mod resume;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::ports::{
    AuditLog, CheckpointRow, Clock, EventSigner, KeyError, Leases, Seal, SealError, SealHolder, SealProgress,
    Sealing, StoreError, TreeNode, UnsealedRecord,
};
use portreeve_ra::{
    Incident, IncidentKind, KeyId, NodeId, Purpose, RegistrationAuthority, StreamId, StreamKind,
};

use crate::checkpoint::Checkpoint;
use crate::gaps::Looked;
use crate::note::{NoteError, SignedNote, VerifierKey};
use crate::stored::TreeError;
use crate::tree::Frontier;
use crate::watch::{LAG_MAX, SealWatch};

/// The duty.
pub const DUTY: &str = "audit/seal";

/// How long a node that was interrupted keeps others from sealing.
const TERM: Duration = Duration::from_secs(5);

/// A lease is extended when this much of it is over.
const RENEWED_AFTER: Duration = Duration::from_millis(1_500);

/// Records sealed by one statement: few enough that commits hardly wait for it.
const BATCH: u32 = 512;

/// Checkpoints kept in the store; those in the file are kept by whoever looks after files.
pub const CHECKPOINTS_KEPT: u64 = 20_000;

/// How often a node that does not seal looks whether it should.
const TRIED_EVERY: Duration = Duration::from_secs(2);

/// How long to wait after a failure.
const AFTER_FAILURE: Duration = Duration::from_secs(1);

/// How long to wait while what was found is not trusted.
const DISTRUSTFUL: Duration = Duration::from_secs(15);

/// The knobs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SealConfig {
    /// How often to look for new records.
    pub look_every: Duration,
    /// Between two checkpoints, at least.
    pub checkpoint_every: Duration,
    /// How long a number that was given to a record is waited for, before it counts as never used.
    pub gap_kept: Duration,
}

impl Default for SealConfig {
    fn default() -> Self {
        Self {
            look_every: Duration::from_millis(500),
            checkpoint_every: Duration::from_secs(5),
            gap_kept: Duration::from_secs(300),
        }
    }
}

/// Where checkpoints go besides the store.
#[async_trait]
pub trait Outside: Send + Sync {
    /// Its name, for logs.
    fn name(&self) -> &str;
    /// The last checkpoint of this log that it got, if it can say so.
    async fn last(&self, origin: &str) -> Result<Option<SignedNote>, String>;
    /// Hands a checkpoint over; on return it is kept.
    async fn publish(&self, note: &SignedNote) -> Result<(), String>;
}

/// Where it is told that sealing is behind.
#[async_trait]
pub trait Alarm: Send + Sync {
    /// Raises an incident; the same one again changes nothing.
    async fn raise(&self, incident: Incident);
}

#[async_trait]
impl Alarm for RegistrationAuthority {
    async fn raise(&self, incident: Incident) {
        Self::raise(self, incident).await;
    }
}

/// What a sealer is made of.
pub struct SealerParts {
    /// What is sealed.
    pub log: Arc<dyn AuditLog>,
    /// Seals.
    pub sealing: Arc<dyn Sealing>,
    /// Lets one node seal at a time.
    pub leases: Arc<dyn Leases>,
    /// Signs checkpoints.
    pub signer: Arc<dyn EventSigner>,
    /// The public keys of purpose `audit`, under the name of the log.
    pub keys: BTreeMap<KeyId, VerifierKey>,
    /// Where checkpoints go.
    pub outside: Vec<Arc<dyn Outside>>,
    /// Who is told.
    pub alarm: Arc<dyn Alarm>,
    /// How it stands.
    pub watch: Arc<SealWatch>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// This node.
    pub node: NodeId,
    /// The name of the log.
    pub origin: String,
    /// The knobs.
    pub config: SealConfig,
}

/// Why nothing was sealed.
#[derive(Debug, thiserror::Error)]
pub enum SealerError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another node seals.
    #[error("another node seals")]
    Overtaken,
    /// A key.
    #[error("purpose audit: {0}")]
    Key(#[from] KeyError),
    /// A checkpoint cannot be made.
    #[error(transparent)]
    Note(#[from] NoteError),
    /// What is stored is not what was sealed before: nothing is signed on top of it.
    #[error("the stored log is not trusted: {0}")]
    Distrusted(String),
}

impl From<SealError> for SealerError {
    fn from(error: SealError) -> Self {
        match error {
            SealError::Overtaken => Self::Overtaken,
            SealError::Store(error) => error.into(),
        }
    }
}

impl From<TreeError> for SealerError {
    fn from(error: TreeError) -> Self {
        match error {
            TreeError::Store(error) => error.into(),
            other => Self::Distrusted(other.to_string()),
        }
    }
}

/// What a node that seals knows.
struct Held {
    fence: u64,
    renewed_at: Timestamp,
    tree: Frontier,
    looked: Looked,
    /// The watermark that is stored.
    watermark: u64,
    /// The number and size of the last checkpoint, and when it was signed.
    checkpoint: (u64, u64, Timestamp),
    /// A checkpoint, and which of those outside do not have it yet.
    waiting: Option<(SignedNote, Vec<bool>)>,
}

/// What a node knows that seals, or when it tried to.
#[derive(Default)]
struct Turn {
    held: Option<Held>,
    tried_at: Option<Timestamp>,
}

/// What is to be done next.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Pace {
    /// There is more: at once.
    More,
    /// Look again soon.
    Soon,
}

impl Held {
    /// Whether there is something to do for a node that has sealed before.
    fn has_work(&self, progress: &SealProgress) -> bool {
        progress.newest > self.looked.high()
            || !self.looked.is_settled()
            || self.waiting.is_some()
            || self.checkpoint.1 < self.tree.size()
    }
}

impl Turn {
    /// Whether a node that does not seal should try to: something waits, and it has not tried just now.
    fn tries(&self, progress: &SealProgress, now: Timestamp) -> bool {
        let waits = progress.newest > progress.high
            || progress.watermark < progress.high
            || progress.checkpoint < progress.size;
        waits
            && self
                .tried_at
                .is_none_or(|tried| now.since(tried) >= TRIED_EVERY || now < tried)
    }
}

/// Seals when it is this node's turn.
pub struct Sealer {
    parts: SealerParts,
}

impl Sealer {
    /// A sealer of these parts.
    pub fn new(parts: SealerParts) -> Self {
        Self { parts }
    }

    /// Works until it is dropped. Nothing is lost by dropping it at any point.
    pub async fn run(&self) {
        let mut turn = Turn::default();
        loop {
            let pause = match self.round(&mut turn).await {
                Ok(Pace::More) => Duration::ZERO,
                Ok(Pace::Soon) => self.parts.config.look_every,
                Err(error) => {
                    turn.held = None;
                    self.failed(&error).await
                }
            };
            if self.parts.watch.alarm_due(self.parts.clock.now()) {
                self.alarm().await;
            }
            if !pause.is_zero() {
                self.parts.clock.sleep(pause).await;
            }
        }
    }

    /// Seals all that is there now and signs a checkpoint of it, if this node may. For tests and for whoever wants it
    /// done at once.
    pub async fn once(&self) -> Result<(), SealerError> {
        let mut turn = Turn::default();
        while self.round(&mut turn).await? == Pace::More {}
        Ok(())
    }

    async fn failed(&self, error: &SealerError) -> Duration {
        match error {
            SealerError::Overtaken => {
                tracing::info!("another node seals the audit log");
                self.parts.config.look_every
            }
            SealerError::Distrusted(reason) => {
                tracing::error!(%error, "audit log not sealed");
                self.parts.watch.troubled(Some(error.to_string()));
                self.raise(IncidentKind::Tampered, reason.clone()).await;
                DISTRUSTFUL
            }
            SealerError::Store(_) | SealerError::Key(_) | SealerError::Note(_) => {
                tracing::error!(%error, "audit log not sealed");
                self.parts.watch.troubled(Some(error.to_string()));
                AFTER_FAILURE
            }
        }
    }

    async fn alarm(&self) {
        let standing = self.parts.watch.standing(self.parts.clock.now());
        let bound = LAG_MAX.as_secs();
        tracing::error!(
            sealed = standing.size,
            lag_s = standing.lag.as_secs(),
            "sealing of the audit log is behind"
        );
        let detail = format!(
            "after {} records nothing was sealed for more than {bound} s",
            standing.size
        );
        self.raise(IncidentKind::SealingBehind, detail).await;
    }

    async fn raise(&self, what: IncidentKind, detail: String) {
        let subject = StreamId::derived(StreamKind::Document, &[b"audit"]);
        let incident = Incident {
            what,
            subject,
            detail,
        };
        self.parts.alarm.raise(incident).await;
    }

    /// One look at what is there, and what follows from it.
    async fn round(&self, turn: &mut Turn) -> Result<Pace, SealerError> {
        let now = self.parts.clock.now();
        let progress = self.parts.log.progress().await?;
        self.parts.watch.progressed(&progress, now);
        let known = turn.held.take().filter(|held| held.tree.size() == progress.size);
        let needed = match &known {
            Some(held) => held.has_work(&progress),
            None => turn.tries(&progress, now),
        };
        if !needed {
            turn.held = known;
            self.parts.watch.troubled(None);
            return Ok(Pace::Soon);
        }
        turn.tried_at = Some(now);
        let Some((fence, renewed_at)) = self.fence(known.as_ref(), now).await? else {
            // Another node seals; it says itself what stands in its way.
            self.parts.watch.troubled(None);
            return Ok(Pace::Soon);
        };
        let mut held = match known {
            Some(held) if held.fence == fence => held,
            _ => self.resume(fence).await?,
        };
        held.renewed_at = renewed_at;
        let pace = self.advance(&mut held, now).await?;
        turn.held = Some(held);
        Ok(pace)
    }

    /// The fence under which this node holds the duty, and since when.
    async fn fence(
        &self,
        known: Option<&Held>,
        now: Timestamp,
    ) -> Result<Option<(u64, Timestamp)>, SealerError> {
        if let Some(held) = known
            && now.since(held.renewed_at) < RENEWED_AFTER
            && held.renewed_at <= now
        {
            return Ok(Some((held.fence, held.renewed_at)));
        }
        let lease = self.parts.leases.lease(DUTY, self.parts.node, TERM).await?;
        Ok(lease.map(|lease| (lease.fence, now)))
    }

    async fn advance(&self, held: &mut Held, now: Timestamp) -> Result<Pace, SealerError> {
        let (ranges, after) = held.looked.next();
        let found = self.parts.log.unsealed(&ranges, after, BATCH).await?;
        let whole = u32::try_from(found.len()).is_ok_and(|count| count < BATCH);
        let numbers: Vec<u64> = found.iter().map(|record| record.sequence).collect();
        held.looked
            .found(&numbers, whole, (now, self.parts.config.gap_kept));
        let moved = whole && held.looked.watermark() != held.watermark;
        if !found.is_empty() || moved {
            self.seal(held, found).await?;
        }
        if !whole {
            return Ok(Pace::More);
        }
        let since = now.since(held.checkpoint.2);
        if held.checkpoint.1 < held.tree.size() && since >= self.parts.config.checkpoint_every {
            self.sign(held, now).await?;
        }
        self.publish(held).await;
        Ok(Pace::Soon)
    }

    async fn seal(&self, held: &mut Held, leaves: Vec<UnsealedRecord>) -> Result<(), SealerError> {
        let size = held.tree.size();
        let mut nodes = Vec::new();
        for leaf in &leaves {
            held.tree.append(leaf.hash, |subtree, hash| {
                if subtree.height % 8 == 0 {
                    nodes.push(TreeNode {
                        level: subtree.height / 8,
                        index: subtree.index,
                        hash,
                    });
                }
            });
        }
        held.watermark = held.looked.watermark();
        let seal = Seal {
            holder: self.holder(held),
            size,
            high: held.looked.high(),
            watermark: held.watermark,
            leaves,
            nodes,
        };
        Ok(self.parts.sealing.seal(seal).await?)
    }

    fn holder(&self, held: &Held) -> SealHolder {
        SealHolder {
            duty: DUTY,
            node: self.parts.node,
            fence: held.fence,
        }
    }

    /// Signs a checkpoint of what is sealed. Only one that is kept goes outside.
    async fn sign(&self, held: &mut Held, now: Timestamp) -> Result<(), SealerError> {
        let checkpoint = Checkpoint {
            origin: self.parts.origin.clone(),
            size: held.tree.size(),
            root: held.tree.root(),
        };
        let text = checkpoint.to_string();
        let (key, signature) = self.parts.signer.sign(Purpose::Audit, text.as_bytes())?;
        let key = self
            .parts
            .keys
            .get(&key)
            .ok_or(KeyError::Absent(Purpose::Audit))?;
        let note = SignedNote::new(text, vec![key.signature(signature)])?;
        let row = CheckpointRow {
            number: held.checkpoint.0.saturating_add(1),
            size: checkpoint.size,
            at: now,
            note: note.to_string(),
        };
        let holder = self.holder(held);
        let kept = self
            .parts
            .sealing
            .keep_checkpoint(&holder, &row, CHECKPOINTS_KEPT);
        kept.await?;
        held.checkpoint = (row.number, row.size, now);
        held.waiting = Some((note, vec![true; self.parts.outside.len()]));
        self.parts.watch.signed(row.size);
        Ok(())
    }

    /// Hands the last checkpoint to those outside who do not have it yet.
    async fn publish(&self, held: &mut Held) {
        let mut trouble = None;
        if let Some((note, missing)) = &mut held.waiting {
            for (outside, missing) in self.parts.outside.iter().zip(missing.iter_mut()) {
                if !*missing {
                    continue;
                }
                match outside.publish(note).await {
                    Ok(()) => *missing = false,
                    Err(reason) => {
                        let (place, reason) = (outside.name(), reason.as_str());
                        tracing::error!(place, reason, "checkpoint of the audit log not published");
                        trouble = Some(format!("{place}: {reason}"));
                    }
                }
            }
            if missing.iter().all(|missing| !*missing) {
                held.waiting = None;
            }
        }
        self.parts.watch.troubled(trouble);
    }
}
