//! What all operations share.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use async_trait::async_trait;
use portreeve_pkix::{Certificate, KeyAlgorithm, KeyPair, SignatureAlgorithm};
use portreeve_ra::{EndpointName, Refusal, RegistrationAuthority};

use crate::config::EstConfig;
use crate::site::Site;

/// Makes keys away from the threads that answer: an RSA key takes up to seconds of a processor.
#[async_trait]
pub trait KeyPairs: Send + Sync + fmt::Debug {
    /// A new key of this kind. Refused when keys of the kind are not made, or too many are asked for at once.
    async fn generate(&self, algorithm: KeyAlgorithm) -> Result<KeyPair, Refusal>;
}

/// Knows the CAs that endpoints ask.
#[async_trait]
pub trait CaCertificates: Send + Sync {
    /// The certificates of the CA of an endpoint, from the one that signs up to the root, and those that lead from an old
    /// root to a new one and back while both are in use (RFC 7030 section 4.1.3).
    async fn of(&self, endpoint: &EndpointName) -> Result<Vec<Certificate>, portreeve_ra::Error>;
}

/// Says on whose behalf a key was made: the holder of a certificate that clients of this gateway can check.
pub trait KeyOrigin: Send + Sync {
    /// The certificate, and those above it.
    fn certificates(&self) -> Vec<Certificate>;
    /// How it signs.
    fn algorithm(&self) -> SignatureAlgorithm;
    /// Signs a message; `None` when there is no key at the moment.
    fn sign(&self, message: &[u8]) -> Option<Vec<u8>>;
}

/// What all operations share.
#[derive(Clone)]
pub(crate) struct Service {
    pub(crate) ra: Arc<RegistrationAuthority>,
    pub(crate) authorities: Arc<dyn CaCertificates>,
    pub(crate) key_pairs: Arc<dyn KeyPairs>,
    pub(crate) key_origin: Arc<dyn KeyOrigin>,
    pub(crate) config: EstConfig,
    /// By label.
    pub(crate) sites: BTreeMap<String, Site>,
}
