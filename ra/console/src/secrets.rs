//! `registrations/{id}/secrets` and `eab-keys`: what end entities show to be known. A secret is shown once, in the answer
//! to the call that makes it.

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use http::header::CACHE_CONTROL;
use http::{HeaderValue, StatusCode};
use portreeve_pkix::Timestamp;
use portreeve_ra::authority::{ListedRegistration, NewRegistrationSecret};
use portreeve_ra::secrets::ShownSecret;
use portreeve_ra::{KnownRegistration, KnownSecret, SecretId, SecretKind, SecretState};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::approvals::{ProposalView, asked};
use crate::idempotency::ShowsSecret;
use crate::operators::ReasonBody;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::registrations::named_by;
use crate::signed_in::SignedIn;

/// A secret that is to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewSecretBody {
    /// `acme-eab`, `est-password`, `scep-challenge`, `cmp-secret` or `enrollment-token`.
    pub kind: String,
    /// What its holder names it by; made up when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reference: Option<String>,
    /// How often it may be used; once when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Any number of times, in place of `uses`.
    #[serde(default)]
    pub unlimited: bool,
    /// After this it is refused.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why; it goes into the audit log.
    #[serde(default)]
    pub reason: String,
}

/// An external account key that is to be made.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewEabKeyBody {
    /// The registration, by id or name.
    pub registration: String,
    /// How many accounts it may bind; one when absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub accounts: Option<u32>,
    /// Any number of accounts, in place of `accounts`.
    #[serde(default)]
    pub unlimited: bool,
    /// After this it binds no account.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// Why; it goes into the audit log.
    #[serde(default)]
    pub reason: String,
}

/// A secret, the only time that it can be read.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct MadeSecretView {
    /// Its id.
    pub id: String,
    /// The registration, by name.
    pub registration: String,
    /// What it is for.
    pub kind: String,
    /// What its holder names it by; for an external account key the `kid`.
    pub reference: String,
    /// The secret; an external account key as base64url without padding.
    pub secret: String,
    /// How often it may be used; absent for any number of times.
    pub uses: Option<u32>,
    /// After this it is refused.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// What people decide on, when they must agree before it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<ProposalView>>,
}

/// What is known of a secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct SecretView {
    /// Its id.
    pub id: String,
    /// The id of the registration.
    pub registration: String,
    /// Its name.
    pub registration_name: String,
    /// What it is for.
    pub kind: String,
    /// What its holder names it by.
    pub reference: String,
    /// `live`, `pending` (people have not agreed to it), `spent`, `locked`, `expired` or `revoked`; of an external account
    /// key `new`, `active`, `pending`, `locked`, `expired` or `revoked`.
    pub state: String,
    /// How often it may be used; absent for any number of times.
    pub uses: Option<u32>,
    /// How often it was used, where that is counted.
    pub used: u32,
    /// When last.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub used_at: Option<Timestamp>,
    /// After this it is refused.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// By whom.
    pub issued_by: String,
    /// Where people decide on it, while they have not agreed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<String>,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct KeyQuery {
    /// Of one registration, by id or name.
    registration: Option<String>,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/api/v1/registrations/{registration}/secrets", tag = "registrations",
    params(("registration" = String, Path), PageQuery),
    responses((status = 200, body = List<SecretView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(named): Path<String>,
    query: Result<Query<PageQuery>, QueryRejection>,
) -> Result<Json<List<SecretView>>, Problem> {
    let Query(page) = query?;
    listed(&parts, &signed_in, (Some(named), None, page)).await
}

#[utoipa::path(get, path = "/api/v1/eab-keys", tag = "eab-keys",
    params(KeyQuery),
    responses((status = 200, body = List<SecretView>), Problem))]
pub(crate) async fn list_keys(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<KeyQuery>, QueryRejection>,
) -> Result<Json<List<SecretView>>, Problem> {
    let Query(query) = query?;
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    listed(
        &parts,
        &signed_in,
        (query.registration, Some(SecretKind::AcmeEab), page),
    )
    .await
}

async fn listed(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (named, kind, page): (Option<String>, Option<SecretKind>, PageQuery),
) -> Result<Json<List<SecretView>>, Problem> {
    let (acting, limit) = (signed_in.acting(&parts.ra, ""), page.limit()?);
    let registration = match named {
        Some(named) => Some(named_by(parts, &acting, &named).await?.id),
        None => None,
    };
    let (acting, ra) = (&acting, &parts.ra);
    let found = paging::read(&page, |after| async move {
        ra.secrets_seen(acting, (registration, kind), (after.as_ref(), limit))
            .await
    })
    .await?;
    let now = parts.ra.now();
    let shown = |ListedRegistration { registration, secret }: ListedRegistration| {
        secret.map(|secret| view(&registration, &secret, now))
    };
    Ok(Json(List::new(
        found.items.into_iter().filter_map(shown).collect(),
        found.next,
    )))
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/secrets", tag = "registrations",
    params(("registration" = String, Path)), request_body = NewSecretBody,
    responses((status = 201, body = MadeSecretView), (status = 202, body = MadeSecretView), Problem))]
pub(crate) async fn create(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(named): Path<String>,
    body: Result<Json<NewSecretBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let kind = SecretKind::of_registrations(&body.kind).ok_or_else(|| {
        Problem::Malformed(
            "kind: acme-eab, est-password, scep-challenge, cmp-secret or enrollment-token".to_owned(),
        )
    })?;
    let new = NewRegistrationSecret {
        kind,
        reference: body.reference,
        uses_max: uses(body.uses, body.unlimited)?,
        until: body.until,
    };
    made(&parts, &signed_in, (named, new, body.reason)).await
}

#[utoipa::path(post, path = "/api/v1/eab-keys", tag = "eab-keys", request_body = NewEabKeyBody,
    responses((status = 201, body = MadeSecretView), (status = 202, body = MadeSecretView), Problem))]
pub(crate) async fn create_key(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    body: Result<Json<NewEabKeyBody>, JsonRejection>,
) -> Result<Response, Problem> {
    let Json(body) = body?;
    let new = NewRegistrationSecret {
        kind: SecretKind::AcmeEab,
        reference: None,
        uses_max: uses(body.accounts, body.unlimited)?,
        until: body.until,
    };
    made(&parts, &signed_in, (body.registration, new, body.reason)).await
}

async fn made(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (named, new, reason): (String, NewRegistrationSecret, String),
) -> Result<Response, Problem> {
    let acting = signed_in.acting(&parts.ra, &reason);
    let known = named_by(parts, &acting, &named).await?;
    let (uses, until) = (new.uses_max, new.until);
    let shown = parts.ra.issue_secret(&acting, known.id, new).await?;
    let shown = shown.ok_or(Problem::NotFound("registration"))?;
    let (status, proposal) = asked(parts, signed_in, (StatusCode::CREATED, shown.proposal)).await?;
    let view = MadeSecretView {
        id: shown.id.to_string(),
        registration: known.registration.name,
        kind: shown.kind.as_str().to_owned(),
        secret: written(&shown),
        reference: shown.reference,
        uses,
        until,
        proposal,
    };
    let mut response = (status, Extension(ShowsSecret), Json(view)).into_response();
    response
        .headers_mut()
        .insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

#[utoipa::path(post, path = "/api/v1/registrations/{registration}/secrets/{secret}/revoke", tag = "registrations",
    params(("registration" = String, Path), ("secret" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = SecretView), Problem))]
pub(crate) async fn revoke(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(named): Path<(String, String)>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Json<SecretView>, Problem> {
    revoked(&parts, &signed_in, (named.1, body?.0)).await
}

#[utoipa::path(post, path = "/api/v1/eab-keys/{secret}/revoke", tag = "eab-keys",
    params(("secret" = String, Path)), request_body = ReasonBody,
    responses((status = 200, body = SecretView), Problem))]
pub(crate) async fn revoke_key(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(secret): Path<String>,
    body: Result<Json<ReasonBody>, JsonRejection>,
) -> Result<Json<SecretView>, Problem> {
    revoked(&parts, &signed_in, (secret, body?.0)).await
}

async fn revoked(
    parts: &ConsoleParts,
    signed_in: &SignedIn,
    (id, body): (String, ReasonBody),
) -> Result<Json<SecretView>, Problem> {
    const ABSENT: Problem = Problem::NotFound("secret");
    let acting = signed_in.acting(&parts.ra, &body.reason);
    let id: SecretId = id.parse().map_err(|_| ABSENT)?;
    let secret = parts.ra.revoke_secret(&acting, id).await?.ok_or(ABSENT)?;
    let registration = secret.registration().ok_or(ABSENT)?;
    let registration = parts.ra.registration_seen(&acting, registration).await?;
    Ok(Json(view(&registration.ok_or(ABSENT)?, &secret, parts.ra.now())))
}

/// Once, unless something else is said.
fn uses(uses: Option<u32>, unlimited: bool) -> Result<Option<u32>, Problem> {
    match (uses, unlimited) {
        (Some(_), true) => Err(Problem::Malformed(
            "a number of uses, or unlimited, not both".to_owned(),
        )),
        (None, true) => Ok(None),
        (uses, false) => Ok(Some(uses.unwrap_or(1))),
    }
}

fn written(shown: &ShownSecret) -> String {
    let octets = shown.value.expose();
    match shown.kind {
        SecretKind::AcmeEab => URL_SAFE_NO_PAD.encode(octets),
        _ => String::from_utf8_lossy(octets).into_owned(),
    }
}

fn view(registration: &KnownRegistration, known: &KnownSecret, now: Timestamp) -> SecretView {
    let secret = &known.secret;
    SecretView {
        id: known.id.to_string(),
        registration: registration.id.to_string(),
        registration_name: registration.registration.name.clone(),
        kind: secret.kind.as_str().to_owned(),
        reference: secret.reference.clone(),
        state: state(known, now).to_owned(),
        uses: secret.uses_max,
        used: known.used,
        used_at: known.used_at,
        until: secret.until,
        issued_at: known.issued_at,
        issued_by: known.issued_by.to_string(),
        proposal: known.waiting.as_ref().map(|waiting| waiting.proposal.to_string()),
    }
}

/// A key that has bound as many accounts as it may is no less active for that: they go on.
fn state(known: &KnownSecret, now: Timestamp) -> &'static str {
    let state = known.state(now);
    match (known.secret.kind, state) {
        (SecretKind::AcmeEab, SecretState::Live) if known.used == 0 && known.secret.uses_max.is_some() => {
            "new"
        }
        (SecretKind::AcmeEab, SecretState::Live | SecretState::Spent) => "active",
        _ => state.as_str(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn once_unless_said_otherwise() {
        assert_eq!(uses(None, false).unwrap(), Some(1));
        assert_eq!(uses(Some(5), false).unwrap(), Some(5));
        assert_eq!(uses(None, true).unwrap(), None);
        assert!(uses(Some(5), true).is_err());
    }
}
