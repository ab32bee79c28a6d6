//! Where an enrollment stands, as its client may know it.

use futures_util::future::join;
use portreeve_pkix::{Certificate, sha256};
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::caller::Caller;
use super::outlook::Outlook;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Claim, ClaimHandle, ClaimKey, Command, Credential, Disposition, EndpointName, Enrollment,
    EnrollmentState, Event, Issuance, Operation, Origin, Refusal, StreamId, Waiting,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::admit::Admitted;
use crate::steps::{Verified, verify};

/// When a client returns whose certificate is being made right now, unless its endpoint wants it back sooner.
const SOON: Duration = Duration::from_secs(1);

impl RegistrationAuthority {
    /// Where the enrollment under this handle stands. Changes nothing and never waits; a wrong secret is counted against
    /// where it comes from. A handle that is unknown and one of somebody else are refused alike.
    pub async fn resume(
        self: &Arc<Self>,
        endpoint: &EndpointName,
        operation: Operation,
        handle: &ClaimHandle,
        (credential, origin): (&Credential, &Origin),
    ) -> Result<Disposition, Error> {
        let key = ClaimKey::new(endpoint, operation, handle);
        let outlook = Outlook::default();
        let at = (endpoint, operation);
        let caller = self.caller(credential, at, origin, &outlook).await?;
        let who = (&caller.requester, None, caller.holder.as_ref());
        let (claim, scene) = join(self.parts.store.claim(&key), self.scene(who, endpoint, &outlook)).await;
        let (admitted, found) = self.admit_returning((credential, &caller), &scene?).await?;
        let enrollment = self.claimed(claim?, &admitted).await?;
        self.spent_for(&caller, enrollment.value())?;
        disposition(enrollment.value(), found.retry_after)
    }

    /// Records that the client has its certificate. Doing so twice is one event; before there is a certificate it is
    /// refused.
    pub async fn confirm(
        self: &Arc<Self>,
        endpoint: &EndpointName,
        operation: Operation,
        handle: &ClaimHandle,
        (credential, origin): (&Credential, &Origin),
    ) -> Result<(), Error> {
        let outlook = Outlook::default();
        let at = (endpoint, operation);
        let caller = self.caller(credential, at, origin, &outlook).await?;
        let who = (&caller.requester, None, caller.holder.as_ref());
        let scene = self.scene(who, endpoint, &outlook).await?;
        let (admitted, _) = self.admit_returning((credential, &caller), &scene).await?;
        let key = ClaimKey::new(endpoint, operation, handle);
        let mut turn = 0;
        loop {
            let claim = self.parts.store.claim(&key).await?;
            let enrollment = self.claimed(claim, &admitted).await?;
            self.spent_for(&caller, enrollment.value())?;
            match enrollment.value().state() {
                Some(EnrollmentState::Confirmed) => return Ok(()),
                Some(EnrollmentState::Issued) => {}
                _ => return Err(Refusal::UnknownRequest.into()),
            }
            let event = Event::Enrollment(enrollment.value().decide(Command::Confirm)?);
            let actor = Actor::Requester(admitted.requester().clone());
            let saying = Saying::new(
                self.parts.roles.voice(),
                actor,
                origin.clone(),
                "client confirmed",
            );
            let batch = Batch {
                records: vec![self.ledger.record(enrollment.next(), saying, &[event])?],
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => {
                    return Err(commit_error(error, StreamId::enrollment(enrollment.value().id)));
                }
            }
        }
    }

    /// A secret that is spent leads to what it was spent for, so that a lost answer can be fetched, and to nothing else of
    /// its registration.
    pub(super) fn spent_for(&self, caller: &Caller, enrollment: &Enrollment) -> Result<(), Refusal> {
        match caller.spent(self.now()) {
            Some(spent) if enrollment.asked().and_then(|asked| asked.secret) != Some(spent) => {
                Err(Refusal::NotAuthorized)
            }
            _ => Ok(()),
        }
    }

    async fn claimed(
        &self,
        claim: Option<Claim>,
        admitted: &Admitted,
    ) -> Result<Verified<Enrollment>, Error> {
        match claim {
            Some(claim) if claim.requester == *admitted.requester() => self.behind(&claim).await,
            _ => Err(Refusal::UnknownRequest.into()),
        }
    }

    /// The enrollment a claim leads to. Its own events must name the same claim, requester and request.
    pub(super) async fn behind(&self, claim: &Claim) -> Result<Verified<Enrollment>, Error> {
        let stream = StreamId::enrollment(claim.enrollment);
        let enrollment = self.load_enrollment(claim.enrollment).await?;
        if let Some(erased) = &enrollment
            && erased.value().state() == Some(EnrollmentState::Erased)
        {
            return Err(Refusal::UnknownRequest.into());
        }
        let agrees = enrollment
            .as_ref()
            .and_then(|enrollment| enrollment.value().asked())
            .is_some_and(|asked| {
                asked.claim == claim.key
                    && *asked.requester == claim.requester
                    && sha256(asked.request) == claim.digest
            });
        match enrollment {
            Some(enrollment) if agrees => Ok(enrollment),
            _ => Err(self
                .ledger
                .tampered(stream, verify::Tampered("claim leads elsewhere"))
                .await),
        }
    }
}

/// What the client of an enrollment may know, and when its endpoint wants it back.
pub(super) fn disposition(enrollment: &Enrollment, later: Duration) -> Result<Disposition, Error> {
    use EnrollmentState as S;
    let pending = |waiting, retry_after| {
        Ok(Disposition::Pending {
            enrollment: enrollment.id,
            retry_after,
            waiting,
        })
    };
    match enrollment.state() {
        None | Some(S::Erased) => Err(Refusal::UnknownRequest.into()),
        Some(S::Submitted | S::Received | S::Approved | S::Issuing) => Ok(being_made(enrollment, later)),
        Some(S::AwaitingApproval) => pending(Waiting::Approval, later),
        Some(S::InDoubt | S::Quarantined) => pending(Waiting::Operator, later),
        Some(S::Issued | S::Confirmed) => Ok(Disposition::Issued(Box::new(issuance(enrollment)?))),
        Some(S::Refused | S::Failed | S::Expired) => Ok(Disposition::Refused(
            enrollment.refusal().cloned().unwrap_or(Refusal::NotIssued),
        )),
    }
}

/// What a client is told that is to come back in a moment.
pub(super) fn being_made(enrollment: &Enrollment, later: Duration) -> Disposition {
    Disposition::Pending {
        enrollment: enrollment.id,
        retry_after: SOON.min(later),
        waiting: Waiting::Issuance,
    }
}

fn issuance(enrollment: &Enrollment) -> Result<Issuance, Error> {
    let unreadable = || {
        let stream = StreamId::enrollment(enrollment.id);
        Error::Internal(InternalError::Tampered {
            stream,
            reason: "certificate does not decode",
        })
    };
    let (certificate, chain) = enrollment.certificate().ok_or_else(unreadable)?;
    let decode = |der: &[u8]| Certificate::from_der(der).map_err(|_| unreadable());
    Ok(Issuance {
        enrollment: enrollment.id,
        certificate: decode(certificate)?,
        chain: chain.iter().map(|der| decode(der)).collect::<Result<_, _>>()?,
        revoked_at: enrollment.revoked().map(|(_, at)| at),
    })
}
