//! Certificate profiles and the engine that judges requests by them.
//!
//! A profile is TOML text with one meaning per key ([`Profile`]); unknown keys are errors and what a profile does not
//! allow is refused or left out. [`Policies`] is the RA's policy port: it reads published objects once, keeps them
//! compiled, and judges by the rules of [`rules`], one file each, in the order of that module's table. Every rule
//! says what it did and why. [`explain`](explain()) runs the same rules for an operator who tries out a profile.
//!
//! [`hygiene`] tests public keys for known weaknesses; it needs no profile and is also used for account keys.
//!
//! Nothing here performs I/O but [`hygiene::Blocklist::with_file`], and nothing reads a clock.

mod anchors;
mod approval;
mod cache;
pub mod compare;
mod endpoint;
mod engine;
pub mod explain;
pub mod expression;
pub mod hygiene;
pub mod lints;
mod operators;
mod policies;
pub mod profile;
mod publication;
mod remarks;
pub mod rules;
mod shipped;
mod shown;
mod template;

pub use anchors::{TrustAnchorsError, parse_trust_anchors};
pub use approval::{ApprovalPolicyError, AutomaticRule, ReadApproval, parse_approval_policy};
pub use compare::{
    Change, CompareError, Direction, compare, compare_registrations, registration_widens, widens,
};
pub use endpoint::{EndpointError, parse_endpoint, parse_endpoint_with_overrides};
pub use explain::{Assumptions, ExplainError, Explanation, explain};
pub use hygiene::{Blocklist, check_key};
pub use operators::{OperatorTextError, parse_operator, parse_role, parse_team};
pub use policies::Policies;
pub use profile::{Profile, ProfileError};
pub use publication::{blocked, examine};
pub use rules::name_objection;
pub use shipped::{shipped, shipped_approval_policies, shipped_profile, shipped_roles};

#[cfg(test)]
mod cases;
