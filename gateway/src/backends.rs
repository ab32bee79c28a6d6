//! Every kind of CA backend this program has. A new one is one more arm here.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Weak};
use std::time::Duration;

use portreeve_ca_est::{BadEstCa, EstCa};
use portreeve_ca_local::{Addresses, BadCa, LocalCa, LocalCaConfig, LocalCaParts};
use portreeve_ra::ports::{CaBackend, Clock};
use portreeve_ra::{BackendName, BadName, Role};

use crate::authorities::{Authorities, AuthorityError};
use crate::config::{BackendKind, BackendSection, Config, ConfigError};
use crate::issuers::KnownIssuers;

/// How soon an EST server whose issuers are not known yet is asked for them again.
const MEET_AGAIN: Duration = Duration::from_secs(10);

/// The CA backends of a node.
pub type Backends = BTreeMap<BackendName, Arc<dyn CaBackend>>;

/// Why a backend cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BackendError {
    /// Its name is none.
    #[error("backend {name}: {source}")]
    Name {
        /// Which.
        name: String,
        /// Why.
        source: BadName,
    },
    /// Its CA.
    #[error("backend {name}: {source}")]
    Authority {
        /// Which.
        name: String,
        /// Why.
        source: AuthorityError,
    },
    /// Certificate, key and addresses do not make a CA.
    #[error("backend {name}: {source}")]
    Ca {
        /// Which.
        name: String,
        /// Why.
        source: BadCa,
    },
    /// A file or variable that its section names.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// What its section says makes no EST server.
    #[error("backend {name}: {source}")]
    Est {
        /// Which.
        name: String,
        /// Why.
        source: BadEstCa,
    },
}

/// The backends that a configuration names.
pub async fn backends(config: &Config, authorities: Authorities<'_>) -> Result<Backends, BackendError> {
    let mut made = Backends::new();
    for (name, section) in &config.backend {
        let backend_name = BackendName::new(name).map_err(|source| BackendError::Name {
            name: name.clone(),
            source,
        })?;
        let backend: Arc<dyn CaBackend> = match section.kind {
            BackendKind::Local => {
                Arc::new(local(&backend_name, section, (&config.server.status_url, authorities)).await?)
            }
            BackendKind::Est => {
                let clock = Arc::clone(&authorities.installation.clock);
                let made = Arc::new(est(&backend_name, section, (config, Arc::clone(&clock)))?);
                let pinned = section.est.as_ref().is_some_and(|est| est.digest().is_some());
                let installation = authorities.installation;
                let known = (pinned && installation.roles.has(Role::Worker)).then(|| KnownIssuers {
                    store: Arc::clone(&installation.store.store),
                    documents: Arc::clone(&installation.store.documents),
                });
                tokio::spawn(meet(Arc::downgrade(&made), (clock, known)));
                made
            }
        };
        made.insert(backend_name, backend);
    }
    Ok(made)
}

async fn local(
    name: &BackendName,
    section: &BackendSection,
    (status_url, authorities): (&str, Authorities<'_>),
) -> Result<LocalCa, BackendError> {
    let failed = |source| BackendError::Authority {
        name: name.to_string(),
        source,
    };
    let authority = authorities.get(section.ca(name.as_str())).await.map_err(failed)?;
    let signer = authorities.signer(&authority).await.map_err(failed)?;
    #[cfg(feature = "failpoints")]
    let signer: Arc<dyn portreeve_ra::ports::Signer> = Arc::new(crate::failpoints::FailingSigner(signer));
    let config = LocalCaConfig {
        name: name.clone(),
        addresses: Addresses {
            crl: vec![crl_url(status_url, name.as_str())],
            ca_issuers: vec![format!("{status_url}/ca/{name}.cer")],
            ocsp: Vec::new(),
        },
        excused: BTreeSet::new(),
    };
    let installation = authorities.installation;
    let parts = LocalCaParts {
        issuer: authority.certificate,
        chain: authority.issuers,
        signer,
        clock: Arc::clone(&installation.clock),
        random: Arc::clone(&installation.random),
    };
    LocalCa::new(config, parts).map_err(|source| BackendError::Ca {
        name: name.to_string(),
        source,
    })
}

/// A CA behind an EST server; nothing is asked of it yet.
pub(crate) fn est(
    name: &BackendName,
    section: &BackendSection,
    (config, clock): (&Config, Arc<dyn Clock>),
) -> Result<EstCa, BackendError> {
    let settings = section
        .est
        .clone()
        .unwrap_or_default()
        .settings(name, config.data_dir())?;
    EstCa::new(settings, clock).map_err(|source| BackendError::Est {
        name: name.to_string(),
        source,
    })
}

/// Asks an EST server for its issuers until they are known, and tells nodes without backends. A server that is away does not
/// keep the gateway from starting.
async fn meet(backend: Weak<EstCa>, (clock, known): (Arc<dyn Clock>, Option<KnownIssuers>)) {
    while let Some(backend) = backend.upgrade() {
        if let Err(error) = backend.meet().await {
            tracing::warn!(backend = %backend.name(), %error, "EST server was not met");
        }
        let chain = backend.chain();
        match &known {
            _ if chain.issuers().is_empty() => {}
            None => return,
            Some(known) => match known.tell(backend.name(), chain.issuers()).await {
                Ok(()) => return,
                Err(error) => {
                    tracing::warn!(backend = %backend.name(), %error, "issuers are not told to other nodes");
                }
            },
        }
        drop(backend);
        clock.sleep(MEET_AGAIN).await;
    }
}

/// Where a backend's CRL is published.
pub fn crl_url(status_url: &str, name: &str) -> String {
    format!("{status_url}/crl/{name}.crl")
}
