//! `approve` and `reject`: people decide on proposals.

use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::propose::Discounts;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Ballot, Decision, Electorate, EnrollmentId, Evidence, GrantTerms, Origin, Principal, Proposal,
    ProposalEvent, ProposalId, ProposalState, ProposalSubject, Purpose, Refusal, Standing, StreamId,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{ApprovalHint, ApprovalNews, Batch, CommitError, Conflict, WakeKey};
use crate::steps::Verified;

/// Characters of a comment, at most. A longer one is refused and not cut: it is part of what evidence signs.
pub const COMMENT_CHARS_MAX: usize = 1024;

/// What a principal acts with where a right is all that is needed.
#[derive(Clone, Debug)]
pub struct DecisionRequest {
    /// The principal.
    pub by: Principal,
    /// The digest of what the principal looked at; must match when given.
    pub digest: Option<[u8; 32]>,
    /// In words; at most [`COMMENT_CHARS_MAX`] characters.
    pub comment: String,
    /// From where.
    pub origin: Origin,
}

/// What somebody decides on a proposal with.
#[derive(Clone, Debug)]
pub struct Vote {
    /// Who, and what they may do as they signed in.
    pub standing: Standing,
    /// The digest of the proposal they looked at; must match when given.
    pub digest: Option<[u8; 32]>,
    /// Why; at most 1,024 characters. A denial needs one.
    pub comment: String,
    /// Their signature over the decision.
    pub evidence: Option<Evidence>,
    /// What they grant besides.
    pub grant: Option<GrantTerms>,
    /// From where.
    pub origin: Origin,
}

impl Vote {
    fn ballot(&self, decision: Decision) -> Ballot<'_> {
        Ballot {
            standing: &self.standing,
            decision,
            digest: self.digest,
            comment: &self.comment,
            evidence: self.evidence.as_ref(),
            grant: self.grant,
        }
    }
}

impl RegistrationAuthority {
    /// Approves a proposal. With the last approval it needs, what was proposed takes effect. Refusals are recorded.
    pub async fn approve(self: &Arc<Self>, proposal: ProposalId, vote: Vote) -> Result<ProposalState, Error> {
        self.decide(proposal, Decision::Approve, vote).await
    }

    /// Rejects a proposal; one is enough. Refusals are recorded.
    pub async fn reject(self: &Arc<Self>, proposal: ProposalId, vote: Vote) -> Result<ProposalState, Error> {
        self.decide(proposal, Decision::Reject, vote).await
    }

    async fn decide(
        self: &Arc<Self>,
        id: ProposalId,
        decision: Decision,
        vote: Vote,
    ) -> Result<ProposalState, Error> {
        let decided = self.try_to_decide(id, decision, &vote).await;
        if let Err(Error::Refused(refusal)) = &decided {
            let who = (&vote.standing.principal, &vote.origin);
            let what = (decision, StreamId::proposal(id));
            self.turned_away(who, what, refusal).await;
        }
        decided
    }

    /// Of several that decide at once, each sees what the one before has made of the proposal.
    async fn try_to_decide(
        self: &Arc<Self>,
        id: ProposalId,
        decision: Decision,
        vote: &Vote,
    ) -> Result<ProposalState, Error> {
        if vote.comment.chars().nth(COMMENT_CHARS_MAX).is_some() {
            return Err(
                Refusal::Malformed(format!("comment is longer than {COMMENT_CHARS_MAX} characters")).into(),
            );
        }
        let mut turn = 0;
        loop {
            let proposal = self.load_proposal(id).await?.ok_or(Refusal::UnknownRequest)?;
            let constituency = self.constituency(proposal.value()).await?;
            let keys = self.evidence_keys(&vote.standing.principal).await?;
            let electorate = Electorate {
                on: &constituency.on(),
                excluded: &constituency.excluded,
                everywhere: constituency.everywhere,
                keys: &keys,
            };
            // Who may not decide is told nothing of where it stands.
            proposal
                .value()
                .entitled(&vote.standing, &electorate)
                .map_err(Refusal::from)?;
            let discounts = self.discounts(proposal.value(), decision).await?;
            let step = discounts
                .after
                .admit(&vote.ballot(decision), &electorate, self.now())?;
            let decided = (decision, step, discounts);
            match self.record_decision(&proposal, decided, vote).await? {
                Ok(state) => return Ok(state),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::proposal(id))),
            }
        }
    }

    async fn record_decision(
        &self,
        proposal: &Verified<Proposal>,
        (decision, step, discounts): (Decision, u8, Discounts),
        vote: &Vote,
    ) -> Result<Result<ProposalState, CommitError>, Error> {
        let (before, by) = (&discounts.after, &vote.standing.principal);
        let event = ProposalEvent::Decided {
            by: by.clone(),
            decision,
            step,
            digest: before.digest,
            comment: vote.comment.clone(),
            evidence: vote.evidence.clone(),
            grant: vote.grant,
        };
        let actor = Actor::Operator(by.clone());
        let mut after = Some(before.clone());
        Proposal::apply(&mut after, before.id, &event, (&actor, self.now()));
        let after = after.unwrap_or_else(|| before.clone());
        let state = after.state(self.now());
        let saying = Saying::new(Purpose::Console, actor, vote.origin.clone(), &vote.comment);
        let record = self
            .ledger
            .record(proposal.next(), saying.clone(), &discounts.before(event))?;
        let mut batch = self.effects(&after, state, &saying).await?;
        batch.records.insert(0, record);
        if let Err(error) = self.parts.store.commit(batch).await {
            return Ok(Err(error));
        }
        tracing::info!(proposal = %before.id, subject = before.subject.as_str(), principal = %by, ?decision, ?state,
                       "proposal decided");
        self.parts.wakeups.wake(WakeKey::Tasks);
        if let Some(enrollment) = before.subject.enrollment() {
            self.announce(before.id, enrollment, news(state));
        }
        Ok(Ok(state))
    }

    /// What follows from a decision, in the same commit.
    async fn effects(
        &self,
        proposal: &Proposal,
        state: ProposalState,
        saying: &Saying,
    ) -> Result<Batch, Error> {
        let mut batch = Batch::default();
        if let (ProposalSubject::Enrollment(id), false) = (&proposal.subject, state == ProposalState::Open) {
            batch
                .tasks
                .push(self.task(StreamId::enrollment(*id), Duration::ZERO, None));
        }
        match state {
            ProposalState::Approved => {
                batch.records.extend(self.giving(proposal, saying.clone()).await?);
                self.take_effect(proposal, (saying, &mut batch)).await?;
            }
            ProposalState::Rejected => self.take_back(proposal, (saying, &mut batch)).await?,
            ProposalState::Open | ProposalState::Expired => {}
        }
        Ok(batch)
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

const fn news(state: ProposalState) -> ApprovalNews {
    match state {
        ProposalState::Open => ApprovalNews::Step,
        ProposalState::Approved => ApprovalNews::Approved,
        ProposalState::Rejected => ApprovalNews::Rejected,
        ProposalState::Expired => ApprovalNews::Expired,
    }
}
