//! `requests`: what is asked for, and the decisions on it.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use portreeve_pkix::{CertificationRequest, GeneralName, Timestamp};
use portreeve_ra::access::Target;
use portreeve_ra::authority::{COMMENT_CHARS_MAX, DecisionRequest, Search};
use portreeve_ra::ports::RequestRow;
use portreeve_ra::search::{Among, Field, parse, with_word};
use portreeve_ra::{
    Application, Asked, Decision, Enrollment, EnrollmentId, EnrollmentState, On, Refusal,
    RegistrationAuthority, Resolution, Right, TeamName,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::approvals::{self, DecisionBody, ProposalView};
use crate::operators::ReasonBody;
use crate::paging::{List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// A row of the list of requests.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestSummary {
    /// The enrollment.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// Where it arrived.
    pub endpoint: String,
    /// Who asks.
    pub requester: String,
    /// Subject and names, in words.
    pub names: String,
    /// The profile.
    pub profile: String,
    /// When it was received.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// When it last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated_at: Timestamp,
}

/// One request, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RequestView {
    /// The enrollment.
    pub id: String,
    /// Where it stands.
    pub state: String,
    /// Where it arrived.
    pub endpoint: String,
    /// Who asks.
    pub requester: String,
    /// The earlier proposal with which it was granted, if it passed by a grant.
    pub granted_by: Option<String>,
    /// The profile; empty, as are backend and findings, while no worker has judged it.
    pub profile: String,
    /// The version of the profile it was judged by.
    pub profile_version: u32,
    /// Who would sign or has signed.
    pub backend: String,
    /// The subject to be certified.
    pub subject: String,
    /// The names to be certified.
    pub names: Vec<String>,
    /// The kind of key.
    pub key_algorithm: String,
    /// SHA-256 of the SubjectPublicKeyInfo, in hex.
    pub key_sha256: String,
    /// How long the certificate will live, in seconds.
    pub lifetime_seconds: u64,
    /// What each rule said.
    pub findings: Vec<String>,
    /// What people decide on.
    pub proposal: Option<ProposalView>,
    /// The certificate's serial number, once it is issued.
    pub serial: Option<String>,
    /// Why it ended without a certificate.
    pub refusal: Option<String>,
    /// When it was received.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub received_at: Option<Timestamp>,
}

/// How a request in doubt or in quarantine goes on.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResolutionWord {
    /// Ask the CA once more what it knows. Only for a request in doubt.
    Retry,
    /// Deliver nothing: the client hears that no certificate was issued.
    GiveUp,
}

/// What a principal resolves a request with.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ResolutionBody {
    /// How it goes on.
    pub resolution: ResolutionWord,
    /// Why; must not be empty, at most 1,024 characters count.
    pub comment: String,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListQuery {
    /// Only those that this query matches.
    q: Option<String>,
    /// Only those in this state.
    state: Option<String>,
    /// Only those at this endpoint.
    endpoint: Option<String>,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/api/v1/requests", tag = "requests", params(ListQuery),
    responses((status = 200, body = List<RequestSummary>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<ListQuery>, QueryRejection>,
) -> Result<Json<List<RequestSummary>>, Problem> {
    let Query(query) = query?;
    signed_in
        .require(&parts.ra, Right::RequestRead, Target::Installation)
        .await?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let state = query.state.map(known_state).transpose()?;
    let mut wanted = parse(query.q.as_deref().unwrap_or_default(), Among::Requests)?;
    for (field, word) in [(Field::State, state), (Field::Endpoint, query.endpoint)] {
        wanted = match word {
            Some(word) => Some(with_word(wanted, field, word)),
            None => wanted,
        };
    }
    let search = Search {
        query: wanted,
        after: page.cursor()?,
        limit: page.limit()?,
    };
    let found = parts.ra.search_requests(&signed_in.0, &search).await?;
    Ok(Json(List::new(
        found.items.into_iter().map(summary).collect(),
        found.next,
    )))
}

/// Whoever has one of these on a request knows that it is there.
const SEEING: [Right; 3] = [Right::RequestRead, Right::RequestApprove, Right::RequestResolve];

/// The request with this id. For somebody who may neither see it nor act on it there is none; whoever may do so nowhere
/// lacks the right, whatever there is.
async fn find(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (right, id): (Right, &str),
) -> Result<Enrollment, Problem> {
    let standing = &signed_in.0;
    if !SEEING.into_iter().any(|right| standing.may_somewhere(right)) {
        signed_in.require(&parts.ra, right, Target::Installation).await?;
    }
    let id: EnrollmentId = id.parse().map_err(|_| Problem::NotFound("request"))?;
    let absent = || Problem::from(portreeve_ra::Error::from(Refusal::UnknownRequest));
    let enrollment = parts.ra.enrollment(id).await?.ok_or_else(absent)?;
    let team = parts.ra.owning_team(&enrollment).await?;
    let on = on(&enrollment, team.as_ref());
    if !SEEING.into_iter().any(|right| standing.may(right, on)) {
        let refused = signed_in.require(&parts.ra, right, Target::Owned(on)).await;
        refused.map_err(|_| absent())?;
    }
    Ok(enrollment)
}

/// On what rights are needed for a request.
fn on<'a>(enrollment: &'a Enrollment, team: Option<&'a TeamName>) -> On<'a> {
    let application = enrollment.application();
    On {
        backend: application.map(|application| &application.backend),
        profile: application.map(|application| &application.profile),
        team,
    }
}

/// Refuses who lacks the right on what this request is for, and for whom: the team that owns its registration.
async fn require(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (right, enrollment): (Right, &Enrollment),
) -> Result<(), Problem> {
    let team = parts.ra.owning_team(enrollment).await?;
    let on = on(enrollment, team.as_ref());
    signed_in.require(&parts.ra, right, Target::Owned(on)).await
}

/// A state that requests can have: a word that is none would match nothing, and look like an empty list.
fn known_state(word: String) -> Result<String, Problem> {
    let words = EnrollmentState::ALL.map(EnrollmentState::as_str);
    if words.contains(&word.as_str()) {
        return Ok(word);
    }
    let known = words.join(", ");
    Err(Problem::Malformed(format!(
        "there is no state {word}: it is one of {known}"
    )))
}

#[utoipa::path(get, path = "/api/v1/requests/{id}", tag = "requests", params(("id" = String, Path)),
    responses((status = 200, body = RequestView), Problem))]
pub(crate) async fn show(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<Json<RequestView>, Problem> {
    let enrollment = find(&parts, &signed_in, (Right::RequestRead, &id)).await?;
    require(&parts, &signed_in, (Right::RequestRead, &enrollment)).await?;
    shown(&parts.ra, enrollment.id, &signed_in).await
}

#[utoipa::path(post, path = "/api/v1/requests/{id}/approve", tag = "requests", params(("id" = String, Path)),
    request_body = DecisionBody, responses((status = 200, body = RequestView), Problem))]
pub(crate) async fn approve(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<RequestView>, Problem> {
    let Json(body) = body?;
    decide(&parts, &id, (principal, body), Decision::Approve).await
}

#[utoipa::path(post, path = "/api/v1/requests/{id}/reject", tag = "requests", params(("id" = String, Path)),
    request_body = DecisionBody, responses((status = 200, body = RequestView), Problem))]
pub(crate) async fn reject(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<DecisionBody>, JsonRejection>,
) -> Result<Json<RequestView>, Problem> {
    let Json(body) = body?;
    decide(&parts, &id, (principal, body), Decision::Reject).await
}

#[utoipa::path(post, path = "/api/v1/requests/{id}/resolve", tag = "requests", params(("id" = String, Path)),
    request_body = ResolutionBody, responses((status = 200, body = RequestView), Problem))]
pub(crate) async fn resolve(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<ResolutionBody>, JsonRejection>,
) -> Result<Json<RequestView>, Problem> {
    let Json(body) = body?;
    let enrollment = find(&parts, &principal, (Right::RequestResolve, &id)).await?;
    require(&parts, &principal, (Right::RequestResolve, &enrollment)).await?;
    let unclear = [EnrollmentState::InDoubt, EnrollmentState::Quarantined];
    match enrollment.state() {
        Some(state) if unclear.contains(&state) => {}
        state => {
            return Err(Problem::NothingToDecide(
                state.map_or("none", EnrollmentState::as_str),
            ));
        }
    }
    let resolution = match body.resolution {
        ResolutionWord::Retry => Resolution::Retry,
        ResolutionWord::GiveUp => Resolution::GiveUp,
    };
    let request = commented(&parts.ra, principal.clone(), body.comment)?;
    parts.ra.resolve(enrollment.id, resolution, request).await?;
    shown(&parts.ra, enrollment.id, &principal).await
}

/// Makes the grant void that was given with the decision on a request: nothing passes by it from now on. Doing so again
/// changes nothing.
#[utoipa::path(post, path = "/api/v1/requests/{id}/grant/withdraw", tag = "requests", params(("id" = String, Path)),
    request_body = ReasonBody, responses((status = 200, body = RequestView), Problem))]
pub(crate) async fn withdraw_grant(
    State(parts): State<ConsoleParts>,
    principal: SignedIn,
    Path(id): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Json<RequestView>, Problem> {
    let Json(body) = body?;
    let reason = in_full("reason", body.reason)?;
    let enrollment = find(&parts, &principal, (Right::RequestApprove, &id)).await?;
    require(&parts, &principal, (Right::RequestApprove, &enrollment)).await?;
    let proposal = enrollment
        .proposal()
        .ok_or_else(|| nothing_to_decide(&enrollment))?;
    let acting = principal.acting(&parts.ra, &reason);
    parts.ra.withdraw_grant(&acting, proposal).await?;
    shown(&parts.ra, enrollment.id, &principal).await
}

/// A decision that needs a reason.
pub(crate) fn commented(
    ra: &RegistrationAuthority,
    principal: SignedIn,
    comment: String,
) -> Result<DecisionRequest, Problem> {
    if comment.trim().is_empty() {
        return Err(Problem::Malformed("the comment is empty: say why".to_owned()));
    }
    Ok(DecisionRequest {
        by: principal.principal().clone(),
        digest: None,
        comment: in_full("comment", comment)?,
        origin: principal.origin(ra),
    })
}

/// What a person wrote, if all of it can be kept: what they said must not be cut.
pub(crate) fn in_full(what: &str, text: String) -> Result<String, Problem> {
    match text.chars().count() {
        0..=COMMENT_CHARS_MAX => Ok(text),
        count => Err(Problem::Malformed(format!(
            "the {what} has {count} characters, and {COMMENT_CHARS_MAX} can be kept: say it shorter"
        ))),
    }
}

async fn decide(
    parts: &ConsoleParts,
    id: &str,
    (principal, body): (SignedIn, DecisionBody),
    decision: Decision,
) -> Result<Json<RequestView>, Problem> {
    let ra = &parts.ra;
    let enrollment = find(parts, &principal, (Right::RequestApprove, id)).await?;
    let Some(proposal) = enrollment.proposal() else {
        require(parts, &principal, (Right::RequestApprove, &enrollment)).await?;
        return Err(nothing_to_decide(&enrollment));
    };
    approvals::decide(ra, (proposal, decision), (&principal, body)).await?;
    shown(ra, enrollment.id, &principal).await
}

fn nothing_to_decide(enrollment: &Enrollment) -> Problem {
    let state = enrollment.state();
    Problem::NothingToDecide(state.map_or("none", EnrollmentState::as_str))
}

/// What is shown of an enrollment as it is now, with the proposal that people decide on.
async fn shown(
    ra: &RegistrationAuthority,
    id: EnrollmentId,
    signed_in: &SignedIn,
) -> Result<Json<RequestView>, Problem> {
    let enrollment = ra
        .enrollment(id)
        .await?
        .ok_or(Refusal::UnknownRequest)
        .map_err(portreeve_ra::Error::from)?;
    let mut shown = match (enrollment.application(), enrollment.asked()) {
        (Some(application), _) => view(&enrollment, application),
        (None, Some(asked)) => unjudged(&enrollment, asked),
        (None, None) if enrollment.state() == Some(EnrollmentState::Erased) => erased(&enrollment),
        (None, None) => return Err(Problem::NotFound("request")),
    };
    if let Some(id) = enrollment.proposal()
        && let Some(proposal) = ra.proposal(id).await?
    {
        shown.proposal = Some(approvals::view(ra, &proposal, signed_in).await?);
    }
    Ok(Json(shown))
}

fn summary(row: RequestRow) -> RequestSummary {
    RequestSummary {
        id: row.enrollment.to_string(),
        state: row.state,
        endpoint: row.endpoint,
        requester: row.requester,
        names: row.names,
        profile: row.profile,
        created_at: row.created_at,
        updated_at: row.updated_at,
    }
}

fn view(enrollment: &Enrollment, application: &Application) -> RequestView {
    let contents = &application.contents;
    RequestView {
        id: enrollment.id.to_string(),
        state: enrollment
            .state()
            .map_or("none", |state| state.as_str())
            .to_owned(),
        endpoint: application.endpoint.to_string(),
        requester: application.requester.to_string(),
        granted_by: enrollment.granted_by().map(|id| id.to_string()),
        profile: application.profile.to_string(),
        profile_version: application.profile_version,
        backend: application.backend.to_string(),
        subject: contents.subject.to_string(),
        names: contents.names.iter().map(GeneralName::to_string).collect(),
        key_algorithm: contents.public_key.algorithm().to_string(),
        key_sha256: hex::encode(contents.public_key.fingerprint()),
        lifetime_seconds: contents.validity.lifetime.as_secs(),
        findings: application.findings.clone(),
        proposal: None,
        serial: enrollment.certificate().and_then(|(der, _)| serial(der)),
        refusal: enrollment.refusal().map(Refusal::to_string),
        received_at: enrollment.received_at(),
    }
}

/// A request that no worker has judged, or that was refused before there was a verdict: what it asks for itself.
fn unjudged(enrollment: &Enrollment, asked: Asked<'_>) -> RequestView {
    let request = CertificationRequest::from_der(asked.request).ok();
    let request = request.as_ref();
    RequestView {
        id: enrollment.id.to_string(),
        state: enrollment
            .state()
            .map_or("none", EnrollmentState::as_str)
            .to_owned(),
        endpoint: asked.endpoint.to_string(),
        requester: asked.requester.to_string(),
        granted_by: None,
        profile: String::new(),
        profile_version: 0,
        backend: String::new(),
        subject: request
            .map(|request| request.subject().to_string())
            .unwrap_or_default(),
        names: request
            .map(|request| request.names().iter().map(GeneralName::to_string).collect())
            .unwrap_or_default(),
        key_algorithm: request
            .map(|request| request.public_key().algorithm().to_string())
            .unwrap_or_default(),
        key_sha256: request
            .map(|request| hex::encode(request.public_key().fingerprint()))
            .unwrap_or_default(),
        lifetime_seconds: 0,
        findings: Vec::new(),
        proposal: None,
        serial: None,
        refusal: enrollment.refusal().map(Refusal::to_string),
        received_at: enrollment.received_at(),
    }
}

/// A request of which nothing is known any more but that there was one.
fn erased(enrollment: &Enrollment) -> RequestView {
    let nothing = String::new;
    RequestView {
        id: enrollment.id.to_string(),
        state: EnrollmentState::Erased.as_str().to_owned(),
        endpoint: nothing(),
        requester: nothing(),
        granted_by: None,
        profile: nothing(),
        profile_version: 0,
        backend: nothing(),
        subject: nothing(),
        names: Vec::new(),
        key_algorithm: nothing(),
        key_sha256: nothing(),
        lifetime_seconds: 0,
        findings: Vec::new(),
        proposal: None,
        serial: None,
        refusal: None,
        received_at: None,
    }
}

fn serial(der: &[u8]) -> Option<String> {
    portreeve_pkix::Certificate::from_der(der)
        .ok()
        .map(|certificate| certificate.serial().to_hex())
}
