//! `tokens`: what programs sign in with.

use std::time::Duration;

use axum::extract::rejection::{JsonRejection, QueryRejection};
use axum::extract::{Path, Query, State};
use axum::{Extension, Json};
use http::StatusCode;
use portreeve_pkix::Timestamp;
use portreeve_ra::access::Target;
use portreeve_ra::credentials::NewToken;
use portreeve_ra::{KnownSecret, OperatorName, Principal, Right, SecretId, SecretOwner};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::ConsoleParts;
use crate::approvals::{ProposalView, asked};
use crate::auth::token_text;
use crate::idempotency::ShowsSecret;
use crate::operators::operator_name;
use crate::paging::{self, List, PageQuery};
use crate::problem::Problem;
use crate::signed_in::{SignInMethod, SignedIn};

const LIFETIME_DEFAULT: u64 = 90 * 86_400;

/// A token, without its secret.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenView {
    /// Its id.
    pub id: String,
    /// Whose.
    pub operator: String,
    /// What it is for.
    pub label: String,
    /// To what rights it is limited.
    pub scopes: Vec<String>,
    /// The client certificate it is bound to: SHA-256 of its SubjectPublicKeyInfo, in hex.
    pub bound_to: Option<String>,
    /// `live`, `pending` (people have not agreed to it), `spent`, `revoked`, `locked` or `expired`.
    pub state: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub issued_at: Timestamp,
    /// Until when it is good.
    #[schema(value_type = Option<String>, format = DateTime)]
    pub until: Option<Timestamp>,
}

/// A token to be made.
#[derive(Clone, PartialEq, Eq, Debug, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct TokenBody {
    /// Whose; the caller's own when not given.
    #[serde(default)]
    pub operator: Option<String>,
    /// What it is for; at most 64 characters.
    #[serde(default)]
    pub label: String,
    /// To what rights it is limited; at least one.
    pub scopes: Vec<String>,
    /// The client certificate it is bound to: SHA-256 of its SubjectPublicKeyInfo, in hex. Some rights need it.
    #[serde(default)]
    pub bound_to: Option<String>,
    /// How long it is good, in seconds: 90 days when not given, at most 366 days.
    #[serde(default)]
    pub expires_in: Option<u64>,
}

/// A token that was made just now.
#[derive(Clone, PartialEq, Eq, Debug, Serialize, Deserialize, ToSchema)]
pub struct TokenMade {
    /// Its id.
    pub id: String,
    /// The token. It is shown this once.
    pub token: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub until: Timestamp,
    /// What people decide on, when they must agree before it is good.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposal: Option<Box<ProposalView>>,
}

#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct TokenQuery {
    /// Whose; the caller's own when not given, `*` for all.
    operator: Option<String>,
    /// Where an earlier page ended: its `next_cursor`.
    cursor: Option<String>,
    /// How many rows, 1 to 200; 50 when not given.
    #[param(minimum = 1, maximum = 200)]
    limit: Option<u32>,
}

#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(TokenQuery),
    responses((status = 200, body = List<TokenView>), Problem))]
pub(crate) async fn list(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    query: Result<Query<TokenQuery>, QueryRejection>,
) -> Result<Json<List<TokenView>>, Problem> {
    let Query(query) = query?;
    let own = match signed_in.principal() {
        Principal::Operator(name) => Some(name.clone()),
        Principal::Host => None,
    };
    let wanted = match query.operator.as_deref() {
        None => own.clone(),
        Some("*") => None,
        Some(text) => Some(operator_name(text)?),
    };
    if wanted.is_none() || wanted != own {
        signed_in
            .require(&parts.ra, Right::OperatorRead, Target::Installation)
            .await?;
    }
    let page = PageQuery {
        cursor: query.cursor,
        limit: query.limit,
    };
    let (parts, wanted, limit) = (&parts, wanted.as_ref(), page.limit()?);
    let found = paging::read(&page, |after| async move {
        let documents = parts.documents.as_ref();
        parts.ra.tokens(documents, wanted, (after.as_ref(), limit)).await
    })
    .await?;
    let now = parts.ra.now();
    let items = found.items.into_iter().map(|known| view(known, now));
    Ok(Json(List::new(items.collect(), found.next)))
}

#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenBody,
    responses((status = 201, body = TokenMade), (status = 202, body = TokenMade), Problem))]
pub(crate) async fn create(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    body: Result<Json<TokenBody>, JsonRejection>,
) -> Result<(StatusCode, Extension<ShowsSecret>, Json<TokenMade>), Problem> {
    let Json(body) = body?;
    strong_enough(&parts, &signed_in).await?;
    let operator = match (&body.operator, signed_in.principal()) {
        (Some(text), _) => operator_name(text)?,
        (None, Principal::Operator(own)) => own.clone(),
        (None, Principal::Host) => {
            return Err(Problem::Malformed("say whose: operator is missing".to_owned()));
        }
    };
    let scopes = body.scopes.iter().take(64).map(|word| word.parse::<Right>());
    let scopes = scopes.collect::<Result<_, _>>();
    let new = NewToken {
        operator,
        label: body.label,
        scopes: scopes.map_err(|unknown| Problem::Malformed(unknown.to_string()))?,
        bound_to: body.bound_to.as_deref().map(digest).transpose()?,
        lifetime: Duration::from_secs(body.expires_in.unwrap_or(LIFETIME_DEFAULT)),
    };
    let acting = signed_in.acting(&parts.ra, "token made");
    let made = parts.ra.issue_token(&acting, new).await?;
    let (status, proposal) = asked(&parts, &signed_in, (StatusCode::CREATED, made.proposal)).await?;
    let shown = TokenMade {
        id: made.id.to_string(),
        token: token_text(made.id, &made.secret),
        until: made.until,
        proposal,
    };
    Ok((status, Extension(ShowsSecret), Json(shown)))
}

#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 204), Problem))]
pub(crate) async fn revoke(
    State(parts): State<ConsoleParts>,
    signed_in: SignedIn,
    Path(id): Path<String>,
) -> Result<StatusCode, Problem> {
    let id: SecretId = id.parse().map_err(|_| Problem::NotFound("token"))?;
    let acting = signed_in.acting(&parts.ra, "token revoked");
    parts.ra.revoke_token(&acting, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A token does not make what somebody signs in with, unless it may change operators; nor does the one-time credential.
pub(crate) async fn strong_enough(parts: &ConsoleParts, signed_in: &SignedIn) -> Result<(), Problem> {
    match signed_in.1.method {
        SignInMethod::Host | SignInMethod::Certificate | SignInMethod::Password => Ok(()),
        SignInMethod::Token | SignInMethod::Bootstrap(_) => {
            signed_in
                .require(&parts.ra, Right::OperatorWrite, Target::Installation)
                .await
        }
    }
}

/// 32 octets in hex.
pub(crate) fn digest(text: &str) -> Result<[u8; 32], Problem> {
    let mut octets = [0; 32];
    hex::decode_to_slice(text, &mut octets)
        .map_err(|_| Problem::Malformed("a key is named by 64 hexadecimal digits, its SHA-256".to_owned()))?;
    Ok(octets)
}

fn view(known: KnownSecret, now: Timestamp) -> TokenView {
    let state = known.state(now).as_str();
    let secret = known.secret;
    let owner = match &secret.owner {
        SecretOwner::Operator(name) => OperatorName::to_string(name),
        SecretOwner::Registration(id) => id.to_string(),
    };
    TokenView {
        id: known.id.to_string(),
        operator: owner,
        label: secret
            .reference
            .splitn(3, ':')
            .nth(2)
            .unwrap_or_default()
            .to_owned(),
        scopes: secret.scopes,
        bound_to: secret.bound_to.map(hex::encode),
        state: state.to_owned(),
        issued_at: known.issued_at,
        until: secret.until,
    }
}
