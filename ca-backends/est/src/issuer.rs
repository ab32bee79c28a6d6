//! The issuers that are trusted for what comes back.

use portreeve_pkix::{Certificate, IssuerChain, PathError, Timestamp, sha256};
use std::sync::{Arc, OnceLock};

use crate::config::{BadEstCa, IssuerPin};

/// Most issuers above the one that issues.
const ABOVE_MAX: usize = 7;

/// The issuers: known from the start, or fetched once and checked against a digest. They never change while this node
/// runs; a server that changes its issuer needs an operator who changes the pin.
#[derive(Debug)]
pub(crate) struct Issuers {
    pin: Option<[u8; 32]>,
    chain: OnceLock<Arc<IssuerChain>>,
}

/// Why what `/cacerts` says is not what is pinned.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum OtherIssuer {
    /// The pinned certificate is not there.
    #[error("the server no longer names the pinned issuer among its CA certificates: has it changed its CA?")]
    NotNamed,
    /// Its own issuers are not there, or do not fit.
    #[error("the server does not name the issuers of the pinned one: {0}")]
    NoPath(PathError),
}

impl Issuers {
    pub(crate) fn new(pin: IssuerPin, now: Timestamp) -> Result<Self, BadEstCa> {
        match pin {
            IssuerPin::Fingerprint(digest) => Ok(Self {
                pin: Some(digest),
                chain: OnceLock::new(),
            }),
            IssuerPin::Chain(chain) => {
                let chain = checked(chain, now)?;
                Ok(Self {
                    pin: None,
                    chain: OnceLock::from(Arc::new(chain)),
                })
            }
        }
    }

    /// From the certificate that issues up to the root; nothing before they were fetched.
    pub(crate) fn chain(&self) -> Arc<IssuerChain> {
        self.chain.get().cloned().unwrap_or_default()
    }

    /// Compares what `/cacerts` says with the pin, and keeps it the first time it fits.
    pub(crate) fn compare(&self, named: &[Certificate], now: Timestamp) -> Result<(), OtherIssuer> {
        let known = self.chain();
        let is_pinned = |certificate: &&Certificate| match (self.pin, known.issuers().first()) {
            (Some(digest), _) => sha256(certificate.der()) == digest,
            (None, Some(issuer)) => certificate.der() == issuer.der(),
            (None, None) => false,
        };
        let issuer = named.iter().find(is_pinned).ok_or(OtherIssuer::NotNamed)?;
        if self.chain.get().is_none() {
            let chain = checked(path_from(issuer, named), now).map_err(OtherIssuer::NoPath)?;
            drop(self.chain.set(Arc::new(chain)));
        }
        Ok(())
    }
}

/// The certificate with this SHA-256 digest and its own issuers up to the root, out of certificates in any order: what a backend
/// that pins a digest makes of `/cacerts`. `None` when it is not there, or its issuers do not fit or are not valid now.
pub fn pinned_issuers(digest: [u8; 32], named: &[Certificate], now: Timestamp) -> Option<Arc<IssuerChain>> {
    let issuers = Issuers {
        pin: Some(digest),
        chain: OnceLock::new(),
    };
    issuers.compare(named, now).ok()?;
    issuers.chain.into_inner()
}

/// The issuer and what is above it, as far as it is there. Names and signatures decide, the order does not.
fn path_from(issuer: &Certificate, named: &[Certificate]) -> Vec<Certificate> {
    let mut path = vec![issuer.clone()];
    while path.len() <= ABOVE_MAX
        && let Some(last) = path.last()
        && last.issuer_der() != last.subject_der()
    {
        let above = named.iter().find(|candidate| {
            candidate.subject_der() == last.issuer_der()
                && candidate.der() != last.der()
                && last.verify_signed_by(candidate.public_key()).is_ok()
        });
        match above {
            Some(above) => path.push(above.clone()),
            None => break,
        }
    }
    path
}

/// A chain has at least one CA certificate, each issued by the next, all valid now. One alone is a root, its own issuer.
fn checked(chain: Vec<Certificate>, now: Timestamp) -> Result<IssuerChain, PathError> {
    let (issuer, above) = chain.split_first().ok_or(PathError::NoIssuer)?;
    let above = if above.is_empty() && issuer.issuer_der() == issuer.subject_der() {
        std::slice::from_ref(issuer)
    } else {
        above
    };
    IssuerChain::new(above.to_vec())?.check(issuer, now)?;
    IssuerChain::new(chain)
}
