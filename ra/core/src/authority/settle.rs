//! What a backend's answer leads to.

use portreeve_pkix::{Certificate, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::{NEVER, run, serial_key, serial_of};
use super::rows;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Claim, Command, Enrollment, EnrollmentState, Incident, IncidentKind, Issuance, Origin, Purpose,
    Refusal, RevocationReason, StreamId,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{
    Batch, IssueOutcome, IssuedCertificate, NewTask, Reservation, RevocationPower, Space, TaskChange,
    TaskKind, TaskLease, WakeKey,
};
use crate::steps::{Verified, accept};

/// How soon an order that got no answer is reconciled.
const RECONCILE_AFTER: Duration = Duration::from_secs(1);

/// How soon a CA that defers is asked again, at least and at most, whatever it says.
const DEFERRAL: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(24 * 3600));

/// How long a CA may defer in all.
const DEFERRAL_AGE_MAX: Duration = Duration::from_secs(31 * 24 * 3600);

/// Records of an enrollment after which a CA has changed its handle too often.
const RECORDS_MAX: u64 = 1_000;

/// Octets of a backend's handle, at most.
const HANDLE_MAX: usize = 64 * 1024;

/// Why a certificate is revoked that failed acceptance: another one takes its place.
pub(super) const QUARANTINE_REASON: RevocationReason = RevocationReason::Superseded;

/// Where a step left an enrollment.
pub(super) enum Settled {
    /// There is more to do now, and the backend does not know of it.
    GoOn(Verified<Enrollment>),
    /// There is nothing more to do now.
    Stop(Verified<Enrollment>),
    /// It has this certificate, and there is nothing more to do.
    Issued(Verified<Enrollment>, Box<Issuance>),
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
                let enrollment = match self.keep_handle(enrollment, lease, handle).await? {
                    Settled::GoOn(enrollment) => enrollment,
                    settled => return Ok(settled),
                };
                self.wait(lease, retry_after.clamp(DEFERRAL.0, DEFERRAL.1))
                    .await?;
                Ok(Settled::Stop(enrollment))
            }
            // The handle is durable before the backend goes on; then the same order is given again.
            IssueOutcome::Checkpoint { handle } => self.keep_handle(enrollment, lease, handle).await,
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

    /// Keeps what the backend needs to go on, unless it goes on without an end: that is for an operator.
    async fn keep_handle(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        handle: Vec<u8>,
    ) -> Result<Settled, Error> {
        let begun = enrollment.value().intent().map(|intent| intent.prepared_at);
        let endless = if handle.len() > HANDLE_MAX {
            Some("the CA's handle is too long to be kept")
        } else if enrollment.next().position > RECORDS_MAX {
            Some("the CA changes its handle again and again")
        } else if begun.is_some_and(|begun| self.now().since(begun) > DEFERRAL_AGE_MAX) {
            Some("the CA has not decided within 31 days")
        } else {
            None
        };
        if let Some(detail) = endless {
            return self
                .doubt(enrollment, lease, (IncidentKind::InDoubt, detail))
                .await;
        }
        if enrollment.value().handle() == Some(handle.as_slice()) {
            return Ok(Settled::GoOn(enrollment));
        }
        self.advance(enrollment, [Command::Progress(handle)], "the CA will go on")
            .await
            .map(Settled::GoOn)
    }

    /// Puts the task back for this long.
    pub(super) async fn wait(&self, lease: &TaskLease, wait: Duration) -> Result<(), Error> {
        self.retry_after(lease, wait).await?;
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
        let pinned = self.backend_for(enrollment.value())?.chain();
        let (Some(application), Some(intent)) =
            (enrollment.value().application(), enrollment.value().intent())
        else {
            return Err(Refusal::UnknownRequest.into());
        };
        let accepted = match accept::accept(&application.contents, intent, &issued, &pinned, self.now()) {
            Ok(accepted) => accepted,
            Err(difference) => return self.quarantine(enrollment, lease, (issued, difference)).await,
        };
        // A serial number that was fixed with the intent was found to be free then.
        let stream = StreamId::enrollment(enrollment.value().id);
        if intent.serial().is_none() && self.is_of_another(&accepted.certificate, stream).await? {
            let detail = "the CA returned the serial number of another enrollment";
            return self
                .doubt(enrollment, lease, (IncidentKind::SerialTaken, detail))
                .await;
        }
        self.deliver(enrollment, lease, accepted).await
    }

    /// Whether a certificate has the serial number of another enrollment.
    pub(super) async fn is_of_another(
        &self,
        certificate: &Certificate,
        stream: StreamId,
    ) -> Result<bool, Error> {
        let key = serial_key(certificate.issuer_der(), certificate.serial().as_bytes());
        let owner = self.parts.store.reserved(Space::Serial, &key).await?;
        Ok(owner.is_some_and(|owner| owner != stream))
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
        let key = serial_key(certificate.issuer_der(), certificate.serial().as_bytes());
        // A serial number that was fixed with the intent was taken with it.
        let take = (serial_of(enrollment.value()) != Some(key)).then_some(Reservation::Take {
            space: Space::Serial,
            key,
            stream: StreamId::enrollment(enrollment.value().id),
        });
        let superseded = self.superseded_by(enrollment.value()).await?;
        let ownership = self.ownership(enrollment.value()).await?;
        let batch = Batch {
            reservations: take.into_iter().collect(),
            projections: rows::certificate(enrollment.value(), &certificate, (ownership, self.now()))
                .into_iter()
                .chain(superseded.projections)
                .collect(),
            records: superseded.records,
            tasks: superseded.tasks,
            claims: superseded.claims,
            ..Batch::default()
        };
        let application = enrollment.value().application();
        let until = match application {
            Some(application) => application.shown.window.claim_ends(&certificate),
            None => Enrollment::claim_ends(&certificate),
        };
        let enrollment = self.finish(enrollment, lease, (command, until), batch).await?;
        self.report_issued(enrollment.value(), &certificate);
        let issuance = Issuance {
            enrollment: enrollment.value().id,
            certificate,
            chain,
            revoked_at: None,
        };
        Ok(Settled::Issued(enrollment, Box::new(issuance)))
    }

    fn report_issued(&self, enrollment: &Enrollment, certificate: &Certificate) {
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

    /// Keeps a wrong certificate as evidence, raises an incident, and has it revoked.
    async fn quarantine(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        (issued, difference): (IssuedCertificate, String),
    ) -> Result<Settled, Error> {
        self.ledger
            .raise(Incident {
                what: IncidentKind::WrongCertificate,
                subject: StreamId::enrollment(enrollment.value().id),
                detail: difference.clone(),
            })
            .await;
        let mut certificate = issued.certificate.der().to_vec();
        let batch = self.revoke_wrong(enrollment.value(), &certificate).await?;
        certificate.truncate(64 * 1024);
        let command = Command::Quarantine {
            certificate,
            difference,
        };
        let enrollment = self.finish(enrollment, lease, (command, NEVER), batch).await?;
        self.parts.wakeups.wake(WakeKey::Tasks);
        self.parts.wakeups.wake(WakeKey::Status);
        Ok(Settled::Stop(enrollment))
    }

    /// What revokes a certificate that failed acceptance: a task to tell its CA, or a row of our own CRL. Never for
    /// the certificate of another enrollment, which a CA may have mixed up with this one.
    async fn revoke_wrong(&self, enrollment: &Enrollment, der: &[u8]) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        match self.backend_for(enrollment)?.capabilities().revocation {
            RevocationPower::MustBeTold => batch.tasks.push(self.revoke_task(enrollment.id)),
            RevocationPower::FromStore => {
                let issuer = enrollment.intent().map(|intent| intent.issuer.as_slice());
                let certificate = Certificate::from_der(der)
                    .ok()
                    .filter(|certificate| issuer == Some(certificate.issuer_der()));
                if let Some(certificate) = certificate
                    && !self
                        .is_of_another(&certificate, StreamId::enrollment(enrollment.id))
                        .await?
                {
                    let row = rows::revoked(enrollment, &certificate, QUARANTINE_REASON, self.now());
                    batch.projections.extend(row);
                }
            }
            RevocationPower::Impossible => {}
        }
        Ok(batch)
    }

    /// The task to tell a CA what is revoked.
    pub(super) fn revoke_task(&self, id: crate::domain::EnrollmentId) -> NewTask {
        NewTask {
            kind: TaskKind::Revoke,
            ..self.task(StreamId::enrollment(id), Duration::ZERO, None)
        }
    }

    /// Leaves an enrollment to an operator, with an incident that says why.
    pub(super) async fn doubt(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        (what, detail): (IncidentKind, &str),
    ) -> Result<Settled, Error> {
        let subject = StreamId::enrollment(enrollment.value().id);
        let detail = detail.to_owned();
        self.ledger
            .raise(Incident {
                what,
                subject,
                detail,
            })
            .await;
        self.end(enrollment, lease, Command::Doubt).await
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
        if let (Command::Refuse(refusal), Some(asked)) = (&command, enrollment.value().asked()) {
            self.parts.metrics.refused(asked.endpoint.as_str(), refusal);
        }
        let enrollment = self
            .finish(enrollment, lease, (command, until), Batch::default())
            .await?;
        let state = enrollment.value().state().map_or("none", EnrollmentState::as_str);
        tracing::info!(enrollment.id = %enrollment.value().id, state, "enrollment ended");
        Ok(Settled::Stop(enrollment))
    }

    /// Commits the last event, the end of the claim and the end of the task, under the fence of the lease.
    async fn finish(
        &self,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        (command, claim_until): (Command, Timestamp),
        batch: Batch,
    ) -> Result<Verified<Enrollment>, Error> {
        let stream = StreamId::enrollment(enrollment.value().id);
        let (after, events) = run(enrollment.value().clone(), [command], self.now())?;
        let saying = Saying::new(Purpose::Worker, Actor::Node, Origin::node(self.parts.node), "");
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let mut projections = batch.projections;
        projections.extend(rows::request(&after, self.now()));
        let batch = Batch {
            records: std::iter::once(record.clone()).chain(batch.records).collect(),
            claims: claim_of(&after, claim_until)
                .into_iter()
                .chain(batch.claims)
                .collect(),
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
        Ok(enrollment.after(&record, after))
    }
}

/// The claim of an enrollment with another end.
pub(super) fn claim_of(enrollment: &Enrollment, until: Timestamp) -> Option<Claim> {
    let asked = enrollment.asked()?;
    Some(Claim {
        key: asked.claim,
        requester: asked.requester.clone(),
        digest: portreeve_pkix::sha256(asked.request),
        enrollment: enrollment.id,
        until,
    })
}
