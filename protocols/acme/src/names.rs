//! The port through which this edge asks, before an order is made, whether names can be certified at all.

use async_trait::async_trait;
use portreeve_pkix::Identifier;
use portreeve_ra::Endpoint;

/// A name that no profile of the endpoint allows, with the reason for the client.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RejectedName {
    /// The name.
    pub identifier: Identifier,
    /// Why, in words for the client.
    pub reason: String,
}

/// Says early what policy would say at the end, so that a client does not prove names in vain
/// (RFC 8555 section 7.4: `rejectedIdentifier`). What it lets pass is judged again when the order is finalized.
#[async_trait]
pub trait NameCheck: Send + Sync {
    /// The names that would be refused by every profile of this endpoint.
    async fn check(
        &self,
        endpoint: &Endpoint,
        names: &[Identifier],
    ) -> Result<Vec<RejectedName>, portreeve_ra::Error>;
}
