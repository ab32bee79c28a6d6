//! What people decide on: how it is shown, and the decisions on what is no request.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use portreeve_pkix::Timestamp;
use portreeve_ra::authority::{Constituency, Vote};
use portreeve_ra::{
    Decision, EnrollmentId, Evidence, EvidenceAlgorithm, GrantTerms, Proposal, ProposalId, ProposalSubject,
    Refusal, RegistrationAuthority, Right, Ruling, StatusChange,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::certificates::status::reason;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

/// What people decide on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ProposalView {
    /// The proposal.
    pub id: String,
    /// What it is about.
    pub subject: SubjectView,
    /// What exactly, in hex: a decision names it.
    pub digest: String,
    /// Where it stands: `open`, `approved`, `rejected` or `expired`.
    pub state: String,
    /// The approval policy it was opened under.
    pub policy: String,
    /// The version of that policy; 0 when a profile asks for people itself.
    pub policy_version: u32,
    /// Whether approvals must be signed: `accepted` or `required`.
    pub evidence: String,
    /// The right that everybody needs who decides.
    pub right: String,
    /// Who must approve, in order.
    pub steps: Vec<StepView>,
    /// How many must approve in all.
    pub approvals: usize,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub opened_at: Timestamp,
    /// Who asks.
    pub opened_by: String,
    /// When it expires.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// Once it is approved: until when what was approved may begin.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub begins_until: Option<Timestamp>,
    /// Who decided what, in order.
    pub decisions: Vec<DecisionView>,
    /// Who may not decide, and why.
    pub excluded: Vec<ExcludedView>,
    /// Whether an approval can grant that the same requester passes again.
    pub grantable: bool,
    /// What is granted, once it is approved.
    pub granted: Option<GrantBody>,
    /// The principal who is looking: evidence names whoever decides.
    pub you: String,
}

/// What a proposal is about.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum SubjectView {
    /// A request.
    Request {
        /// Which.
        id: String,
    },
    /// A version of an object.
    Object {
        /// What kind.
        object: String,
        /// Its name.
        name: String,
        /// Its number.
        version: u32,
    },
    /// The status of certificates.
    Certificates {
        /// `release`, or the reason they are revoked for.
        change: String,
        /// The requests they came from.
        requests: Vec<String>,
    },
}

/// One step.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct StepView {
    /// Who approves: `anyone`, or a role, a team or an operator with its name.
    pub who: String,
    /// How many of them.
    pub min: usize,
    /// How many have.
    pub approved: usize,
    /// Whether it is this step's turn.
    pub open: bool,
}

/// One decision.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct DecisionView {
    /// The principal.
    pub by: String,
    /// `approve` or `reject`.
    pub decision: String,
    /// In which step, from 1.
    pub step: u32,
    /// Why.
    pub comment: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Their signature over it.
    pub evidence: Option<EvidenceBody>,
    /// What they grant besides.
    pub grant: Option<GrantBody>,
    /// Why it no longer counts, if it does not.
    pub discounted: Option<String>,
}

/// Somebody who may not decide.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct ExcludedView {
    /// The principal.
    pub principal: String,
    /// Why.
    pub why: String,
}

/// What a principal decides with.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct DecisionBody {
    /// Why; at most 1,024 characters. A denial needs one.
    #[serde(default)]
    pub comment: String,
    /// The digest of the proposal that was looked at, in hex. Refused when the proposal has another.
    #[serde(default)]
    pub digest: Option<String>,
    /// A signature over the decision by a key of whoever decides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub evidence: Option<EvidenceBody>,
    /// What is granted besides.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub grant: Option<GrantBody>,
}

/// A signature over the text of a decision (see `docs/approvals.md`).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct EvidenceBody {
    /// `ES256`, `ES384`, `RS256` or `EdDSA`.
    pub algorithm: String,
    /// The SubjectPublicKeyInfo of the key, DER in hex.
    pub key: String,
    /// The signature, in hex; that of ECDSA is an ECDSA-Sig-Value.
    pub signature: String,
}

/// What is granted: the same requester passes again with the same contents and another key.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct GrantBody {
    /// How often; 1 to 100, 1 when not given.
    #[serde(default = "once")]
    pub uses: u16,
    /// For how many days; 1 to 7, 7 when not given.
    #[serde(default = "a_week")]
    pub days: u8,
}

const fn once() -> u16 {
    1
}

const fn a_week() -> u8 {
    GrantTerms::DAYS_MAX
}

/// What people are to decide on.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ProposalBody {
    /// `release`, or why the certificates are to be revoked, by the name in RFC 5280.
    pub change: String,
    /// The requests they came from, at most 200.
    pub requests: Vec<String>,
    /// Why; at most 1,024 characters.
    #[serde(default)]
    pub comment: String,
}

/// Which proposals to list.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Where the list goes on.
    cursor: Option<String>,
    /// Rows looked at, at most 200.
    limit: Option<u32>,
    /// Only those in this state.
    state: Option<String>,
}

/// Proposals on anything but requests, the newest first; those on requests are listed with these. A page may have fewer
/// rows than asked for, or none, and still go on.
#[utoipa::path(get, path = "/api/v1/approvals", tag = "approvals", params(ListQuery),
    responses((status = 200, body = List<ProposalView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<List<ProposalView>>, Problem> {
    let Query(query) = query?;
    may_read(&signed_in)?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let (ra, limit) = (&parts.ra, page.limit()?);
    let found = paging::read(
        &page,
        |after| async move { ra.proposals(after.as_ref(), limit).await },
    )
    .await?;
    let mut items = Vec::new();
    for proposal in found.items {
        let in_state = |state: &String| proposal.state(ra.now()).as_str() == state;
        if query.state.as_ref().is_none_or(in_state) && proposal.subject.enrollment().is_none() {
            items.push(view(ra, &proposal, &signed_in).await?);
        }
    }
    Ok(Json(List::new(items, found.next)))
}

/// Asks others whether certificates may be revoked or released. Where no approval policy guards that, there is nothing to
/// ask.
#[utoipa::path(post, path = "/api/v1/approvals", tag = "approvals", request_body = ProposalBody,
    responses((status = 200, body = ProposalView), Problem))]
pub(crate) async fn propose(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    body: Result<Json<ProposalBody>, JsonRejection>,
) -> Result<Json<ProposalView>, Problem> {
    let Json(body) = body?;
    let change = match body.change.as_str() {
        "release" => StatusChange::Release,
        word => StatusChange::Revoke(reason(word)?),
    };
    let ids = body.requests.iter();
    let ids = ids.map(|id| id.parse().map_err(|_| Problem::NotFound("request")));
    let ids = ids.collect::<Result<Vec<EnrollmentId>, Problem>>()?;
    let comment = in_full("comment", body.comment)?;
    let by = signed_in.acting(&parts.ra, &comment);
    let asked = parts.ra.propose_status(change, ids, &by).await?;
    let id = asked.ok_or(Problem::NotFound("approval policy revocation"))?;
    let proposal = load(&parts.ra, &id.to_string()).await?;
    view(&parts.ra, &proposal, &signed_in).await.map(Json)
}

#[utoipa::path(get, path = "/api/v1/approvals/{id}", tag = "approvals", params(("id" = String, Path)),
    responses((status = 200, body = ProposalView), Problem))]
pub(crate) async fn show(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<ProposalView>, Problem> {
    may_read(&signed_in)?;
    let proposal = load(&parts.ra, &id).await?;
    view(&parts.ra, &proposal, &signed_in).await.map(Json)
}

#[utoipa::path(post, path = "/api/v1/approvals/{id}/approve", tag = "approvals", params(("id" = String, Path)),
    request_body = DecisionBody, responses((status = 200, body = ProposalView), Problem))]
pub(crate) async fn approve(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<ProposalView>, Problem> {
    let Json(body) = body?;
    decide_on(&parts, (&id, Decision::Approve), (&signed_in, body)).await
}

#[utoipa::path(post, path = "/api/v1/approvals/{id}/reject", tag = "approvals", params(("id" = String, Path)),
    request_body = DecisionBody, responses((status = 200, body = ProposalView), Problem))]
pub(crate) async fn reject(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<ProposalView>, Problem> {
    let Json(body) = body?;
    decide_on(&parts, (&id, Decision::Reject), (&signed_in, body)).await
}

async fn decide_on(
    parts: &ConsoleParts,
    (id, decision): (&str, Decision),
    (signed_in, body): (&SignedIn, DecisionBody),
) -> Result<Json<ProposalView>, Problem> {
    let id = load(&parts.ra, id).await?.id;
    decide(&parts.ra, (id, decision), (signed_in, body)).await?;
    let proposal = load(&parts.ra, &id.to_string()).await?;
    if let ProposalSubject::Object { kind, .. } = &proposal.subject {
        (parts.published)(*kind);
    }
    view(&parts.ra, &proposal, signed_in).await.map(Json)
}

/// Lets somebody decide on a proposal. Whether they may is the RA's to say.
pub(crate) async fn decide(
    ra: &Arc<RegistrationAuthority>,
    (id, decision): (ProposalId, Decision),
    (signed_in, body): (&SignedIn, DecisionBody),
) -> Result<(), Problem> {
    let vote = Vote {
        standing: signed_in.0.clone(),
        digest: body.digest.as_deref().map(digest).transpose()?,
        comment: body.comment,
        evidence: body.evidence.map(evidence).transpose()?,
        grant: body.grant.map(grant).transpose()?,
        origin: signed_in.origin(ra),
    };
    match decision {
        Decision::Approve => ra.approve(id, vote).await?,
        Decision::Reject => ra.reject(id, vote).await?,
    };
    Ok(())
}

/// Whoever reads or decides on requests or configuration sees what is proposed.
fn may_read(signed_in: &SignedIn) -> Result<(), Problem> {
    let rights = [
        Right::RequestRead,
        Right::RequestApprove,
        Right::ConfigurationRead,
        Right::ConfigurationApprove,
    ];
    match rights.into_iter().any(|right| signed_in.0.may_somewhere(right)) {
        true => Ok(()),
        false => Err(Problem::Ra(Refusal::NotAuthorized.into())),
    }
}

async fn load(ra: &RegistrationAuthority, id: &str) -> Result<Proposal, Problem> {
    let id: ProposalId = id.parse().map_err(|_| Problem::NotFound("proposal"))?;
    ra.proposal(id).await?.ok_or(Problem::NotFound("proposal"))
}

/// What is shown of a proposal to somebody.
pub(crate) async fn view(
    ra: &RegistrationAuthority,
    proposal: &Proposal,
    signed_in: &SignedIn,
) -> Result<ProposalView, Problem> {
    let constituency = ra.constituency(proposal).await?;
    Ok(view_of(proposal, &constituency, (signed_in, ra.now())))
}

fn view_of(
    proposal: &Proposal,
    constituency: &Constituency,
    (signed_in, now): (&SignedIn, Timestamp),
) -> ProposalView {
    let terms = &proposal.terms;
    let steps = terms.steps.iter().enumerate().map(|(index, step)| StepView {
        who: step.who.to_string(),
        min: step.people(),
        approved: proposal.approved_in(index),
        open: proposal.open_step() == Some(index),
    });
    let excluded = constituency.excluded.iter().map(|(who, why)| ExcludedView {
        principal: who.to_string(),
        why: why.to_string(),
    });
    ProposalView {
        id: proposal.id.to_string(),
        subject: subject(&proposal.subject),
        digest: hex::encode(proposal.digest),
        state: proposal.state(now).as_str().to_owned(),
        policy: terms.policy.to_string(),
        policy_version: terms.version,
        evidence: terms.evidence.as_str().to_owned(),
        right: proposal.subject.right().as_str().to_owned(),
        steps: steps.collect(),
        approvals: terms.people(),
        opened_at: proposal.opened_at,
        opened_by: proposal.opened_by.to_string(),
        until: proposal.until,
        begins_until: proposal.begins_until(),
        decisions: proposal.rulings.iter().map(ruling).collect(),
        excluded: excluded.collect(),
        grantable: proposal.grantable.is_some(),
        granted: proposal.granted().map(grant_view),
        you: signed_in.principal().to_string(),
    }
}

fn subject(subject: &ProposalSubject) -> SubjectView {
    match subject {
        ProposalSubject::Enrollment(id) => SubjectView::Request { id: id.to_string() },
        ProposalSubject::Object { kind, name, version } => SubjectView::Object {
            object: kind.as_str().to_owned(),
            name: name.clone(),
            version: *version,
        },
        ProposalSubject::Certificates { change, enrollments } => SubjectView::Certificates {
            change: match change {
                StatusChange::Revoke(reason) => reason.as_str(),
                StatusChange::Release => "release",
            }
            .to_owned(),
            requests: enrollments.iter().map(ToString::to_string).collect(),
        },
    }
}

fn ruling(ruling: &Ruling) -> DecisionView {
    let evidence = ruling.evidence.as_ref().map(|evidence| EvidenceBody {
        algorithm: evidence.algorithm.as_str().to_owned(),
        key: hex::encode(&evidence.key),
        signature: hex::encode(&evidence.signature),
    });
    DecisionView {
        by: ruling.by.to_string(),
        decision: ruling.decision.as_str().to_owned(),
        step: u32::from(ruling.step).saturating_add(1),
        comment: ruling.comment.clone(),
        at: ruling.at,
        evidence,
        grant: ruling.grant.map(grant_view),
        discounted: ruling.discounted.clone(),
    }
}

const fn grant_view(grant: GrantTerms) -> GrantBody {
    GrantBody {
        uses: grant.uses,
        days: grant.days,
    }
}

fn grant(body: GrantBody) -> Result<GrantTerms, Problem> {
    GrantTerms::new(body.uses, body.days)
        .ok_or_else(|| Problem::Malformed("grant: 1 to 100 uses, 1 to 7 days".to_owned()))
}

fn evidence(body: EvidenceBody) -> Result<Evidence, Problem> {
    let octets = |name: &str, text: &str| {
        hex::decode(text).map_err(|_| Problem::Malformed(format!("evidence: {name} is not hexadecimal")))
    };
    let algorithm = EvidenceAlgorithm::named(&body.algorithm).ok_or_else(|| {
        Problem::Malformed("evidence: algorithm is ES256, ES384, RS256 or EdDSA".to_owned())
    })?;
    Ok(Evidence {
        algorithm,
        key: octets("key", &body.key)?,
        signature: octets("signature", &body.signature)?,
    })
}

fn digest(text: &str) -> Result<[u8; 32], Problem> {
    let mut octets = [0; 32];
    hex::decode_to_slice(text, &mut octets)
        .map_err(|_| Problem::Malformed("digest is not 64 hexadecimal digits".to_owned()))?;
    Ok(octets)
}

#[cfg(test)]
mod tests;
