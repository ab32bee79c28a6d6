//! How often something may be asked.

use std::net::IpAddr;

use super::RegistrationAuthority;
use crate::domain::{Endpoint, EndpointName, RateLimit, Refusal, network};
use crate::ports::Admission;
use crate::steps::admit::Admitted;

impl RegistrationAuthority {
    /// Counts a request against the limits of its endpoint, the narrowest first, so that one requester does not use up
    /// what is there for all.
    pub(super) async fn limit(&self, admitted: &Admitted, endpoint: &Endpoint) -> Result<(), Refusal> {
        let limits = &endpoint.rate_limit;
        let name = &endpoint.name;
        let registration = admitted.behalf().map(|behalf| behalf.registration.id);
        let counted = [
            (
                "requester",
                limits.requester,
                Some(format!("{name}|{}", admitted.requester())),
            ),
            (
                "registration",
                limits.registration,
                registration.map(|id| format!("{name}|on behalf of|{id}")),
            ),
            ("endpoint", limits.endpoint, Some(format!("{name}|all"))),
        ];
        for (what, limit, key) in counted {
            if let (Some(limit), Some(key)) = (limit, key) {
                self.admit_within((&endpoint.name, what), &key, limit).await?;
            }
        }
        Ok(())
    }

    /// Counts a request that has arrived at an endpoint, before anything of it is verified. What `limit` says is the
    /// address limit of the endpoint.
    pub async fn count_arrival(
        &self,
        endpoint: &EndpointName,
        address: IpAddr,
        limit: RateLimit,
    ) -> Result<(), Refusal> {
        let key = format!("{endpoint}|from|{}", network(address));
        self.admit_within((endpoint, "address"), &key, limit).await
    }

    async fn admit_within(
        &self,
        (endpoint, what): (&EndpointName, &'static str),
        key: &str,
        limit: RateLimit,
    ) -> Result<(), Refusal> {
        match self.parts.limiter.admit(key, limit, 1).await {
            Admission::Admitted => Ok(()),
            Admission::RetryAfter(wait) => {
                self.parts.metrics.limited(endpoint.as_str(), what);
                Err(Refusal::RateLimited(wait))
            }
        }
    }
}
