//! `registrations`: end entities that are known beforehand.

use axum::Json;
use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use portreeve_pkix::Timestamp;
use portreeve_ra::access::Acting;
use portreeve_ra::authority::{Foreseen, Registered, RegistrationSearch};
use portreeve_ra::operators::Condition;
use portreeve_ra::{
    AllowedName, AllowedNames, EndpointName, KnownRegistration, OverLimit, Principal, ProfileName,
    Registration, RegistrationId, RegistrationState, TeamName,
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::approvals::{ProposalView, accepted};
use crate::etag::{Expected, tag};
use crate::operators::ReasonBody;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::SignedIn;

/// A registration as it is to be.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct RegistrationBody {
    /// Its name, unique.
    pub name: String,
    /// Names it may be certified for: DNS names, IP addresses, and `.example.com` for all names below it.
    pub names: Vec<String>,
    /// Any name that the profile allows, in place of a list.
    pub any_name: bool,
    /// Whether wildcard names lie below a listed domain as well.
    pub wildcards: bool,
    /// Whether control over the listed names is taken as shown, so that no challenge is asked for.
    pub vouched: bool,
    /// Profiles it may use; empty allows all of the endpoint.
    pub profiles: Vec<String>,
    /// Endpoints it may use; empty allows all.
    pub endpoints: Vec<String>,
    /// The team that owns it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team: Option<String>,
    /// On whose behalf it asks: `operator:NAME`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Certificates it may have at once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub certificates_max: Option<u32>,
    /// What happens over that limit: `refuse-new`, or `revoke-oldest`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub over_limit: Option<String>,
    /// After this nothing is issued for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why; it goes into the audit log.
    pub reason: String,
}

/// A registration.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegistrationView {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// `active`, `pending` (people have not agreed to it), `suspended`, `expired` or `ended`.
    pub state: String,
    /// How often it was defined; 0 while people have not agreed to it.
    pub version: u32,
    /// Names it may be certified for.
    pub names: Vec<String>,
    /// Any name that the profile allows, in place of a list.
    pub any_name: bool,
    /// Whether wildcard names lie below a listed domain as well.
    pub wildcards: bool,
    /// Whether control over the listed names is taken as shown.
    pub vouched: bool,
    /// Profiles it may use; empty allows all of the endpoint.
    pub profiles: Vec<String>,
    /// Endpoints it may use; empty allows all.
    pub endpoints: Vec<String>,
    /// The team that owns it.
    pub team: Option<String>,
    /// On whose behalf it asks.
    pub owner: Option<String>,
    /// Certificates it may have at once.
    pub certificates_max: Option<u32>,
    /// What happens over that limit.
    pub over_limit: String,
    /// After this nothing is issued for it.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Who made it what it is, and has not been confirmed by another person.
    pub unconfirmed_authors: Vec<String>,
    /// When it was created.
    #[schema(value_type = String, format = DateTime)]
    pub created_at: Timestamp,
    /// Where people were asked last about what they have not agreed to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

/// What would become of a registration that was only checked.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct RegistrationVerdict {
    /// Its name.
    pub name: String,
    /// `would be created`, or `would wait for approval`.
    pub verdict: String,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Search {
    /// What the name begins with.
    name: Option<String>,
    /// The team that owns it.
    team: Option<String>,
    /// `active`, `pending`, `suspended` or `ended`.
    state: Option<String>,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Creating {
    /// Only says what would become of it.
    #[serde(default)]
    dry_run: bool,
}

#[utoipa::path(get, path = "/api/v1/registrations", tag = "registrations",
    params(Search),
    responses((status = 200, body = List<RegistrationView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<Search>, QueryRejection>,
) -> Result<Json<List<RegistrationView>>, Problem> {
    let Query(query) = query?;
    let search = search(&query)?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let (acting, limit) = (signed_in.acting(&parts.ra, ""), page.limit()?);
    let (acting, search, ra) = (&acting, &search, &parts.ra);
    let found = paging::read(&page, |after| async move {
        ra.registrations_seen(acting, search, (after.as_ref(), limit))
            .await
    })
    .await?;
    let now = parts.ra.now();
    let items = found.items.iter().map(|known| view(known, now)).collect();
    Ok(Json(List::new(items, found.next)))
}

#[utoipa::path(post, path = "/api/v1/registrations", tag = "registrations",
    params(Creating), request_body = RegistrationBody,
    responses((status = 201, body = RegistrationView), (status = 202, body = ProposalView),
              (status = 200, body = RegistrationVerdict), Problem))]
pub(crate) async fn create(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<Creating>, QueryRejection>,
    body: Result<Json<RegistrationBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let (Query(creating), Json(body)) = (query?, body?);
    let registration = read(&body)?;
    let acting = signed_in.acting(&parts.ra, &body.reason);
    if creating.dry_run {
        let verdict = match parts.ra.check_registration(&acting, &registration).await? {
            Foreseen::Created => "would be created",
            Foreseen::Proposed => "would wait for approval",
        };
        let verdict = RegistrationVerdict {
            name: body.name,
            verdict: verdict.to_owned(),
        };
        return Ok(Json(verdict).into_response());
    }
    let registered = parts.ra.create_registration(&acting, registration).await?;
    match registered.proposal {
        Some(proposal) => accepted(&parts, &signed_in, proposal).await,
        None => Ok((StatusCode::CREATED, shown(&parts, &registered.known)).into_response()),
    }
}

#[utoipa::path(get, path = "/api/v1/registrations/{registration}", tag = "registrations",
    params(("registration" = String, Path)),
    responses((status = 200, body = RegistrationView), Problem))]
pub(crate) async fn show(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(named): Path<String>,
) -> Result<Response, Problem> {
    let known = named_by(&parts, &signed_in.acting(&parts.ra, ""), &named).await?;
    Ok(shown(&parts, &known))
}

#[utoipa::path(put, path = "/api/v1/registrations/{registration}", tag = "registrations",
    params(("registration" = String, Path), Expected), request_body = RegistrationBody,
    responses((status = 200, body = RegistrationView), (status = 202, body = ProposalView), Problem))]
pub(crate) async fn define(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(named): Path<String>,
    Expected(condition): Expected,
    body: Result<Json<RegistrationBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let expected = match condition {
        Condition::Any => None,
        Condition::Version(version) => Some(version),
        Condition::Absent => return Err(Problem::PreconditionFailed),
    };
    let acting = signed_in.acting(&parts.ra, &body.reason);
    let known = named_by(&parts, &acting, &named).await?;
    let registration = Registration {
        name: known.registration.name,
        ..read(&body)?
    };
    let changed = parts
        .ra
        .define_registration(&acting, known.id, (registration, expected))
        .await?;
    registered(&parts, &signed_in, changed).await
}

/// A registration as it is now, or where people are asked.
async fn registered(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    changed: Option<Registered>,
) -> Result<Response, Problem> {
    let changed = changed.ok_or(ABSENT)?;
    match changed.proposal {
        Some(proposal) => accepted(parts, signed_in, proposal).await,
        None => Ok(shown(parts, &changed.known)),
    }
}

/// What can be done to a registration besides defining it.
#[derive(Copy, Clone)]
enum Verb {
    Suspend,
    Resume,
    End,
    Confirm,
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/suspend", tag = "registrations",
    params(("registration" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = RegistrationView), Problem))]
pub(crate) async fn suspend(
    state: State<ConsoleParts>,
    signed_in: SignedIn,
    path: Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    act(state, (signed_in, path), (Verb::Suspend, body)).await
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/resume", tag = "registrations",
    params(("registration" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = RegistrationView), (status = 202, body = ProposalView), Problem))]
pub(crate) async fn resume(
    state: State<ConsoleParts>,
    signed_in: SignedIn,
    path: Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    act(state, (signed_in, path), (Verb::Resume, body)).await
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/end", tag = "registrations",
    params(("registration" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = RegistrationView), Problem))]
pub(crate) async fn end(
    state: State<ConsoleParts>,
    signed_in: SignedIn,
    path: Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    act(state, (signed_in, path), (Verb::End, body)).await
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/confirm", tag = "registrations",
    params(("registration" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = RegistrationView), Problem))]
pub(crate) async fn confirm(
    state: State<ConsoleParts>,
    signed_in: SignedIn,
    path: Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Response, Problem> {
    act(state, (signed_in, path), (Verb::Confirm, body)).await
}

async fn act(
    State(parts): State<ConsoleParts>,
    (signed_in, Path(named)): (SignedIn, Path<String>),
    (verb, body): (Verb, Result<Json<ReasonBody>, JsonRejection>),
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let acting = signed_in.acting(&parts.ra, &body.reason);
    let (ra, id) = (&parts.ra, named_by(&parts, &acting, &named).await?.id);
    let changed = match verb {
        Verb::Suspend => ra.suspend_registration(&acting, id).await?,
        Verb::Resume => {
            let changed = ra.resume_registration(&acting, id).await?;
            return registered(&parts, &signed_in, changed).await;
        }
        Verb::End => ra.end_registration(&acting, id).await?,
        Verb::Confirm => ra.confirm_registration(&acting, id).await?,
    };
    Ok(shown(&parts, &changed.ok_or(ABSENT)?))
}

const ABSENT: Problem = Problem::NotFound("registration");

/// The registration that is named by its id or its name.
pub(crate) async fn named_by(
    parts: &ConsoleParts,
    by: &Acting,
    named: &str,
) -> Result<KnownRegistration, Problem> {
    let found = match named.parse::<RegistrationId>() {
        Ok(id) => parts.ra.registration_seen(by, id).await?,
        Err(_) => parts.ra.registration_named(by, named).await?,
    };
    found.ok_or(ABSENT)
}

fn search(query: &Search) -> Result<RegistrationSearch, Problem> {
    let states = [
        RegistrationState::Active,
        RegistrationState::Pending,
        RegistrationState::Suspended,
        RegistrationState::Ended,
    ];
    let state = match &query.state {
        None => None,
        Some(word) => Some(
            states
                .into_iter()
                .find(|state| state.as_str() == word)
                .ok_or_else(|| Problem::Malformed("state: active, pending, suspended or ended".to_owned()))?,
        ),
    };
    let name = query.name.as_ref().filter(|name| !name.is_empty());
    if name.is_some_and(|name| name.len() > 128) {
        return Err(Problem::Malformed("name: at most 128 characters".to_owned()));
    }
    Ok(RegistrationSearch {
        name: name.cloned(),
        team: query
            .team
            .as_deref()
            .map(|team| one("team", TeamName::new(team)))
            .transpose()?,
        state,
    })
}

fn read(body: &RegistrationBody) -> Result<Registration, Problem> {
    let names = if body.any_name {
        if !body.names.is_empty() {
            return Err(Problem::Malformed(
                "names: a list, or any_name, not both".to_owned(),
            ));
        }
        AllowedNames::Any
    } else {
        let names = body
            .names
            .iter()
            .map(|name| one("names", name.parse::<AllowedName>()));
        AllowedNames::Only(names.collect::<Result<_, _>>()?)
    };
    let over_limit = match body.over_limit.as_deref() {
        None | Some("refuse-new") => OverLimit::RefuseNew,
        Some("revoke-oldest") => OverLimit::RevokeOldest,
        Some(_) => {
            return Err(Problem::Malformed(
                "over_limit: refuse-new or revoke-oldest".to_owned(),
            ));
        }
    };
    let profiles = body
        .profiles
        .iter()
        .map(|name| one("profiles", ProfileName::new(name)));
    let endpoints = body
        .endpoints
        .iter()
        .map(|name| one("endpoints", EndpointName::new(name)));
    Ok(Registration {
        name: body.name.clone(),
        names,
        wildcards: body.wildcards,
        vouched: body.vouched,
        profiles: profiles.collect::<Result<_, _>>()?,
        endpoints: endpoints.collect::<Result<_, _>>()?,
        team: body
            .team
            .as_deref()
            .map(|team| one("team", TeamName::new(team)))
            .transpose()?,
        owner: body
            .owner
            .as_deref()
            .map(|owner| one("owner", owner.parse::<Principal>()))
            .transpose()?,
        certificates_max: body.certificates_max,
        over_limit,
        until: body.until,
    })
}

/// A registration as it would be given.
pub(crate) fn body_of(registration: &Registration) -> RegistrationBody {
    let words = registration.names.words();
    RegistrationBody {
        name: registration.name.clone(),
        any_name: words.is_none(),
        names: words.unwrap_or_default(),
        wildcards: registration.wildcards,
        vouched: registration.vouched,
        profiles: registration.profiles.iter().map(ToString::to_string).collect(),
        endpoints: registration.endpoints.iter().map(ToString::to_string).collect(),
        team: registration.team.as_ref().map(ToString::to_string),
        owner: registration.owner.as_ref().map(ToString::to_string),
        certificates_max: registration.certificates_max,
        over_limit: Some(registration.over_limit.as_str().to_owned()),
        until: registration.until,
        reason: String::new(),
    }
}

fn one<T, E: std::fmt::Display>(key: &str, read: Result<T, E>) -> Result<T, Problem> {
    read.map_err(|error| Problem::Malformed(format!("{key}: {error}")))
}

fn shown(parts: &ConsoleParts, known: &KnownRegistration) -> Response {
    (tag(known.version), Json(view(known, parts.ra.now()))).into_response()
}

fn view(known: &KnownRegistration, now: Timestamp) -> RegistrationView {
    let registration = &known.registration;
    let words = registration.names.words();
    RegistrationView {
        id: known.id.to_string(),
        name: registration.name.clone(),
        state: known.state(now).as_str().to_owned(),
        version: known.version,
        any_name: words.is_none(),
        names: words.unwrap_or_default(),
        wildcards: registration.wildcards,
        vouched: registration.vouched,
        profiles: registration.profiles.iter().map(ToString::to_string).collect(),
        endpoints: registration.endpoints.iter().map(ToString::to_string).collect(),
        team: registration.team.as_ref().map(ToString::to_string),
        owner: registration.owner.as_ref().map(ToString::to_string),
        certificates_max: registration.certificates_max,
        over_limit: registration.over_limit.as_str().to_owned(),
        until: registration.until,
        unconfirmed_authors: known
            .unconfirmed_authors
            .iter()
            .map(ToString::to_string)
            .collect(),
        created_at: known.id.made_at(),
        proposal: known.waiting.as_ref().map(|waiting| waiting.proposal.to_string()),
    }
}

#[cfg(test)]
mod tests;
