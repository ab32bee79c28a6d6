//! CA backends: what signs.

use async_trait::async_trait;
use portreeve_pkix::{Certificate, DecodeError, IssuerChain, SerialNumber, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use crate::domain::{BackendName, CertificateContents, EnrollmentId, Intent, RevocationReason};
use crate::steps::IssuanceOrder;

/// Nothing was sent, or nothing was decided: the order may be given again, where trying again can help.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CaError {
    /// Not reachable before the first byte was sent, or overloaded.
    #[error("CA is not available: {reason}")]
    Unavailable {
        /// For the log.
        reason: String,
        /// When to try again, if the CA said.
        retry_after: Option<Duration>,
    },
    /// Our own configuration is wrong; trying again does not help.
    #[error("CA needs an operator: {0}")]
    NeedsOperator(String),
    /// The contents cannot be certified by this CA: they fail its lint or its limits. For the log and the audit.
    #[error("contents cannot be certified: {0}")]
    Contents(String),
    /// The signer has signed other bytes under the same enrollment: an incident.
    #[error("signer has signed other bytes for this enrollment")]
    SecondContent,
}

/// What a CA returned as a certificate.
#[derive(Clone, Debug)]
pub enum ReturnedCertificate {
    /// Of a backend that has looked into it already.
    Decoded(Certificate),
    /// Anything, meant to be DER.
    Octets(Vec<u8>),
}

impl ReturnedCertificate {
    /// The octets.
    pub fn der(&self) -> &[u8] {
        match self {
            Self::Decoded(certificate) => certificate.der(),
            Self::Octets(octets) => octets,
        }
    }

    /// The certificate, if it is one.
    pub fn decoded(&self) -> Result<Certificate, DecodeError> {
        match self {
            Self::Decoded(certificate) => Ok(certificate.clone()),
            Self::Octets(octets) => Certificate::from_der(octets),
        }
    }
}

impl From<Certificate> for ReturnedCertificate {
    fn from(certificate: Certificate) -> Self {
        Self::Decoded(certificate)
    }
}

impl From<Vec<u8>> for ReturnedCertificate {
    fn from(octets: Vec<u8>) -> Self {
        Self::Octets(octets)
    }
}

/// A certificate as a CA returned it: not yet accepted.
#[derive(Clone, Debug)]
pub struct IssuedCertificate {
    /// The certificate.
    pub certificate: ReturnedCertificate,
    /// What the CA sent along, in any order, in DER; the RA builds the path from the pinned chain.
    pub chain: Vec<Vec<u8>>,
}

/// What became of an order.
#[derive(Clone, Debug)]
pub enum IssueOutcome {
    /// A certificate came back.
    Issued(IssuedCertificate),
    /// Accepted and not decided; the handle is enough to ask again after a restart.
    Deferred {
        /// What the backend needs to go on; at most 64 KiB.
        handle: Vec<u8>,
        /// When to ask.
        retry_after: Duration,
    },
    /// Commit this handle, then call again.
    Checkpoint {
        /// What the backend needs to go on; at most 64 KiB.
        handle: Vec<u8>,
    },
    /// The CA said no, for good. The reason is for the log.
    Rejected {
        /// The CA's words.
        reason: String,
    },
    /// Something was sent and no answer came. Never a failure.
    Unknown,
}

/// What a CA knows about an intent.
#[derive(Clone, Debug)]
pub enum ReconcileOutcome {
    /// It issued.
    Issued(IssuedCertificate),
    /// It is still deciding.
    Deferred {
        /// What the backend needs to go on.
        handle: Vec<u8>,
        /// When to ask.
        retry_after: Duration,
    },
    /// It proves that it has nothing: the same order may be given again.
    NotSeen,
    /// It has no way to tell.
    CannotTell,
}

/// What to revoke at a CA.
#[derive(Clone, Debug)]
pub struct RevokeOrder {
    /// The certificate.
    pub certificate: Certificate,
    /// Why.
    pub reason: RevocationReason,
    /// Since when.
    pub at: Timestamp,
}

/// What became of a revocation.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RevokeOutcome {
    /// It is revoked now.
    Done,
    /// It was revoked already.
    Already,
    /// The CA will do it; ask again.
    Deferred,
}

/// How a backend revokes.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RevocationPower {
    /// Its CRL is built from our own store: recording is revoking.
    FromStore,
    /// It must be told.
    MustBeTold,
    /// It cannot.
    Impossible,
}

/// What a backend can do.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Capabilities {
    /// How it revokes.
    pub revocation: RevocationPower,
    /// Whether it may answer `Deferred`.
    pub defers: bool,
    /// The longest lifetime it gives.
    pub lifetime_max: Option<Duration>,
}

/// How a backend is.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CaHealth {
    /// It works.
    Ready,
    /// It does not, and why.
    NotReady(String),
}

/// A certificate authority.
#[async_trait]
pub trait CaBackend: Send + Sync {
    /// Its name.
    fn name(&self) -> &BackendName;
    /// What it will sign or send. No network: the local CA fixes serial and TBS and lints them; an upstream
    /// adapter fixes its request and the key that makes sending it twice harmless.
    fn prepare(
        &self,
        contents: &CertificateContents,
        enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError>;
    /// Signs or sends. Called only with an order that the RA minted, and again with the same one after a crash. An
    /// answer that takes longer than 40 s is not waited for and counts as `Unknown`: what takes longer is `Deferred`.
    async fn issue(&self, order: &IssuanceOrder, handle: Option<&[u8]>) -> Result<IssueOutcome, CaError>;
    /// What the CA knows about an intent. Never signs, never submits.
    async fn reconcile(&self, intent: &Intent, handle: Option<&[u8]>) -> Result<ReconcileOutcome, CaError>;
    /// Revokes. Both `Done` and `Already` are success.
    async fn revoke(&self, order: &RevokeOrder) -> Result<RevokeOutcome, CaError>;
    /// The pinned issuers, from the one that signs certificates up to the root (included when known).
    fn chain(&self) -> Arc<IssuerChain>;
    /// What it can do.
    fn capabilities(&self) -> Capabilities;
    /// How it is.
    async fn health(&self) -> CaHealth;
    /// Its CRLs, if it signs them here.
    fn revocation_list(&self) -> Option<&dyn RevocationListSource> {
        None
    }
}

/// An optional power of a backend: it signs its CRL from our store.
#[async_trait]
pub trait RevocationListSource: Send + Sync {
    /// Signs a complete CRL (RFC 5280 section 5) in DER.
    async fn sign_list(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &[(SerialNumber, Timestamp, RevocationReason)],
    ) -> Result<Vec<u8>, CaError>;
}
