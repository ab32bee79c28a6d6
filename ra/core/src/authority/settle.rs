//! What a backend's answer leads to.

use portreeve_pkix::{Certificate, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::{run, serial_key};
use super::rows;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Claim, Command, Enrollment, EnrollmentState, Incident, IncidentKind, Origin, Purpose, Refusal,
    StreamId,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{
    Batch, IssueOutcome, IssuedCertificate, NewTask, Reservation, Space, TaskChange, TaskKind, TaskLease,
    WakeKey,
};
use crate::steps::{Verified, accept};

/// How soon an order that got no answer is reconciled.
const RECONCILE_AFTER: Duration = Duration::from_secs(1);

/// Where a step left an enrollment.
pub(super) enum Settled {
    /// There is more to do now; the backend may know the intent.
    GoOn(Verified<Enrollment>),
    /// There is more to do now; the intent is new.
    Fresh(Verified<Enrollment>),
    /// There is nothing more to do now.
    Stop(Verified<Enrollment>),
}

impl RegistrationAuthority {
    pub(super) async fn answered(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        outcome: IssueOutcome,
    ) -> Result<Settled, Error> {
        match outcome {
            IssueOutcome::Issued(issued) => self.received(enrollment, lease, issued).await,
            IssueOutcome::Deferred { handle, retry_after } => {
                let enrollment = self.keep_handle(enrollment, handle).await?;
                self.wait(lease, retry_after).await?;
                Ok(Settled::Stop(enrollment))
            }
            IssueOutcome::Checkpoint { handle } => {
                // The handle is durable before the backend goes on; then the same order is given again.
                self.keep_handle(enrollment, handle).await.map(Settled::Fresh)
            }
            IssueOutcome::Rejected { reason } => {
                tracing::warn!(enrollment.id = %enrollment.value().id, reason, "CA refused");
                self.end(enrollment, lease, Command::Refuse(Refusal::CaRejected))
                    .await
            }
            IssueOutcome::Unknown => {
                tracing::warn!(enrollment.id = %enrollment.value().id, "CA gave no answer");
                self.wait(lease, RECONCILE_AFTER).await?;
                Ok(Settled::Stop(enrollment))
            }
        }
    }

    async fn keep_handle(
        &self,
        enrollment: Verified<Enrollment>,
        handle: Vec<u8>,
    ) -> Result<Verified<Enrollment>, Error> {
        if enrollment.value().handle() == Some(handle.as_slice()) {
            return Ok(enrollment);
        }
        self.advance(enrollment, [Command::Progress(handle)], "the CA will go on")
            .await
    }

    async fn wait(&self, lease: &TaskLease, wait: Duration) -> Result<(), Error> {
        let due = self.now().saturating_add(wait);
        self.change_task(TaskChange::RetryAt {
            id: lease.id,
            fence: lease.fence,
            due,
        })
        .await?;
        self.parts.wakeups.wake(WakeKey::Tasks);
        Ok(())
    }

    /// Acceptance, then Issued or Quarantined.
    async fn received(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        issued: IssuedCertificate,
    ) -> Result<Settled, Error> {
        let backend = self.backend_for(enrollment.value())?;
        let (Some(application), Some(intent)) =
            (enrollment.value().application(), enrollment.value().intent())
        else {
            return Err(Refusal::UnknownRequest.into());
        };
        let accepted = accept::accept(
            &application.contents,
            intent,
            &issued,
            &backend.chain(),
            self.now(),
        );
        match accepted {
            Ok(accepted) => self.deliver(enrollment, lease, accepted).await,
            Err(difference) => self.quarantine(enrollment, lease, (issued, difference)).await,
        }
    }

    async fn deliver(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        accepted: accept::Accepted,
    ) -> Result<Settled, Error> {
        let accept::Accepted { certificate, chain } = accepted;
        let command = Command::Issue {
            certificate: certificate.der().to_vec(),
            chain: chain.iter().map(|issuer| issuer.der().to_vec()).collect(),
        };
        let stream = StreamId::enrollment(enrollment.value().id);
        let key = serial_key(certificate.issuer_der(), certificate.serial().as_bytes());
        let mut batch = Batch {
            reservations: vec![Reservation::Take {
                space: Space::Serial,
                key,
                stream,
            }],
            ..Batch::default()
        };
        batch
            .projections
            .extend(rows::certificate(enrollment.value(), &certificate));
        let until = Enrollment::claim_ends(&certificate);
        let settled = self.finish(enrollment, lease, (command, until), batch).await?;
        if let Settled::Stop(enrollment) = &settled {
            self.report_issued(enrollment.value(), &certificate);
        }
        Ok(settled)
    }

    fn report_issued(&self, enrollment: &Enrollment, certificate: &Certificate) {
        if enrollment.state() != Some(EnrollmentState::Issued) {
            return;
        }
        let Some(application) = enrollment.application() else {
            return;
        };
        let took = enrollment
            .received_at()
            .map_or(Duration::ZERO, |at| self.now().since(at));
        self.parts
            .metrics
            .issued(application.endpoint.as_str(), application.backend.as_str(), took);
        tracing::info!(
            enrollment.id = %enrollment.id, endpoint = %application.endpoint,
            end_entity = %application.requester, profile = %application.profile, ca = %application.backend,
            serial = %certificate.serial(), duration_ms = took.as_millis(), "certificate issued"
        );
    }

    /// Keeps a wrong certificate as evidence, raises an incident, and has the CA revoke it.
    async fn quarantine(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        (issued, difference): (IssuedCertificate, String),
    ) -> Result<Settled, Error> {
        let stream = StreamId::enrollment(enrollment.value().id);
        let what = IncidentKind::WrongCertificate;
        self.ledger
            .raise(Incident {
                what,
                subject: stream,
                detail: difference.clone(),
            })
            .await;
        let mut certificate = issued.certificate;
        certificate.truncate(64 * 1024);
        let revoke = NewTask {
            kind: TaskKind::Revoke,
            ..self.task(stream, self.now(), None)
        };
        let batch = Batch {
            tasks: vec![revoke],
            ..Batch::default()
        };
        let command = Command::Quarantine {
            certificate,
            difference,
        };
        let settled = self.finish(enrollment, lease, (command, NEVER), batch).await?;
        self.parts.wakeups.wake(WakeKey::Tasks);
        Ok(settled)
    }

    /// Ends the work on an enrollment without a certificate.
    pub(super) async fn end(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        command: Command,
    ) -> Result<Settled, Error> {
        let until = match &command {
            Command::Refuse(Refusal::Denied) => self.now().saturating_add(Enrollment::DENIAL_CLAIM),
            Command::Doubt => NEVER,
            _ => self.now(),
        };
        if let (Command::Refuse(refusal), Some(application)) = (&command, enrollment.value().application()) {
            self.parts.metrics.refused(application.endpoint.as_str(), refusal);
        }
        let settled = self
            .finish(enrollment, lease, (command, until), Batch::default())
            .await?;
        if let Settled::Stop(enrollment) = &settled {
            let state = enrollment.value().state().map_or("none", EnrollmentState::as_str);
            tracing::info!(enrollment.id = %enrollment.value().id, state, "enrollment ended");
        }
        Ok(settled)
    }

    /// Commits the last event, the end of the claim and the end of the task, under the fence of the lease.
    async fn finish(
        &self,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        (command, claim_until): (Command, Timestamp),
        batch: Batch,
    ) -> Result<Settled, Error> {
        let stream = StreamId::enrollment(enrollment.value().id);
        let (after, events) = run(enrollment.value().clone(), [command], self.now())?;
        let saying = Saying::new(Purpose::Worker, Actor::Node, Origin::node(self.parts.node), "");
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let claims = claim_of(&after, claim_until).into_iter().collect();
        let mut projections = batch.projections;
        projections.extend(rows::request(&after, self.now()));
        let batch = Batch {
            records: vec![record.clone()],
            claims,
            task_changes: vec![TaskChange::Complete {
                id: lease.id,
                fence: lease.fence,
            }],
            projections,
            ..batch
        };
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| commit_error(error, stream))?;
        Ok(Settled::Stop(enrollment.after(&record, after)))
    }
}

/// A claim that does not end by itself.
const NEVER: Timestamp = Timestamp::from_unix_seconds(253_402_300_799);

/// The claim of an enrollment with another end.
pub(super) fn claim_of(enrollment: &Enrollment, until: Timestamp) -> Option<Claim> {
    let application = enrollment.application()?;
    Some(Claim {
        key: application.claim,
        requester: application.requester.clone(),
        digest: portreeve_pkix::sha256(&application.request),
        enrollment: enrollment.id,
        until,
    })
}
