//! The gateway's own TLS certificate: issued by the management CA, kept sealed in the store, renewed while running.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use portreeve_pkix::{Certificate, DnsName, GeneralName, Timestamp, sha256};
use portreeve_ra::ports::{
    Batch, Clock, CommitError, Conflict, DocumentId, DocumentWrite, Documents, Store, StoreError,
};
use portreeve_ra::{Role, Roles};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::authorities::{AuthorityError, ManagementCa};
use crate::config::Config;
use crate::listener::tls::{CurrentCertificate, TlsError};

/// The document that holds key and chain for these names: nodes with the same names share it, others have their own.
fn document(names: &[GeneralName]) -> DocumentId {
    let mut words: Vec<String> = names.iter().map(ToString::to_string).collect();
    words.sort();
    let mut id = [0; 16];
    for (octet, from) in id.iter_mut().zip(sha256(words.join("\n").as_bytes())) {
        *octet = from;
    }
    DocumentId {
        kind: "gateway.tls",
        id,
    }
}

/// How long a node without keys of CAs waits at its start for a worker to make the certificate, and how often it looks.
const MADE_WITHIN: (Duration, Duration) = (Duration::from_secs(30), Duration::from_millis(250));

/// How long a certificate lives.
pub const LIFETIME: Duration = Duration::from_secs(90 * 86_400);

/// How often its age is looked at.
const LOOK_EVERY: Duration = Duration::from_secs(3600);

/// Why there is no certificate.
#[derive(Debug, thiserror::Error)]
pub enum OwnCertificateError {
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The store, while writing.
    #[error(transparent)]
    Commit(#[from] CommitError),
    /// The management CA.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The TLS library.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The document holds something else.
    #[error("the stored TLS certificate cannot be read: {0}")]
    Document(String),
    /// This node cannot issue it, and nobody else has.
    #[error(
        "there is no TLS certificate for {0}: it is made by a node with the role worker and the same \
         server.external_url and server.tls_names, which must have run"
    )]
    NotMade(String),
    /// A name is none.
    #[error("{0} is neither a DNS name nor an IP address: correct server.tls_names")]
    Name(String),
}

/// What is stored, sealed.
#[derive(Serialize, Deserialize)]
struct Stored {
    /// PKCS #8, in hex.
    key: String,
    /// The certificate and those above it, without the root; DER in hex.
    chain: Vec<String>,
}

/// A certificate with its key.
#[derive(Clone)]
pub struct Identity {
    /// PKCS #8.
    pub key: Vec<u8>,
    /// The certificate and those above it, without the root, in DER.
    pub chain: Vec<Vec<u8>>,
}

/// Keeps the certificate that is shown to clients in order.
pub struct OwnCertificate {
    store: Arc<dyn Store>,
    documents: Arc<dyn Documents>,
    clock: Arc<dyn Clock>,
    issuer: Certificate,
    management: Option<ManagementCa>,
    document: DocumentId,
    names: Vec<GeneralName>,
    current: Arc<CurrentCertificate>,
}

/// What an [`OwnCertificate`] is made of.
pub struct OwnCertificateParts {
    /// Writes the document.
    pub store: Arc<dyn Store>,
    /// Reads it.
    pub documents: Arc<dyn Documents>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The certificate of the management CA.
    pub issuer: Certificate,
    /// Who issues, on nodes that have keys of CAs.
    pub management: Option<ManagementCa>,
}

impl OwnCertificate {
    /// For these names.
    pub fn new(parts: OwnCertificateParts, names: Vec<GeneralName>) -> Self {
        Self {
            store: parts.store,
            documents: parts.documents,
            clock: parts.clock,
            issuer: parts.issuer,
            management: parts.management,
            document: document(&names),
            names,
            current: Arc::default(),
        }
    }

    /// What listeners show.
    pub fn current(&self) -> Arc<CurrentCertificate> {
        Arc::clone(&self.current)
    }

    /// Shows the stored certificate; issues one first when there is none, when it is old, or for other names. Says
    /// until when it is valid.
    pub async fn refresh(&self) -> Result<Timestamp, OwnCertificateError> {
        for _ in 0..3 {
            let stored = self.documents.document(&self.document).await?;
            let (version, identity) = match &stored {
                Some(document) => (document.version, Some(read(&document.body)?)),
                None => (0, None),
            };
            if let Some(identity) = identity
                && let Some(until) = self.usable(&identity)
            {
                self.current.replace(identity.chain, &identity.key)?;
                return Ok(until);
            }
            let Some(management) = &self.management else {
                let names: Vec<String> = self.names.iter().map(ToString::to_string).collect();
                return Err(OwnCertificateError::NotMade(names.join(", ")));
            };
            let identity = management.issue_server(&self.names, LIFETIME).await?;
            match self.keep(&identity, version + 1).await {
                Ok(()) => info!(names = ?self.names.len(), "issued a TLS certificate for this gateway"),
                // Another process of this node was faster: its certificate is as good.
                Err(CommitError::Conflict(Conflict::Document(_))) => {}
                Err(failure) => return Err(failure.into()),
            }
        }
        Err(OwnCertificateError::Document(
            "it is replaced again and again".to_owned(),
        ))
    }

    /// The first look, which on a node that cannot issue waits for one that can.
    pub async fn begin(&self) -> Result<Timestamp, OwnCertificateError> {
        let (at_most, pause) = MADE_WITHIN;
        let begun = Instant::now();
        loop {
            match self.refresh().await {
                Err(OwnCertificateError::NotMade(_)) if begun.elapsed() < at_most => {
                    tokio::time::sleep(pause).await;
                }
                other => return other,
            }
        }
    }

    /// Looks after the certificate until told to stop.
    pub async fn run(self, stop: CancellationToken) {
        loop {
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(LOOK_EVERY) => {}
            }
            if let Err(failure) = self.refresh().await {
                error!(error = %failure, "the gateway's own TLS certificate could not be renewed");
            }
        }
    }

    /// Until when the certificate is valid, unless it must be replaced.
    fn usable(&self, identity: &Identity) -> Option<Timestamp> {
        let certificate = Certificate::from_der(identity.chain.first()?).ok()?;
        let by_us = certificate.verify_signed_by(self.issuer.public_key()).is_ok();
        let names_all = self.names.iter().all(|name| certificate.names().contains(name));
        let life = certificate.not_after().since(certificate.not_before());
        let renew_at = certificate.not_before().saturating_add(life / 3 * 2);
        let now = self.clock.now();
        // Who cannot renew it shows it to its end.
        let fresh = now < renew_at || self.management.is_none();
        (by_us && names_all && certificate.is_valid_at(now) && fresh).then(|| certificate.not_after())
    }

    async fn keep(&self, identity: &Identity, version: u64) -> Result<(), CommitError> {
        let stored = Stored {
            key: hex::encode(&identity.key),
            chain: identity.chain.iter().map(hex::encode).collect(),
        };
        let body = serde_json::to_vec(&stored).map_err(|error| StoreError::Broken(error.to_string()))?;
        let write = DocumentWrite {
            id: self.document.clone(),
            version,
            body: Some(body),
            keys: Vec::new(),
            expires_at: None,
        };
        self.store
            .commit(Batch {
                documents: vec![write],
                ..Batch::default()
            })
            .await
    }
}

/// Whether a node with these roles has a part in TLS certificates: edges and consoles show them, and workers make them.
/// They are sealed under the purpose `edge`, which all three open.
pub fn shown_by(roles: Roles) -> bool {
    roles.has(Role::Edge) || roles.has(Role::Worker) || roles.has(Role::Console)
}

/// The certificate for these names in the store, if there is one.
pub async fn stored(
    documents: &dyn Documents,
    names: &[GeneralName],
) -> Result<Option<Certificate>, OwnCertificateError> {
    let Some(document) = documents.document(&document(names)).await? else {
        return Ok(None);
    };
    let identity = read(&document.body)?;
    let first = identity.chain.first().map(Vec::as_slice).unwrap_or_default();
    Certificate::from_der(first)
        .map(Some)
        .map_err(|error| OwnCertificateError::Document(error.to_string()))
}

fn read(body: &[u8]) -> Result<Identity, OwnCertificateError> {
    let damaged = |reason: &dyn std::fmt::Display| OwnCertificateError::Document(reason.to_string());
    let stored: Stored = serde_json::from_slice(body).map_err(|error| damaged(&error))?;
    let octets = |text: &String| hex::decode(text).map_err(|error| damaged(&error));
    Ok(Identity {
        key: octets(&stored.key)?,
        chain: stored.chain.iter().map(octets).collect::<Result<_, _>>()?,
    })
}

/// The names of the certificate: the host of the external URL, then those of `server.tls_names`.
pub fn names(config: &Config) -> Result<Vec<GeneralName>, OwnCertificateError> {
    let url = url::Url::parse(&config.server.external_url).ok();
    let host = url
        .as_ref()
        .and_then(|url| url.host_str())
        .map(|host| host.trim_matches(['[', ']']).to_owned());
    let mut names = Vec::new();
    for text in host.iter().chain(&config.server.tls_names) {
        let name = match text.parse::<IpAddr>() {
            Ok(address) => GeneralName::Ip(address),
            Err(_) => {
                GeneralName::Dns(DnsName::parse(text).map_err(|_| OwnCertificateError::Name(text.clone()))?)
            }
        };
        if !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_url_and_the_list_once() {
        let rows = [
            (
                "a host",
                "https://pki.example.com",
                vec!["localhost"],
                "pki.example.com localhost",
            ),
            (
                "an address",
                "https://127.0.0.1:8443",
                vec!["127.0.0.1", "::1"],
                "127.0.0.1 ::1",
            ),
            ("an IPv6 address", "https://[::1]:8443", vec![], "::1"),
        ];
        for (case, url, listed, expected) in rows {
            let mut config = Config::default();
            config.server.external_url = url.to_owned();
            config.server.tls_names = listed.into_iter().map(str::to_owned).collect();
            let found: Vec<String> = names(&config).unwrap().iter().map(ToString::to_string).collect();
            assert_eq!(found.join(" "), expected, "{case}");
        }
    }
}
