//! An edge over the endpoints that are published, which may grow and shrink while it serves.

use std::sync::Arc;

use arc_swap::ArcSwap;
use async_trait::async_trait;
use bytes::Bytes;
use http::Response;
use portreeve_edge::{BodyRefusal, Call, Edge, Mount};
use portreeve_policies::Policies;
use portreeve_ra::ports::Policy;
use portreeve_ra::{BadName, Endpoint, Error, ObjectKind, ObjectVersion, RegistrationAuthority};

/// A protocol whose endpoints are objects of the store.
pub trait Protocol: Send + Sync + 'static {
    /// What of an endpoint the edge knows without reading it at every request.
    type Face: Clone + PartialEq + Send + Sync;
    /// The edge.
    type Edge: Edge;

    /// The part of an endpoint's name that stands for the protocol, and the word in logs.
    const NAME: &'static str;

    /// What the edge knows of an endpoint; `None` for one whose text cannot be read. It is shown as if it said nothing: the
    /// RA refuses what is asked there.
    fn face(name: &str, endpoint: Option<&Endpoint>) -> Self::Face;

    /// The paths of all endpoints that may ever be.
    fn mounts() -> Vec<Mount>;

    /// The edge over these endpoints.
    fn edge(&self, endpoints: Vec<Self::Face>) -> Result<Self::Edge, BadName>;

    /// The same edge over others.
    fn changed(edge: &Self::Edge, endpoints: &[Self::Face]) -> Result<Self::Edge, BadName>;
}

/// Why an edge cannot serve the published endpoints.
#[derive(Debug, thiserror::Error)]
pub enum EdgeError {
    /// The RA.
    #[error(transparent)]
    Ra(#[from] Error),
    /// The name of an endpoint is none.
    #[error(transparent)]
    Name(#[from] BadName),
}

/// Looks again at what is published.
#[async_trait]
pub trait Refresh: Send + Sync {
    /// Takes endpoints into account that were published, changed or retired since.
    async fn refresh(&self) -> Result<(), EdgeError>;
}

/// The edge of a protocol over what is published.
pub struct Published<P: Protocol> {
    ra: Arc<RegistrationAuthority>,
    policies: Arc<Policies>,
    current: ArcSwap<(Vec<P::Face>, P::Edge)>,
    /// Held from reading the list to serving it, so that an older list never replaces a newer one.
    refreshing: tokio::sync::Mutex<()>,
}

impl<P: Protocol> Published<P> {
    /// Over what is published now.
    pub async fn new(
        protocol: &P,
        (ra, policies): (Arc<RegistrationAuthority>, Arc<Policies>),
    ) -> Result<Self, EdgeError> {
        let faces = published::<P>(&ra, &policies).await?;
        let edge = protocol.edge(faces.clone())?;
        Ok(Self {
            ra,
            policies,
            current: ArcSwap::from_pointee((faces, edge)),
            refreshing: tokio::sync::Mutex::default(),
        })
    }
}

#[async_trait]
impl<P: Protocol> Refresh for Published<P> {
    async fn refresh(&self) -> Result<(), EdgeError> {
        let _in_order = self.refreshing.lock().await;
        let faces = published::<P>(&self.ra, &self.policies).await?;
        let current = self.current.load_full();
        if current.0 != faces {
            let count = faces.len();
            tracing::info!(protocol = P::NAME, endpoints = count, "endpoints changed");
            let edge = P::changed(&current.1, &faces)?;
            self.current.store(Arc::new((faces, edge)));
        }
        Ok(())
    }
}

#[async_trait]
impl<P: Protocol> Edge for Published<P> {
    fn mounts(&self) -> Vec<Mount> {
        P::mounts()
    }

    async fn handle(&self, call: Call) -> Response<Bytes> {
        let current = self.current.load_full();
        current.1.handle(call).await
    }

    fn refuse(&self, why: BodyRefusal, path: &str) -> Response<Bytes> {
        self.current.load().1.refuse(why, path)
    }
}

/// The endpoints in force.
async fn published<P: Protocol>(
    ra: &RegistrationAuthority,
    policies: &Policies,
) -> Result<Vec<P::Face>, Error> {
    let objects = ra.objects().list(ObjectKind::Endpoint).await?;
    let face = |object: &ObjectVersion| {
        let name = object.name.strip_prefix(P::NAME)?.strip_prefix('/')?;
        let endpoint = policies.endpoint(object);
        if let Err(error) = &endpoint {
            tracing::error!(%error, "an endpoint cannot be read");
        }
        Some(P::face(name, endpoint.ok().as_deref()))
    };
    Ok(objects.iter().filter_map(face).collect())
}
