//! An ACME client made for testing servers (RFC 8555): it can do everything right, and every single thing wrong.
//!
//! A [`Site`] is a gateway with the servers its validation asks. A [`Client`] speaks HTTPS to one directory of it and
//! takes care of nonces; an [`Account`] signs. A [`Draft`] is a signed request that is still open to change. Every
//! [`Answer`] is checked for what all answers must have, and each check panics with what was found.

mod account;
mod answer;
mod client;
mod csr;
mod draft;
mod key;
mod order;
mod site;
mod transport;

pub use account::{Account, KeyChange};
pub use answer::{Answer, problem_type};
pub use client::Client;
pub use csr::Csr;
pub use draft::{Draft, seal};
pub use key::{KnownEcKey, KnownRsaKey, Signer, new_key, new_key_of};
pub use order::{Order, Retrieved, challenge, set_txt};
pub use site::{Own, Site};
pub use transport::{Message, Received, Transport};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

/// base64url without padding.
pub fn base64url(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}
