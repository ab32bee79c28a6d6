//! The objects of the protocol as JSON (RFC 8555 section 7.1.2 to 7.1.6 and 8).

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_pkix::{DnsName, Timestamp};
use portreeve_ra::{Account, AccountId, AccountStatus};
use serde_json::{Map, Value, json};

use crate::document::{
    Authorization, AuthorizationId, Challenge, ChallengeState, Order, OrderId, Standing, Stored,
};
use crate::order::OrderStatus;
use crate::site::Site;

/// An account.
pub(crate) fn account(site: &Site, id: AccountId, account: &Account) -> Value {
    let status = match account.status {
        AccountStatus::Valid => "valid",
        AccountStatus::Deactivated => "deactivated",
    };
    let mut object = Map::new();
    object.insert("status".to_owned(), json!(status));
    object.insert("contact".to_owned(), json!(account.contacts));
    if account.agreed_at.is_some() {
        object.insert("termsOfServiceAgreed".to_owned(), json!(true));
    }
    object.insert("orders".to_owned(), json!(site.orders(id)));
    let binding = account.binding.as_ref();
    let binding = binding.and_then(|binding| serde_json::from_slice::<Value>(&binding.evidence).ok());
    if let Some(binding) = binding {
        // As the client sent it (RFC 8555 section 7.3.4).
        object.insert("externalAccountBinding".to_owned(), binding);
    }
    Value::Object(object)
}

/// An order.
pub(crate) fn order(site: &Site, order: &Stored<Order>, status: &OrderStatus) -> Value {
    let id = OrderId::from_bytes(order.id);
    let value = &order.value;
    let urls: Vec<String> = value
        .authorizations
        .iter()
        .map(|id| site.authorization(*id))
        .collect();
    let identifiers: Vec<Value> = value.names.iter().map(identifier).collect();
    let mut object = Map::new();
    object.insert("status".to_owned(), json!(status.as_str()));
    object.insert("expires".to_owned(), time(value.expires_at));
    object.insert("identifiers".to_owned(), json!(identifiers));
    for (name, at) in [("notBefore", value.not_before), ("notAfter", value.not_after)] {
        if let Some(at) = at {
            object.insert(name.to_owned(), time(at));
        }
    }
    object.insert("authorizations".to_owned(), json!(urls));
    object.insert("finalize".to_owned(), json!(site.finalize(id)));
    match status {
        OrderStatus::Valid(_) => {
            object.insert("certificate".to_owned(), json!(site.certificate(id)));
        }
        OrderStatus::Invalid(Some(failure)) => {
            object.insert("error".to_owned(), failure.json());
        }
        OrderStatus::Invalid(None)
        | OrderStatus::Pending
        | OrderStatus::Ready
        | OrderStatus::Processing { .. } => {}
    }
    Value::Object(object)
}

/// An authorization. A wildcard name is shown without `*.`, and as what it is (RFC 8555 section 7.1.4).
pub(crate) fn authorization(site: &Site, stored: &Stored<Authorization>, now: Timestamp) -> Value {
    let id = AuthorizationId::from_bytes(stored.id);
    let value = &stored.value;
    let challenges: Vec<Value> = shown(value)
        .map(|challenge| self::challenge(site, id, challenge))
        .collect();
    let mut object = Map::new();
    object.insert("identifier".to_owned(), identifier(&value.name.base()));
    object.insert("status".to_owned(), json!(authorization_status(value, now)));
    object.insert("expires".to_owned(), time(value.expires_at));
    object.insert("challenges".to_owned(), json!(challenges));
    if value.name.is_wildcard() {
        object.insert("wildcard".to_owned(), json!(true));
    }
    Value::Object(object)
}

/// The status of an authorization at `now`.
pub(crate) fn authorization_status(value: &Authorization, now: Timestamp) -> &'static str {
    let over = now >= value.expires_at;
    match value.standing {
        Standing::Pending if over => "invalid",
        Standing::Pending => "pending",
        Standing::Valid if over => "expired",
        Standing::Valid => "valid",
        Standing::Invalid => "invalid",
        Standing::Deactivated => "deactivated",
    }
}

/// While it is pending all challenges can be answered; after that only the one that decided is of interest.
fn shown(value: &Authorization) -> impl Iterator<Item = &Challenge> {
    let decided = |challenge: &&Challenge| match value.standing {
        Standing::Pending | Standing::Deactivated => true,
        Standing::Valid => matches!(challenge.state, ChallengeState::Valid { .. }),
        Standing::Invalid => matches!(challenge.state, ChallengeState::Invalid { .. }),
    };
    value.challenges.iter().filter(decided)
}

/// A challenge.
pub(crate) fn challenge(site: &Site, id: AuthorizationId, challenge: &Challenge) -> Value {
    let mut object = Map::new();
    object.insert("type".to_owned(), json!(challenge.kind.as_str()));
    object.insert("url".to_owned(), json!(site.challenge(id, challenge.kind)));
    object.insert("token".to_owned(), json!(token(challenge)));
    let status = match &challenge.state {
        ChallengeState::Pending => "pending",
        ChallengeState::Processing { .. } => "processing",
        ChallengeState::Valid { at } => {
            object.insert("validated".to_owned(), time(*at));
            "valid"
        }
        ChallengeState::Invalid { failure, .. } => {
            object.insert("error".to_owned(), failure.json());
            "invalid"
        }
    };
    object.insert("status".to_owned(), json!(status));
    Value::Object(object)
}

/// The token of a challenge as text (RFC 8555 section 8.1).
pub(crate) fn token(challenge: &Challenge) -> String {
    URL_SAFE_NO_PAD.encode(challenge.token)
}

fn identifier(name: &DnsName) -> Value {
    json!({"type": "dns", "value": name.as_str()})
}

fn time(at: Timestamp) -> Value {
    json!(at.floor_to_second().to_string())
}

#[cfg(test)]
#[path = "render/tests.rs"]
mod tests;
