//! What the fault suites share: a gateway with clients that persevere, its database in the hands of an intruder, and a
//! checker that compares what clients were told with the store and the signer's journal.

pub mod cable;
pub mod checker;
pub mod client;
pub mod console;
pub mod database;
mod error;
pub mod export;
pub mod fleet;
pub mod forge;
pub mod front;
pub mod journal;
pub mod ledger;
pub mod load;
pub mod nodes;
pub mod os;
pub mod responder;
pub mod signatures;
pub mod site;
pub mod wire;

pub use error::FaultError;
