//! The nodes of an installation, as far as this one knows.

use std::collections::BTreeMap;

use async_trait::async_trait;
use portreeve_pkix::Timestamp;
use portreeve_ra::NodeId;
use serde::{Deserialize, Serialize};

/// What a node says about itself.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize)]
pub struct NodeReport {
    /// Its id.
    #[serde(with = "node_id")]
    pub node: NodeId,
    /// The version of its program.
    pub version: String,
    /// What it does: `edge`, `worker`, `status`, `console`.
    pub roles: Vec<String>,
    /// Fingerprints of the parts of the configuration that nodes must share, in hexadecimal, by their keys.
    pub configuration: BTreeMap<String, String>,
    /// The fingerprint of its keyset, in hexadecimal.
    pub keyset: String,
    /// When it started, in milliseconds since 1970 by its clock.
    pub started_at: i64,
    /// When it said so last, in milliseconds since 1970 by its clock.
    pub at: i64,
}

impl NodeReport {
    /// When it said so last.
    pub const fn heard_at(&self) -> Timestamp {
        Timestamp::from_unix_millis(self.at)
    }
}

/// The nodes of an installation.
#[async_trait]
pub trait Nodes: Send + Sync {
    /// What this node says about itself.
    fn own(&self) -> NodeReport;
    /// The nodes that were heard within the last 20 s, this one among them; `None` when nobody can say.
    async fn list(&self) -> Option<Vec<NodeReport>>;
}

/// The only node.
#[derive(Clone, Debug)]
pub struct OnlyNode(NodeReport);

impl OnlyNode {
    /// This node, and no other.
    pub const fn new(report: NodeReport) -> Self {
        Self(report)
    }
}

#[async_trait]
impl Nodes for OnlyNode {
    fn own(&self) -> NodeReport {
        self.0.clone()
    }

    async fn list(&self) -> Option<Vec<NodeReport>> {
        Some(vec![self.own()])
    }
}

mod node_id {
    use portreeve_ra::NodeId;
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(id: &NodeId, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(id)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NodeId, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(D::Error::custom)
    }
}
