//! Test harness: gateways, stores, clients, a scripted CA backend.

pub mod authority;
pub mod clients;
pub mod dns;
mod error;
pub mod http01;
pub mod process;

pub use error::HarnessError;
pub mod scripted;
pub mod test_ca;
