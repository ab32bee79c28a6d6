//! `revoke`: by the requester that owns a certificate, by its key, or by one that has proven all its names.

use portreeve_pkix::{Certificate, GeneralName, Identifier, PublicKey, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::begin::{run, serial_key};
use super::rows;
use super::settle::claim_of;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Claim, Command, Credential, Enrollment, Event, KeyReportEvent, Purpose, Record, Refusal,
    RevocationReason, RevocationRequest, RevocationTarget, StreamId, StreamKind, key_report_stream,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Batch, CommitError, Conflict, RevocationPower, Space, WakeKey};
use crate::steps::admit::{admit_account, identify};
use crate::steps::{Verified, verify};

/// By what right a revocation is asked for.
#[derive(Copy, Clone, PartialEq, Eq)]
enum Right {
    /// The requester asked for the certificate.
    Owner,
    /// The request is signed by the certificate's key.
    Key,
    /// The requester has proven every name in it.
    Names,
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
        let mut turn = 0;
        loop {
            let enrollment = self.enrollment_of(&certificate).await?;
            let right = self.right(&request, enrollment.value(), &certificate).await?;
            check(enrollment.value(), (request.reason, right))?;
            let batch = self
                .revocation(&enrollment, &certificate, (&request, right))
                .await?;
            match self.parts.store.commit(batch).await {
                Ok(()) => {
                    self.report_revoked(enrollment.value(), &certificate, request.reason);
                    return Ok(());
                }
                // Somebody confirmed or revoked it, renewed under its claim, or reported its key meanwhile.
                Err(CommitError::Conflict(Conflict::Stream(_) | Conflict::Claim(_))) if may_race(turn) => {
                    turn += 1;
                }
                Err(error) => {
                    return Err(commit_error(error, StreamId::enrollment(enrollment.value().id)));
                }
            }
        }
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
            Credential::Key(_) => return Err(Refusal::NotAuthorized.into()),
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
        if live.iter().all(Option::is_some) {
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
        (request, right): (&RevocationRequest, Right),
    ) -> Result<Batch, Error> {
        let (now, this) = (self.now(), enrollment.value());
        let (after, events) = run(this.clone(), [Command::Revoke(request.reason)], now)?;
        let actor = Actor::Requester(identify(&request.credential));
        let reason = request.reason.as_str();
        let saying = Saying::new(Purpose::Worker, actor, request.origin.clone(), reason);
        let tasks = self.must_be_told(this).then(|| self.revoke_task(this.id));
        let report = match request.reason {
            RevocationReason::KeyCompromise if right != Right::Names => {
                self.key_report(&after, saying.clone()).await?
            }
            _ => None,
        };
        let revoked = self.ledger.record(enrollment.next(), saying, &events)?;
        Ok(Batch {
            records: std::iter::once(revoked).chain(report).collect(),
            tasks: tasks.into_iter().collect(),
            documents: request.alongside.documents.clone(),
            spends: request.alongside.spends.clone(),
            claims: self.ending_claim(&after, now).await?.into_iter().collect(),
            projections: rows::revoked(&after, certificate, request.reason, now)
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
    async fn ending_claim(&self, enrollment: &Enrollment, now: Timestamp) -> Result<Option<Claim>, Error> {
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

/// Who has only proven the names knows nothing of the key. A second revocation may only change the reason to
/// `keyCompromise`, and only by the key itself.
fn check(enrollment: &Enrollment, (reason, right): (RevocationReason, Right)) -> Result<(), Refusal> {
    const COMPROMISE: RevocationReason = RevocationReason::KeyCompromise;
    match enrollment.revoked() {
        None if right == Right::Names && reason == COMPROMISE => Err(Refusal::RevocationReason),
        None => Ok(()),
        Some((earlier, _)) if right == Right::Key && reason == COMPROMISE && earlier != COMPROMISE => Ok(()),
        Some(_) => Err(Refusal::AlreadyRevoked),
    }
}
