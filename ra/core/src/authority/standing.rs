//! Where an enrollment stands, as its client may know it.

use portreeve_pkix::Certificate;
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use crate::accounts::commit_error;
use crate::domain::{
    Claim, ClaimHandle, ClaimKey, Command, Credential, Disposition, EndpointName, Enrollment,
    EnrollmentState, Event, Issuance, Operation, Origin, Purpose, Refusal, StreamId, Waiting,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::ports::Batch;
use crate::steps::{Verified, admit, verify};

/// When a client returns whose certificate is being made right now.
const SOON: Duration = Duration::from_secs(1);

/// When a client returns that waits for people.
const LATER: Duration = Duration::from_secs(3);

impl RegistrationAuthority {
    /// Where the enrollment under this handle stands. Changes nothing and never waits. A handle that is unknown
    /// and one of somebody else are refused alike.
    pub async fn resume(
        self: &Arc<Self>,
        endpoint: &EndpointName,
        operation: Operation,
        handle: &ClaimHandle,
        credential: &Credential,
    ) -> Result<Disposition, Error> {
        let key = ClaimKey::new(endpoint, operation, handle);
        let enrollment = self.claimed(&key, credential).await?;
        disposition(enrollment.value())
    }

    /// Records that the client has its certificate. Doing so twice is one event.
    pub async fn confirm(
        self: &Arc<Self>,
        endpoint: &EndpointName,
        operation: Operation,
        handle: &ClaimHandle,
        credential: &Credential,
    ) -> Result<(), Error> {
        let key = ClaimKey::new(endpoint, operation, handle);
        let enrollment = self.claimed(&key, credential).await?;
        if enrollment.value().state() == Some(EnrollmentState::Confirmed) {
            return Ok(());
        }
        let event = Event::Enrollment(enrollment.value().decide(Command::Confirm)?);
        let actor = crate::domain::Actor::Requester(admit::identify(credential));
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, actor, origin, "client confirmed");
        let record = self.ledger.record(enrollment.next(), saying, &[event])?;
        let batch = Batch {
            records: vec![record],
            ..Batch::default()
        };
        let stream = StreamId::enrollment(enrollment.value().id);
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| commit_error(error, stream))
    }

    async fn claimed(&self, key: &ClaimKey, credential: &Credential) -> Result<Verified<Enrollment>, Error> {
        let requester = admit::identify(credential);
        match self.parts.store.claim(key).await? {
            Some(claim) if claim.requester == requester => self.behind(&claim).await,
            _ => Err(Refusal::UnknownRequest.into()),
        }
    }

    /// The enrollment a claim leads to. Its own events must name the same claim and requester.
    pub(super) async fn behind(&self, claim: &Claim) -> Result<Verified<Enrollment>, Error> {
        let stream = StreamId::enrollment(claim.enrollment);
        let enrollment = self.load_enrollment(claim.enrollment).await?;
        let agrees = enrollment
            .as_ref()
            .and_then(|enrollment| enrollment.value().application())
            .is_some_and(|application| {
                application.claim == claim.key && application.requester == claim.requester
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

/// What the client of an enrollment may know.
pub(super) fn disposition(enrollment: &Enrollment) -> Result<Disposition, Error> {
    use EnrollmentState as S;
    let pending = |waiting, retry_after| {
        Ok(Disposition::Pending {
            enrollment: enrollment.id,
            retry_after,
            waiting,
        })
    };
    match enrollment.state() {
        None => Err(Refusal::UnknownRequest.into()),
        Some(S::Received | S::Approved | S::Issuing) => pending(Waiting::Issuance, SOON),
        Some(S::AwaitingApproval) => pending(Waiting::Approval, LATER),
        Some(S::InDoubt | S::Quarantined) => pending(Waiting::Operator, LATER),
        Some(S::Issued | S::Confirmed) => Ok(Disposition::Issued(Box::new(issuance(enrollment)?))),
        Some(S::Refused | S::Failed | S::Expired) => Ok(Disposition::Refused(
            enrollment.refusal().cloned().unwrap_or(Refusal::NotIssued),
        )),
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
