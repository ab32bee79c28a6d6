//! The search language: one small language for the API, the command line and the console.
//!
//! `cn~"web" and expires<30d and profile=tls-server` is read into an [`Expression`], whose fields, operators and values
//! are checked; the rights of whoever asks are joined to it by [`scope`]; a [`Plan`] says along which index a store reads.
//! Nothing here knows SQL, and no text of a query ever becomes a part of a statement. `docs/search.md` describes the
//! language for those who write it.

mod expression;
mod field;
mod parse;
mod plan;
mod position;
mod scope;
mod token;
mod value;

#[cfg(test)]
mod tests;

pub use expression::{Expression, Operator, Term, with_word};
pub use field::{Among, Field, Kind, Status};
pub use parse::{QueryError, parse};
pub use plan::{Drive, Plan, Way};
pub use position::{BadCursor, Position};
pub use scope::{Scope, scope};
pub use value::{Moment, Range, Value};

/// Octets of a query, at most.
pub const SOURCE_MAX: usize = 2_048;

/// How deep `not` and parentheses may be nested.
pub const DEPTH_MAX: usize = 32;

/// Values in a query, at most: one of each term, all of a list.
pub const VALUES_MAX: usize = 100;
