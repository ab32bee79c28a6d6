//! The backend itself.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use portreeve_pkix::signed::assemble;
use portreeve_pkix::{
    Certificate, IssuerChain, KeyUsage, PathError, SerialNumber, SignatureAlgorithm, Timestamp,
};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, Capabilities, Clock, IssueOutcome, IssuedCertificate, Random,
    ReconcileOutcome, RevocationListSource, RevocationPower, RevokeOrder, RevokeOutcome, SignError, Signer,
    ToSign,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{BackendName, CertificateContents, EnrollmentId, Intent, IntentBody, RevocationReason};

use crate::addresses::{Addresses, BadAddress};
use crate::authority::certified;
use crate::crl;
use crate::draft::{Draft, Issuer};
use crate::lint::{self, Specimen};
use crate::validity;

/// A TBSCertificate older than this is not signed any more.
const INTENT_AGE_MAX: Duration = Duration::from_secs(24 * 3600);
const RETRY_AFTER: Duration = Duration::from_secs(1);

/// The settings of a local CA.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LocalCaConfig {
    /// Its name.
    pub name: BackendName,
    /// Where it publishes.
    pub addresses: Addresses,
    /// Lint rules that are not applied, by name; see [`lint::rules`].
    pub excused: BTreeSet<String>,
}

/// What a local CA works with.
pub struct LocalCaParts {
    /// The certificate of its key.
    pub issuer: Certificate,
    /// From the issuer's issuer up to the root; empty when the issuer is the root.
    pub chain: Vec<Certificate>,
    /// Its key.
    pub signer: Arc<dyn Signer>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Where serial numbers come from.
    pub random: Arc<dyn Random>,
}

/// The parts and settings do not make a CA.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadCa {
    /// The certificate may not sign certificates.
    #[error("issuer certificate is no CA certificate (basicConstraints, keyCertSign)")]
    NotACa,
    /// The key and the certificate do not belong together.
    #[error("the signer has another key than the issuer certificate")]
    OtherKey,
    /// A certificate of the chain does not follow.
    #[error("chain: {0}")]
    Chain(#[from] PathError),
    /// An address is of no use.
    #[error(transparent)]
    Address(#[from] BadAddress),
    /// A rule is to be excused that does not exist.
    #[error("no lint rule named {0:?}")]
    UnknownRule(String),
}

/// A CA whose key is here.
pub struct LocalCa {
    config: LocalCaConfig,
    parts: LocalCaParts,
    chain: Arc<IssuerChain>,
    /// Why the last attempt to sign failed, if it did.
    trouble: Mutex<Option<String>>,
}

impl LocalCa {
    /// Puts the parts together and checks that they fit.
    pub fn new(config: LocalCaConfig, parts: LocalCaParts) -> Result<Self, BadCa> {
        config.addresses.check()?;
        if let Some(unknown) = config
            .excused
            .iter()
            .find(|name| lint::rules().all(|rule| rule.name != *name))
        {
            return Err(BadCa::UnknownRule(unknown.clone()));
        }
        let usage = parts.issuer.key_usage().unwrap_or_default();
        if !parts.issuer.is_ca() || !usage.contains(KeyUsage::KEY_CERT_SIGN) {
            return Err(BadCa::NotACa);
        }
        if parts.signer.public_key() != parts.issuer.public_key() {
            return Err(BadCa::OtherKey);
        }
        let issuers = std::iter::once(&parts.issuer).chain(&parts.chain);
        let chain = Arc::new(IssuerChain::new(issuers.cloned().collect())?);
        Ok(Self {
            config,
            parts,
            chain,
            trouble: Mutex::default(),
        })
    }

    /// The certificate it issues under.
    pub const fn issuer(&self) -> &Certificate {
        &self.parts.issuer
    }

    fn algorithm(&self) -> SignatureAlgorithm {
        self.parts.signer.algorithm()
    }

    /// Signs a stored TBSCertificate. The same octets may be signed any number of times.
    pub(crate) async fn sign_stored(
        &self,
        enrollment: EnrollmentId,
        intent: &Intent,
    ) -> Result<IssueOutcome, CaError> {
        let tbs = match self.check_stored(intent, self.parts.clock.now()) {
            Ok(tbs) => tbs,
            Err(reason) => return Ok(IssueOutcome::Rejected { reason }),
        };
        let signed = self
            .parts
            .signer
            .sign(ToSign::Certificate {
                enrollment,
                tbs: tbs.to_vec(),
            })
            .await;
        let signed = signed.and_then(|signature| certified(tbs, self.parts.signer.as_ref(), &signature));
        match self.noting(signed) {
            Ok(certificate) => Ok(IssueOutcome::Issued(IssuedCertificate {
                certificate: certificate.into(),
                chain: self
                    .chain
                    .issuers()
                    .iter()
                    .map(|certificate| certificate.der().to_vec())
                    .collect(),
            })),
            Err(SignError::Refused(reason)) => Ok(IssueOutcome::Rejected { reason }),
            Err(error) => Err(ca_error(error)),
        }
    }

    /// Whether the stored octets are of this CA and still in time.
    fn check_stored<'a>(&self, intent: &'a Intent, now: Timestamp) -> Result<&'a [u8], String> {
        let IntentBody::Tbs { serial, tbs } = &intent.body else {
            return Err("intent was not made by a local CA".to_owned());
        };
        if intent.backend != self.config.name || intent.issuer != self.parts.issuer.subject_der() {
            return Err("intent was made by another CA".to_owned());
        }
        if now.since(intent.prepared_at) > INTENT_AGE_MAX {
            return Err("intent is older than 24 hours".to_owned());
        }
        let certificate = lint::unsigned(tbs, self.algorithm()).map_err(|error| error.to_string())?;
        if certificate.serial() != serial || certificate.issuer_der() != self.parts.issuer.subject_der() {
            return Err("stored TBSCertificate does not belong to its intent".to_owned());
        }
        if certificate.is_ca() {
            return Err("stored TBSCertificate is one of a CA".to_owned());
        }
        if !certificate.is_valid_at(now) || !self.parts.issuer.is_valid_at(now) {
            return Err("stored TBSCertificate or the CA is past its times".to_owned());
        }
        Ok(tbs)
    }

    /// Remembers for [`CaBackend::health`] how signing went.
    fn noting<T>(&self, result: Result<T, SignError>) -> Result<T, SignError> {
        let trouble = match &result {
            Err(error @ (SignError::Unavailable(_) | SignError::Corrupt)) => Some(error.to_string()),
            Ok(_) | Err(SignError::SecondContent | SignError::Refused(_)) => None,
        };
        *self.trouble.lock().unwrap_or_else(PoisonError::into_inner) = trouble;
        result
    }
}

#[async_trait]
impl CaBackend for LocalCa {
    fn name(&self) -> &BackendName {
        &self.config.name
    }

    fn prepare(
        &self,
        contents: &CertificateContents,
        _enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError> {
        let validity = validity::validity(contents.validity, &self.parts.issuer, now)
            .map_err(|error| CaError::Contents(error.to_string()))?;
        let mut octets = [0; 16];
        self.parts.random.fill(&mut octets);
        let serial = SerialNumber::random128(&octets);
        let issuer = Issuer {
            certificate: &self.parts.issuer,
            algorithm: self.algorithm(),
            addresses: &self.config.addresses,
        };
        let tbs = Draft::of_end_entity(contents, &issuer, validity, serial.clone()).to_der();
        let specimen = Specimen {
            tbs: &tbs,
            contents,
            issuer: &issuer,
            now,
        };
        lint::lint(&specimen, &self.config.excused).map_err(|found| CaError::Contents(found.to_string()))?;
        Ok(Intent {
            backend: self.config.name.clone(),
            prepared_at: now,
            issuer: self.parts.issuer.subject_der().to_vec(),
            body: IntentBody::Tbs { serial, tbs },
        })
    }

    async fn issue(&self, order: &IssuanceOrder, _handle: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        self.sign_stored(order.enrollment(), order.intent()).await
    }

    /// The CA has no memory: the stored TBSCertificate is signed again. (With a randomized algorithm such as ECDSA the
    /// signature differs from one that got lost, nothing else.)
    async fn reconcile(&self, _intent: &Intent, _handle: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        Ok(ReconcileOutcome::NotSeen)
    }

    async fn revoke(&self, order: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        if order.certificate.issuer_der() != self.parts.issuer.subject_der() {
            return Err(CaError::NeedsOperator(
                "the certificate was issued by another CA".to_owned(),
            ));
        }
        Ok(RevokeOutcome::Done)
    }

    fn chain(&self) -> Arc<IssuerChain> {
        Arc::clone(&self.chain)
    }

    fn capabilities(&self) -> Capabilities {
        let left = self.parts.issuer.not_after().since(self.parts.clock.now());
        Capabilities {
            revocation: RevocationPower::FromStore,
            defers: false,
            lifetime_max: Some(left),
        }
    }

    async fn health(&self) -> CaHealth {
        if !self.parts.issuer.is_valid_at(self.parts.clock.now()) {
            return CaHealth::NotReady("the CA certificate is past its times".to_owned());
        }
        match &*self.trouble.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(trouble) => CaHealth::NotReady(trouble.clone()),
            None => CaHealth::Ready,
        }
    }

    fn revocation_list(&self) -> Option<&dyn RevocationListSource> {
        let usage = self.parts.issuer.key_usage().unwrap_or_default();
        usage.contains(KeyUsage::CRL_SIGN).then_some(self)
    }
}

#[async_trait]
impl RevocationListSource for LocalCa {
    async fn sign_list(
        &self,
        number: u64,
        this_update: Timestamp,
        next_update: Timestamp,
        revoked: &[(SerialNumber, Timestamp, RevocationReason)],
    ) -> Result<Vec<u8>, CaError> {
        if next_update <= this_update {
            return Err(CaError::NeedsOperator(
                "the revocation list would end before it begins".to_owned(),
            ));
        }
        let head = crl::Head {
            issuer: &self.parts.issuer,
            algorithm: self.algorithm(),
            number,
            this_update,
            next_update,
        };
        let tbs = crl::tbs(&head, revoked).await;
        let signed = self
            .parts
            .signer
            .sign(ToSign::RevocationList { tbs: tbs.clone() })
            .await;
        let signature = self.noting(signed).map_err(ca_error)?;
        Ok(assemble(&tbs, self.algorithm(), &signature))
    }
}

fn ca_error(error: SignError) -> CaError {
    match error {
        SignError::Unavailable(reason) => CaError::Unavailable {
            reason,
            retry_after: Some(RETRY_AFTER),
        },
        SignError::SecondContent => CaError::SecondContent,
        SignError::Refused(reason) => CaError::NeedsOperator(reason),
        SignError::Corrupt => CaError::NeedsOperator(error.to_string()),
    }
}
