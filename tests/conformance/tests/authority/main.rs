//! Rules of the RA that no answer of a well-behaved CA shows: who may ask, what a race may not break, what a row of the
//! database alone must not bring about, and what a CA may not do without end.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing
)]

mod accounts;
mod approvals;
mod asking;
mod backends;
mod certificates;
mod clients;
mod configuration;
mod erasure;
mod guarded;
mod judgement;
mod nodes;
mod operators;
mod outage;
mod registrations;
mod resolution;
mod revocation;
mod roles;

use async_trait::async_trait;
use portreeve_harness::authority::{TestAccount, TestAuthority, backend_name, clock, csr, endpoint};
use portreeve_harness::scripted::{Answer, Asked, Memory, ScriptedBackend, stray_key};
use portreeve_harness::test_ca::{Fault, TestCa};
use portreeve_pkix::{Identifier, IssuerChain, PublicKey, SerialNumber, Timestamp, sha256};
use portreeve_ra::accounts::Change;
use portreeve_ra::authority::DecisionRequest;
use portreeve_ra::objects::Publisher;
use portreeve_ra::ports::{
    Batch, CaBackend, CaError, CaHealth, Capabilities, IssueOutcome, IssuedCertificate, NewTask,
    ReconcileOutcome, RequestFilter, RevocationPower, RevokeOrder, RevokeOutcome, Store, TaskKind, Tasks,
};
use portreeve_ra::steps::IssuanceOrder;
use portreeve_ra::{
    AccessEvent, Actor, Alongside, BackendName, CertificateContents, Claim, ClaimHandle, ClaimKey,
    Credential, Disposition, EnrollmentId, Error, Event, Intent, IntentBody, InternalError, Issuance,
    ObjectKind, Operation, Origin, Principal, ProposalId, Record, Refusal, Requester, RevocationReason,
    RevocationRequest, RevocationTarget, StreamId, StreamKind, TaskId,
};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// A scripted CA with something odd about it.
struct Odd {
    inner: Arc<ScriptedBackend>,
    name: BackendName,
    power: RevocationPower,
    /// Returns its first certificate for every order.
    repeats: Option<Mutex<Option<Vec<u8>>>>,
    /// Draws this serial number every time.
    serial: Option<SerialNumber>,
    /// Asks for the same checkpoint without end.
    stalls: bool,
}

impl Odd {
    fn new(script: Vec<Answer>) -> Self {
        let day = |days: i64| Timestamp::from_unix_seconds(clock().now().unix_seconds() + days * 86_400);
        let ca = TestCa::new("Odd CA", day(-1), day(3_650));
        let inner = ScriptedBackend::new(backend_name(), ca, (script, Memory::Searchable), clock());
        Self {
            inner: Arc::new(inner),
            name: backend_name(),
            power: RevocationPower::MustBeTold,
            repeats: None,
            serial: None,
            stalls: false,
        }
    }

    async fn start(self, endpoint_text: &str) -> (TestAuthority, Arc<ScriptedBackend>) {
        let inner = Arc::clone(&self.inner);
        (TestAuthority::start(Arc::new(self), endpoint_text).await, inner)
    }
}

#[async_trait]
impl CaBackend for Odd {
    fn name(&self) -> &BackendName {
        &self.name
    }

    fn prepare(
        &self,
        contents: &CertificateContents,
        enrollment: EnrollmentId,
        now: Timestamp,
    ) -> Result<Intent, CaError> {
        let intent = self.inner.prepare(contents, enrollment, now)?;
        Ok(match &self.serial {
            None => intent,
            Some(serial) => Intent {
                body: IntentBody::Tbs {
                    serial: serial.clone(),
                    tbs: vec![0x30, 0],
                },
                ..intent
            },
        })
    }

    async fn issue(&self, order: &IssuanceOrder, handle: Option<&[u8]>) -> Result<IssueOutcome, CaError> {
        let outcome = self.inner.issue(order, handle).await?;
        if self.stalls {
            return Ok(IssueOutcome::Checkpoint {
                handle: b"still".to_vec(),
            });
        }
        let (IssueOutcome::Issued(issued), Some(first)) = (&outcome, &self.repeats) else {
            return Ok(outcome);
        };
        let mut first = first.lock().unwrap();
        let certificate = first
            .get_or_insert_with(|| issued.certificate.der().to_vec())
            .clone();
        Ok(IssueOutcome::Issued(IssuedCertificate {
            certificate: certificate.into(),
            chain: Vec::new(),
        }))
    }

    async fn reconcile(&self, intent: &Intent, handle: Option<&[u8]>) -> Result<ReconcileOutcome, CaError> {
        self.inner.reconcile(intent, handle).await
    }

    async fn revoke(&self, order: &RevokeOrder) -> Result<RevokeOutcome, CaError> {
        self.inner.revoke(order).await
    }

    fn chain(&self) -> Arc<IssuerChain> {
        self.inner.chain()
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities {
            revocation: self.power,
            ..self.inner.capabilities()
        }
    }

    async fn health(&self) -> CaHealth {
        CaHealth::Ready
    }
}

fn handle(text: &str) -> ClaimHandle {
    ClaimHandle(text.as_bytes().to_vec())
}

fn claim_key(text: &str) -> ClaimKey {
    ClaimKey::new(&endpoint(), Operation::Enroll, &handle(text))
}

fn change(authority: &TestAuthority) -> Change {
    Change {
        origin: Origin::node(authority.ra.node()),
        alongside: Alongside::default(),
    }
}

fn name(text: &str) -> Identifier {
    Identifier::Dns(text.parse().unwrap())
}

async fn enroll(
    authority: &TestAuthority,
    account: &TestAccount,
    (order, request): (&str, &[u8]),
) -> Result<Disposition, Error> {
    let request = authority.request(account, order, request.to_vec());
    authority.ra.enroll(request).await
}

async fn issued(authority: &TestAuthority, account: &TestAccount, request: (&str, &[u8])) -> Box<Issuance> {
    match enroll(authority, account, request).await {
        Ok(Disposition::Issued(issuance)) => issuance,
        other => panic!("not issued: {other:?}"),
    }
}

async fn revoke(
    authority: &TestAuthority,
    credential: Credential,
    (issuance, reason): (&Issuance, RevocationReason),
) -> Result<(), Error> {
    let request = RevocationRequest {
        endpoint: endpoint(),
        credential,
        target: RevocationTarget::Certificate(issuance.certificate.der().to_vec()),
        reason,
        origin: Origin::node(authority.ra.node()),
        alongside: Alongside::default(),
    };
    authority.ra.revoke(request).await
}

async fn state(authority: &TestAuthority) -> String {
    let page = authority
        .store
        .requests(&RequestFilter::default(), None, 1)
        .await
        .unwrap();
    page.items
        .first()
        .map(|row| row.state.clone())
        .unwrap_or_default()
}

async fn reach(authority: &TestAuthority, wanted: &str) {
    authority
        .work_until(wanted, || async { state(authority).await == wanted })
        .await;
}

/// Works until the task table is empty.
async fn finish_work(authority: &TestAuthority) {
    authority
        .work_until("no work is left", || async {
            authority.store.next_due().await.unwrap().is_none()
        })
        .await;
}

async fn incidents(authority: &TestAuthority) -> Vec<&'static str> {
    let page = authority.ra.incidents(None, 100).await.unwrap();
    page.items
        .iter()
        .map(|standing| standing.incident.what.as_str())
        .collect()
}

fn revoked_serials(backend: &ScriptedBackend) -> Vec<String> {
    let serial = |asked| match asked {
        Asked::Revoke(serial) => Some(serial),
        Asked::Issue(..) | Asked::Reconcile => None,
    };
    backend.asked().into_iter().filter_map(serial).collect()
}

fn issues(backend: &ScriptedBackend) -> usize {
    let asked = backend.asked();
    asked
        .iter()
        .filter(|asked| matches!(asked, Asked::Issue(..)))
        .count()
}

#[track_caller]
fn refused<T: std::fmt::Debug>(what: &str, result: Result<T, Error>, expected: &Refusal) {
    match result {
        Err(Error::Refused(refusal)) if refusal == *expected => {}
        other => panic!("{what}: {other:?}"),
    }
}

/// What principals lacked a right for: who, which, and on what, in order.
async fn refusals(authority: &TestAuthority) -> Vec<(Principal, String, String)> {
    let page = authority.store.streams(StreamKind::Access, None, 200).await;
    let streams = authority.store.load(&page.unwrap().items).await.unwrap();
    let mut found: Vec<_> = streams
        .iter()
        .flatten()
        .filter_map(|record| match record.events().unwrap().remove(0) {
            Event::Access(AccessEvent::Refused { right, on }) => {
                Some((record.header().actor.principal().cloned()?, right, on))
            }
            _ => None,
        })
        .collect();
    found.sort();
    found
}

async fn put_claim(authority: &TestAuthority, claim: Claim) {
    let batch = Batch {
        claims: vec![claim],
        ..Batch::default()
    };
    authority.store.commit(batch).await.expect("claim");
}
