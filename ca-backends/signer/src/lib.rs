//! CA keys in a child process.
//!
//! The gateway starts the same program again as a signer ([`SignerProcess::start`]); the child ([`child::run`]) opens
//! purpose `ca` of the keyset, which nobody else does, and is the only process that ever holds a CA key in the clear.
//! The two talk over a socket pair. The child keeps a journal on disk and refuses to sign a second, different
//! certificate for one enrollment, whatever the database says.
//!
//! The forms of frames, sealed keys and journal are in the README of this crate.

pub mod child;
mod frame;
mod journal;
mod parent;
mod soft_key;
mod structure;
mod wire;

pub use parent::{GeneratedKey, SignerCommand, SignerKek, SignerProcess, SoftSigner, StartError};
pub use soft_key::{BadSealedKey, SealedKey, SoftKeyAlgorithm};
