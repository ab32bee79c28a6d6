//! What only somebody with the keys can see: CAs, the gateway's own certificate, incidents.

use std::sync::Arc;

use portreeve_pkix::{GeneralName, Timestamp};
use portreeve_ra::RegistrationAuthority;

use super::{CA_EXPIRY_WARNING, EXPIRY_WARNING, Finding, Severity, expiry, redis};
use crate::authorities::{Authorities, Authority, AuthorityError, AuthorityView};
use crate::installation::Installation;
use crate::own_certificate;
use crate::queue::Queue;

/// Registrations that are warned of, at most.
const VOUCHED_MAX: u32 = 100;

/// Incidents looked through, at most.
const INCIDENTS_MAX: u32 = 1000;

/// An open installation.
#[derive(Clone)]
pub struct Inside {
    /// Store, keys and signer.
    pub installation: Installation,
    /// The names of the gateway's own TLS certificate.
    pub tls_names: Vec<GeneralName>,
    /// Reads objects and incidents.
    pub ra: Arc<RegistrationAuthority>,
    /// Hints, limits and other nodes.
    pub queue: Queue,
}

impl Inside {
    /// Every check.
    pub async fn checks(&self) -> Vec<Finding> {
        let now = self.installation.clock.now();
        let mut findings = vec![
            self.keyset(),
            self.signer().await,
            self.own_certificate(now).await,
            self.incidents().await,
        ];
        findings.extend(self.objects().await);
        findings.extend(self.vouched().await);
        findings.extend(self.authorities(now).await);
        if let Some(used) = self.queue.redis() {
            findings.extend(redis::examined(used.server(), self.installation.clock.as_ref()).await);
            findings.push(redis::nodes(self.queue.nodes.as_ref()).await);
        }
        findings
    }

    /// It has been opened. What is wrong with the wall around an edge is a warning here: under `serve` it would not have
    /// been opened then.
    fn keyset(&self) -> Finding {
        match &self.installation.breach {
            None => Finding::new("keyset", Severity::Ok, "opens"),
            Some(breach) => Finding::new("keyset", Severity::Warning, breach.to_string()),
        }
    }

    /// The CAs, to be shown.
    pub async fn authority_views(&self) -> Result<Vec<AuthorityView>, AuthorityError> {
        let authorities = Authorities {
            installation: &self.installation,
            objects: self.ra.objects(),
        };
        Ok(authorities
            .list()
            .await?
            .iter()
            .map(AuthorityView::from)
            .collect())
    }

    async fn signer(&self) -> Finding {
        let Some(signer) = &self.installation.signer else {
            return Finding::new("signer", Severity::Skipped, "this node has none");
        };
        match signer.health().await {
            Ok(()) => Finding::new("signer", Severity::Ok, "answers"),
            Err(error) => Finding::new("signer", Severity::Error, error.to_string()),
        }
    }

    async fn own_certificate(&self, now: Timestamp) -> Finding {
        let check = "TLS certificate";
        if !own_certificate::shown_by(self.installation.roles) {
            return Finding::new(check, Severity::Skipped, "this node shows none");
        }
        match own_certificate::stored(self.installation.store.documents.as_ref(), &self.tls_names).await {
            Ok(Some(certificate)) => expiry(check.to_owned(), certificate.not_after(), (now, EXPIRY_WARNING)),
            Ok(None) => Finding::new(check, Severity::Skipped, "issued at the first start"),
            Err(error) => Finding::new(check, Severity::Error, error.to_string()),
        }
    }

    async fn incidents(&self) -> Finding {
        match self.ra.incidents(None, INCIDENTS_MAX).await {
            Ok(found) => incidents(found.items.iter().filter(|one| one.closed_at.is_none()).count()),
            Err(error) => Finding::new("incidents", Severity::Error, error.to_string()),
        }
    }

    /// Objects whose records do not verify: they are in force for nobody.
    async fn objects(&self) -> Vec<Finding> {
        let check = "objects";
        match self.ra.objects().damaged().await {
            Err(error) => vec![Finding::new(check, Severity::Error, error.to_string())],
            Ok(found) if found.is_empty() => vec![Finding::new(check, Severity::Ok, "all verify")],
            Ok(found) => {
                let named = found.into_iter().map(|damaged| {
                    let what = match damaged.object {
                        Some((kind, name)) => format!("{} {name}", kind.as_str()),
                        None => damaged.stream.to_string(),
                    };
                    let text = format!(
                        "{what}: {}; it is in force for nobody: see `portreeve audit verify`, and restore it from a copy",
                        damaged.reason
                    );
                    Finding::new(check, Severity::Error, text)
                });
                named.collect()
            }
        }
    }

    /// Who may have certificates for names that nobody has to show control of.
    async fn vouched(&self) -> Vec<Finding> {
        let check = "vouched registrations";
        match self.ra.vouched_registrations(VOUCHED_MAX).await {
            Err(error) => vec![Finding::new(check, Severity::Error, error.to_string())],
            Ok(names) if names.is_empty() => vec![Finding::new(check, Severity::Ok, "none")],
            Ok(names) => {
                let warn = |name: String| {
                    let text = format!("{name}: no challenge is asked for its names");
                    Finding::new(check, Severity::Warning, text)
                };
                names.into_iter().map(warn).collect()
            }
        }
    }

    async fn authorities(&self, now: Timestamp) -> Vec<Finding> {
        let authorities = Authorities {
            installation: &self.installation,
            objects: self.ra.objects(),
        };
        let found = match authorities.list().await {
            Ok(found) if found.is_empty() => {
                let advice = "none: run `portreeve ca create root`, then issuing and management";
                return vec![Finding::new("CAs", Severity::Error, advice)];
            }
            Ok(found) => found,
            Err(error) => return vec![Finding::new("CAs", Severity::Error, error.to_string())],
        };
        let mut findings = Vec::with_capacity(found.len());
        for authority in &found {
            findings.push(self.authority(authorities, authority, now).await);
        }
        findings
    }

    /// Opening a key makes it sign once, so a key that opens signs. A node without a signer has no business with keys.
    async fn authority(
        &self,
        authorities: Authorities<'_>,
        authority: &Authority,
        now: Timestamp,
    ) -> Finding {
        let check = format!("CA {}", authority.name);
        let end = authority.certificate.not_after();
        if self.installation.signer.is_none() {
            return expiry(check, end, (now, CA_EXPIRY_WARNING));
        }
        match authorities.signer(authority).await {
            Err(error) => Finding::new(check, Severity::Error, error.to_string()),
            Ok(signer) if signer.public_key() != authority.certificate.public_key() => {
                Finding::new(check, Severity::Error, "its key is not that of its certificate")
            }
            Ok(_) => expiry(check, end, (now, CA_EXPIRY_WARNING)),
        }
    }
}

/// Open incidents are errors: somebody must look at each.
fn incidents(open: usize) -> Finding {
    match open {
        0 => Finding::new("incidents", Severity::Ok, "none open"),
        count => Finding::new(
            "incidents",
            Severity::Error,
            format!("{count} open: see `portreeve audit incidents`"),
        ),
    }
}
