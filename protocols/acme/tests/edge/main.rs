//! The edge over a real RA, store, keyset and policies; several nodes at once, with a network in the test's hands.

#![cfg(test)]

mod node;
mod requests;
mod retention;
mod validation;
