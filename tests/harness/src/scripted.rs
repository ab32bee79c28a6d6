//! A CA backend that answers by a script, and remembers what it was asked.

use async_trait::async_trait;
use portreeve_pkix::{IssuerChain, PublicKey, Timestamp, sha256};
use portreeve_ra::ports::{
    CaBackend, CaError, CaHealth, Capabilities, IssueOutcome, IssuedCertificate, ReconcileOutcome,
    RevocationPower, RevokeOrder, RevokeOutcome,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{BackendName, CertificateContents, EnrollmentId, Intent, IntentBody};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::test_ca::{Fault, TestCa};

/// One answer to an order.
#[derive(Clone, Debug)]
pub enum Answer {
    /// A certificate with this fault.
    Issued(Fault),
    /// Something that is no certificate.
    Garbage,
    /// Not decided yet; ask again with this handle after this long.
    Deferred(Vec<u8>, Duration),
    /// Commit this handle and call again.
    Checkpoint(Vec<u8>),
    /// No, for good.
    Rejected,
    /// The order arrived and was carried out, and the answer was lost.
    LostAfterIssuing,
    /// The order was lost on its way.
    LostBefore,
    /// Not reachable: nothing was sent.
    Unavailable,
    /// What was ordered cannot be certified.
    Unusable,
}

/// What the CA says when asked what it knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Memory {
    /// It has a search, and tells the truth.
    Searchable,
    /// It has no way to tell.
    None,
}

/// What a backend was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Asked {
    /// To issue, with this handle.
    Issue(EnrollmentId, Option<Vec<u8>>),
    /// What it knows.
    Reconcile,
    /// To revoke the certificate with this serial number.
    Revoke(String),
}

/// A CA backend that answers by a script; when the script is over it issues.
pub struct ScriptedBackend {
    name: BackendName,
    ca: TestCa,
    memory: Memory,
    script: Mutex<VecDeque<Answer>>,
    asked: Mutex<Vec<Asked>>,
    issued: Mutex<Option<Vec<u8>>>,
    defers: AtomicBool,
    clock: std::sync::Arc<dyn portreeve_ra::ports::Clock>,
}

impl ScriptedBackend {
    /// A backend with this name, CA and script.
    pub fn new(
        name: BackendName,
        ca: TestCa,
        (script, memory): (Vec<Answer>, Memory),
        clock: std::sync::Arc<dyn portreeve_ra::ports::Clock>,
    ) -> Self {
        Self {
            name,
            ca,
            memory,
            script: Mutex::new(script.into()),
            asked: Mutex::default(),
            issued: Mutex::default(),
            defers: AtomicBool::new(true),
            clock,
        }
    }

    /// Answers so after what its script has said before.
    pub fn then(&self, answer: Answer) {
        lock(&self.script).push_back(answer);
    }

    /// Says from now on whether it may answer `Deferred`; at first it says that it may.
    pub fn set_defers(&self, defers: bool) {
        self.defers.store(defers, Ordering::Relaxed);
    }

    /// What it was asked so far.
    pub fn asked(&self) -> Vec<Asked> {
        lock(&self.asked).clone()
    }

    fn certificate(&self, contents: &CertificateContents, fault: &Fault) -> IssuedCertificate {
        let certificate = self.ca.issue(contents, self.clock.now(), fault);
        IssuedCertificate {
            certificate: certificate.into(),
            chain: vec![self.ca.certificate().der().to_vec()],
        }
    }
}

#[async_trait]
impl CaBackend for ScriptedBackend {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn prepare(
        &self,
        contents: &CertificateContents,
        enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError> {
        let key = sha256(
            &[
                enrollment.as_bytes().as_slice(),
                &contents.public_key.fingerprint(),
            ]
            .concat(),
        );
        Ok(Intent {
            backend: self.name.clone(),
            prepared_at: now,
            issuer: self.ca.certificate().subject_der().to_vec(),
            body: IntentBody::Upstream {
                request: b"please".to_vec(),
                key: key.to_vec(),
            },
        })
    }

    async fn issue(&self, order: &IssuanceOrder, handle: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        lock(&self.asked).push(Asked::Issue(order.enrollment(), handle.map(<[u8]>::to_vec)));
        let answer = lock(&self.script)
            .pop_front()
            .unwrap_or(Answer::Issued(Fault::None));
        Ok(match answer {
            Answer::Issued(fault) => IssueOutcome::Issued(self.certificate(order.contents(), &fault)),
            Answer::Garbage => IssueOutcome::Issued(IssuedCertificate {
                certificate: b"<html>".to_vec().into(),
                chain: Vec::new(),
            }),
            Answer::Deferred(handle, retry_after) => IssueOutcome::Deferred { handle, retry_after },
            Answer::Checkpoint(handle) => IssueOutcome::Checkpoint { handle },
            Answer::Rejected => IssueOutcome::Rejected {
                reason: "by script".to_owned(),
            },
            Answer::LostAfterIssuing => {
                let issued = self.certificate(order.contents(), &Fault::None);
                *lock(&self.issued) = Some(issued.certificate.der().to_vec());
                IssueOutcome::Unknown
            }
            Answer::LostBefore => IssueOutcome::Unknown,
            Answer::Unavailable => {
                return Err(CaError::Unavailable {
                    reason: "by script".to_owned(),
                    retry_after: None,
                });
            }
            Answer::Unusable => return Err(CaError::Contents("by script".to_owned())),
        })
    }

    async fn reconcile(&self, _: &Intent, _: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        lock(&self.asked).push(Asked::Reconcile);
        Ok(match (self.memory, lock(&self.issued).clone()) {
            (Memory::None, _) => ReconcileOutcome::CannotTell,
            (Memory::Searchable, None) => ReconcileOutcome::NotSeen,
            (Memory::Searchable, Some(certificate)) => ReconcileOutcome::Issued(IssuedCertificate {
                certificate: certificate.into(),
                chain: Vec::new(),
            }),
        })
    }

    async fn revoke(&self, order: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        lock(&self.asked).push(Asked::Revoke(order.certificate.serial().to_string()));
        Ok(RevokeOutcome::Done)
    }

    fn chain(&self) -> Arc<IssuerChain> {
        Arc::new(self.ca.certificate().clone().into())
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            revocation: RevocationPower::MustBeTold,
            defers: self.defers.load(Ordering::Relaxed),
            lifetime_max: None,
        }
    }

    async fn health(&self) -> CaHealth {
        CaHealth::Ready
    }
}

/// A key nobody ordered a certificate for.
pub fn stray_key() -> PublicKey {
    let pair = rcgen::KeyPair::generate().expect("key");
    PublicKey::from_der(&rcgen::PublicKeyData::subject_public_key_info(&pair)).expect("public key")
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
