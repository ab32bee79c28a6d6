//! Endpoints: who may ask for what, where, and who must agree.

use std::time::Duration;

use super::client::{ClientRules, Offer, RenewalRules};
use super::ids::{ApprovalPolicyName, BackendName, EndpointName, ProfileName};

/// Where the right to a name comes from.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum NameAuthority {
    /// Every name must have been proven by the requester and the proof must be live.
    Proven,
    /// The profile alone decides.
    Profile,
}

/// Whether accounts are bound to registrations (RFC 8555 section 7.3.4).
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum ExternalAccounts {
    /// None is.
    Off,
    /// Those that ask for it.
    #[default]
    Optional,
    /// All of them.
    Required,
}

/// How many requests may be made.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct RateLimit {
    /// Requests per `period` in the long run.
    pub requests: u32,
    /// The period.
    pub period: Duration,
    /// Requests at once.
    pub burst: u32,
}

/// The rate limits of an endpoint. Each is counted apart, the narrowest first; `None` does not limit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct RateLimits {
    /// Every request that one network sends, before anything of it is verified: an IPv4 address, or the /64 of an IPv6
    /// address.
    pub address: Option<RateLimit>,
    /// Requests for certificates of one requester.
    pub requester: Option<RateLimit>,
    /// Requests for certificates on behalf of one registration.
    pub registration: Option<RateLimit>,
    /// Requests for certificates of all.
    pub endpoint: Option<RateLimit>,
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
    /// How often something may be asked.
    pub rate_limit: RateLimits,
    /// Whether accounts are bound to registrations.
    pub eab: ExternalAccounts,
    /// Who is known here, and as what, where clients are no accounts.
    pub clients: ClientRules,
    /// How certificates are renewed.
    pub renewal: RenewalRules,
    /// What is offered besides.
    pub offer: Offer,
}
