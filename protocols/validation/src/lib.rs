//! Outbound identifier validation: http-01 and dns-01 behind the ACME edge's
//! [`Validator`](portreeve_acme::validator::Validator) port.
//!
//! Everything here talks to machines chosen by strangers, so each hop resolves its name anew,
//! checks each address with the [`AddressGuard`], connects to an address that was checked, and
//! runs inside a deadline and a byte limit. See the crate's README for the rules and limits.

mod abridged;
mod admission;
mod config;
mod deadline;
mod dns01;
mod guard;
mod http01;
mod network;
mod resolver;

pub use config::{ConfigError, ValidationConfig};
pub use guard::{AddressGuard, AddressRefused};
pub use network::{NetworkValidator, SetupError};
