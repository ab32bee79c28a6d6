//! newOrder (RFC 8555 section 7.4): an order, and an authorization for each of its names.

use futures_util::future::join;
use http::StatusCode;
use portreeve_pkix::{DnsName, Identifier, Timestamp};
use portreeve_ra::proofs::LiveProof;
use portreeve_ra::{Endpoint, KnownRegistration, NameAuthority, Requester};
use serde::Deserialize;

use crate::authenticate::AccountRequest;
use crate::document::{
    Authorization, AuthorizationId, Challenge, ChallengeState, Order, OrderId, Progress, Reason, Standing,
    Stored,
};
use crate::error::AcmeError;
use crate::identifiers::{self, Asked};
use crate::open_orders;
use crate::order::OrderStatus;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;
use crate::validator::ChallengeKind;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewOrder {
    pub(crate) identifiers: Vec<Asked>,
    pub(crate) not_before: Option<String>,
    pub(crate) not_after: Option<String>,
    /// Of draft-ietf-acme-profiles; none is advertised, so any is unknown.
    profile: Option<String>,
}

pub(crate) async fn handle(
    service: &Service,
    site: &Site,
    by: AccountRequest,
    endpoint: &Endpoint,
) -> Result<Reply, AcmeError> {
    let wish: NewOrder = by.request.object()?;
    if let Some(profile) = wish.profile {
        return Err(AcmeError::Profile(profile.chars().take(64).collect()));
    }
    let names = identifiers::read(&wish.identifiers, service.config.identifiers_max)?;
    let times = times(
        service.now(),
        wish.not_before.as_deref(),
        wish.not_after.as_deref(),
    )?;
    let identifiers: Vec<Identifier> = names.iter().cloned().map(Identifier::Dns).collect();
    // Says at once what would be refused when the order is finalized; there it is judged all the same.
    let known = service.ra.on_behalf_of(&by.account).await?;
    let (checked, proven) = join(
        check_names(service, endpoint, &identifiers),
        proven(service, (endpoint, known.as_deref()), &by, &identifiers),
    )
    .await;
    checked?;
    if let Some(known) = &known {
        check_registered(known, &identifiers)?;
    }
    open_orders::admit(service, by.id).await?;
    let (order, authorizations) = make(service, site, &by, (names, times, proven?));
    let mut documents = vec![order.write(&service.config)?];
    for authorization in &authorizations {
        documents.push(authorization.write(&service.config)?);
    }
    service.ra.keep(by.request.alongside(documents)).await?;
    let id = OrderId::from_bytes(order.id);
    tracing::debug!(endpoint = %site.endpoint, account = %by.id, order = %id, names = order.value.names.len(), "order made");
    let status = OrderStatus::of_open(&order.value, &authorizations, service.now());
    let reply = Reply::json(StatusCode::CREATED, &render::order(site, &order, &status));
    Ok(reply.location(&site.order(id)))
}

async fn check_names(service: &Service, endpoint: &Endpoint, names: &[Identifier]) -> Result<(), AcmeError> {
    let rejected = service.names.check(endpoint, names).await?;
    if rejected.is_empty() {
        return Ok(());
    }
    let refused = rejected
        .into_iter()
        .map(|name| identifiers::rejected(name.identifier.to_string(), name.reason));
    Err(AcmeError::Identifiers(refused.collect()))
}

/// Refuses names that the registration on whose behalf the account asks may not have.
fn check_registered(known: &KnownRegistration, names: &[Identifier]) -> Result<(), AcmeError> {
    let outside = names.iter().filter(|name| !known.registration.covers(name));
    let refused: Vec<_> = outside
        .map(|name| {
            let reason = "not allowed for the external account of this account".to_owned();
            identifiers::rejected(name.to_string(), reason)
        })
        .collect();
    if refused.is_empty() {
        return Ok(());
    }
    Err(AcmeError::Identifiers(refused))
}

/// Why a name needs no new proof.
#[derive(Clone)]
struct Known {
    /// Until when.
    until: Timestamp,
    /// The challenge that proved it and when; none where nothing has to be proven.
    by: Option<(ChallengeKind, Timestamp)>,
    /// Why it is valid at once.
    reason: Reason,
}

impl From<LiveProof> for Known {
    fn from(proof: LiveProof) -> Self {
        let kind = ChallengeKind::ALL
            .into_iter()
            .find(|kind| kind.as_str() == proof.method);
        Self {
            until: proof.until,
            by: kind.map(|kind| (kind, proof.proven_at)),
            reason: Reason::Proven,
        }
    }
}

/// Why each name needs no new proof, if it needs none.
async fn proven(
    service: &Service,
    (endpoint, registration): (&Endpoint, Option<&KnownRegistration>),
    by: &AccountRequest,
    names: &[Identifier],
) -> Result<Vec<Option<Known>>, AcmeError> {
    let until = service
        .now()
        .saturating_add(service.config.authorization_lifetime);
    let not_proven = |reason| Known {
        until,
        by: None,
        reason,
    };
    if endpoint.names == NameAuthority::Profile {
        return Ok(vec![Some(not_proven(Reason::Unasked)); names.len()]);
    }
    let vouched = |name: &Identifier| {
        let known = registration.filter(|known| known.registration.vouches_for(name))?;
        Some(not_proven(Reason::Vouched {
            registration: known.id,
            version: known.version,
        }))
    };
    let mut known: Vec<Option<Known>> = names.iter().map(vouched).collect();
    if service.config.authorization_reuse && known.iter().any(Option::is_none) {
        let requester = Requester::Account(by.id);
        let live = service.ra.proofs().live(&requester, names).await?;
        for (known, proof) in known.iter_mut().zip(live) {
            *known = known.take().or_else(|| proof.map(Known::from));
        }
    }
    Ok(known)
}

type Times = (Option<Timestamp>, Option<Timestamp>);

/// The validity a client asks for. Whether it is granted is for the profile to say.
pub(crate) fn times(
    now: Timestamp,
    not_before: Option<&str>,
    not_after: Option<&str>,
) -> Result<Times, AcmeError> {
    let read = |text: &str| {
        Timestamp::parse_rfc3339(text)
            .map_err(|_| AcmeError::Malformed("notBefore and notAfter must be RFC 3339 times"))
    };
    let (not_before, not_after) = (
        not_before.map(read).transpose()?,
        not_after.map(read).transpose()?,
    );
    if not_after.is_some_and(|end| end <= not_before.unwrap_or(now) || end <= now) {
        return Err(AcmeError::Malformed(
            "notAfter must lie in the future and after notBefore",
        ));
    }
    Ok((not_before, not_after))
}

type Made = (Stored<Order>, Vec<Stored<Authorization>>);

fn make(
    service: &Service,
    site: &Site,
    by: &AccountRequest,
    (names, (not_before, not_after), proven): (Vec<DnsName>, Times, Vec<Option<Known>>),
) -> Made {
    let now = service.now();
    let id = OrderId::new(now, service.random.as_ref());
    let authorizations: Vec<Stored<Authorization>> = names
        .iter()
        .zip(proven)
        .map(|(name, proven)| {
            let value = Authorization {
                account: by.id,
                endpoint: site.endpoint.clone(),
                order: id,
                name: name.clone(),
                created_at: now,
                expires_at: proven.as_ref().map_or_else(
                    || now.saturating_add(service.config.authorization_pending_lifetime),
                    |known| known.until,
                ),
                standing: if proven.is_some() {
                    Standing::Valid
                } else {
                    Standing::Pending
                },
                reason: proven.as_ref().map(|known| known.reason),
                challenges: match proven {
                    Some(known) => known.by.map(|by| validated(service, by)).into_iter().collect(),
                    None => challenges(service, name),
                },
            };
            Stored::new(
                *AuthorizationId::new(now, service.random.as_ref()).as_bytes(),
                value,
            )
        })
        .collect();
    let order = Order {
        account: by.id,
        endpoint: site.endpoint.clone(),
        created_at: now,
        expires_at: now.saturating_add(service.config.order_lifetime),
        names,
        authorizations: authorizations
            .iter()
            .map(|stored| AuthorizationId::from_bytes(stored.id))
            .collect(),
        not_before,
        not_after,
        progress: Progress::Open,
    };
    (Stored::new(*id.as_bytes(), order), authorizations)
}

/// One challenge of each kind that can prove the name (RFC 8555 section 7.1.4: wildcards by DNS alone).
fn challenges(service: &Service, name: &DnsName) -> Vec<Challenge> {
    let fits = |kind: &ChallengeKind| !name.is_wildcard() || kind.proves_wildcards();
    let make = |kind| challenge(service, kind, ChallengeState::Pending);
    ChallengeKind::ALL.into_iter().filter(fits).map(make).collect()
}

/// The challenge that was validated, in an authorization that is valid by an earlier proof (RFC 8555 section 7.1.4). Its
/// token is a new one: nobody is asked for it any more.
fn validated(service: &Service, (kind, at): (ChallengeKind, Timestamp)) -> Challenge {
    challenge(service, kind, ChallengeState::Valid { at })
}

fn challenge(service: &Service, kind: ChallengeKind, state: ChallengeState) -> Challenge {
    let mut token = [0; 24];
    service.random.fill(&mut token);
    Challenge { kind, token, state }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asked_validity() {
        let now = Timestamp::parse_rfc3339("2030-01-01T00:00:00Z").unwrap();
        let rows = [
            ("none", None, None, true),
            ("an end", None, Some("2030-02-01T00:00:00Z"), true),
            ("a beginning", Some("2030-01-02T00:00:00Z"), None, true),
            (
                "both",
                Some("2030-01-02T00:00:00Z"),
                Some("2030-01-03T00:00:00+02:00"),
                true,
            ),
            ("end in the past", None, Some("2029-12-31T00:00:00Z"), false),
            (
                "end before beginning",
                Some("2030-02-02T00:00:00Z"),
                Some("2030-02-01T00:00:00Z"),
                false,
            ),
            (
                "empty period",
                Some("2030-02-01T00:00:00Z"),
                Some("2030-02-01T00:00:00Z"),
                false,
            ),
            (
                "both in the past",
                Some("2020-01-01T00:00:00Z"),
                Some("2020-02-01T00:00:00Z"),
                false,
            ),
            ("not a time", None, Some("tomorrow"), false),
            ("a date alone", Some("2030-01-02"), None, false),
        ];
        for (name, not_before, not_after, accepted) in rows {
            assert_eq!(times(now, not_before, not_after).is_ok(), accepted, "{name}");
        }
    }
}
