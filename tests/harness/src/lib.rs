//! Test harness: gateways, stores, clients, a scripted CA backend.

#[expect(clippy::expect_used, reason = "an RA that cannot be set up ends the test")]
pub mod authority;
pub mod clients;
pub mod dns;
mod error;
#[expect(clippy::expect_used, reason = "a server that answers no HTTP ends the test")]
pub mod http;
pub mod http01;
pub mod pace;
pub mod postgres;
pub mod process;
pub mod redis;
#[expect(clippy::expect_used, reason = "a key that cannot be made ends the test")]
pub mod scripted;
#[expect(clippy::expect_used, reason = "a CA that cannot be set up ends the test")]
pub mod test_ca;

pub use error::HarnessError;
