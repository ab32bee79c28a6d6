//! EST as a client sees it (RFC 7030, RFC 8951, RFC 9908): everything that works, and every way to be refused, against a real
//! gateway.
//!
//! The tests share one gateway and run at the same time, each with keys and names of its own.

#![cfg(test)]

mod attributes;
mod authorities;
mod credentials;
mod form;
mod generated;
mod linking;
mod names;
mod paths;
mod pending;
mod renewal;
mod support;
