//! An EST client made for testing servers (RFC 7030): it writes every octet of a request itself, so that it can be wrong in
//! every way, and takes nothing of an answer for granted.

mod client;
mod csr;
mod identity;

pub use client::{Answer, Client};
pub use csr::{Csr, change_subject_name};
pub use identity::{Identity, Issuer, open};
