//! The sealed audit log.
//!
//! Every committed record is a leaf of a Merkle tree (RFC 9162); signed checkpoints of it go outside. [`tree`], [`proof`],
//! [`note`], [`checkpoint`] and [`record_proof`] are pure: what anybody needs who verifies. [`sealer`] is the duty of one
//! node at a time, [`verify`] goes through a whole log or a part of it, from the store or from an export.

pub mod checkpoint;
pub mod export;
mod gaps;
pub mod note;
pub mod proof;
pub mod record_proof;
pub mod sealer;
pub mod stored;
pub mod tree;
pub mod verify;
pub mod watch;

pub use checkpoint::Checkpoint;
pub use note::{NoteError, SignedNote, VerifierKey};
pub use proof::BadProof;
pub use record_proof::{ProofError, RecordProof};
pub use sealer::{Outside, SealConfig, Sealer, SealerError, SealerParts};
pub use stored::{StoredTree, TreeError};
pub use tree::{Frontier, Hash};
pub use verify::{Auditor, Fault, FaultKind, Report, Scope, VerifyError, verify_log};
pub use watch::{LAG_MAX, SealStanding, SealWatch};
