//! What people decide on: how it is shown, and the decisions on what is no request.

mod proposed;
mod views;

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use http::header::LOCATION;
use portreeve_ra::authority::Vote;
use portreeve_ra::{
    Decision, EnrollmentId, Error, Evidence, EvidenceAlgorithm, GrantTerms, InternalError, Proposal,
    ProposalId, ProposalSubject, Refusal, RegistrationAuthority, Right, StatusChange,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::certificates::status::reason;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::requests::in_full;
use crate::signed_in::SignedIn;

pub(crate) use views::view;
pub use views::{
    DecisionView, EvidenceBody, ExcludedView, GrantBody, GrantStandingView, ProposalView, StepView,
    SubjectView,
};

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
    /// How many rows are looked at, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
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
            match listed(ra, &proposal, &signed_in).await {
                // What it is about does not verify, which is an incident. The others are listed all the same.
                Err(Problem::Ra(Error::Internal(InternalError::Tampered { .. }))) => {}
                view => items.extend(view?),
            }
        }
    }
    Ok(Json(List::new(items, found.next)))
}

/// A proposal as it is listed, for those who may see it.
async fn listed(
    ra: &RegistrationAuthority,
    proposal: &Proposal,
    signed_in: &SignedIn,
) -> Result<Option<ProposalView>, Problem> {
    match proposed::is_seen(ra, proposal, signed_in).await? {
        true => view(ra, proposal, signed_in).await.map(Some),
        false => Ok(None),
    }
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
    let proposal = load(&parts.ra, &id).await?;
    let asks = proposal.opened_by.principal() == Some(signed_in.principal());
    if !asks {
        may_read(&signed_in)?;
        if !proposed::is_seen(&parts.ra, &proposal, &signed_in).await? {
            return Err(ABSENT);
        }
    }
    proposed::in_full(&parts, &proposal, &signed_in).await.map(Json)
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
    let proposal = load(&parts.ra, id).await?;
    if !proposed::is_seen(&parts.ra, &proposal, signed_in).await? {
        return Err(ABSENT);
    }
    decide(&parts.ra, (proposal.id, decision), (signed_in, body)).await?;
    let proposal = load(&parts.ra, id).await?;
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

/// Whoever reads or decides on anything that is proposed sees proposals, if only those on that.
fn may_read(signed_in: &SignedIn) -> Result<(), Problem> {
    let rights = [
        Right::RequestRead,
        Right::RequestApprove,
        Right::ConfigurationRead,
        Right::ConfigurationApprove,
        Right::OperatorRead,
        Right::RegistrationRead,
    ];
    match rights.into_iter().any(|right| signed_in.0.may_somewhere(right)) {
        true => Ok(()),
        false => Err(Problem::Ra(Refusal::NotAuthorized.into())),
    }
}

const ABSENT: Problem = Problem::NotFound("proposal");

async fn load(ra: &RegistrationAuthority, id: &str) -> Result<Proposal, Problem> {
    let id: ProposalId = id.parse().map_err(|_| ABSENT)?;
    ra.proposal(id).await?.ok_or(ABSENT)
}

/// Says that what was wanted waits for people: 202, with the proposal.
pub(crate) async fn accepted(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    proposal: ProposalId,
) -> Result<Response, Problem> {
    let proposal = load(&parts.ra, &proposal.to_string()).await?;
    let view = view(&parts.ra, &proposal, signed_in).await?;
    let location = format!("/api/v1/approvals/{}", proposal.id);
    Ok((StatusCode::ACCEPTED, [(LOCATION, location)], Json(view)).into_response())
}

/// The status of an answer that shows something else besides, and the proposal, where people are asked.
pub(crate) async fn asked(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (done, proposal): (StatusCode, Option<ProposalId>),
) -> Result<(StatusCode, Option<Box<ProposalView>>), Problem> {
    let Some(proposal) = proposal else {
        return Ok((done, None));
    };
    let proposal = load(&parts.ra, &proposal.to_string()).await?;
    let view = view(&parts.ra, &proposal, signed_in).await?;
    Ok((StatusCode::ACCEPTED, Some(Box::new(view))))
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
