//! Background work: what the task table says is due.

use portreeve_pkix::{Certificate, Timestamp};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::LEASE;
use super::deadline::asked;
use super::drive::Asked;
use super::settle::QUARANTINE_REASON;
use crate::domain::{Enrollment, EnrollmentId, Incident, IncidentKind, StreamId, StreamKind};
use crate::error::Error;
use crate::ports::{DamagedTask, RevokeOrder, RevokeOutcome, TaskKind, TaskLease, WakeKey};
use crate::steps::verify::Tampered;

/// Enrollments one node works on at a time, besides those with a client waiting.
const IN_FLIGHT_MAX: usize = 64;

/// How soon a CA that defers a revocation is asked again.
const REVOKE_AGAIN: Duration = Duration::from_secs(60);

/// One piece of work under way, however it ends.
struct InFlight(Arc<RegistrationAuthority>);

impl InFlight {
    fn new(authority: &Arc<RegistrationAuthority>) -> Self {
        authority.in_flight.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(authority))
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.in_flight.fetch_sub(1, Ordering::Relaxed);
    }
}

impl RegistrationAuthority {
    /// Starts the work that is due, spawned. Returns how long until more is due; `None` when nothing is waiting.
    pub async fn work(self: &Arc<Self>) -> Result<Option<Duration>, Error> {
        let room = IN_FLIGHT_MAX.saturating_sub(self.in_flight.load(Ordering::Relaxed));
        let limit = u32::try_from(room).unwrap_or(0);
        if limit > 0 {
            let claimed = self.parts.tasks.claim_due(self.parts.node, LEASE, limit).await?;
            for task in &claimed.damaged {
                self.raise_damaged(task).await;
            }
            for lease in claimed.leases {
                let work = InFlight::new(self);
                self.parts
                    .spawn
                    .spawn(Box::pin(async move { work.0.work_on(lease).await }));
            }
        }
        Ok(self.parts.tasks.next_due().await?.map(|next| next.wait()))
    }

    /// A row that says nothing that can be done was written by somebody else, or damaged. Nobody works on it.
    async fn raise_damaged(&self, task: &DamagedTask) {
        let DamagedTask { id, reason } = task;
        let name: String = id.iter().map(|octet| format!("{octet:02x}")).collect();
        let subject = StreamId::derived(StreamKind::Document, &[b"task", id]);
        let detail = format!("row {name} of the task table cannot be used: {reason}; remove it");
        let what = IncidentKind::Tampered;
        self.ledger
            .raise(Incident {
                what,
                subject,
                detail,
            })
            .await;
    }

    async fn work_on(self: &Arc<Self>, lease: TaskLease) {
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
    }

    async fn resume_enrollment(self: &Arc<Self>, lease: &TaskLease) -> Result<(), Error> {
        let id = EnrollmentId::from_bytes(lease.subject.id);
        match self.load_enrollment(id).await? {
            Some(enrollment) => self.drive(enrollment, lease, Asked::Perhaps).await.map(drop),
            None => {
                let tampered = Tampered("task leads to no enrollment");
                let error = self.ledger.tampered(lease.subject, tampered).await;
                self.complete(lease).await?;
                Err(error)
            }
        }
    }

    /// Tells a CA to revoke. The task only says that there may be something to revoke: what it is, the enrollment's own
    /// events say.
    async fn revoke_at_ca(self: &Arc<Self>, lease: &TaskLease) -> Result<(), Error> {
        let id = EnrollmentId::from_bytes(lease.subject.id);
        let enrollment = self.load_enrollment(id).await?;
        let enrollment = enrollment.as_ref().map(|enrollment| enrollment.value());
        let Some((enrollment, order)) = enrollment.and_then(|it| Some((it, to_revoke(it, self.now())?)))
        else {
            return self.complete(lease).await;
        };
        if self.is_of_another(&order.certificate, lease.subject).await? {
            tracing::error!(enrollment.id = %id, serial = %order.certificate.serial(),
                            "not revoked: the serial number is that of another enrollment");
            return self.complete(lease).await;
        }
        let backend = self.backend_for(enrollment)?;
        match asked(self.parts.clock.as_ref(), backend.revoke(&order)).await? {
            RevokeOutcome::Done | RevokeOutcome::Already => self.complete(lease).await,
            RevokeOutcome::Deferred => self.retry_after(lease, REVOKE_AGAIN).await,
        }
    }
}

/// What there is to revoke: a certificate that was revoked here, or one that failed acceptance.
fn to_revoke(enrollment: &Enrollment, now: Timestamp) -> Option<RevokeOrder> {
    let (der, reason, at) = match enrollment.revoked() {
        Some((reason, at)) => (enrollment.certificate()?.0, reason, at),
        None => (enrollment.quarantined()?, QUARANTINE_REASON, now),
    };
    let certificate = Certificate::from_der(der).ok()?;
    Some(RevokeOrder {
        certificate,
        reason,
        at,
    })
}
