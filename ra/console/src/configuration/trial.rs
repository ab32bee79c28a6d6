//! Trying a profile on a request: what every rule, condition and lint says. Nothing is issued or recorded.

use portreeve_pkix::Timestamp;
use portreeve_ra::{EndpointName, ObjectKind, ObjectVersion, Registration};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::read;
use super::views::{DiffEntry, RemarkView};
use crate::ConsoleParts;
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// What the policy engine says of texts, for people. Errors are texts for the operator.
pub trait Workbench: Send + Sync {
    /// Every difference between two versions of one object, by meaning.
    fn compare(&self, old: &ObjectVersion, new: &ObjectVersion) -> Result<Vec<DiffEntry>, String>;
    /// Every difference between two registrations.
    fn compare_registrations(&self, old: &Registration, new: &Registration) -> Vec<DiffEntry>;
    /// What a profile makes of a request.
    fn test(&self, trial: &Trial<'_>) -> Result<TrialView, String>;
}

/// A profile and a request to try it on.
#[derive(Clone, Copy, Debug)]
pub struct Trial<'a> {
    /// The profile.
    pub profile: &'a ObjectVersion,
    /// The endpoint where the request would arrive; without one: where names must be proven and nobody approves.
    pub endpoint: Option<&'a ObjectVersion>,
    /// The approval policy of that endpoint, if it has one.
    pub approval: Option<&'a ObjectVersion>,
    /// The request, PKCS #10 in PEM.
    pub request: &'a str,
    /// The time of judgement.
    pub now: Timestamp,
}

/// A request to try a profile on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TrialBody {
    /// The request, PKCS #10 in PEM.
    pub csr: String,
    /// The version of the profile; the one in force when not given.
    #[serde(default)]
    pub version: Option<u32>,
    /// The endpoint in force where the request would arrive; without one: where names must be proven and nobody approves.
    #[serde(default)]
    pub endpoint: Option<String>,
}

/// What a profile makes of a request. Every name counts as proven.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TrialView {
    /// `permit`, `refer` or `refuse`.
    pub verdict: String,
    /// Why it would be refused, for programs.
    pub refusal_code: Option<String>,
    /// Why it would be refused, for people.
    pub refusal: Option<String>,
    /// The subject that is asked for.
    pub subject: String,
    /// The names that are asked for.
    pub names: Vec<String>,
    /// The kind of key.
    pub key: String,
    /// What each rule and condition said, in order.
    pub findings: Vec<FindingView>,
    /// What is said about the profile itself.
    #[serde(default)]
    pub remarks: Vec<RemarkView>,
}

/// What one rule said.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct FindingView {
    /// The rule.
    pub rule: String,
    /// `held`, `applied`, `dropped`, `referred` or `refused`.
    pub outcome: String,
    /// Why.
    pub text: String,
}

pub(super) async fn test(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (name, body): (String, TrialBody),
) -> Result<TrialView, Problem> {
    let history = read::history(parts, signed_in, (ObjectKind::Profile, &name)).await?;
    let profile = match body.version {
        Some(number) => history.version(number).ok_or(Problem::NotFound("version"))?,
        None => history.current().ok_or(Problem::NotFound("object"))?,
    };
    let (endpoint, approval) = match &body.endpoint {
        Some(name) => endpoint(parts, name).await?,
        None => (None, None),
    };
    let trial = Trial {
        profile,
        endpoint: endpoint.as_ref(),
        approval: approval.as_ref(),
        request: &body.csr,
        now: parts.ra.now(),
    };
    let tried = parts.workbench.test(&trial).map_err(Problem::Object)?;
    let said = parts.ra.remarks_on(profile).await?;
    Ok(TrialView {
        remarks: said.iter().map(RemarkView::from).collect(),
        ..tried
    })
}

/// The endpoint in force with this name, and its approval policy.
async fn endpoint(
    parts: &ConsoleParts,
    name: &str,
) -> Result<(Option<ObjectVersion>, Option<ObjectVersion>), Problem> {
    let name = EndpointName::new(name).map_err(|_| Problem::NotFound("endpoint"))?;
    let objects = parts.ra.objects();
    let found = objects.current(ObjectKind::Endpoint, name.as_str()).await?;
    let found = found.ok_or(Problem::NotFound("endpoint"))?;
    let read = parts.ra.policy().endpoint(&found);
    let read = read.map_err(|error| Problem::Object(error.reason))?;
    let approval = match &read.approval {
        Some(policy) => {
            objects
                .current(ObjectKind::ApprovalPolicy, policy.as_str())
                .await?
        }
        None => None,
    };
    Ok((Some(found), approval))
}
