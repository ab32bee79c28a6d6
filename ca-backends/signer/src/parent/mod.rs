//! The gateway's side: a signer process that is kept running, and signers that use it.

mod connection;
mod process;
mod soft_signer;
mod supervisor;

pub use process::{GeneratedKey, SignerCommand, SignerKek, SignerProcess, StartError};
pub use soft_signer::SoftSigner;
