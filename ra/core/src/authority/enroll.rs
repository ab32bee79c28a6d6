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
    Actor, Alongside, Application, ApprovalPolicy, CertificateContents, CertificateRejection, ClaimHandle,
    ClaimKey, Disposition, EndpointName, EnrollmentId, EnrollmentRequest, Event, Finding, Handle,
    KnownSecret, Origin, Purpose, Refusal, RequestRefused, Requester, Role, StreamId, StreamKind, Verdict,
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
    /// The secret that is used up by it, if it was asked with one.
    pub(super) secret: Option<Verified<KnownSecret>>,
    /// What its claim led to when it was read, before the request was judged: that is no answer, and gives way.
    pub(super) led_to: Option<EnrollmentId>,
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
        // Some 16 KiB of state, which would move with every future around it.
        Box::pin(self.enrolled(request)).await
    }

    async fn enrolled(self: &Arc<Self>, request: EnrollmentRequest) -> Result<Disposition, Error> {
        let digest = sha256(&request.request);
        let mut turn = 0;
        loop {
            let at = (&request.endpoint, request.operation);
            let outlook = self.outlook(&request, &digest).await?;
            let caller = self
                .caller(&request.credential, at, &request.origin, &outlook)
                .await?;
            let handle = match &request.handle {
                Handle::Given(handle) => handle.clone(),
                Handle::SameRequest => ClaimHandle::of_request(&caller.requester, &digest),
            };
            let key = ClaimKey::new(&request.endpoint, request.operation, &handle);
            let secret = caller.secret.as_ref().map(|secret| secret.value().id);
            let (claim, scene) = join(
                self.ledger.claim_in(&outlook.reading, &key),
                self.scene(
                    (&caller.requester, secret, caller.holder.as_ref()),
                    &request.endpoint,
                    &outlook,
                ),
            )
            .await;
            let (claim, scene) = (claim?, scene?);
            let led_to = claim.as_ref().map(|claim| claim.enrollment);
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
                secret: caller.secret.clone().filter(|_| unspent),
                led_to,
            };
            let judged = self
                .judge(&request, scene, (&caller, earlier.as_ref()), &outlook)
                .await;
            if judged.is_ok() {
                self.habits.learn(&request.endpoint, &outlook);
            }
            drop(outlook);
            let acted = match judged {
                Err(Error::Refused(refusal)) => self.turn_away(&filing, refusal).await?,
                judged => self.act_on(&filing, judged?, &request).await?,
            };
            match acted {
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
        // What most requests do not need is kept out of the state that each of them carries.
        match judged.verdict.clone() {
            Verdict::Refuse { refusal, findings } => {
                let spends = Batch {
                    spends: spends.clone(),
                    ..Batch::default()
                };
                Box::pin(self.refuse(filing, refusal, (&findings, spends))).await
            }
            Verdict::Refer {
                contents,
                approval,
                findings,
            } if self.judges() => {
                Box::pin(self.refer(
                    filing,
                    (judged, request),
                    (contents, approval, findings),
                    alongside,
                ))
                .await
            }
            Verdict::Permit { contents, findings } if self.judges() => {
                self.permit(filing, (judged, request), (contents, findings), alongside)
                    .await
            }
            Verdict::Refer { .. } | Verdict::Permit { .. } => {
                Box::pin(self.submit(filing, (judged, request), alongside)).await
            }
        }
    }

    /// Refusals before there is a verdict are counted, and are no events.
    async fn turn_away(&self, filing: &Filing, refusal: Refusal) -> Result<Acted, Error> {
        if self.filed_meanwhile(filing, &refusal).await? {
            return Ok(Acted::Raced);
        }
        self.parts.metrics.refused(filing.endpoint.as_str(), &refusal);
        Err(refusal.into())
    }

    /// Whether the same request was filed since its claim was read, and that may be why this one is refused: the first takes the
    /// place in the lineage, or among the certificates of the registration, that the second finds taken.
    async fn filed_meanwhile(&self, filing: &Filing, refusal: &Refusal) -> Result<bool, Error> {
        let by_place = matches!(
            refusal,
            Refusal::LimitReached | Refusal::ClientCertificate(CertificateRejection::NotNewest)
        );
        if !by_place {
            return Ok(false);
        }
        let claim = self.parts.store.claim(&filing.key).await?;
        Ok(claim.is_some_and(|claim| filing.led_to != Some(claim.enrollment)))
    }

    /// Refusals of admitted requesters are events; there is no enrollment.
    async fn refuse(
        &self,
        filing: &Filing,
        refusal: Refusal,
        (findings, batch): (&[Finding], Batch),
    ) -> Result<Acted, Error> {
        if self.filed_meanwhile(filing, &refusal).await? {
            return Ok(Acted::Raced);
        }
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
        (judged, application, pass): (Judged, Arc<Application>, Option<Pass>),
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
            Some(Drove::To(driven)) => match &driven.issuance {
                Some(issuance) => Ok(Acted::Done(Disposition::Issued(issuance.clone()))),
                None => disposition(&driven.enrollment, endpoint.retry_after).map(Acted::Done),
            },
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
    /// The same claim was filed first: look again.
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
