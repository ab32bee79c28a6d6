//! Background work: what the task table says is due.

use portreeve_pkix::Certificate;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::LEASE;
use super::drive::Asked;
use crate::domain::{EnrollmentId, EnrollmentState, RevocationReason, StreamKind};
use crate::error::Error;
use crate::ports::{RevokeOrder, RevokeOutcome, TaskChange, TaskKind, TaskLease, WakeKey};

/// Enrollments one node works on at a time, besides those with a client waiting.
const IN_FLIGHT_MAX: usize = 64;

/// How soon a CA that defers a revocation is asked again.
const REVOKE_AGAIN: Duration = Duration::from_secs(60);

impl RegistrationAuthority {
    /// Starts the work that is due, spawned. Returns how long until more is due; `None` when nothing is waiting.
    pub async fn work(self: &Arc<Self>) -> Result<Option<Duration>, Error> {
        let room = IN_FLIGHT_MAX.saturating_sub(self.in_flight.load(Ordering::Relaxed));
        let limit = u32::try_from(room).unwrap_or(0);
        if limit > 0 {
            for lease in self.parts.tasks.claim_due(self.parts.node, LEASE, limit).await? {
                self.in_flight.fetch_add(1, Ordering::Relaxed);
                let this = Arc::clone(self);
                self.parts
                    .spawn
                    .spawn(Box::pin(async move { this.work_on(lease).await }));
            }
        }
        let now = self.now();
        Ok(self.parts.tasks.next_due().await?.map(|due| due.since(now)))
    }

    async fn work_on(self: Arc<Self>, lease: TaskLease) {
        let result = match lease.kind {
            TaskKind::Enrollment => self.resume_enrollment(&lease).await,
            TaskKind::Revoke => self.revoke_at_ca(&lease).await,
        };
        if let Err(error) = result {
            self.postpone(&lease, &error).await;
        }
        if lease.subject.kind == StreamKind::Enrollment {
            let id = EnrollmentId::from_bytes(lease.subject.id);
            self.parts.wakeups.wake(WakeKey::Enrollment(id));
        }
        self.in_flight.fetch_sub(1, Ordering::Relaxed);
    }

    async fn resume_enrollment(self: &Arc<Self>, lease: &TaskLease) -> Result<(), Error> {
        match self
            .load_enrollment(EnrollmentId::from_bytes(lease.subject.id))
            .await?
        {
            Some(enrollment) => self.drive(enrollment, lease, Asked::Perhaps).await.map(drop),
            None => {
                let tampered = crate::steps::verify::Tampered("task leads to no enrollment");
                let error = self.ledger.tampered(lease.subject, tampered).await;
                self.change_task(TaskChange::Complete {
                    id: lease.id,
                    fence: lease.fence,
                })
                .await?;
                Err(error)
            }
        }
    }

    /// Tells a CA to revoke: what was revoked here, or what failed acceptance.
    async fn revoke_at_ca(self: &Arc<Self>, lease: &TaskLease) -> Result<(), Error> {
        let done = TaskChange::Complete {
            id: lease.id,
            fence: lease.fence,
        };
        let Some(enrollment) = self
            .load_enrollment(EnrollmentId::from_bytes(lease.subject.id))
            .await?
        else {
            return self.change_task(done).await;
        };
        let enrollment = enrollment.into_value();
        let der = match enrollment.state() {
            Some(EnrollmentState::Quarantined) => enrollment.quarantined().map(<[u8]>::to_vec),
            _ => enrollment
                .certificate()
                .map(|(certificate, _)| certificate.to_vec()),
        };
        let Some(certificate) = der.and_then(|der| Certificate::from_der(&der).ok()) else {
            return self.change_task(done).await;
        };
        let reason = enrollment
            .revoked()
            .map_or(RevocationReason::Superseded, |(reason, _)| reason);
        let order = RevokeOrder {
            certificate,
            reason,
            at: self.now(),
        };
        let outcome = self.backend_for(&enrollment)?.revoke(&order).await;
        match outcome.map_err(|error| Error::Internal(crate::error::InternalError::Backend(error)))? {
            RevokeOutcome::Done | RevokeOutcome::Already => self.change_task(done).await,
            RevokeOutcome::Deferred => {
                let due = self.now().saturating_add(REVOKE_AGAIN);
                self.change_task(TaskChange::RetryAt {
                    id: lease.id,
                    fence: lease.fence,
                    due,
                })
                .await
            }
        }
    }
}
