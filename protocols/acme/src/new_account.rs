//! newAccount (RFC 8555 section 7.3): opens an account, or finds the one that has the key (section 7.3.1).

use std::net::IpAddr;

use http::StatusCode;
use portreeve_ra::accounts::{Change, Found, OpenAccount};
use portreeve_ra::{Account, AccountId, AccountStatus, RateLimit, network};
use serde::Deserialize;
use serde_json::Value;

use crate::authenticate::{KeyRequest, as_account_key};
use crate::contact;
use crate::error::AcmeError;
use crate::external_account;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewAccount {
    #[serde(default)]
    pub(crate) contact: Vec<String>,
    #[serde(default)]
    terms_of_service_agreed: bool,
    #[serde(default)]
    only_return_existing: bool,
    pub(crate) external_account_binding: Option<Value>,
}

pub(crate) async fn handle(service: &Service, site: &Site, by: KeyRequest) -> Result<Reply, AcmeError> {
    let wish: NewAccount = by.request.object()?;
    if let Some((id, account)) = service.ra.accounts().by_key(&site.endpoint, &by.key).await? {
        return existing(site, id, &account);
    }
    if wish.only_return_existing {
        return Err(AcmeError::AccountUnknown);
    }
    let external = match &wish.external_account_binding {
        Some(binding) => Some(external_account::read(binding, (&by.request.url, &by.key))?),
        None => None,
    };
    count(service, site, by.request.origin.address).await?;
    service.check_account_key(&by.key)?;
    contact::check(&wish.contact, service.config.contacts_max)?;
    if let (Some(terms), false) = (&service.config.terms_of_service, wish.terms_of_service_agreed) {
        return Err(AcmeError::TermsNotAgreed { terms: terms.clone() });
    }
    let alongside = by.request.alongside(Vec::new());
    let opening = OpenAccount {
        endpoint: site.endpoint.clone(),
        key: by.key,
        contacts: wish.contact,
        agreed: wish.terms_of_service_agreed,
        change: Change {
            origin: by.request.origin,
            alongside,
        },
    };
    let (id, account, found) = service
        .ra
        .open_account(opening, external)
        .await
        .map_err(as_account_key)?;
    match found {
        Found::Existing => existing(site, id, &account),
        Found::New => {
            service.open_orders.opened(id);
            let registration = account.binding.as_ref().map(|binding| binding.registration);
            tracing::info!(endpoint = %site.endpoint, account = %id, key = %account.key.algorithm(),
                           registration = registration.map(|id| id.to_string()), "account opened");
            Ok(reply(StatusCode::CREATED, site, id, &account))
        }
    }
}

/// Counts an account that is about to be opened against its address. Looking one up is not counted: a client that has an
/// account is served however many strangers share its address.
async fn count(service: &Service, site: &Site, address: Option<IpAddr>) -> Result<(), AcmeError> {
    let requests = service.config.accounts_per_address_max;
    let (Some(address), 1..) = (address, requests) else {
        return Ok(());
    };
    let limit = RateLimit {
        requests,
        period: service.config.accounts_period,
        burst: requests,
    };
    let key = format!("{}|account|{}", site.endpoint, network(address));
    Ok(service.ra.count(&key, limit).await?)
}

/// Nothing changes, whatever else the request says.
fn existing(site: &Site, id: AccountId, account: &Account) -> Result<Reply, AcmeError> {
    match account.status {
        AccountStatus::Valid => Ok(reply(StatusCode::OK, site, id, account)),
        AccountStatus::Deactivated => Err(AcmeError::AccountDeactivated),
    }
}

fn reply(status: StatusCode, site: &Site, id: AccountId, account: &Account) -> Reply {
    Reply::json(status, &render::account(site, id, account)).location(&site.account(id))
}
