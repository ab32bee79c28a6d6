//! The sealed audit log.
//!
//! Every committed record is a leaf of a Merkle tree (RFC 9162); signed checkpoints of it go outside. [`tree`], [`proof`],
//! [`note`], [`checkpoint`] and [`record_proof`] are pure: what anybody needs who verifies.

pub mod checkpoint;
pub mod note;
pub mod proof;
pub mod record_proof;
pub mod tree;

pub use checkpoint::Checkpoint;
pub use note::{NoteError, SignedNote, VerifierKey};
pub use proof::BadProof;
pub use record_proof::{ProofError, RecordProof};
pub use tree::{Frontier, Hash};
