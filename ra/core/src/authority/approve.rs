//! `approve` and `reject`: people decide on proposals.

use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Decision, EnrollmentId, Event, Origin, Principal, Proposal, ProposalEvent, ProposalId,
    ProposalState, Purpose, Refusal, StreamId,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{ApprovalHint, ApprovalNews, Batch, CommitError, Conflict, WakeKey};
use crate::steps::Verified;

/// Characters of a comment that are kept; whoever takes comments from people refuses longer ones.
pub const COMMENT_CHARS_MAX: usize = 1024;

/// What a principal decides with.
#[derive(Clone, Debug)]
pub struct DecisionRequest {
    /// The principal.
    pub by: Principal,
    /// The digest of the proposal the principal looked at; must match when given.
    pub digest: Option<[u8; 32]>,
    /// In words; at most [`COMMENT_CHARS_MAX`] characters.
    pub comment: String,
    /// From where.
    pub origin: Origin,
}

impl RegistrationAuthority {
    /// Approves a proposal. With enough approvals by different principals the enrollment goes on.
    pub async fn approve(
        self: &Arc<Self>,
        proposal: ProposalId,
        request: DecisionRequest,
    ) -> Result<ProposalState, Error> {
        self.decide(proposal, Decision::Approve, request).await
    }

    /// Rejects a proposal; one is enough.
    pub async fn reject(
        self: &Arc<Self>,
        proposal: ProposalId,
        request: DecisionRequest,
    ) -> Result<ProposalState, Error> {
        self.decide(proposal, Decision::Reject, request).await
    }

    async fn decide(
        self: &Arc<Self>,
        id: ProposalId,
        decision: Decision,
        request: DecisionRequest,
    ) -> Result<ProposalState, Error> {
        let mut turn = 0;
        loop {
            let proposal = self.load_proposal(id).await?.ok_or(Refusal::UnknownRequest)?;
            check(proposal.value(), &request, self.now())?;
            match self.record_decision(id, &proposal, (decision, &request)).await? {
                Ok(state) => return Ok(state),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::proposal(id))),
            }
        }
    }

    async fn record_decision(
        &self,
        id: ProposalId,
        proposal: &Verified<Proposal>,
        (decision, request): (Decision, &DecisionRequest),
    ) -> Result<Result<ProposalState, CommitError>, Error> {
        let mut comment = request.comment.clone();
        if let Some((end, _)) = comment.char_indices().nth(COMMENT_CHARS_MAX) {
            comment.truncate(end);
        }
        let event = ProposalEvent::Decided {
            by: request.by.clone(),
            decision,
            digest: proposal.value().digest,
            comment: comment.clone(),
        };
        let mut after = Some(proposal.value().clone());
        Proposal::apply(&mut after, &event);
        let state = after.map_or(ProposalState::Open, |after| after.state(self.now()));
        let actor = Actor::Operator(request.by.clone());
        let saying = Saying::new(Purpose::Console, actor, request.origin.clone(), &comment);
        let record = self
            .ledger
            .record(proposal.next(), saying, &[Event::Proposal(event)])?;
        let enrollment = proposal.value().enrollment;
        let tasks = match state {
            ProposalState::Open => Vec::new(),
            _ => vec![self.task(StreamId::enrollment(enrollment), Duration::ZERO, None)],
        };
        let batch = Batch {
            records: vec![record],
            tasks,
            ..Batch::default()
        };
        if let Err(error) = self.parts.store.commit(batch).await {
            return Ok(Err(error));
        }
        tracing::info!(proposal = %id, enrollment.id = %enrollment, principal = %request.by, ?decision, ?state,
                       "proposal decided");
        self.parts.wakeups.wake(WakeKey::Tasks);
        let news = match state {
            ProposalState::Open => ApprovalNews::Step,
            ProposalState::Approved => ApprovalNews::Approved,
            ProposalState::Rejected => ApprovalNews::Rejected,
            ProposalState::Expired => ApprovalNews::Expired,
        };
        self.announce(id, enrollment, news);
        Ok(Ok(state))
    }

    /// Tells what happened to a proposal.
    pub(super) fn announce(&self, proposal: ProposalId, enrollment: EnrollmentId, news: ApprovalNews) {
        self.parts.wakeups.announce(ApprovalHint {
            proposal,
            enrollment,
            news,
        });
    }
}

fn check(
    proposal: &Proposal,
    request: &DecisionRequest,
    now: portreeve_pkix::Timestamp,
) -> Result<(), Refusal> {
    if request.digest.is_some_and(|digest| digest != proposal.digest) {
        return Err(Refusal::DigestMismatch);
    }
    let decided_before = proposal.decisions.iter().any(|(who, ..)| *who == request.by);
    match proposal.state(now) {
        ProposalState::Open if !decided_before => Ok(()),
        ProposalState::Expired => Err(Refusal::Expired),
        _ => Err(Refusal::AlreadyDecided),
    }
}
