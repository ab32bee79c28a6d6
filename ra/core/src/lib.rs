//! The Registration Authority of Portreeve: who may have which certificate, and what happened.
//!
//! The crate knows no protocol, no transport, no database and no CA product. Edges translate into
//! [`authority::RegistrationAuthority`], which judges by [`ports::Policy`], writes signed records through
//! [`ports::Store`] and lets a [`ports::CaBackend`] sign. See `ARCHITECTURE.md` for the one issuance path.

pub mod access;
pub mod accounts;
pub mod authority;
pub mod configuration;
pub mod credentials;
pub mod domain;
pub mod error;
mod ledger;
pub mod objects;
pub mod operators;
pub mod ports;
pub mod proofs;
mod reading;
pub mod registrations;
pub mod search;
pub mod secrets;
pub mod steps;

pub use authority::{Parts, RegistrationAuthority};
pub use domain::*;
pub use error::{Error, InternalError};
