//! keyChange (RFC 8555 section 7.3.5): the new key signs inside, the old key signs outside.

use http::StatusCode;
use portreeve_pkix::PublicKey;
use portreeve_ra::accounts::Change;
use portreeve_wire::jose::{Jwk, Jws, strict_json};
use serde_json::Value;

use crate::authenticate::{AccountRequest, as_account_key, check_cost};
use crate::error::AcmeError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

pub(crate) async fn handle(service: &Service, site: &Site, by: AccountRequest) -> Result<Reply, AcmeError> {
    let key = new_key(site, &by)?;
    service.check_account_key(&key)?;
    let change = Change {
        origin: by.request.origin.clone(),
        alongside: by.request.alongside(Vec::new()),
    };
    let account = service
        .ra
        .accounts()
        .change_key(&by.credential(), key, change)
        .await
        .map_err(as_account_key)?;
    tracing::info!(endpoint = %site.endpoint, account = %by.id, key = %account.key.algorithm(), "account key changed");
    let reply = Reply::json(StatusCode::OK, &render::account(site, by.id, &account));
    Ok(reply.location(&site.account(by.id)))
}

/// The key that signed the inner JWS, after every check of RFC 8555 section 7.3.5 that needs no store.
fn new_key(site: &Site, by: &AccountRequest) -> Result<PublicKey, AcmeError> {
    let inner = Jws::parse(&by.request.payload)?;
    let header = inner.header();
    let missing = AcmeError::Malformed("the inner protected header must have a jwk and no kid");
    let key = header.jwk.as_ref().ok_or(missing)?.public_key()?;
    if header.nonce.is_some() {
        return Err(AcmeError::Malformed(
            "the inner protected header must have no nonce",
        ));
    }
    if header.url.as_deref() != Some(by.request.url.as_str()) {
        return Err(AcmeError::Malformed("the inner url is not the outer one"));
    }
    check_cost(&key)?;
    inner.verify(&key)?;
    let members = strict_json::parse_object(inner.payload())?;
    if members.get("account").and_then(Value::as_str) != Some(site.account(by.id).as_str()) {
        return Err(AcmeError::Malformed(
            "the inner account is not the one that signed",
        ));
    }
    let old_key = members
        .get("oldKey")
        .ok_or(AcmeError::Malformed("the inner payload has no oldKey"))?;
    let old_key = Jwk::parse(old_key).and_then(|jwk| jwk.public_key());
    if old_key.ok().as_ref() != Some(&by.account.key) {
        return Err(AcmeError::Malformed("oldKey is not the key of the account"));
    }
    if key == by.account.key {
        return Err(AcmeError::Malformed("the new key is the old one"));
    }
    Ok(key)
}
