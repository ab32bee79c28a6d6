//! The validator against scripted web and DNS servers on loopback.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod addresses;
mod answers;
mod dns01;
mod limits;
mod redirects;
mod support;
