//! Policy: pure judgement over facts.

use std::sync::Arc;

use portreeve_pkix::Timestamp;

use crate::domain::{
    ApprovalPolicy, Endpoint, Facts, ObjectVersion, Operator, OperatorRole, Registration, Remark,
    RequestTemplate, Team, TrustAnchorSet, Verdict,
};
use crate::steps::ProvenRequest;

/// A published object that cannot be read. Publishing checks this, so it means a newer or damaged object.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} version {version}: {reason}")]
pub struct PolicyError {
    /// Which object.
    pub name: String,
    /// Which version.
    pub version: u32,
    /// Why.
    pub reason: String,
}

/// Reads published objects and judges requests. Pure and synchronous: no I/O, no clock, no chance.
pub trait Policy: Send + Sync {
    /// The endpoint in this text.
    fn endpoint(&self, object: &ObjectVersion) -> Result<Arc<Endpoint>, PolicyError>;
    /// The role of operators in this text.
    fn role(&self, object: &ObjectVersion) -> Result<Arc<OperatorRole>, PolicyError>;
    /// The team in this text.
    fn team(&self, object: &ObjectVersion) -> Result<Arc<Team>, PolicyError>;
    /// The operator in this text.
    fn operator(&self, object: &ObjectVersion) -> Result<Arc<Operator>, PolicyError>;
    /// The approval policy in this text.
    fn approval_policy(&self, object: &ObjectVersion) -> Result<Arc<ApprovalPolicy>, PolicyError>;
    /// The trust anchors in this text.
    fn trust_anchors(&self, object: &ObjectVersion) -> Result<Arc<TrustAnchorSet>, PolicyError>;
    /// What a request by the profile in this text should look like.
    fn template(&self, profile: &ObjectVersion) -> Result<RequestTemplate, PolicyError>;
    /// What is to be said about a profile, an endpoint, an approval policy or trust anchors before they are in force, beside
    /// the objects that they are used with. Fails when the text cannot be read, or names what is not there.
    fn examine(
        &self,
        proposed: &ObjectVersion,
        beside: &[ObjectVersion],
        now: Timestamp,
    ) -> Result<Vec<Remark>, PolicyError>;
    /// Whether somebody may get by the new version what nobody gets by the old one. Whatever is not plain counts as yes; a
    /// first version does as well.
    fn widens(&self, old: Option<&ObjectVersion>, new: &ObjectVersion) -> bool;
    /// The same for a registration.
    fn widens_registration(&self, old: Option<&Registration>, new: &Registration) -> bool;
    /// Judges a request by a profile. Refers when the endpoint asks for approval.
    fn evaluate(
        &self,
        facts: &Facts,
        profile: &ObjectVersion,
        request: &ProvenRequest,
    ) -> Result<Verdict, PolicyError>;
}
