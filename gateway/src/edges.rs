//! Every protocol this program speaks. A new one is one more entry here.

mod acme;
mod est;
mod published;

use std::sync::Arc;

use portreeve_edge::Edge;
use portreeve_status::StatusEdge;

use crate::admin::AdminApi;
use crate::config::{ListenerSection, MountGroup};
use crate::management::Management;
use crate::router::NamedEdge;

pub use acme::Acme;
pub use est::{BlockingKeyPairs, EndpointCas, Est, OwnOrigin};
pub use published::{EdgeError, Protocol, Published, Refresh};

/// The edges of a node.
pub struct Edges {
    /// RFC 8555, on edges.
    pub acme: Option<Arc<Published<Acme>>>,
    /// RFC 7030, on edges.
    pub est: Option<Arc<Published<Est>>>,
    /// CRLs and CA certificates, on status nodes.
    pub status: Option<Arc<StatusEdge>>,
    /// Probes and metrics.
    pub management: Arc<Management>,
    /// The operator API, on consoles.
    pub admin: Option<Arc<AdminApi>>,
}

impl Edges {
    /// What looks again at what is published.
    pub fn published(&self) -> Vec<Arc<dyn Refresh>> {
        let acme = self.acme.clone().map(|it| it as Arc<dyn Refresh>);
        let est = self.est.clone().map(|it| it as Arc<dyn Refresh>);
        acme.into_iter().chain(est).collect()
    }

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
            MountGroup::Est => NamedEdge {
                name: "est",
                edge: self.est.clone()?,
            },
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
