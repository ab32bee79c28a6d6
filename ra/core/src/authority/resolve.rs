//! `resolve` and `close_incident`: an operator ends what nobody else can.

use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::approve::{COMMENT_CHARS_MAX, DecisionRequest};
use super::begin::run;
use super::incidents::{IncidentStanding, standing};
use super::rows;
use super::settle::claim_of;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Command, Enrollment, EnrollmentId, EnrollmentState, Event, IncidentEvent, Purpose, Refusal,
    Resolution, StreamId, StreamKind,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Batch, CommitError, Conflict, WakeKey};
use crate::steps::Verified;

impl RegistrationAuthority {
    /// Decides on an enrollment in doubt or in quarantine, and says where that leads. Refused as decided already when it
    /// is in neither, and for a retry of one in quarantine: its certificate is known to be wrong.
    pub async fn resolve(
        self: &Arc<Self>,
        id: EnrollmentId,
        resolution: Resolution,
        request: DecisionRequest,
    ) -> Result<EnrollmentState, Error> {
        let mut turn = 0;
        loop {
            let enrollment = self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?;
            if enrollment.value().decide(Command::Resolve(resolution)).is_err() {
                return Err(Refusal::AlreadyDecided.into());
            }
            let (after, batch) = self.resolved(&enrollment, resolution, &request)?;
            match self.parts.store.commit(batch).await {
                Ok(()) => {
                    tracing::info!(enrollment.id = %id, principal = %request.by, ?resolution, "enrollment resolved");
                    self.parts.wakeups.wake(WakeKey::Tasks);
                    self.parts.wakeups.wake(WakeKey::Enrollment(id));
                    return after.state().ok_or_else(|| Refusal::UnknownRequest.into());
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::enrollment(id))),
            }
        }
    }

    /// What follows from a resolution: work for a retry, the end of the claim for the end of the enrollment.
    fn resolved(
        &self,
        enrollment: &Verified<Enrollment>,
        resolution: Resolution,
        request: &DecisionRequest,
    ) -> Result<(Enrollment, Batch), Error> {
        let (stream, now) = (StreamId::enrollment(enrollment.value().id), self.now());
        let (after, events) = run(enrollment.value().clone(), [Command::Resolve(resolution)], now)?;
        let record = self.ledger.record(enrollment.next(), said_by(request), &events)?;
        let (task, claim) = match resolution {
            Resolution::Retry => (Some(self.task(stream, Duration::ZERO, None)), None),
            Resolution::GiveUp => (None, claim_of(&after, now)),
        };
        let batch = Batch {
            records: vec![record],
            tasks: task.into_iter().collect(),
            claims: claim.into_iter().collect(),
            projections: rows::request(&after, now),
            ..Batch::default()
        };
        Ok((after, batch))
    }

    /// Closes an incident, by the id of its stream: somebody has looked at it and done what was to be done.
    pub async fn close_incident(
        &self,
        id: [u8; 16],
        request: DecisionRequest,
    ) -> Result<IncidentStanding, Error> {
        let stream = StreamId {
            kind: StreamKind::Incident,
            id,
        };
        let history = self.ledger.history(stream).await?;
        let known = standing(stream, history.value()).ok_or(Refusal::UnknownRequest)?;
        if known.closed_at.is_some() {
            return Err(Refusal::AlreadyDecided.into());
        }
        let event = Event::Incident(IncidentEvent::Closed {
            comment: request.comment.chars().take(COMMENT_CHARS_MAX).collect(),
        });
        let record = self.ledger.record(history.next(), said_by(&request), &[event])?;
        let closed = IncidentStanding {
            closed_at: Some(record.header().at),
            ..known
        };
        let batch = Batch {
            records: vec![record],
            ..Batch::default()
        };
        match self.parts.store.commit(batch).await {
            Ok(()) => {
                tracing::info!(incident = %stream, principal = %request.by, "incident closed");
                Ok(closed)
            }
            Err(CommitError::Conflict(Conflict::Stream(_))) => Err(Refusal::AlreadyDecided.into()),
            Err(error) => Err(commit_error(error, stream)),
        }
    }
}

pub(super) fn said_by(request: &DecisionRequest) -> Saying {
    let actor = Actor::Operator(request.by.clone());
    Saying::new(Purpose::Console, actor, request.origin.clone(), &request.comment)
}
