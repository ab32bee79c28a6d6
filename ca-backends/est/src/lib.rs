//! A CA behind somebody else's EST server (RFC 7030): a `CaBackend` that forwards the requests of clients.
//!
//! The request goes on as it was received, under the client's own signature; this node authenticates with a password or a
//! certificate of its own, and the server must let it enrol for others. An answer of 202 is a deferral, and the same
//! request again is the way to ask (RFC 7030 section 4.2.3). What comes back is not trusted: the RA compares it with
//! what was ordered and builds its path from the issuers that are pinned here.

mod backend;
mod config;
mod issuer;
mod pause;
mod progress;
mod reply;
mod server;
mod standing;
mod submission;
#[cfg(test)]
mod tests;
mod verdict;

pub use backend::EstCa;
pub use config::{BadEstCa, ChallengePassword, ClientIdentity, EstCaConfig, IssuerPin, Password, Repeats};
pub use issuer::pinned_issuers;
