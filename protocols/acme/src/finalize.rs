//! Finalizing an order (RFC 8555 section 7.4): the one place where this edge asks for a certificate.

use std::collections::BTreeSet;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use portreeve_pkix::{CertificationRequest, DnsName, GeneralName};
use portreeve_ra::{Alongside, EnrollmentRequest, Operation, Refusal};
use serde::Deserialize;

use crate::attempts::is_contended;
use crate::authenticate::AccountRequest;
use crate::document::{Order, OrderId, Progress, Stored};
use crate::error::{AcmeError, of_refusal};
use crate::order::{self, OrderStatus, handle_of};
use crate::reply::Reply;
use crate::service::Service;
use crate::site::Site;

#[derive(Deserialize)]
pub(crate) struct Finalize {
    pub(crate) csr: String,
}

pub(crate) async fn handle(
    service: &Arc<Service>,
    site: &Site,
    by: AccountRequest,
    order: Option<Stored<Order>>,
) -> Result<Reply, AcmeError> {
    let wish: Finalize = by.request.object()?;
    let order = order::owned(site, &by, order)?;
    let request = read(&wish.csr)?;
    if let Progress::Finalized { csr } = order.value.progress {
        return again(service, site, &by, (&order, csr == request.digest())).await;
    }
    match order::status(service, site, &by, &order).await? {
        OrderStatus::Ready => {}
        other => return Err(AcmeError::OrderNotReady(other.as_str())),
    }
    if *request.public_key() == by.account.key {
        return Err(AcmeError::Csr(
            "the key of the account is not certified".to_owned(),
        ));
    }
    check_names(&request, &order.value.names)?;
    enroll(service, site, &by, (order, request)).await
}

/// A finalized order is finalized again by the same CSR alone, and that changes nothing.
async fn again(
    service: &Arc<Service>,
    site: &Site,
    by: &AccountRequest,
    (order, same): (&Stored<Order>, bool),
) -> Result<Reply, AcmeError> {
    let status = order::status(service, site, by, order).await?;
    if same && !matches!(status, OrderStatus::Invalid(_)) {
        Ok(order::reply(service, site, order, &status))
    } else {
        Err(AcmeError::OrderNotReady(status.as_str()))
    }
}

/// The CSR, kept byte for byte. Whether it is signed by its own key is checked by the RA.
pub(crate) fn read(text: &str) -> Result<CertificationRequest, AcmeError> {
    let der = URL_SAFE_NO_PAD
        .decode(text)
        .map_err(|_| AcmeError::Csr("the CSR is not base64url without padding".to_owned()))?;
    CertificationRequest::from_der(&der)
        .map_err(|error| AcmeError::Csr(format!("the CSR is refused: {error}")))
}

/// The CSR must name exactly the identifiers of the order, in the common name, the alternative names or both.
pub(crate) fn check_names(request: &CertificationRequest, ordered: &[DnsName]) -> Result<(), AcmeError> {
    let ordered: BTreeSet<&DnsName> = ordered.iter().collect();
    let mut found = BTreeSet::new();
    for name in request.names() {
        match name {
            GeneralName::Dns(name) => found.insert(name.clone()),
            GeneralName::Ip(_) | GeneralName::Email(_) | GeneralName::Uri(_) | GeneralName::Other(_) => {
                return Err(AcmeError::Csr(format!(
                    "the CSR asks for {name}, which was not ordered"
                )));
            }
        };
    }
    for name in request.subject().common_names() {
        let name = DnsName::parse(name).ok().filter(|name| ordered.contains(name));
        let other = || AcmeError::Csr("the common name is none of the names of the order".to_owned());
        found.insert(name.ok_or_else(other)?);
    }
    if let Some(extra) = found.iter().find(|name| !ordered.contains(name)) {
        return Err(AcmeError::Csr(format!(
            "the CSR asks for {extra}, which was not ordered"
        )));
    }
    match ordered.iter().find(|name| !found.contains(**name)) {
        Some(missing) => Err(AcmeError::Csr(format!(
            "{missing} was ordered and is not in the CSR"
        ))),
        None => Ok(()),
    }
}

async fn enroll(
    service: &Arc<Service>,
    site: &Site,
    by: &AccountRequest,
    (order, request): (Stored<Order>, CertificationRequest),
) -> Result<Reply, AcmeError> {
    let progress = Progress::Finalized {
        csr: request.digest(),
    };
    let finalized = order.with(Order {
        progress,
        ..order.value.clone()
    });
    let enrollment = EnrollmentRequest {
        endpoint: site.endpoint.clone(),
        operation: Operation::Enroll,
        credential: by.credential(),
        handle: handle_of(OrderId::from_bytes(order.id)).into(),
        request: request.der().to_vec(),
        channel: None,
        key_maker: None,
        profile_hint: None,
        not_before: order.value.not_before,
        not_after: order.value.not_after,
        origin: by.request.origin.clone(),
        alongside: by.request.alongside(vec![finalized.write(&service.config)?]),
    };
    match service.ra.enroll(enrollment).await {
        Ok(disposition) => {
            let status = OrderStatus::of_known(disposition, site);
            Ok(order::reply(service, site, &finalized, &status))
        }
        Err(portreeve_ra::Error::Refused(refusal)) => {
            if ends_order(&refusal) {
                end(service, site, &order, &refusal).await?;
            }
            Err(refusal.into())
        }
        Err(error) => Err(error.into()),
    }
}

/// Whether a refusal would be given to every other CSR as well. Then the order has failed; else it stays as it was.
const fn ends_order(refusal: &Refusal) -> bool {
    match refusal {
        Refusal::Names(_)
        | Refusal::NamesUnproven(_)
        | Refusal::Validity(_)
        | Refusal::Denied
        | Refusal::Expired
        | Refusal::CaRejected
        | Refusal::NotIssued
        | Refusal::LimitReached => true,
        Refusal::Malformed(_)
        | Refusal::PossessionWeak
        | Refusal::PossessionNotProven
        | Refusal::Key(_)
        | Refusal::Subject(_)
        | Refusal::Extension(_)
        | Refusal::Condition(_)
        | Refusal::RateLimited(_)
        | Refusal::ClaimConflict
        | Refusal::AlreadySpent
        | Refusal::UnknownEndpoint
        | Refusal::UnknownProfile(_)
        | Refusal::AccountUnknown
        | Refusal::AccountDeactivated
        | Refusal::KeyInUse(_)
        | Refusal::NotAuthorized
        | Refusal::UnknownRequest
        | Refusal::UnknownCertificate
        | Refusal::AlreadyRevoked
        | Refusal::RevocationReason
        | Refusal::NotHeld
        | Refusal::CannotRevoke
        | Refusal::AlreadyDecided
        | Refusal::DigestMismatch
        | Refusal::Decision(_)
        | Refusal::RegistrationClosed
        | Refusal::BindingRequired
        | Refusal::BindingNotOffered
        | Refusal::NameTaken
        | Refusal::Stale
        | Refusal::CredentialMissing
        | Refusal::CredentialNotAccepted
        | Refusal::CredentialsDisagree
        | Refusal::CertificateRequired
        | Refusal::ClientCertificate(_)
        | Refusal::NotOffered
        | Refusal::NotItsNames
        | Refusal::RenewalTooEarly(_)
        | Refusal::RenewalKeySame
        | Refusal::RenewalKeyOther
        | Refusal::ChannelBinding(_) => false,
    }
}

/// Keeps the refusal as the order's error. The nonce was spent with the refusal itself.
async fn end(
    service: &Service,
    site: &Site,
    order: &Stored<Order>,
    refusal: &Refusal,
) -> Result<(), AcmeError> {
    let progress = Progress::Failed(of_refusal(refusal, site).failure);
    let failed = order.with(Order {
        progress,
        ..order.value.clone()
    });
    let documents = vec![failed.write(&service.config)?];
    match service
        .ra
        .keep(Alongside {
            documents,
            spends: Vec::new(),
        })
        .await
    {
        // Somebody else moved the order on, which is as good.
        Err(error) if !is_contended(&error) => Err(error.into()),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
#[path = "finalize/tests.rs"]
mod tests;
