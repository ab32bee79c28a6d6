//! Brings one enrollment forward until it ends or must wait. The same code runs right after the intent, from the
//! task table, and after a crash.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::run;
use super::rows;
use super::settle::Settled;
use crate::domain::{
    Actor, Command, Enrollment, EnrollmentState, Incident, IncidentKind, IntentBody, Origin, ProposalState,
    Purpose, Refusal, StreamId,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::ports::{
    Batch, CaBackend, CaError, IssueOutcome, ReconcileOutcome, TaskChange, TaskLease, WakeKey,
};
use crate::steps::issue::{self, NoOrder};
use crate::steps::{Verified, verify};

/// Longest time between two attempts.
const BACKOFF_MAX: Duration = Duration::from_secs(300);

/// Whether a backend may have been given the order already.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has not: the intent was committed a moment ago, here.
    Never,
    /// It may have been, before a crash or a lost answer.
    Perhaps,
}

impl RegistrationAuthority {
    /// Runs the enrollment spawned; what it came to appears in the cell before its waiters are woken.
    pub(super) fn spawn_drive(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: TaskLease,
    ) -> Arc<OnceLock<Enrollment>> {
        let result = Arc::new(OnceLock::new());
        let (this, cell) = (Arc::clone(self), Arc::clone(&result));
        self.parts.spawn.spawn(Box::pin(async move {
            let id = enrollment.value().id;
            match this.drive(enrollment, &lease, Asked::Never).await {
                Ok(enrollment) => drop(cell.set(enrollment)),
                Err(error) => this.postpone(&lease, &error).await,
            }
            this.parts.wakeups.wake(WakeKey::Enrollment(id));
        }));
        result
    }

    /// Brings the enrollment forward as far as it goes now.
    pub(super) async fn drive(
        self: &Arc<Self>,
        mut enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        mut asked: Asked,
    ) -> Result<Enrollment, Error> {
        loop {
            let settled = match enrollment.value().state() {
                Some(EnrollmentState::AwaitingApproval) => self.hear_people(enrollment, lease).await?,
                Some(EnrollmentState::Approved) => self.start_issuing(enrollment, lease).await?,
                Some(EnrollmentState::Issuing) => {
                    let settled = self.issue(enrollment, lease, asked).await?;
                    asked = Asked::Perhaps;
                    settled
                }
                _ => {
                    let done = TaskChange::Complete {
                        id: lease.id,
                        fence: lease.fence,
                    };
                    self.change_task(done).await?;
                    Settled::Stop(enrollment)
                }
            };
            match settled {
                Settled::GoOn(next) => enrollment = next,
                Settled::Fresh(next) => (enrollment, asked) = (next, Asked::Never),
                Settled::Stop(last) => return Ok(last.into_value()),
            }
        }
    }

    /// Follows what people decided, if they have.
    async fn hear_people(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
    ) -> Result<Settled, Error> {
        let id = enrollment.value().proposal().ok_or(Refusal::UnknownRequest)?;
        let proposal = self.load_proposal(id).await?;
        let Some(proposal) = proposal.filter(|proposal| proposal.value().enrollment == enrollment.value().id)
        else {
            let tampered = verify::Tampered("proposal is missing");
            return Err(self.ledger.tampered(StreamId::proposal(id), tampered).await);
        };
        match proposal.value().state(self.now()) {
            ProposalState::Open => {
                let due = proposal.value().until;
                self.change_task(TaskChange::RetryAt {
                    id: lease.id,
                    fence: lease.fence,
                    due,
                })
                .await?;
                Ok(Settled::Stop(enrollment))
            }
            ProposalState::Approved => {
                let application = enrollment.value().application().ok_or(Refusal::UnknownRequest)?;
                match self.prepare(enrollment.value().id, application) {
                    Ok(intent) => {
                        let commands = [Command::Approve(Some(id)), Command::Begin(intent)];
                        self.advance(enrollment, commands, "people approved")
                            .await
                            .map(Settled::Fresh)
                    }
                    Err(Error::Refused(refusal)) => {
                        self.end(enrollment, lease, Command::Refuse(refusal)).await
                    }
                    Err(error) => Err(error),
                }
            }
            ProposalState::Rejected => {
                self.end(enrollment, lease, Command::Refuse(Refusal::Denied))
                    .await
            }
            ProposalState::Expired => self.end(enrollment, lease, Command::Expire).await,
        }
    }

    async fn start_issuing(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
    ) -> Result<Settled, Error> {
        let application = enrollment.value().application().ok_or(Refusal::UnknownRequest)?;
        match self.prepare(enrollment.value().id, application) {
            Ok(intent) => self
                .advance(enrollment, [Command::Begin(intent)], "approved")
                .await
                .map(Settled::Fresh),
            Err(Error::Refused(refusal)) => self.end(enrollment, lease, Command::Refuse(refusal)).await,
            Err(error) => Err(error),
        }
    }

    /// Reconciles if the backend may know the intent, then gives the order.
    async fn issue(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        asked: Asked,
    ) -> Result<Settled, Error> {
        let intent = enrollment.value().intent().ok_or(Refusal::UnknownRequest)?;
        let backend = Arc::clone(self.backend_of(&intent.backend)?);
        let handle = enrollment.value().handle().map(<[u8]>::to_vec);
        if asked == Asked::Perhaps {
            match backend
                .reconcile(intent, handle.as_deref())
                .await
                .map_err(not_now)?
            {
                ReconcileOutcome::NotSeen => {}
                known => return self.reconciled(enrollment, lease, known).await,
            }
        }
        let proposal = match enrollment.value().proposal() {
            Some(id) => self.load_proposal(id).await?,
            None => None,
        };
        let order = match issue::mint(&enrollment, proposal.as_ref(), self.now()) {
            Ok(order) => order,
            Err(NoOrder::TooOld) => {
                let reason = "intent is older than a day".to_owned();
                return self.end(enrollment, lease, Command::Fail(reason)).await;
            }
            Err(NoOrder::NotApproved | NoOrder::NotIssuing) => {
                let stream = StreamId::enrollment(enrollment.value().id);
                let tampered = verify::Tampered("issuing without approval");
                return Err(self.ledger.tampered(stream, tampered).await);
            }
        };
        match issue::issue(backend.as_ref(), &order, handle.as_deref()).await {
            Ok(outcome) => self.answered(enrollment, lease, outcome).await,
            Err(CaError::SecondContent) => {
                let stream = StreamId::enrollment(enrollment.value().id);
                let detail = "signer has signed other bytes for this enrollment".to_owned();
                let what = IncidentKind::SecondContent;
                self.ledger
                    .raise(Incident {
                        what,
                        subject: stream,
                        detail: detail.clone(),
                    })
                    .await;
                self.end(enrollment, lease, Command::Fail(detail)).await
            }
            Err(CaError::Contents(reason)) => self.end(enrollment, lease, Command::Fail(reason)).await,
            Err(error) => Err(not_now(error)),
        }
    }

    async fn reconciled(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        known: ReconcileOutcome,
    ) -> Result<Settled, Error> {
        match known {
            ReconcileOutcome::Issued(issued) => {
                self.answered(enrollment, lease, IssueOutcome::Issued(issued))
                    .await
            }
            ReconcileOutcome::Deferred { handle, retry_after } => {
                self.answered(enrollment, lease, IssueOutcome::Deferred { handle, retry_after })
                    .await
            }
            ReconcileOutcome::NotSeen => Ok(Settled::GoOn(enrollment)),
            ReconcileOutcome::CannotTell => {
                let what = IncidentKind::InDoubt;
                let subject = StreamId::enrollment(enrollment.value().id);
                let detail = "the CA cannot tell whether it issued".to_owned();
                self.ledger
                    .raise(Incident {
                        what,
                        subject,
                        detail,
                    })
                    .await;
                self.end(enrollment, lease, Command::Doubt).await
            }
        }
    }

    /// Commits events that keep the task, under this node's lease.
    pub(super) async fn advance<const N: usize>(
        &self,
        enrollment: Verified<Enrollment>,
        commands: [Command; N],
        reason: &str,
    ) -> Result<Verified<Enrollment>, Error> {
        let stream = StreamId::enrollment(enrollment.value().id);
        let (after, events) = run(enrollment.value().clone(), commands, self.now())?;
        let saying = Saying::new(
            Purpose::Worker,
            Actor::Node,
            Origin::node(self.parts.node),
            reason,
        );
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let reservations = match after.intent().map(|intent| (&intent.body, intent)) {
            Some((IntentBody::Tbs { .. }, intent)) => super::begin::serial_reservation(intent, stream)
                .into_iter()
                .collect(),
            _ => Vec::new(),
        };
        let projections = rows::request(&after, self.now());
        let batch = Batch {
            records: vec![record.clone()],
            reservations,
            projections,
            ..Batch::default()
        };
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| crate::accounts::commit_error(error, stream))?;
        Ok(enrollment.after(&record, after))
    }

    pub(super) async fn change_task(&self, change: TaskChange) -> Result<(), Error> {
        let batch = Batch {
            task_changes: vec![change],
            ..Batch::default()
        };
        let stream = StreamId::enrollment(crate::domain::EnrollmentId::from_bytes([0; 16]));
        self.parts
            .store
            .commit(batch)
            .await
            .map_err(|error| crate::accounts::commit_error(error, stream))
    }

    /// Puts a task back after an error, later each time. What cannot be put back is found again when its lease ends.
    pub(super) async fn postpone(&self, lease: &TaskLease, error: &Error) {
        let wait = match error {
            Error::Unavailable { retry_after } => *retry_after,
            _ => Duration::from_secs(1 << lease.attempts.min(8)),
        };
        let due = self
            .now()
            .saturating_add(wait.clamp(Duration::from_millis(200), BACKOFF_MAX));
        tracing::warn!(task = %lease.id, subject = %lease.subject, attempts = lease.attempts, %error,
                       "work postponed");
        let change = TaskChange::RetryAt {
            id: lease.id,
            fence: lease.fence,
            due,
        };
        if let Err(error) = self.change_task(change).await {
            tracing::warn!(task = %lease.id, %error, "task stays leased until its lease ends");
        }
        self.parts.wakeups.wake(WakeKey::Tasks);
    }

    /// Whether a backend's chain, or anything else of it, is asked for by acceptance.
    pub(super) fn backend_for(&self, enrollment: &Enrollment) -> Result<Arc<dyn CaBackend>, Error> {
        let application = enrollment.application().ok_or(Refusal::UnknownRequest)?;
        self.backend_of(&application.backend).map(Arc::clone)
    }
}

fn not_now(error: CaError) -> Error {
    match error {
        CaError::Unavailable { retry_after, reason } => {
            tracing::warn!(reason, "CA is not available");
            Error::Unavailable {
                retry_after: retry_after.unwrap_or(Duration::from_secs(1)),
            }
        }
        error => Error::Internal(InternalError::Backend(error)),
    }
}
