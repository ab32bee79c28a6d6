//! Requests that were made before: what their claim leads to.

use super::RegistrationAuthority;
use super::caller::Caller;
use super::judge::Scene;
use super::standing::{being_made, disposition};
use super::waiting::is_moving;
use portreeve_pkix::Certificate;

use crate::domain::{
    Claim, Disposition, Enrollment, EnrollmentId, EnrollmentRequest, EnrollmentState, Operation, Refusal,
    SecretId,
};
use crate::error::Error;

/// What was asked before in the same words, and is asked anew: nobody but who made a key can deliver it.
#[derive(Clone, Debug)]
pub(super) struct Earlier {
    /// The secret that it was asked with, when that is good for asking again: while nothing came of it, or what came of it may
    /// not have arrived. A certificate that was revoked, is on hold, or is in use has used the secret up.
    pub(super) secret: Option<SecretId>,
    /// Its certificate, when that is good and its key may not have reached whom it is for.
    pub(super) undelivered: Option<EnrollmentId>,
}

/// What a claim leads to.
pub(super) enum Before {
    /// This is the answer.
    Answer(Disposition),
    /// The way is free.
    Free(Option<Earlier>),
}

impl RegistrationAuthority {
    /// What the claim leads to, if it is known: the answer to a retry. `raced` says that somebody filed the same claim while this
    /// request was judged.
    pub(super) async fn known(
        &self,
        (caller, digest): (&Caller, [u8; 32]),
        request: &EnrollmentRequest,
        (claim, scene, raced): (Option<Claim>, &Scene, bool),
    ) -> Result<Before, Error> {
        match claim {
            Some(claim) => {
                Box::pin(self.claimed_before((caller, digest), request, (claim, scene, raced))).await
            }
            None => Ok(Before::Free(None)),
        }
    }

    async fn claimed_before(
        &self,
        (caller, digest): (&Caller, [u8; 32]),
        request: &EnrollmentRequest,
        (claim, scene, raced): (Claim, &Scene, bool),
    ) -> Result<Before, Error> {
        let makes_key = request.operation == Operation::GenerateKey;
        let live = |claim: &Claim| claim.until > self.now();
        if !makes_key && !live(&claim) {
            return self.ended((caller, digest), request, (&claim, scene)).await;
        }
        let (admitted, endpoint) = self.admit_returning((&request.credential, caller), scene).await?;
        caller.accepted_at(&endpoint)?;
        if claim.requester != *admitted.requester() {
            return Err(Refusal::NotAuthorized.into());
        }
        if claim.digest != digest {
            return Err(Refusal::ClaimConflict.into());
        }
        let mut enrollment = match self.behind(&claim).await {
            Err(Error::Refused(Refusal::UnknownRequest)) if makes_key => return Ok(Before::Free(None)),
            other => other?,
        };
        self.spent_for(caller, enrollment.value())?;
        let moving = is_moving(enrollment.value());
        if moving {
            enrollment = self.settled(claim.enrollment, endpoint.inline_wait).await?;
        }
        let this = enrollment.value();
        if makes_key && !answers(this, live(&claim)) {
            let undelivered = self.undelivered(this);
            // Whoever asked at the same time is being given it now.
            if undelivered.is_some() && (moving || raced) {
                return Ok(Before::Answer(being_made(this, endpoint.retry_after)));
            }
            let is_open = undelivered.is_some() || came_to_nothing(this);
            let secret = this.asked().and_then(|asked| asked.secret);
            return Ok(Before::Free(Some(Earlier {
                secret: secret.filter(|_| is_open),
                undelivered,
            })));
        }
        disposition(this, endpoint.retry_after).map(Before::Answer)
    }

    /// What is answered after a claim has ended. Who may ask anew does; who has used up a secret for a request that came to
    /// nothing is told what became of it, and not only that the secret is no good any more.
    async fn ended(
        &self,
        (caller, digest): (&Caller, [u8; 32]),
        request: &EnrollmentRequest,
        (claim, scene): (&Claim, &Scene),
    ) -> Result<Before, Error> {
        let same = claim.requester == caller.requester && claim.digest == digest;
        if !same || caller.spent(self.now()).is_none() {
            return Ok(Before::Free(None));
        }
        let (_, endpoint) = self.admit_returning((&request.credential, caller), scene).await?;
        caller.accepted_at(&endpoint)?;
        let enrollment = match self.behind(claim).await {
            Err(Error::Refused(Refusal::UnknownRequest)) => return Ok(Before::Free(None)),
            other => other?,
        };
        let this = enrollment.value();
        if self.spent_for(caller, this).is_err() || !came_to_nothing(this) {
            return Ok(Before::Free(None));
        }
        disposition(this, endpoint.retry_after).map(Before::Answer)
    }

    /// A certificate whose key was made here and may have been lost on its way: until it is time to renew it, whoever asks for
    /// the same again has not received it.
    fn undelivered(&self, enrollment: &Enrollment) -> Option<EnrollmentId> {
        let (der, _) = enrollment.certificate()?;
        let certificate = Certificate::from_der(der).ok()?;
        let application = enrollment.application()?;
        let in_use = self.now() >= application.shown.window.claim_ends(&certificate);
        (!in_use && enrollment.revoked().is_none()).then_some(enrollment.id)
    }
}

/// Whether a request ended without a certificate.
fn came_to_nothing(enrollment: &Enrollment) -> bool {
    use EnrollmentState as S;
    matches!(enrollment.state(), Some(S::Refused | S::Failed | S::Expired))
}

/// Whether a request for a key that is made here is answered by what became of the same request before: people think about
/// it, or have said no, or nobody knows. A certificate is no answer, since its key is gone.
fn answers(enrollment: &Enrollment, live: bool) -> bool {
    use EnrollmentState as S;
    match enrollment.state() {
        Some(
            S::Submitted
            | S::Received
            | S::AwaitingApproval
            | S::Approved
            | S::Issuing
            | S::InDoubt
            | S::Quarantined,
        ) => true,
        Some(S::Refused) => live,
        None | Some(S::Issued | S::Confirmed | S::Failed | S::Expired | S::Erased) => false,
    }
}
