//! Client certificates: those of the management CA, and whose they are.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use portreeve_pkix::{Certificate, IssuerChain, KeyUsage, Oid, PathError, Timestamp};
use portreeve_ra::{CertificateMatch, Error, Operator, OperatorName, RegistrationAuthority};

/// How long the list of certificates is believed. What it leads to is looked up each time, and one that leads nowhere is read
/// again: only certificates of the management CA come here.
const LISTED_FOR: Duration = Duration::from_secs(30);

/// Why a certificate is not accepted.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub(super) enum NotTrusted {
    /// It cannot be read.
    #[error("does not decode")]
    Unreadable,
    /// It does not come from the management CA, or not now.
    #[error("{0}")]
    Path(#[from] PathError),
    /// It is a CA's, or not for clients.
    #[error("is not a client certificate")]
    Use,
    /// Its key was reported as compromised.
    #[error("its key was reported as compromised")]
    Compromised,
}

/// The management CA.
#[derive(Clone, Debug)]
pub struct ManagementTrust(Vec<IssuerChain>);

impl ManagementTrust {
    /// These certificates, each of which may have issued those of operators.
    pub fn new(authorities: Vec<Certificate>) -> Self {
        Self(authorities.into_iter().map(IssuerChain::from).collect())
    }

    /// The client's own certificate, if the management CA issued it for a client and it is valid now.
    pub(super) fn accept(&self, chain: &[Vec<u8>], now: Timestamp) -> Result<Certificate, NotTrusted> {
        let own = chain.first().ok_or(NotTrusted::Unreadable)?;
        let own = Certificate::from_der(own).map_err(|_| NotTrusted::Unreadable)?;
        let mut found = Err(NotTrusted::Path(PathError::NoIssuer));
        for authority in &self.0 {
            found = authority.check(&own, now).map_err(NotTrusted::Path);
            if found.is_ok() {
                break;
            }
        }
        found?;
        let for_clients = own
            .extended_key_usage()
            .is_some_and(|uses| uses.contains(&Oid::EKU_CLIENT_AUTH));
        let signs = own
            .key_usage()
            .is_none_or(|usage| usage.contains(KeyUsage::DIGITAL_SIGNATURE));
        if own.is_ca() || !for_clients || !signs {
            return Err(NotTrusted::Use);
        }
        Ok(own)
    }
}

/// Whose certificate is whose.
#[derive(Debug, Default)]
pub(super) struct Owners(Mutex<Option<Listed>>);

#[derive(Clone, Debug)]
struct Listed {
    at: Timestamp,
    entries: Arc<Vec<(CertificateMatch, OperatorName)>>,
}

impl Owners {
    /// The one operator whose certificate this is, as their text says now. Of two that claim it, none is.
    pub(super) async fn owner(
        &self,
        ra: &RegistrationAuthority,
        certificate: &Certificate,
    ) -> Result<Option<Arc<Operator>>, Error> {
        let now = ra.now();
        let known = self
            .listed(now)
            .filter(|listed| !found(&listed.entries, certificate).is_empty());
        let listed = match known {
            Some(listed) => listed,
            None => self.list(ra).await?,
        };
        let names = found(&listed.entries, certificate);
        let [name] = names.as_slice() else {
            if !names.is_empty() {
                tracing::error!(operators = ?names, "a client certificate belongs to several operators");
            }
            return Ok(None);
        };
        let operator = super::believed(ra.operator(name).await)?;
        Ok(operator.filter(|operator| operator.owns(certificate)))
    }

    fn listed(&self, now: Timestamp) -> Option<Listed> {
        let listed = self.0.lock().unwrap_or_else(PoisonError::into_inner).clone();
        listed.filter(|listed| now.since(listed.at) < LISTED_FOR && listed.at.since(now).is_zero())
    }

    async fn list(&self, ra: &RegistrationAuthority) -> Result<Listed, Error> {
        let at = ra.now();
        let operators = ra.operators().await?;
        let entries = operators.iter().flat_map(|operator| {
            let name = &operator.name;
            operator
                .certificates
                .iter()
                .map(|one| (one.clone(), name.clone()))
        });
        let listed = Listed {
            at,
            entries: Arc::new(entries.collect()),
        };
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = Some(listed.clone());
        Ok(listed)
    }
}

fn found(entries: &[(CertificateMatch, OperatorName)], certificate: &Certificate) -> Vec<OperatorName> {
    let fitting = entries.iter().filter(|(one, _)| one.fits(certificate));
    let mut names: Vec<OperatorName> = fitting.map(|(_, name)| name.clone()).collect();
    names.sort();
    names.dedup();
    names
}

#[cfg(test)]
mod tests;
