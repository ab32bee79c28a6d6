//! The policy port of the RA.

use std::fmt;
use std::sync::Arc;

use portreeve_pkix::{CertificationRequest, Timestamp};
use portreeve_ra::ports::{Policy, PolicyError};
use portreeve_ra::steps::ProvenRequest;
use portreeve_ra::{
    Agreement, ApprovalPolicy, Endpoint, Facts, ObjectKind, ObjectVersion, Operator, OperatorRole,
    Registration, Remark, RequestTemplate, Team, TrustAnchorSet, Verdict,
};

use crate::anchors::parse_trust_anchors;
use crate::approval::{ReadApproval, parse_approval_policy};
use crate::cache::Cache;
use crate::compare::{registration_widens, widens};
use crate::endpoint::parse_endpoint;
use crate::engine::{Question, judge};
use crate::hygiene::Blocklist;
use crate::operators::{parse_operator, parse_role, parse_team};
use crate::profile::Profile;
use crate::remarks::remarks;
use crate::rules::RULES;
use crate::template::template;

/// Objects kept compiled, of each kind. Older versions are wanted while enrollments judged by them are under way.
const CACHED_MAX: usize = 256;

/// Reads profiles and endpoints and judges requests; the one implementation of [`Policy`].
pub struct Policies {
    blocklist: Arc<Blocklist>,
    profiles: Cache<Profile>,
    endpoints: Cache<Endpoint>,
    approvals: Cache<ReadApproval>,
    roles: Cache<OperatorRole>,
    teams: Cache<Team>,
    operators: Cache<Operator>,
    anchors: Cache<TrustAnchorSet>,
    not_asking: Vec<String>,
}

impl Policies {
    /// Judges with these keys refused, besides those with known weaknesses.
    pub fn new(blocklist: Arc<Blocklist>) -> Self {
        Self {
            blocklist,
            profiles: Cache::new(CACHED_MAX),
            endpoints: Cache::new(CACHED_MAX),
            approvals: Cache::new(CACHED_MAX),
            roles: Cache::new(CACHED_MAX),
            teams: Cache::new(CACHED_MAX),
            operators: Cache::new(CACHED_MAX),
            anchors: Cache::new(CACHED_MAX),
            not_asking: Vec::new(),
        }
    }

    /// Knows that EST is served by these listeners, which ask for no client certificate: for remarks on endpoints.
    #[must_use]
    pub fn not_asking(self, listeners: Vec<String>) -> Self {
        Self {
            not_asking: listeners,
            ..self
        }
    }

    /// The keys that are refused: also for account keys.
    pub const fn blocklist(&self) -> &Arc<Blocklist> {
        &self.blocklist
    }

    /// The profile in this text.
    pub fn profile(&self, object: &ObjectVersion) -> Result<Arc<Profile>, PolicyError> {
        check_kind(object, ObjectKind::Profile)?;
        self.profiles.entry(object, |object| {
            Profile::parse(&object.body).map_err(|error| unreadable(object, &error))
        })
    }

    /// The approval policy in this text, with its automatic rules.
    fn read_approval(&self, object: &ObjectVersion) -> Result<Arc<ReadApproval>, PolicyError> {
        check_kind(object, ObjectKind::ApprovalPolicy)?;
        self.approvals.entry(object, |object| {
            parse_approval_policy(&object.name, object.version, &object.body)
                .map_err(|error| unreadable(object, &error))
        })
    }

    /// Judges a request whose proof of possession is not in question.
    fn judge(
        &self,
        facts: &Facts,
        profile: &ObjectVersion,
        request: &CertificationRequest,
    ) -> Result<Verdict, PolicyError> {
        let name = &profile.name;
        let profile = self.profile(profile)?;
        let approval = match &facts.approval {
            Agreement::By(policy) => Some(self.read_approval(policy)?),
            Agreement::NotAsked | Agreement::Given => None,
        };
        Ok(judge(
            &Question {
                name,
                profile: &profile,
                facts,
                approval: approval.as_deref(),
                request,
                blocklist: &self.blocklist,
            },
            RULES,
        ))
    }
}

impl Default for Policies {
    fn default() -> Self {
        Self::new(Arc::new(Blocklist::embedded()))
    }
}

impl fmt::Debug for Policies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Policies({:?})", self.blocklist)
    }
}

impl Policy for Policies {
    fn endpoint(&self, object: &ObjectVersion) -> Result<Arc<Endpoint>, PolicyError> {
        check_kind(object, ObjectKind::Endpoint)?;
        self.endpoints.entry(object, |object| {
            parse_endpoint(&object.name, object.version, &object.body)
                .map_err(|error| unreadable(object, &error))
        })
    }

    fn approval_policy(&self, object: &ObjectVersion) -> Result<Arc<ApprovalPolicy>, PolicyError> {
        self.read_approval(object).map(|read| Arc::clone(&read.policy))
    }

    fn role(&self, object: &ObjectVersion) -> Result<Arc<OperatorRole>, PolicyError> {
        check_kind(object, ObjectKind::Role)?;
        self.roles.entry(object, |object| {
            parse_role(&object.name, &object.body).map_err(|error| unreadable(object, &error))
        })
    }

    fn team(&self, object: &ObjectVersion) -> Result<Arc<Team>, PolicyError> {
        check_kind(object, ObjectKind::Team)?;
        self.teams.entry(object, |object| {
            parse_team(&object.name, &object.body).map_err(|error| unreadable(object, &error))
        })
    }

    fn operator(&self, object: &ObjectVersion) -> Result<Arc<Operator>, PolicyError> {
        check_kind(object, ObjectKind::Operator)?;
        self.operators.entry(object, |object| {
            parse_operator(&object.name, &object.body).map_err(|error| unreadable(object, &error))
        })
    }

    fn trust_anchors(&self, object: &ObjectVersion) -> Result<Arc<TrustAnchorSet>, PolicyError> {
        check_kind(object, ObjectKind::TrustAnchors)?;
        self.anchors.entry(object, |object| {
            parse_trust_anchors(&object.name, &object.body).map_err(|error| unreadable(object, &error))
        })
    }

    fn template(&self, profile: &ObjectVersion) -> Result<RequestTemplate, PolicyError> {
        self.profile(profile).map(|profile| template(&profile))
    }

    fn examine(
        &self,
        proposed: &ObjectVersion,
        beside: &[ObjectVersion],
        now: Timestamp,
    ) -> Result<Vec<Remark>, PolicyError> {
        remarks(proposed, (beside, &self.not_asking), now).map_err(|reason| unreadable(proposed, &reason))
    }

    fn widens(&self, old: Option<&ObjectVersion>, new: &ObjectVersion) -> bool {
        widens(new.kind, old.map(|old| old.body.as_str()), &new.body)
    }

    fn widens_registration(&self, old: Option<&Registration>, new: &Registration) -> bool {
        registration_widens(old, new)
    }

    fn evaluate(
        &self,
        facts: &Facts,
        profile: &ObjectVersion,
        request: &ProvenRequest,
    ) -> Result<Verdict, PolicyError> {
        self.judge(facts, profile, request.request())
    }
}

fn check_kind(object: &ObjectVersion, kind: ObjectKind) -> Result<(), PolicyError> {
    if object.kind == kind {
        return Ok(());
    }
    let reason = format!("is a {}, not a {}", object.kind.as_str(), kind.as_str());
    Err(PolicyError {
        name: object.name.clone(),
        version: object.version,
        reason,
    })
}

fn unreadable(object: &ObjectVersion, error: &dyn fmt::Display) -> PolicyError {
    PolicyError {
        name: object.name.clone(),
        version: object.version,
        reason: error.to_string(),
    }
}

#[cfg(test)]
mod tests;
