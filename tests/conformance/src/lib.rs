//! Conformance suites: what every implementation of a port must do, written once and run against each.
//!
//! A suite is a list of cases, async functions over the port's trait objects; a macro makes one test of each.

// The crate consists of assertions; there is nothing outside of tests.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

pub mod acme;
pub mod audit;
pub mod est;
pub mod fakes;
pub mod store;
