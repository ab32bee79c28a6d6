//! Every protocol this program speaks. A new one is one more entry here.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use portreeve_acme::validator::Validator;
use portreeve_acme::{AcmeConfig, AcmeEdge, AcmeParts, EndpointFace};
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_policies::{Policies, check_key};
use portreeve_ra::ports::{Clock, Documents, Policy, Random, Sealer, Spawn};
use portreeve_ra::{BadName, Error, ObjectKind, ObjectVersion, RegistrationAuthority};
use portreeve_status::StatusEdge;

use crate::admin::AdminApi;
use crate::config::{ListenerSection, MountGroup};
use crate::management::Management;
use crate::names::ProfileNames;
use crate::router::NamedEdge;

/// The part of an endpoint's name that stands for ACME.
const ACME: &str = "acme/";

/// The edges of a node.
pub struct Edges {
    /// RFC 8555, on edges.
    pub acme: Option<Arc<AcmeEndpoints>>,
    /// CRLs and CA certificates, on status nodes.
    pub status: Option<Arc<StatusEdge>>,
    /// Probes and metrics.
    pub management: Arc<Management>,
    /// The operator API, on consoles.
    pub admin: Option<Arc<AdminApi>>,
}

impl Edges {
    /// What a listener mounts, as far as it is this node's.
    pub fn of(&self, listener: &ListenerSection) -> Vec<NamedEdge> {
        let mut groups = listener.mounts.clone();
        groups.sort();
        groups.dedup();
        groups.into_iter().filter_map(|group| self.named(group)).collect()
    }

    fn named(&self, group: MountGroup) -> Option<NamedEdge> {
        Some(match group {
            MountGroup::Acme => {
                let edge: Arc<dyn Edge> = self.acme.clone()?;
                #[cfg(feature = "failpoints")]
                let edge: Arc<dyn Edge> = Arc::new(crate::failpoints::FailingEdge(edge));
                NamedEdge { name: "acme", edge }
            }
            MountGroup::Status => NamedEdge {
                name: "status",
                edge: self.status.clone()?,
            },
            MountGroup::Management => NamedEdge {
                name: "management",
                edge: Arc::clone(&self.management) as _,
            },
            MountGroup::Admin => NamedEdge {
                name: "admin",
                edge: self.admin.clone()?,
            },
        })
    }
}

/// What the ACME edge works with besides its endpoints.
#[derive(Clone)]
pub struct AcmeNeeds {
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

/// Why the ACME edge cannot serve the published endpoints.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The RA.
    #[error(transparent)]
    Ra(#[from] Error),
    /// The name of an endpoint is none.
    #[error(transparent)]
    Name(#[from] BadName),
}

/// The ACME edge over the endpoints that are published, which may grow and shrink while it serves.
pub struct AcmeEndpoints {
    ra: Arc<RegistrationAuthority>,
    policies: Arc<Policies>,
    current: ArcSwap<(Vec<EndpointFace>, AcmeEdge)>,
    /// Held from reading the list to serving it, so that an older list never replaces a newer one.
    refreshing: tokio::sync::Mutex<()>,
}

impl AcmeEndpoints {
    /// Over what is published now.
    pub async fn new(needs: AcmeNeeds) -> Result<Self, EdgeError> {
        let faces = published(&needs.ra, &needs.policies).await?;
        let edge = edge(&needs, faces.clone())?;
        Ok(Self {
            ra: needs.ra,
            policies: needs.policies,
            current: ArcSwap::from_pointee((faces, edge)),
            refreshing: tokio::sync::Mutex::default(),
        })
    }

    /// Takes endpoints into account that were published, changed or retired since.
    pub async fn refresh(&self) -> Result<(), EdgeError> {
        let _in_order = self.refreshing.lock().await;
        let faces = published(&self.ra, &self.policies).await?;
        let current = self.current.load_full();
        if current.0 != faces {
            let names: Vec<&str> = faces.iter().map(|face| face.name.as_str()).collect();
            tracing::info!(endpoints = names.join(" "), "ACME endpoints changed");
            let edge = current.1.with_endpoints(&faces)?;
            self.current.store(Arc::new((faces, edge)));
        }
        Ok(())
    }
}

#[async_trait]
impl Edge for AcmeEndpoints {
    fn mounts(&self) -> Vec<Mount> {
        vec![Mount::tls_only("/acme/")]
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let current = self.current.load_full();
        current.1.handle(call).await
    }

    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes> {
        self.current.load().1.refuse(why, path)
    }
}

/// The endpoints in force. One whose text cannot be read is shown as if it said nothing: the RA refuses what is asked
/// there.
async fn published(ra: &RegistrationAuthority, policies: &Policies) -> Result<Vec<EndpointFace>, Error> {
    let objects = ra.objects().list(ObjectKind::Endpoint).await?;
    let face = |object: &ObjectVersion| {
        let plain = EndpointFace::named(object.name.strip_prefix(ACME)?);
        Some(match policies.endpoint(object) {
            Ok(endpoint) => EndpointFace {
                external_accounts: endpoint.eab,
                address_limit: endpoint.rate_limit.address,
                ..plain
            },
            Err(error) => {
                tracing::error!(%error, "an endpoint cannot be read");
                plain
            }
        })
    };
    Ok(objects.iter().filter_map(face).collect())
}

fn edge(needs: &AcmeNeeds, endpoints: Vec<EndpointFace>) -> Result<AcmeEdge, BadName> {
    let blocklist = Arc::clone(needs.policies.blocklist());
    AcmeEdge::new(AcmeParts {
        ra: Arc::clone(&needs.ra),
        documents: Arc::clone(&needs.documents),
        sealer: Arc::clone(&needs.sealer),
        validator: Arc::clone(&needs.validator),
        key_check: Arc::new(move |key| check_key(key, &blocklist)),
        names: Arc::new(ProfileNames {
            ra: Arc::clone(&needs.ra),
            policies: Arc::clone(&needs.policies),
        }),
        random: Arc::clone(&needs.random),
        clock: Arc::clone(&needs.clock),
        spawn: Arc::clone(&needs.spawn),
        config: needs.config.clone(),
        endpoints,
    })
}
