//! Endpoints: who may ask for what, where, and who must agree.

use std::time::Duration;

use super::ids::{ApprovalPolicyName, BackendName, EndpointName, ProfileName};

/// Where the right to a name comes from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NameAuthority {
    /// Every name must have been proven by the requester and the proof must be live.
    Proven,
    /// The profile alone decides.
    Profile,
}

/// How many requests one requester may make.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Requests per `period` in the long run.
    pub requests: u32,
    /// The period.
    pub period: Duration,
    /// Requests at once.
    pub burst: u32,
}

/// A versioned endpoint, as the policy crate read it from its published text.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// `protocol/name`.
    pub name: EndpointName,
    /// Its version.
    pub version: u32,
    /// Profiles offered; the first is the default. Never empty.
    pub profiles: Vec<ProfileName>,
    /// The CA backend.
    pub backend: BackendName,
    /// The approval policy that says who must agree; `None` issues at once.
    pub approval: Option<ApprovalPolicyName>,
    /// Where the right to a name comes from.
    pub names: NameAuthority,
    /// How long a client is kept waiting for a certificate before it is told to come back.
    pub inline_wait: Duration,
    /// When it is told to come back.
    pub retry_after: Duration,
    /// Limit per requester.
    pub rate_limit: Option<RateLimit>,
}
