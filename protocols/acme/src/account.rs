//! An account: read, update, deactivate (RFC 8555 section 7.3.2, 7.3.3 and 7.3.6).

use http::StatusCode;
use portreeve_ra::AccountId;
use portreeve_ra::accounts::Change;
use serde::Deserialize;

use crate::authenticate::AccountRequest;
use crate::contact;
use crate::error::AcmeError;
use crate::render;
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

/// What may be changed; everything else is ignored (RFC 8555 section 7.3.2).
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Update {
    pub(crate) contact: Option<Vec<String>>,
    status: Option<String>,
    #[serde(default)]
    terms_of_service_agreed: bool,
}

pub(crate) async fn handle(
    service: &Service,
    site: &Site,
    mut by: AccountRequest,
    id: AccountId,
) -> Result<Reply, AcmeError> {
    if by.id != id {
        return Err(AcmeError::NotFound);
    }
    if !by.request.is_read() {
        update(service, site, &mut by).await?;
    }
    Ok(Reply::json(
        StatusCode::OK,
        &render::account(site, id, &by.account),
    ))
}

async fn update(service: &Service, site: &Site, by: &mut AccountRequest) -> Result<(), AcmeError> {
    let wish: Update = by.request.object()?;
    let accounts = service.ra.accounts();
    if wish.status.as_deref() == Some("deactivated") {
        by.account = accounts.deactivate(&by.credential(), change(by)).await?;
        tracing::info!(endpoint = %site.endpoint, account = %by.id, "account deactivated");
        return Ok(());
    }
    let agrees = wish.terms_of_service_agreed && by.account.agreed_at.is_none();
    let contacts = wish.contact.filter(|contacts| *contacts != by.account.contacts);
    if let Some(contacts) = contacts {
        contact::check(&contacts, service.config.contacts_max)?;
        by.account = accounts
            .update_contacts(&by.credential(), contacts, change(by))
            .await?;
        if agrees {
            // The nonce was spent with the contacts.
            let change = Change {
                origin: by.request.origin.clone(),
                alongside: Default::default(),
            };
            by.account = accounts.agree(&by.credential(), change).await?;
        }
    } else if agrees {
        by.account = accounts.agree(&by.credential(), change(by)).await?;
    }
    Ok(())
}

fn change(by: &AccountRequest) -> Change {
    Change {
        origin: by.request.origin.clone(),
        alongside: by.request.alongside(Vec::new()),
    }
}
