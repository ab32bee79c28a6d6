//! EST over what is published, and the pool that makes keys for its clients.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use portreeve_edge::Mount;
use portreeve_est::{
    CaCertificates, Challenge, EndpointFace, EstConfig, EstEdge, EstParts, KeyOrigin, KeyPairs,
};
use portreeve_pkix::{Certificate, KeyAlgorithm, KeyPair, KeyPairError, SignatureAlgorithm, pem};
use portreeve_ra::ports::Documents;
use portreeve_ra::{
    BadName, CredentialKind, Endpoint, EndpointName, Error, InternalError, KeyRejection, ObjectKind, Refusal,
    RegistrationAuthority,
};
use tokio::sync::Semaphore;

use super::Protocol;
use crate::authorities::Authority;
use crate::config::BackendSection;
use crate::issuers;
use crate::listener::tls::CurrentCertificate;

/// When who asks for a key is told to come back, while too many are being made.
const BUSY_PAUSE: Duration = Duration::from_secs(5);

/// What the EST edge works with besides its endpoints.
#[derive(Clone)]
pub struct Est {
    /// Decides.
    pub ra: Arc<RegistrationAuthority>,
    /// Knows the CAs.
    pub authorities: Arc<dyn CaCertificates>,
    /// Signs the keys that are encrypted to clients.
    pub key_origin: Arc<dyn KeyOrigin>,
    /// The knobs.
    pub config: EstConfig,
}

impl Protocol for Est {
    type Face = EndpointFace;
    type Edge = EstEdge;

    const NAME: &'static str = "est";

    fn face(name: &str, endpoint: Option<&Endpoint>) -> EndpointFace {
        let plain = EndpointFace::named(name);
        match endpoint {
            Some(endpoint) => EndpointFace {
                lines: endpoint.offer.lines,
                linking: endpoint.clients.linking,
                challenge: challenge(endpoint),
                address_limit: endpoint.rate_limit.address,
                ..plain
            },
            None => plain,
        }
    }

    fn mounts() -> Vec<Mount> {
        EstEdge::all_mounts()
    }

    fn edge(&self, endpoints: Vec<EndpointFace>) -> Result<EstEdge, BadName> {
        EstEdge::new(EstParts {
            ra: Arc::clone(&self.ra),
            authorities: Arc::clone(&self.authorities),
            key_origin: Arc::clone(&self.key_origin),
            key_pairs: Arc::new(BlockingKeyPairs::new(&self.config)),
            config: self.config.clone(),
            endpoints,
        })
    }

    fn changed(edge: &EstEdge, endpoints: &[EndpointFace]) -> Result<EstEdge, BadName> {
        edge.with_endpoints(endpoints)
    }
}

/// When who asks for the certificates of a CA is told to come back, while they are not known yet.
const UNKNOWN_PAUSE: Duration = Duration::from_secs(5);

/// The CAs of endpoints: as their backends know them, and on nodes that have no backends as they are published, pinned in the
/// configuration, or found by a worker whose backend pins a digest.
pub struct EndpointCas {
    /// Knows endpoints and backends.
    pub ra: Arc<RegistrationAuthority>,
    /// The backends of the configuration.
    pub sections: BTreeMap<String, BackendSection>,
    /// Where files are that the configuration names without a path of their own.
    pub data_dir: PathBuf,
    /// Where workers say which issuers they have found.
    pub documents: Arc<dyn Documents>,
}

impl EndpointCas {
    /// The CA of the store that this backend is.
    async fn published(&self, ca: &str) -> Result<Vec<Certificate>, Error> {
        let object = self.ra.objects().current(ObjectKind::Ca, ca).await?;
        let object = object.ok_or_else(|| InternalError::NoBackend(ca.to_owned()))?;
        let authority = Authority::parse(ca, &object.body).map_err(|error| unreadable(ca, error))?;
        let chain = std::iter::once(authority.certificate).chain(authority.issuers);
        Ok(chain.collect())
    }

    /// The issuers of an upstream server that a file pins.
    async fn pinned(&self, path: &Path) -> Result<Vec<Certificate>, Error> {
        let name = path.display().to_string();
        let text = tokio::fs::read_to_string(self.data_dir.join(path)).await;
        let text = text.map_err(|error| unreadable(&name, error))?;
        let ders = pem::decode_all("CERTIFICATE", &text).map_err(|error| unreadable(&name, error))?;
        let certificates = ders.iter().map(|der| Certificate::from_der(der.as_slice()));
        let read: Result<Vec<Certificate>, _> = certificates.collect();
        Ok(read.map_err(|error| unreadable(&name, error))?)
    }
}

fn unreadable(name: &str, reason: impl std::fmt::Display) -> InternalError {
    InternalError::Object {
        name: name.to_owned(),
        reason: reason.to_string(),
    }
}

#[async_trait]
impl CaCertificates for EndpointCas {
    async fn of(&self, endpoint: &EndpointName) -> Result<Vec<Certificate>, Error> {
        let endpoint = self.ra.endpoint(endpoint).await?;
        let name = &endpoint.backend;
        let unknown = Error::Unavailable {
            retry_after: UNKNOWN_PAUSE,
        };
        if let Some(backend) = self.ra.backend(name) {
            // An upstream server may not have told its issuers yet.
            let chain = backend.chain();
            return match chain.issuers() {
                [] => Err(unknown),
                known => Ok(known.to_vec()),
            };
        }
        let section = self.sections.get(name.as_str());
        let section = section.ok_or_else(|| InternalError::NoBackend(name.to_string()))?;
        match &section.est {
            None => self.published(section.ca(name.as_str())).await,
            Some(est) => match est.digest() {
                Some(pin) => issuers::told(self.documents.as_ref(), (name, pin), self.ra.now())
                    .await?
                    .ok_or(unknown),
                None => self.pinned(&est.issuer).await,
            },
        }
    }
}

/// Keys that are encrypted to clients are signed with the key of the certificate that clients know the gateway by.
pub struct OwnOrigin(pub Arc<CurrentCertificate>);

impl KeyOrigin for OwnOrigin {
    fn certificates(&self) -> Vec<Certificate> {
        let chain = self.0.chain();
        chain
            .iter()
            .filter_map(|der| Certificate::from_der(der).ok())
            .collect()
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        SignatureAlgorithm::EcdsaSha256
    }

    fn sign(&self, message: &[u8]) -> Option<Vec<u8>> {
        self.0.sign(message)
    }
}

/// How clients of an endpoint are asked who they are.
fn challenge(endpoint: &Endpoint) -> Challenge {
    let accepted = &endpoint.clients.authentication;
    if accepted.contains(&CredentialKind::Password) {
        Challenge::Basic
    } else if accepted.contains(&CredentialKind::Token) {
        Challenge::Bearer
    } else {
        Challenge::None
    }
}

/// Makes keys on threads where blocking is allowed: so many at once, and so many more that wait.
#[derive(Debug)]
pub struct BlockingKeyPairs {
    /// Those that are made and those that wait.
    admitted: Arc<Semaphore>,
    at_work: Arc<Semaphore>,
}

impl BlockingKeyPairs {
    /// As many as are configured.
    pub fn new(config: &EstConfig) -> Self {
        let (at_once, waiting) = (config.key_generations_max, config.key_generations_waiting_max);
        Self {
            admitted: Arc::new(Semaphore::new(at_once.saturating_add(waiting))),
            at_work: Arc::new(Semaphore::new(at_once)),
        }
    }
}

#[async_trait]
impl KeyPairs for BlockingKeyPairs {
    async fn generate(&self, algorithm: KeyAlgorithm) -> Result<KeyPair, Refusal> {
        let busy = Refusal::RateLimited(BUSY_PAUSE);
        let admitted = Arc::clone(&self.admitted).try_acquire_owned();
        let admitted = admitted.map_err(|_| busy.clone())?;
        let at_work = Arc::clone(&self.at_work).acquire_owned().await;
        let at_work = at_work.map_err(|_| busy)?;
        // The work goes on when nobody waits for it any more, and keeps its place until it is done.
        let made = tokio::task::spawn_blocking(move || {
            let made = KeyPair::generate(algorithm);
            drop((at_work, admitted));
            made
        })
        .await;
        match made {
            Ok(Ok(pair)) => Ok(pair),
            Ok(Err(KeyPairError::Unsupported(algorithm))) => {
                Err(Refusal::Key(KeyRejection::Algorithm(algorithm.to_string())))
            }
            Ok(Err(error)) => {
                tracing::error!(%error, "a key could not be made");
                Err(Refusal::NotIssued)
            }
            Err(error) => {
                tracing::error!(%error, "a key could not be made");
                Err(Refusal::NotIssued)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn keys_are_made_and_those_of_other_kinds_refused() {
        let pairs = BlockingKeyPairs::new(&EstConfig::default());
        let made = pairs.generate(KeyAlgorithm::EcP256).await.unwrap();
        assert_eq!(made.public_key().algorithm(), KeyAlgorithm::EcP256);
        let refused = pairs.generate(KeyAlgorithm::Rsa { bits: 1024 }).await;
        assert!(
            matches!(refused, Err(Refusal::Key(KeyRejection::Algorithm(_)))),
            "{refused:?}"
        );
    }

    #[tokio::test]
    async fn a_crowd_is_told_to_come_back() {
        let pairs = BlockingKeyPairs::new(&EstConfig {
            key_generations_max: 1,
            key_generations_waiting_max: 1,
            ..EstConfig::default()
        });
        let _two = pairs.admitted.try_acquire_many(2).unwrap();
        let refused = pairs.generate(KeyAlgorithm::EcP256).await;
        assert!(matches!(refused, Err(Refusal::RateLimited(_))), "{refused:?}");
    }

    #[test]
    fn work_that_nobody_waits_for_keeps_its_place_until_it_is_done() {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .max_blocking_threads(1)
            .enable_time()
            .build()
            .unwrap();
        runtime.block_on(async {
            let pairs = BlockingKeyPairs::new(&EstConfig {
                key_generations_max: 1,
                key_generations_waiting_max: 0,
                ..EstConfig::default()
            });
            // The only thread is busy until it is told.
            let (done, busy) = std::sync::mpsc::channel::<()>();
            let other = tokio::task::spawn_blocking(move || busy.recv().is_err());
            let left = tokio::time::timeout(Duration::ZERO, pairs.generate(KeyAlgorithm::EcP256)).await;
            assert!(left.is_err(), "it was begun, and given up");
            let refused = pairs.generate(KeyAlgorithm::EcP256).await;
            assert!(matches!(refused, Err(Refusal::RateLimited(_))), "{refused:?}");
            drop(done);
            assert!(other.await.unwrap());
            drop(pairs.admitted.acquire().await.unwrap());
            pairs.generate(KeyAlgorithm::EcP256).await.unwrap();
        });
    }
}
