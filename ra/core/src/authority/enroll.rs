//! `enroll`: the one way to a certificate.

use futures_util::future::join;
use portreeve_pkix::sha256;
use std::sync::Arc;

use super::RegistrationAuthority;
use super::again::Before;
use super::drive::Drove;
use super::grants::Pass;
use super::judge::{Judged, lines};
use super::standing::disposition;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Alongside, Application, ApprovalPolicy, CertificateContents, ClaimHandle, ClaimKey, Disposition,
    EndpointName, EnrollmentId, EnrollmentRequest, Event, Finding, Handle, KnownSecret, Operation, Origin,
    Purpose, Refusal, RequestRefused, Requester, Role, StreamId, StreamKind, Verdict,
};
use crate::error::Error;
use crate::ledger::{Saying, first};
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::Verified;

/// How often a request is judged again because somebody filed the same claim first.
const FILINGS_MAX: u32 = 8;

/// What identifies one request while it is being judged.
pub(super) struct Filing {
    pub(super) key: ClaimKey,
    pub(super) requester: Requester,
    pub(super) digest: [u8; 32],
    pub(super) endpoint: EndpointName,
    pub(super) origin: Origin,
    /// What the claim led to, where that is no answer although its time is not over: the key was made here, and is gone.
    pub(super) gives_way: Option<EnrollmentId>,
    /// The secret that is used up by it, if it was asked with one.
    pub(super) secret: Option<Verified<KnownSecret>>,
}

impl Filing {
    pub(super) fn saying(&self, reason: &str) -> Saying {
        let actor = Actor::Requester(self.requester.clone());
        Saying::new(Purpose::Worker, actor, self.origin.clone(), reason)
    }
}

impl RegistrationAuthority {
    /// Asks for a certificate. Waits up to the endpoint's `inline_wait`, then answers `Pending`.
    ///
    /// The same requester with the same handle and the same request gets the same enrollment, however often it asks.
    pub async fn enroll(self: &Arc<Self>, request: EnrollmentRequest) -> Result<Disposition, Error> {
        let digest = sha256(&request.request);
        let mut turn = 0;
        loop {
            let at = (&request.endpoint, request.operation);
            let caller = self.caller(&request.credential, at, &request.origin).await?;
            let handle = match &request.handle {
                Handle::Given(handle) => handle.clone(),
                Handle::SameRequest => ClaimHandle::of_request(&caller.requester, &digest),
            };
            let key = ClaimKey::new(&request.endpoint, request.operation, &handle);
            let secret = caller.secret.as_ref().map(|secret| secret.value().id);
            let (claim, scene) = join(
                self.parts.store.claim(&key),
                self.scene(
                    (&caller.requester, secret, caller.holder.as_ref()),
                    &request.endpoint,
                ),
            )
            .await;
            let (claim, scene) = (claim?, scene?);
            let gives_way = claim.as_ref().map(|claim| claim.enrollment);
            let known = (claim, &scene, turn > 0);
            let before = self.known((&caller, digest), &request, known).await?;
            let earlier = match before {
                Before::Answer(disposition) => return Ok(disposition),
                Before::Free(earlier) => earlier,
            };
            let unspent = caller.spent(self.now()).is_none();
            let filing = Filing {
                key,
                requester: caller.requester.clone(),
                digest,
                endpoint: request.endpoint.clone(),
                origin: request.origin.clone(),
                gives_way: gives_way.filter(|_| request.operation == Operation::GenerateKey),
                secret: caller.secret.clone().filter(|_| unspent),
            };
            let judged = match self.judge(&request, scene, (&caller, earlier.as_ref())).await {
                Err(Error::Refused(refusal)) => {
                    self.parts.metrics.refused(filing.endpoint.as_str(), &refusal);
                    return Err(Error::Refused(refusal));
                }
                other => other?,
            };
            match self.act_on(&filing, judged, &request).await? {
                Acted::Done(disposition) => return Ok(disposition),
                Acted::Raced if turn < FILINGS_MAX => turn += 1,
                Acted::Raced => return Err(Refusal::ClaimConflict.into()),
            }
        }
    }

    async fn act_on(
        self: &Arc<Self>,
        filing: &Filing,
        judged: Judged,
        request: &EnrollmentRequest,
    ) -> Result<Acted, Error> {
        let Alongside { documents, spends } = &request.alongside;
        let alongside = Batch {
            documents: documents.clone(),
            spends: spends.clone(),
            ..Batch::default()
        };
        match judged.verdict.clone() {
            Verdict::Refuse { refusal, findings } => {
                let spends = Batch {
                    spends: spends.clone(),
                    ..Batch::default()
                };
                self.refuse(filing, refusal, (&findings, spends)).await
            }
            Verdict::Refer {
                contents,
                approval,
                findings,
            } if self.judges() => {
                self.refer(
                    filing,
                    (judged, request),
                    (contents, approval, findings),
                    alongside,
                )
                .await
            }
            Verdict::Permit { contents, findings } if self.judges() => {
                self.permit(filing, (judged, request), (contents, findings), alongside)
                    .await
            }
            Verdict::Refer { .. } | Verdict::Permit { .. } => {
                self.submit(filing, (judged, request), alongside).await
            }
        }
    }

    /// Refusals of admitted requesters are events; there is no enrollment.
    async fn refuse(
        &self,
        filing: &Filing,
        refusal: Refusal,
        (findings, batch): (&[Finding], Batch),
    ) -> Result<Acted, Error> {
        self.parts.metrics.refused(filing.endpoint.as_str(), &refusal);
        tracing::info!(endpoint = %filing.endpoint, requester = %filing.requester,
                       refusal = refusal.code(), "request refused");
        let id = EnrollmentId::new(self.now(), self.parts.random.as_ref());
        let stream = StreamId {
            kind: StreamKind::Refusal,
            id: *id.as_bytes(),
        };
        let event = Event::Refusal(RequestRefused {
            endpoint: filing.endpoint.clone(),
            digest: filing.digest,
            refusal: refusal.clone(),
            findings: lines(findings),
        });
        let record = self
            .ledger
            .record(first(stream), self.own_saying(filing, refusal.code()), &[event])?;
        let batch = Batch {
            records: vec![record],
            ..batch
        };
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| commit_error(error, stream))?;
        Err(refusal.into())
    }

    /// Whether this node's verdicts have weight. If not, only its refusals count, and the rest is handed to a worker.
    fn judges(&self) -> bool {
        self.parts.roles.has(Role::Worker)
    }

    pub(super) fn own_saying(&self, filing: &Filing, reason: &str) -> Saying {
        Saying {
            purpose: self.parts.roles.voice(),
            ..filing.saying(reason)
        }
    }

    /// Lets people decide, unless they have decided on the same for the same requester beforehand.
    async fn refer(
        self: &Arc<Self>,
        filing: &Filing,
        (judged, request): (Judged, &EnrollmentRequest),
        (contents, approval, findings): (CertificateContents, Arc<ApprovalPolicy>, Vec<Finding>),
        alongside: Batch,
    ) -> Result<Acted, Error> {
        let application = self.application(filing, (&judged, request.operation), contents, &findings);
        if let Some(pass) = self.pass_for(&application, &approval.terms).await? {
            return self
                .begin(filing, (judged, application, Some(pass)), (&findings, alongside))
                .await;
        }
        let filed = self.file_referral(filing, application, (&approval, alongside));
        let Some(enrollment) = filed.await? else {
            return Ok(Acted::Raced);
        };
        tracing::info!(enrollment.id = %enrollment.id, endpoint = %filing.endpoint,
                       requester = %filing.requester, "request waits for approval");
        disposition(&enrollment, judged.endpoint.retry_after).map(Acted::Done)
    }

    async fn permit(
        self: &Arc<Self>,
        filing: &Filing,
        (judged, request): (Judged, &EnrollmentRequest),
        (contents, findings): (CertificateContents, Vec<Finding>),
        alongside: Batch,
    ) -> Result<Acted, Error> {
        let application = self.application(filing, (&judged, request.operation), contents, &findings);
        self.begin(filing, (judged, application, None), (&findings, alongside))
            .await
    }

    /// Fixes the intent, and waits for what comes of it.
    async fn begin(
        self: &Arc<Self>,
        filing: &Filing,
        (judged, application, pass): (Judged, Box<Application>, Option<Pass>),
        (findings, alongside): (&[Finding], Batch),
    ) -> Result<Acted, Error> {
        let spends = alongside.spends.clone();
        let filed = match self.file_intent(filing, (application, pass), alongside).await {
            Err(Error::Refused(refusal @ (Refusal::LimitReached | Refusal::ClientCertificate(_)))) => {
                let spends = Batch {
                    spends,
                    ..Batch::default()
                };
                return self.refuse(filing, refusal, (findings, spends)).await;
            }
            other => other?,
        };
        let Some((enrollment, lease)) = filed else {
            return Ok(Acted::Raced);
        };
        let (id, endpoint) = (enrollment.value().id, &judged.endpoint);
        // Registered before the work begins, so that its end is not missed.
        let woken = self.wait_for(id, endpoint.inline_wait);
        let work = self.spawn_drive(enrollment, lease);
        let drove = self.drove((id, endpoint.inline_wait), woken, &work).await;
        match drove {
            Some(Drove::To(finished)) => disposition(finished, endpoint.retry_after).map(Acted::Done),
            Some(Drove::PutBack) | None => {
                let enrollment = self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?;
                disposition(enrollment.value(), endpoint.retry_after).map(Acted::Done)
            }
        }
    }
}

/// What came of a judged request.
pub(super) enum Acted {
    /// This.
    Done(Disposition),
    /// Somebody filed the same claim first: look again.
    Raced,
}

/// Whether a failed commit only means that somebody was faster with the same claim, with the same secret, or with the last
/// use of a grant.
pub(super) fn is_race(error: &CommitError) -> bool {
    match error {
        CommitError::Conflict(Conflict::Claim(_) | Conflict::Document(_)) => true,
        CommitError::Conflict(Conflict::Stream(stream)) => {
            matches!(stream.kind, StreamKind::Grant | StreamKind::Secret)
        }
        _ => false,
    }
}
