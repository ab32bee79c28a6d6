//! Requests on their way from an edge that does not judge to a worker: handed over here, judged there.

use portreeve_pkix::sha256;
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::run;
use super::enroll::{Acted, Filing, is_race};
use super::grants::Pass;
use super::judge::Judged;
use super::settle::Settled;
use super::standing::disposition;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Application, ApprovalPolicy, CertificateContents, Command, Enrollment, EnrollmentId,
    EnrollmentRequest, Finding, Origin, Purpose, Refusal, StreamId, Submission, Verdict,
};
use crate::error::Error;
use crate::ledger::{Saying, first};
use crate::ports::{ApprovalNews, Batch, TaskChange, TaskLease, WakeKey};
use crate::steps::Verified;

impl RegistrationAuthority {
    /// Commits Submitted with the claim and a task for any worker, and waits for what comes of it. The verdict that led
    /// here has no weight: the worker judges.
    pub(super) async fn submit(
        self: &Arc<Self>,
        filing: &Filing,
        (judged, request): (Judged, &EnrollmentRequest),
        alongside: Batch,
    ) -> Result<Acted, Error> {
        let id = EnrollmentId::new(self.now(), self.parts.random.as_ref());
        let stream = StreamId::enrollment(id);
        let submission = Box::new(Submission {
            endpoint: filing.endpoint.clone(),
            operation: request.operation,
            requester: filing.requester.clone(),
            claim: filing.key,
            request: judged.request.request().der().to_vec(),
            profile_hint: request.profile_hint.clone(),
            not_before: request.not_before,
            not_after: request.not_after,
            secret: judged.admitted.behalf().and_then(|behalf| behalf.secret),
            shown: judged.shown.clone(),
        });
        let (enrollment, events) = run(Enrollment::new(id), [Command::Submit(submission)], self.now())?;
        let actor = Actor::Requester(filing.requester.clone());
        let saying = Saying::new(Purpose::Edge, actor, filing.origin.clone(), "handed to a worker");
        let record = self.ledger.record(first(stream), saying, &events)?;
        let used = self.use_for(filing, id)?;
        let batch = Batch {
            records: std::iter::once(record).chain(used.records).collect(),
            reservations: used.reservations,
            tasks: vec![self.task(stream, Duration::ZERO, None)],
            claims: vec![super::begin::claim(filing, id)],
            gives_way: filing.led_to,
            projections: self.first_row(&enrollment).await?,
            ..alongside
        };
        match self.parts.store.commit(batch).await {
            Ok(()) => {}
            Err(error) if is_race(&error) => return Ok(Acted::Raced),
            Err(error) => return Err(commit_error(error, stream)),
        }
        self.parts.wakeups.wake(WakeKey::Tasks);
        let settled = self.settled(id, judged.endpoint.inline_wait).await?;
        disposition(settled.value(), judged.endpoint.retry_after).map(Acted::Done)
    }

    /// Judges what an edge handed over, with all the checks that an edge with the role of a worker makes at once.
    pub(super) async fn judge_submission(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
    ) -> Result<Settled, Error> {
        let submission = enrollment.value().submission().ok_or(Refusal::UnknownRequest)?;
        let judged = match self.judge_handed_over(submission).await {
            Err(Error::Refused(refusal)) => {
                return self.end(enrollment, lease, Command::Refuse(refusal)).await;
            }
            other => other?,
        };
        let filing = filing(submission, Origin::node(self.parts.node));
        match judged.verdict.clone() {
            Verdict::Refuse { refusal, .. } => self.end(enrollment, lease, Command::Refuse(refusal)).await,
            Verdict::Refer {
                contents,
                approval,
                findings,
            } => {
                self.refer_submission(
                    (enrollment, lease),
                    (&filing, judged),
                    (contents, approval, findings),
                )
                .await
            }
            Verdict::Permit { contents, findings } => {
                self.permit_submission((enrollment, lease), (&filing, judged), (contents, findings))
                    .await
            }
        }
    }

    async fn permit_submission(
        self: &Arc<Self>,
        (enrollment, lease): (Verified<Enrollment>, &TaskLease),
        (filing, judged): (&Filing, Judged),
        (contents, findings): (CertificateContents, Vec<Finding>),
    ) -> Result<Settled, Error> {
        let operation = judged.operation;
        let application = self.application(filing, (&judged, operation), contents, &findings);
        self.begin_submission((enrollment, lease), (application, None))
            .await
    }

    /// Commits Received, Approved and Issuing, and spends the grant by which it passes.
    async fn begin_submission(
        self: &Arc<Self>,
        (enrollment, lease): (Verified<Enrollment>, &TaskLease),
        (application, pass): (Arc<Application>, Option<Pass>),
    ) -> Result<Settled, Error> {
        let id = enrollment.value().id;
        let intent = match self.prepare(id, &application) {
            Err(Error::Refused(refusal)) => {
                return self.end(enrollment, lease, Command::Refuse(refusal)).await;
            }
            other => other?,
        };
        let (approve, why) = match &pass {
            Some(pass) => (Command::PassBy(pass.proposal), "granted beforehand"),
            None => (Command::Approve(None), "policy permits"),
        };
        let commands = vec![
            Command::Receive(application.clone()),
            approve,
            Command::Begin(intent),
        ];
        let spent = pass.map(|pass| self.spend(&pass, id)).transpose()?;
        self.begin_issuing((enrollment, lease), (&application, commands), (why, spent))
            .await
    }

    /// Commits Received and Referred with the proposal, and puts the task off to the day it expires.
    async fn refer_submission(
        self: &Arc<Self>,
        (enrollment, lease): (Verified<Enrollment>, &TaskLease),
        (filing, judged): (&Filing, Judged),
        (contents, approval, findings): (CertificateContents, Arc<ApprovalPolicy>, Vec<Finding>),
    ) -> Result<Settled, Error> {
        let operation = judged.operation;
        let application = self.application(filing, (&judged, operation), contents, &findings);
        let pass = self.pass_for(&application, &approval.terms).await?;
        if pass.is_some() {
            return self
                .begin_submission((enrollment, lease), (application, pass))
                .await;
        }
        let id = enrollment.value().id;
        let saying = filing.saying("policy refers to people");
        let opening = self.opening(id, &application, &approval, saying.clone())?;
        let commands = [Command::Receive(application), Command::Refer(opening.proposal)];
        let (after, events) = run(enrollment.value().clone(), commands, self.now())?;
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let batch = Batch {
            records: vec![record.clone(), opening.record],
            task_changes: vec![TaskChange::RetryAfter {
                id: lease.id,
                fence: lease.fence,
                wait: opening.until.since(self.now()),
            }],
            projections: super::rows::request(&after, self.now()),
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| commit_error(error, StreamId::enrollment(id)))?;
        self.announce(opening.proposal, id, ApprovalNews::Opened);
        tracing::info!(enrollment.id = %id, endpoint = %filing.endpoint, requester = %filing.requester,
                       "request waits for approval");
        Ok(Settled::Stop(enrollment.after(&record, after)))
    }
}

fn filing(submission: &Submission, origin: Origin) -> Filing {
    Filing {
        key: submission.claim,
        requester: submission.requester.clone(),
        digest: sha256(
            submission
                .shown
                .received
                .as_deref()
                .unwrap_or(&submission.request),
        ),
        endpoint: submission.endpoint.clone(),
        origin,
        // Used up when it was handed over.
        secret: None,
        // Its claim was filed with it.
        led_to: None,
    }
}
