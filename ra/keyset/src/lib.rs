//! The keyset: sealing keys and event signing keys of one installation, by purpose.
//!
//! All nodes of an installation share one [`WrappedKeyset`], a small document that lies in the store. Its secrets are
//! wrapped by key encryption keys ([`Kek`]) that never lie there. A node opens only the purposes of its roles and gets
//! a [`Keyset`], which implements the ports `Sealer` and `EventSigner`; of the other purposes it knows the public keys
//! only. The forms of all bytes are in the README of this crate.

mod crypto;
mod document;
mod error;
mod kek;
mod keyset;
mod wrapped;

pub use error::{KekError, KeysetError};
pub use kek::{Kek, KekSet, KekSource};
pub use keyset::Keyset;
pub use wrapped::WrappedKeyset;
