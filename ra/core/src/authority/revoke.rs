//! `revoke`: by the requester that owns a certificate, by its key, or by one that has proven all its names.

use portreeve_pkix::{Certificate, GeneralName, Identifier};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::begin::{run, serial_key};
use super::rows;
use super::settle::claim_of;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Command, Credential, Enrollment, EnrollmentId, Event, Purpose, Refusal, Requester,
    RevocationReason, RevocationRequest, RevocationTarget, StreamId, StreamKind,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Batch, NewTask, Projection, Reservation, RevocationPower, Space, TaskKind, WakeKey};
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
        let enrollment = self.enrollment_of(&certificate).await?;
        let right = self.right(&request, enrollment.value(), &certificate).await?;
        check_state(enrollment.value(), (request.reason, right))?;
        self.record_revocation(enrollment, &certificate, (request, right))
            .await
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
        let verified = self.accounts.load(account).await?;
        admit_account(&request.credential, verified.as_ref(), &request.endpoint)?;
        let requester = Requester::Account(account);
        if enrollment
            .application()
            .is_some_and(|application| application.requester == requester)
        {
            return Ok(Right::Owner);
        }
        let names: Option<Vec<Identifier>> =
            certificate.names().iter().map(GeneralName::identifier).collect();
        let names = names
            .filter(|names| !names.is_empty())
            .ok_or(Refusal::NotAuthorized)?;
        let live = self.proofs.live(&requester, &names).await?;
        if live.iter().all(Option::is_some) {
            Ok(Right::Names)
        } else {
            Err(Refusal::NotAuthorized.into())
        }
    }

    async fn record_revocation(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        certificate: &Certificate,
        (request, right): (RevocationRequest, Right),
    ) -> Result<(), Error> {
        let now = self.now();
        let id = enrollment.value().id;
        let stream = StreamId::enrollment(id);
        let command = Command::Revoke(request.reason);
        let (after, events): (Enrollment, Vec<Event>) = run(enrollment.value().clone(), [command], now)?;
        let actor = Actor::Requester(identify(&request.credential));
        let saying = Saying::new(Purpose::Worker, actor, request.origin, request.reason.as_str());
        let backend = self.backend_for(enrollment.value())?;
        let must_be_told = backend.capabilities().revocation == RevocationPower::MustBeTold;
        let revoked: Option<Projection> = rows::revoked(&after, certificate, request.reason, now);
        let batch = Batch {
            records: vec![self.ledger.record(enrollment.next(), saying, &events)?],
            tasks: if must_be_told {
                vec![self.revoke_task(id)]
            } else {
                Vec::new()
            },
            documents: request.alongside.documents,
            spends: request.alongside.spends,
            claims: claim_of(&after, now).into_iter().collect(),
            reservations: blocked_key(&after, (request.reason, right), stream),
            projections: revoked.into_iter().collect(),
            ..Batch::default()
        };
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| commit_error(error, stream))?;
        self.parts.metrics.revoked();
        tracing::info!(enrollment.id = %id, serial = %certificate.serial(), reason = request.reason.as_str(),
                       "certificate revoked");
        self.parts.wakeups.wake(WakeKey::Status);
        if must_be_told {
            self.parts.wakeups.wake(WakeKey::Tasks);
        }
        Ok(())
    }

    fn revoke_task(&self, id: EnrollmentId) -> NewTask {
        NewTask {
            kind: TaskKind::Revoke,
            ..self.task(StreamId::enrollment(id), self.now(), None)
        }
    }
}

/// A second revocation may only change the reason to `keyCompromise`, and only by the key itself.
fn check_state(enrollment: &Enrollment, (reason, right): (RevocationReason, Right)) -> Result<(), Refusal> {
    match enrollment.revoked() {
        None => Ok(()),
        Some((earlier, _))
            if right == Right::Key
                && reason == RevocationReason::KeyCompromise
                && earlier != RevocationReason::KeyCompromise =>
        {
            Ok(())
        }
        Some(_) => Err(Refusal::AlreadyRevoked),
    }
}

/// A key reported as compromised by its holder or by who had it certified is not certified again.
fn blocked_key(
    enrollment: &Enrollment,
    (reason, right): (RevocationReason, Right),
    stream: StreamId,
) -> Vec<Reservation> {
    if reason != RevocationReason::KeyCompromise || right == Right::Names {
        return Vec::new();
    }
    let key = enrollment
        .public_key()
        .map(portreeve_pkix::PublicKey::fingerprint);
    key.into_iter()
        .map(|key| Reservation::Take {
            space: Space::BlockedKey,
            key,
            stream,
        })
        .collect()
}
