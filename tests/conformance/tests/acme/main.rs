//! ACME as a client sees it (RFC 8555): everything that works, and every way to be refused, against a real gateway.
//!
//! The tests share one gateway and run at the same time, each with accounts and names of its own.

#![cfg(test)]

mod accounts;
mod approval;
mod certificates;
mod challenges;
mod csr;
mod directory;
mod dns01;
mod envelope;
mod external_account;
mod finalize;
mod form;
mod hostile;
mod http01;
mod identifiers;
mod isolation;
mod key_change;
mod keys;
mod limits;
mod nonces;
mod orders;
mod reuse;
mod revocation;
mod validity;
mod weak;
