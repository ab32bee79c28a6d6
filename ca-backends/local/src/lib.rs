//! The internal CA: a `CaBackend` from an issuer certificate and a `Signer`.
//!
//! `prepare` fixes serial number, times and every octet of the TBSCertificate and lints the result; the RA stores it;
//! `issue` signs exactly these octets, again and again if it must. The CA keeps no state of its own: what was signed is
//! known to the journal of the signer, what was issued and revoked to the store.

mod addresses;
pub mod authority;
mod backend;
mod crl;
mod draft;
pub mod lint;
mod server;
#[cfg(test)]
mod tests;
mod validity;

pub use addresses::{Addresses, BadAddress};
pub use backend::{BadCa, LocalCa, LocalCaConfig, LocalCaParts};
pub use server::{OperatorContents, ServerContents, create_operator, create_server};
