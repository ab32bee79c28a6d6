//! The use of a real Redis server: Debian's, started here.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests may panic"
)]

mod damage;
mod heartbeats;
mod limits;
mod outages;
mod security;
mod support;
mod wakeups;
