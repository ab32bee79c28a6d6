//! Brings one enrollment forward until it ends or must wait. The same code runs right after the intent, from the
//! task table, and after a crash.

use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::{LEASE, run, serial_reservation};
use super::deadline::{asked as ask, in_time, not_now};
use super::recount::Recount;
use super::rows;
use super::settle::Settled;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Command, Enrollment, EnrollmentState, Incident, IncidentKind, Intent, Issuance, Operation, Origin,
    Proposal, ProposalState, Purpose, Refusal, StreamId,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::ports::{
    ApprovalNews, Batch, CaBackend, CaError, IssueOutcome, ReconcileOutcome, TaskChange, TaskLease, WakeKey,
};
use crate::steps::issue::{self, IssuanceOrder, NoOrder};
use crate::steps::{Verified, verify};

/// Shortest and longest time between two attempts.
const BACKOFF: (Duration, Duration) = (Duration::from_millis(200), Duration::from_secs(300));

/// After this long, or so many steps, an enrollment that still goes on gives way to others.
const TURN: (Duration, u32) = (Duration::from_secs(30), 16);

/// How soon a task is tried again to be put back while the store is away.
const PUT_BACK_AGAIN: Duration = Duration::from_secs(1);

/// Tasks whose creation was not answered that are put back at the same time.
const PUTTING_BACK_MAX: usize = 256;

/// When it goes on.
const NEXT_TURN: Duration = Duration::from_secs(1);

/// Whether a backend may have been given the order already.
#[derive(Copy, Clone, PartialEq, Eq)]
pub(super) enum Asked {
    /// It has not: the intent was committed a moment ago, here.
    Never,
    /// It may have been, before a crash or a lost answer.
    Perhaps,
}

/// What bringing an enrollment forward came to.
pub(super) enum Drove {
    /// It went this far.
    To(Box<Driven>),
    /// Its task waits for another attempt.
    PutBack,
}

/// How far an enrollment was brought.
pub(super) struct Driven {
    pub(super) enrollment: Enrollment,
    /// The certificate that it was given now.
    pub(super) issuance: Option<Box<Issuance>>,
}

impl Driven {
    fn to(enrollment: Verified<Enrollment>, issuance: Option<Box<Issuance>>) -> Self {
        Self {
            enrollment: enrollment.into_value(),
            issuance,
        }
    }
}

impl RegistrationAuthority {
    /// Runs the enrollment spawned; what it came to appears in the cell before its waiters are woken.
    pub(super) fn spawn_drive(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: TaskLease,
    ) -> Arc<OnceLock<Drove>> {
        let result = Arc::new(OnceLock::new());
        let (this, cell) = (Arc::clone(self), Arc::clone(&result));
        self.parts.spawn.spawn(Box::pin(async move {
            let id = enrollment.value().id;
            let drove = match this.drive(enrollment, &lease, Asked::Never).await {
                Ok(driven) => Drove::To(Box::new(driven)),
                Err(error) => {
                    this.postpone(&lease, &error).await;
                    Drove::PutBack
                }
            };
            drop(cell.set(drove));
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
    ) -> Result<Driven, Error> {
        let (begun, mut steps) = (self.now(), 0);
        while steps < TURN.1 && self.now().since(begun) < TURN.0 {
            steps += 1;
            // What most enrollments do not come to is kept out of the state that each of them carries.
            let settled = match enrollment.value().state() {
                Some(EnrollmentState::Submitted) => {
                    Box::pin(self.judge_submission(enrollment, lease)).await?
                }
                Some(EnrollmentState::AwaitingApproval) => {
                    Box::pin(self.hear_people(enrollment, lease)).await?
                }
                Some(EnrollmentState::Approved) => {
                    Box::pin(self.start_issuing(enrollment, lease, None)).await?
                }
                Some(EnrollmentState::Issuing) => self.issue(enrollment, lease, asked).await?,
                Some(EnrollmentState::Issued | EnrollmentState::Confirmed) => {
                    Box::pin(self.revoke_as_requested(enrollment, lease)).await?
                }
                _ => {
                    self.complete(lease).await?;
                    Settled::Stop(enrollment)
                }
            };
            match settled {
                Settled::GoOn(next) => (enrollment, asked) = (next, Asked::Never),
                Settled::Stop(last) => return Ok(Driven::to(last, None)),
                Settled::Issued(last, issuance) => return Ok(Driven::to(last, Some(issuance))),
            }
        }
        self.wait(lease, NEXT_TURN).await?;
        Ok(Driven::to(enrollment, None))
    }

    /// Follows what people decided, if they have.
    async fn hear_people(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
    ) -> Result<Settled, Error> {
        let id = enrollment.value().proposal().ok_or(Refusal::UnknownRequest)?;
        let enrollment_id = enrollment.value().id;
        let proposal = self.load_proposal(id).await?;
        let is_theirs = |proposal: &Verified<Proposal>| {
            let application = enrollment.value().application();
            application.is_some_and(|this| issue::agrees(proposal.value(), enrollment.value().id, this))
        };
        let Some(proposal) = proposal.filter(is_theirs) else {
            let tampered = verify::Tampered("proposal is missing");
            return Err(self.ledger.tampered(StreamId::proposal(id), tampered).await);
        };
        let end = match proposal.value().state(self.now()) {
            ProposalState::Open => {
                let wait = proposal.value().until.since(self.now());
                self.retry_after(lease, wait).await?;
                return Ok(Settled::Stop(enrollment));
            }
            ProposalState::Approved => return self.people_agreed(enrollment, lease, proposal).await,
            ProposalState::Rejected => Command::Refuse(Refusal::Denied),
            ProposalState::Expired => {
                let settled = self.end(enrollment, lease, Command::Expire).await?;
                self.announce(id, enrollment_id, ApprovalNews::Expired);
                return Ok(settled);
            }
        };
        self.end(enrollment, lease, end).await
    }

    /// Counts once more, since whoever approved may not be entitled any more, and fixes the intent.
    async fn people_agreed(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        proposal: Verified<Proposal>,
    ) -> Result<Settled, Error> {
        let id = proposal.value().id;
        let too_late = proposal
            .value()
            .begins_until()
            .is_none_or(|until| self.now() >= until);
        if too_late {
            let settled = self.end(enrollment, lease, Command::Expire).await?;
            if let Settled::Stop(ended) = &settled {
                self.announce(id, ended.value().id, ApprovalNews::Expired);
            }
            return Ok(settled);
        }
        match self.recount(proposal).await? {
            // Whoever made the key of this request is gone: the next one passes by what was granted.
            Recount::Stands if is_made_again(enrollment.value()) => {
                self.end(enrollment, lease, Command::Expire).await
            }
            Recount::Stands => {
                let approve = Some(Command::Approve(Some(id)));
                self.start_issuing(enrollment, lease, approve).await
            }
            Recount::Short => Ok(Settled::GoOn(enrollment)),
            Recount::Hopeless => {
                self.end(enrollment, lease, Command::Refuse(Refusal::Denied))
                    .await
            }
        }
    }

    /// Judges once more, since time has passed since the request was judged, and fixes the intent.
    async fn start_issuing(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        approve: Option<Command>,
    ) -> Result<Settled, Error> {
        let intent = match self.intent_of(enrollment.value()).await {
            Ok(intent) => intent,
            Err(Error::Refused(refusal)) => {
                return self.end(enrollment, lease, Command::Refuse(refusal)).await;
            }
            Err(error) => return Err(error),
        };
        let application = enrollment.value().application().cloned();
        let application = application.ok_or(Refusal::UnknownRequest)?;
        let commands = approve.into_iter().chain([Command::Begin(intent)]).collect();
        self.begin_issuing((enrollment, lease), (&application, commands), ("approved", None))
            .await
    }

    async fn intent_of(&self, enrollment: &Enrollment) -> Result<Intent, Error> {
        let application = enrollment.application().ok_or(Refusal::UnknownRequest)?;
        self.judge_again(application).await?;
        self.prepare(enrollment.id, application)
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
        let clock = self.parts.clock.as_ref();
        if asked == Asked::Perhaps {
            match ask(clock, backend.reconcile(intent, handle.as_deref())).await? {
                ReconcileOutcome::NotSeen => {}
                ReconcileOutcome::Issued(issued) => {
                    let outcome = IssueOutcome::Issued(issued);
                    return self.answered(enrollment, lease, outcome).await;
                }
                ReconcileOutcome::Deferred { handle, retry_after } => {
                    let outcome = IssueOutcome::Deferred { handle, retry_after };
                    return self.answered(enrollment, lease, outcome).await;
                }
                ReconcileOutcome::CannotTell => {
                    let detail = "the CA cannot tell whether it issued";
                    return self
                        .doubt(enrollment, lease, (IncidentKind::InDoubt, detail))
                        .await;
                }
            }
        }
        let order = match self.order_for(&enrollment).await? {
            Ok(order) => order,
            Err(reason) => return self.end(enrollment, lease, Command::Fail(reason)).await,
        };
        // No answer in time is no answer.
        let answer = in_time(clock, issue::issue(backend.as_ref(), &order, handle.as_deref())).await;
        match answer.unwrap_or(Ok(IssueOutcome::Unknown)) {
            Ok(outcome) => self.answered(enrollment, lease, outcome).await,
            Err(error) => self.not_issued(enrollment, lease, error).await,
        }
    }

    /// Mints the order, or says why the enrollment has failed.
    async fn order_for(
        &self,
        enrollment: &Verified<Enrollment>,
    ) -> Result<Result<IssuanceOrder, String>, Error> {
        let asked = enrollment.value().proposal();
        let proposal = match asked.or(enrollment.value().granted_by()) {
            Some(id) => self.load_proposal(id).await?,
            None => None,
        };
        match issue::mint(enrollment, proposal.as_ref(), self.now()) {
            Ok(order) => Ok(Ok(order)),
            Err(NoOrder::TooOld) => Ok(Err("intent is older than a day".to_owned())),
            Err(NoOrder::NotApproved | NoOrder::NotIssuing) => {
                let stream = StreamId::enrollment(enrollment.value().id);
                let tampered = verify::Tampered("issuing without approval");
                Err(self.ledger.tampered(stream, tampered).await)
            }
        }
    }

    async fn not_issued(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        error: CaError,
    ) -> Result<Settled, Error> {
        let reason = match error {
            CaError::SecondContent => {
                let incident = Incident {
                    what: IncidentKind::SecondContent,
                    subject: StreamId::enrollment(enrollment.value().id),
                    detail: CaError::SecondContent.to_string(),
                };
                let reason = incident.detail.clone();
                self.ledger.raise(incident).await;
                reason
            }
            CaError::Contents(reason) => reason,
            error @ (CaError::Unavailable { .. } | CaError::NeedsOperator(_)) => return Err(not_now(error)),
        };
        self.end(enrollment, lease, Command::Fail(reason)).await
    }

    /// Commits events that keep the task. Between two nodes that drive the same enrollment, the position in its stream
    /// decides.
    pub(super) async fn advance(
        &self,
        enrollment: Verified<Enrollment>,
        commands: impl IntoIterator<Item = Command>,
        reason: &str,
    ) -> Result<Verified<Enrollment>, Error> {
        let (after, events) = run(enrollment.value().clone(), commands, self.now())?;
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, Actor::Node, origin, reason);
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let batch = Batch {
            records: vec![record.clone()],
            reservations: serial_reservation(&after).into_iter().collect(),
            projections: rows::request(&after, self.now()),
            ..Batch::default()
        };
        match self.parts.store.commit(batch).await {
            Ok(()) => Ok(enrollment.after(&record, after)),
            Err(error) => Err(self.not_begun(error, &after).await),
        }
    }

    /// Ends a task.
    pub(super) async fn complete(&self, lease: &TaskLease) -> Result<(), Error> {
        let TaskLease { id, fence, .. } = *lease;
        self.change_task(lease, TaskChange::Complete { id, fence }).await
    }

    /// Puts a task back for this long, by the store's clock.
    pub(super) async fn retry_after(&self, lease: &TaskLease, wait: Duration) -> Result<(), Error> {
        let TaskLease { id, fence, .. } = *lease;
        self.change_task(lease, TaskChange::RetryAfter { id, fence, wait })
            .await
    }

    async fn change_task(&self, lease: &TaskLease, change: TaskChange) -> Result<(), Error> {
        let batch = Batch {
            task_changes: vec![change],
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| commit_error(error, lease.subject))
    }

    /// Puts a task back after an error, later each time. What cannot be put back is found again when its lease ends.
    pub(super) async fn postpone(&self, lease: &TaskLease, error: &Error) {
        let wait = match error {
            Error::Unavailable { retry_after } => *retry_after,
            Error::Refused(_) | Error::Internal(_) => Duration::from_secs(1 << lease.attempts.min(8)),
        };
        tracing::warn!(task = %lease.id, subject = %lease.subject, attempts = lease.attempts, %error,
                       "work postponed");
        match self.put_back(lease, wait.clamp(BACKOFF.0, BACKOFF.1)).await {
            Ok(()) => {}
            // Nothing but an old fence conflicts with it.
            Err(Error::Internal(InternalError::Contended(_))) => {
                tracing::warn!(task = %lease.id, "the lease had ended: another node has the task");
            }
            Err(error) => {
                tracing::warn!(task = %lease.id, %error, "task stays leased until its lease ends");
            }
        }
    }

    /// Puts a task back, tried again while the store is away: until it is back nobody works on it before its lease ends.
    async fn put_back(&self, lease: &TaskLease, wait: Duration) -> Result<(), Error> {
        let begun = self.now();
        loop {
            match self.retry_after(lease, wait).await {
                Err(Error::Unavailable { .. }) if self.now().since(begun) < LEASE => {
                    self.parts.clock.sleep(PUT_BACK_AGAIN).await;
                }
                outcome => {
                    self.parts.wakeups.wake(WakeKey::Tasks);
                    return outcome;
                }
            }
        }
    }

    /// A commit that created a task leased to this node was not answered. If it took effect, nobody works on the task.
    /// When very many are not answered, the rest wait for the ends of their leases.
    pub(super) fn perhaps_created(self: &Arc<Self>, lease: TaskLease) {
        if self.putting_back.fetch_add(1, Ordering::Relaxed) >= PUTTING_BACK_MAX {
            self.putting_back.fetch_sub(1, Ordering::Relaxed);
            return;
        }
        let this = Arc::clone(self);
        self.parts.spawn.spawn(Box::pin(async move {
            this.parts.clock.sleep(PUT_BACK_AGAIN).await;
            // What did not take effect left no task, and that is a conflict.
            let _ = this.put_back(&lease, Duration::ZERO).await;
            this.putting_back.fetch_sub(1, Ordering::Relaxed);
        }));
    }

    /// The backend that an enrollment was given to.
    pub(super) fn backend_for(&self, enrollment: &Enrollment) -> Result<&Arc<dyn CaBackend>, Error> {
        let application = enrollment.application().ok_or(Refusal::UnknownRequest)?;
        self.backend_of(&application.backend)
    }
}

/// Whether only the next request of the same kind can be met.
fn is_made_again(enrollment: &Enrollment) -> bool {
    enrollment
        .application()
        .is_some_and(|application| application.operation == Operation::GenerateKey)
}
