//! ACME over what is published.

use std::sync::Arc;

use portreeve_acme::validator::Validator;
use portreeve_acme::{AcmeConfig, AcmeEdge, AcmeParts, EndpointFace};
use portreeve_edge::Mount;
use portreeve_policies::{Policies, check_key};
use portreeve_ra::ports::{Clock, Documents, Random, Sealer, Spawn};
use portreeve_ra::{BadName, Endpoint, RegistrationAuthority};

use super::Protocol;
use crate::names::ProfileNames;

/// What the ACME edge works with besides its endpoints.
#[derive(Clone)]
pub struct Acme {
    /// Decides.
    pub ra: Arc<RegistrationAuthority>,
    /// Orders and authorizations.
    pub documents: Arc<dyn Documents>,
    /// Nonces.
    pub sealer: Arc<dyn Sealer>,
    /// Looks at the network.
    pub validator: Arc<dyn Validator>,
    /// Judges keys and names.
    pub policies: Arc<Policies>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Lets validations go on without their client.
    pub spawn: Arc<dyn Spawn>,
    /// The knobs.
    pub config: AcmeConfig,
}

impl Protocol for Acme {
    type Face = EndpointFace;
    type Edge = AcmeEdge;

    const NAME: &'static str = "acme";

    fn face(name: &str, endpoint: Option<&Endpoint>) -> EndpointFace {
        let plain = EndpointFace::named(name);
        match endpoint {
            Some(endpoint) => EndpointFace {
                external_accounts: endpoint.eab,
                address_limit: endpoint.rate_limit.address,
                ..plain
            },
            None => plain,
        }
    }

    fn mounts() -> Vec<Mount> {
        vec![Mount::tls_only("/acme/")]
    }

    fn edge(&self, endpoints: Vec<EndpointFace>) -> Result<AcmeEdge, BadName> {
        let blocklist = Arc::clone(self.policies.blocklist());
        AcmeEdge::new(AcmeParts {
            ra: Arc::clone(&self.ra),
            documents: Arc::clone(&self.documents),
            sealer: Arc::clone(&self.sealer),
            validator: Arc::clone(&self.validator),
            key_check: Arc::new(move |key| check_key(key, &blocklist)),
            names: Arc::new(ProfileNames {
                ra: Arc::clone(&self.ra),
                policies: Arc::clone(&self.policies),
            }),
            random: Arc::clone(&self.random),
            clock: Arc::clone(&self.clock),
            spawn: Arc::clone(&self.spawn),
            config: self.config.clone(),
            endpoints,
        })
    }

    fn changed(edge: &AcmeEdge, endpoints: &[EndpointFace]) -> Result<AcmeEdge, BadName> {
        edge.with_endpoints(endpoints)
    }
}
