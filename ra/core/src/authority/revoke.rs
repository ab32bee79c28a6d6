//! `revoke`: by the requester that owns a certificate, by its key, or by one that has proven all its names.

use portreeve_pkix::{Certificate, GeneralName, Identifier, PublicKey, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::{run, serial_key};
use super::deadline::within;
use super::rows;
use super::settle::{Settled, claim_of};
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Alongside, Claim, Command, Credential, Enrollment, EnrollmentId, Event, KeyReportEvent, Origin,
    Purpose, Record, Refusal, RequestedRevocation, RevocationReason, RevocationRequest,
    RevocationRight as Right, RevocationTarget, Role, StreamId, StreamKind, key_report_stream,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Batch, CommitError, Conflict, RevocationPower, Space, TaskLease, WakeKey};
use crate::proofs::LiveProof;
use crate::steps::admit::{admit_account, admit_behalf, identify};
use crate::steps::{Verified, verify};

/// How long an edge waits for a worker to revoke.
const REVOKED_WITHIN: Duration = Duration::from_secs(10);

/// When a client returns whose revocation no worker has carried out in that time.
const REVOKED_LATER: Duration = Duration::from_secs(5);

/// A revocation that is to be carried out: who wants it and why, and what is committed with it.
pub(super) struct Wanted<'a> {
    pub(super) reason: RevocationReason,
    /// Whether who wants it knows that the key is compromised, when that is the reason.
    pub(super) knows_key: bool,
    pub(super) actor: Actor,
    /// In words, for the record.
    pub(super) comment: &'a str,
    pub(super) origin: Origin,
    pub(super) alongside: &'a Alongside,
}

impl<'a> Wanted<'a> {
    fn by_requester(revocation: RequestedRevocation, (origin, alongside): (Origin, &'a Alongside)) -> Self {
        Self {
            reason: revocation.reason,
            knows_key: revocation.right != Right::Names,
            actor: Actor::Requester(revocation.by),
            comment: revocation.reason.as_str(),
            origin,
            alongside,
        }
    }
}

impl RegistrationAuthority {
    /// Revokes a certificate (RFC 8555 section 7.6 has the three rights). Returns when the revocation is durable.
    pub async fn revoke(self: &Arc<Self>, request: RevocationRequest) -> Result<(), Error> {
        if matches!(
            request.reason,
            RevocationReason::CaCompromise
                | RevocationReason::AaCompromise
                | RevocationReason::CertificateHold
        ) {
            return Err(Refusal::RevocationReason.into());
        }
        let RevocationTarget::Certificate(der) = &request.target;
        let certificate =
            Certificate::from_der(der).map_err(|error| Refusal::Malformed(error.to_string()))?;
        let by = identify(&request.credential)?;
        let mut turn = 0;
        loop {
            let enrollment = self.enrollment_of(&certificate).await?;
            let right = self.right(&request, enrollment.value(), &certificate).await?;
            check(enrollment.value(), (request.reason, right))?;
            let revocation = RequestedRevocation {
                reason: request.reason,
                right,
                by: by.clone(),
            };
            let id = enrollment.value().id;
            let with = (request.origin.clone(), &request.alongside);
            let committed = if self.parts.roles.has(Role::Worker) {
                let wanted = Wanted::by_requester(revocation, with);
                self.carry_out(&enrollment, &certificate, wanted).await?
            } else {
                self.hand_over(&enrollment, revocation, with).await?
            };
            match committed {
                Ok(()) if self.parts.roles.has(Role::Worker) => return Ok(()),
                Ok(()) => return self.revoked_by_a_worker(id, request.reason).await,
                // Somebody confirmed or revoked it, renewed under its claim, or reported its key meanwhile.
                Err(CommitError::Conflict(Conflict::Stream(_) | Conflict::Claim(_))) if may_race(turn) => {
                    turn += 1;
                }
                Err(error) => return Err(commit_error(error, StreamId::enrollment(id))),
            }
        }
    }

    pub(super) async fn carry_out(
        &self,
        enrollment: &Verified<Enrollment>,
        certificate: &Certificate,
        wanted: Wanted<'_>,
    ) -> Result<Result<(), CommitError>, Error> {
        let reason = wanted.reason;
        let batch = self.revocation(enrollment, certificate, wanted).await?;
        let committed = self.parts.store.commit(batch).await;
        if committed.is_ok() {
            self.report_revoked(enrollment.value(), certificate, reason);
        }
        Ok(committed)
    }

    /// Records what is asked for, once, with a task for any worker.
    async fn hand_over(
        &self,
        enrollment: &Verified<Enrollment>,
        revocation: RequestedRevocation,
        (origin, alongside): (Origin, &Alongside),
    ) -> Result<Result<(), CommitError>, Error> {
        let (this, now) = (enrollment.value(), self.now());
        let mut batch = Batch {
            documents: alongside.documents.clone(),
            spends: alongside.spends.clone(),
            ..Batch::default()
        };
        if this.revocation_due() != Some(&revocation) {
            let actor = Actor::Requester(revocation.by.clone());
            let saying = Saying::new(Purpose::Edge, actor, origin, "handed to a worker");
            let (_, events) = run(this.clone(), [Command::RequestRevocation(revocation)], now)?;
            batch.records = vec![self.ledger.record(enrollment.next(), saying, &events)?];
        }
        // What was asked for before may have lost its task; doing it twice is doing it once.
        batch.tasks = vec![self.task(StreamId::enrollment(this.id), Duration::ZERO, None)];
        let committed = self.parts.store.commit(batch).await;
        self.parts.wakeups.wake(WakeKey::Tasks);
        Ok(committed)
    }

    /// Returns when a worker has revoked. Until then nothing is said to be revoked. When it was revoked for the reason that
    /// somebody else gave at the same time, there is nothing to wait for but a report that the key is compromised.
    async fn revoked_by_a_worker(
        self: &Arc<Self>,
        id: EnrollmentId,
        reason: RevocationReason,
    ) -> Result<(), Error> {
        let revoked = async {
            loop {
                let woken = self.wait_for(id, REVOKED_WITHIN);
                let enrollment = self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?;
                match enrollment.value().revoked() {
                    Some((revoked, _)) if revoked == reason => return Ok(()),
                    Some((earlier, _))
                        if reason != RevocationReason::KeyCompromise
                            && earlier != RevocationReason::CertificateHold =>
                    {
                        return Err(Refusal::AlreadyRevoked.into());
                    }
                    Some(_) | None => {}
                }
                woken.await;
            }
        };
        let late = Error::Unavailable {
            retry_after: REVOKED_LATER,
        };
        within(self.parts.clock.as_ref(), REVOKED_WITHIN, revoked)
            .await
            .unwrap_or(Err(late))
    }

    /// Carries out what an operator or an edge asked for, if there still is something to do.
    pub(super) async fn revoke_as_requested(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
    ) -> Result<Settled, Error> {
        if let Some(wish) = enrollment.value().status_due().cloned() {
            return self.change_as_requested(enrollment, lease, wish).await;
        }
        let due = enrollment.value().revocation_due().cloned();
        let certificate = enrollment
            .value()
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok());
        if let (Some(revocation), Some(certificate)) = (due, certificate)
            && check(enrollment.value(), (revocation.reason, revocation.right)).is_ok()
        {
            let alongside = Alongside::default();
            let wanted = Wanted::by_requester(revocation, (Origin::node(self.parts.node), &alongside));
            let committed = self.carry_out(&enrollment, &certificate, wanted).await?;
            committed.map_err(|error| commit_error(error, lease.subject))?;
        }
        self.complete(lease).await?;
        Ok(Settled::Stop(enrollment))
    }

    async fn enrollment_of(&self, certificate: &Certificate) -> Result<Verified<Enrollment>, Error> {
        let key = serial_key(certificate.issuer_der(), certificate.serial().as_bytes());
        let stream = self.parts.store.reserved(Space::Serial, &key).await?;
        let stream = stream.filter(|stream| stream.kind == StreamKind::Enrollment);
        let stream = stream.ok_or(Refusal::UnknownCertificate)?;
        let enrollment = verify::enrollment(self.ledger.history(stream).await?);
        enrollment
            .filter(|enrollment| {
                enrollment
                    .value()
                    .certificate()
                    .is_some_and(|(der, _)| der == certificate.der())
            })
            .ok_or_else(|| Refusal::UnknownCertificate.into())
    }

    async fn right(
        &self,
        request: &RevocationRequest,
        enrollment: &Enrollment,
        certificate: &Certificate,
    ) -> Result<Right, Error> {
        let account = match &request.credential {
            Credential::Key(key) if key == certificate.public_key() => return Ok(Right::Key),
            Credential::Key(_)
            | Credential::Secret { .. }
            | Credential::Certificate { .. }
            | Credential::Several(_) => return Err(Refusal::NotAuthorized.into()),
            Credential::Account { account, .. } => *account,
        };
        let account = self.accounts.load(account).await?;
        let admitted = admit_account(&request.credential, account.as_ref(), &request.endpoint)?;
        let requester = admitted.requester();
        if enrollment
            .application()
            .is_some_and(|application| application.requester == *requester)
        {
            return Ok(Right::Owner);
        }
        let names: Option<Vec<Identifier>> =
            certificate.names().iter().map(GeneralName::identifier).collect();
        let names = names
            .filter(|names| !names.is_empty())
            .ok_or(Refusal::NotAuthorized)?;
        let live = self.proofs.live(requester, &names).await?;
        let bound = match account
            .as_ref()
            .and_then(|account| account.value().binding.as_ref())
        {
            Some(binding) => {
                let known = self.bound_to(binding).await?;
                Some(admit_behalf(known, &request.endpoint, self.now())?.registration)
            }
            None => None,
        };
        // On behalf of a registration its names are the limit here as well, and what it vouches for counts as proven.
        let has = |(name, proof): (&Identifier, &Option<LiveProof>)| match &bound {
            Some(known) => {
                let registration = &known.registration;
                registration.covers(name) && (proof.is_some() || registration.vouches_for(name))
            }
            None => proof.is_some(),
        };
        if names.iter().zip(&live).all(has) {
            Ok(Right::Names)
        } else {
            Err(Refusal::NotAuthorized.into())
        }
    }

    /// Everything that a revocation changes.
    async fn revocation(
        &self,
        enrollment: &Verified<Enrollment>,
        certificate: &Certificate,
        wanted: Wanted<'_>,
    ) -> Result<Batch, Error> {
        let Wanted {
            reason,
            knows_key,
            actor,
            comment,
            origin,
            alongside,
        } = wanted;
        let (now, this) = (self.now(), enrollment.value());
        let (after, events) = run(this.clone(), [Command::Revoke(reason)], now)?;
        let saying = Saying::new(Purpose::Worker, actor, origin, comment);
        let tasks = self.must_be_told(this).then(|| self.revoke_task(this.id));
        let report = match reason {
            RevocationReason::KeyCompromise if knows_key => self.key_report(&after, saying.clone()).await?,
            _ => None,
        };
        // What is on hold may be good again, and its requester asks for it under the same claim.
        let claims = match reason {
            RevocationReason::CertificateHold => None,
            _ => self.ending_claim(&after, now).await?,
        };
        let revoked = self.ledger.record(enrollment.next(), saying, &events)?;
        Ok(Batch {
            records: std::iter::once(revoked).chain(report).collect(),
            tasks: tasks.into_iter().collect(),
            documents: alongside.documents.clone(),
            spends: alongside.spends.clone(),
            claims: claims.into_iter().collect(),
            projections: rows::revoked(&after, certificate, reason, now)
                .into_iter()
                .collect(),
            ..Batch::default()
        })
    }

    /// Whether a CA has to be told of a revocation. One that is not configured any more is told when it is again.
    fn must_be_told(&self, enrollment: &Enrollment) -> bool {
        let power = self
            .backend_for(enrollment)
            .map(|backend| backend.capabilities().revocation);
        !matches!(
            power,
            Ok(RevocationPower::FromStore | RevocationPower::Impossible)
        )
    }

    /// The end of the claim on a certificate, unless the claim leads to a newer one already.
    pub(super) async fn ending_claim(
        &self,
        enrollment: &Enrollment,
        now: Timestamp,
    ) -> Result<Option<Claim>, Error> {
        let Some(ended) = claim_of(enrollment, now) else {
            return Ok(None);
        };
        let current = self.parts.store.claim(&ended.key).await?;
        Ok(current
            .filter(|current| current.enrollment == enrollment.id)
            .map(|_| ended))
    }

    /// A key reported as compromised by its holder, or by who had it certified, is not certified again. Several
    /// certificates may have it: the first report says it for all.
    async fn key_report(&self, enrollment: &Enrollment, saying: Saying) -> Result<Option<Record>, Error> {
        let Some(key) = enrollment.public_key().map(PublicKey::fingerprint) else {
            return Ok(None);
        };
        let report = self.ledger.history(key_report_stream(&key)).await?;
        if verify::is_compromised(&report, &key) {
            return Ok(None);
        }
        let event = Event::KeyReport(KeyReportEvent::Compromised {
            key,
            enrollment: enrollment.id,
        });
        self.ledger.record(report.next(), saying, &[event]).map(Some)
    }

    fn report_revoked(&self, enrollment: &Enrollment, certificate: &Certificate, reason: RevocationReason) {
        self.parts.metrics.revoked();
        tracing::info!(enrollment.id = %enrollment.id, serial = %certificate.serial(),
                       reason = reason.as_str(), "certificate revoked");
        self.parts.wakeups.wake(WakeKey::Status);
        self.parts.wakeups.wake(WakeKey::Tasks);
    }
}

/// Who has only proven the names knows nothing of the key. What is on hold may be revoked as if it were good. A second
/// revocation may only change the reason to `keyCompromise`, and only by the key itself.
fn check(enrollment: &Enrollment, (reason, right): (RevocationReason, Right)) -> Result<(), Refusal> {
    const COMPROMISE: RevocationReason = RevocationReason::KeyCompromise;
    let for_good = enrollment
        .revoked()
        .filter(|(reason, _)| *reason != RevocationReason::CertificateHold);
    match for_good {
        None if right == Right::Names && reason == COMPROMISE => Err(Refusal::RevocationReason),
        None => Ok(()),
        Some((earlier, _)) if right == Right::Key && reason == COMPROMISE && earlier != COMPROMISE => Ok(()),
        Some(_) => Err(Refusal::AlreadyRevoked),
    }
}
