//! Grants: found, spent, given and taken back.

use portreeve_pkix::Timestamp;

use super::RegistrationAuthority;
use crate::access::{Acting, Target};
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Application, ApprovalTerms, DecisionRejection, EnrollmentId, Event, GrantEvent, GrantSubject,
    GrantTerms, Grants, Origin, Proposal, ProposalId, ProposalState, Purpose, Record, Refusal, Right,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::issue;
use crate::steps::{Verified, verify};

/// Grants of one subject that are looked at, the newest first.
const LOOKED_AT_MAX: usize = 8;

/// Where a grant stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct GrantStanding {
    /// What was given.
    pub terms: GrantTerms,
    /// Until when it is good.
    pub until: Timestamp,
    /// How often it was used.
    pub used: u16,
    /// Whether it is void.
    pub withdrawn: bool,
}

/// The right to pass without another decision, once.
pub(super) struct Pass {
    /// The proposal with which it was granted.
    pub(super) proposal: ProposalId,
    grants: Verified<Grants>,
}

impl RegistrationAuthority {
    /// The grant by which this application passes, if there is one that is live, not used up, and whose givers are still
    /// entitled to give it.
    pub(super) async fn pass_for(
        &self,
        application: &Application,
        terms: &ApprovalTerms,
    ) -> Result<Option<Pass>, Error> {
        let Some(subject) = GrantSubject::of(application, terms) else {
            return Ok(None);
        };
        let grants = verify::grants(self.ledger.history(subject.stream()).await?);
        let candidates: Vec<ProposalId> = grants.value().candidates().take(LOOKED_AT_MAX).collect();
        for id in candidates {
            let Some(proposal) = self.load_proposal(id).await? else {
                continue;
            };
            if self.is_live(&grants, proposal.value(), application)
                && self.lost_approvals(proposal.value()).await?.is_empty()
            {
                return Ok(Some(Pass { proposal: id, grants }));
            }
        }
        Ok(None)
    }

    fn is_live(&self, grants: &Verified<Grants>, proposal: &Proposal, application: &Application) -> bool {
        let (Some(terms), Some(from), Some(spent)) = (
            proposal.granted(),
            proposal.approved_at(),
            grants.value().spent(proposal.id),
        ) else {
            return false;
        };
        let now = self.now();
        proposal.state(now) == ProposalState::Approved
            && issue::granted(proposal, application)
            && spent < terms.uses
            && now < terms.ends(from)
    }

    /// The record that spends a grant. Of several that do so at once one is committed: its place in the stream is unique.
    pub(super) fn spend(&self, pass: &Pass, enrollment: EnrollmentId) -> Result<Record, Error> {
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, Actor::Node, origin, "passes by a grant");
        let spent = GrantEvent::Spent {
            proposal: pass.proposal,
            enrollment,
        };
        self.ledger
            .record(pass.grants.next(), saying, &[Event::Grant(spent)])
    }

    /// Where a grant stands that was given with this proposal; `None` when none was.
    pub async fn grant_standing(&self, proposal: &Proposal) -> Result<Option<GrantStanding>, Error> {
        let (Some(subject), Some(terms), Some(from)) =
            (proposal.grantable, proposal.granted(), proposal.approved_at())
        else {
            return Ok(None);
        };
        let grants = verify::grants(self.ledger.history(subject.stream()).await?);
        let used = grants.value().used(proposal.id);
        Ok(used.map(|used| GrantStanding {
            terms,
            until: terms.ends(from),
            used,
            withdrawn: grants.value().is_withdrawn(proposal.id),
        }))
    }

    /// Makes a grant void that was given with this proposal: nothing passes by it from now on. Needs the right
    /// `request.approve` on what it was given for; whoever asked for it may do so as well as anybody else. Doing so again
    /// changes nothing. Refused when nothing was granted.
    pub async fn withdraw_grant(&self, by: &Acting, id: ProposalId) -> Result<(), Error> {
        let proposal = self.load_proposal(id).await?.ok_or(Refusal::UnknownRequest)?;
        let constituency = self.constituency(proposal.value()).await?;
        for on in constituency.on() {
            let needed = (Target::Owned(on), &by.origin);
            self.authorize(&by.standing, Right::RequestApprove, needed)
                .await
                .map_err(|_| Refusal::NotAuthorized)?;
        }
        let nothing = || Refusal::from(DecisionRejection::Grant("nothing was granted with it".to_owned()));
        let subject = proposal.value().grantable.ok_or_else(nothing)?;
        let mut turn = 0;
        loop {
            let grants = verify::grants(self.ledger.history(subject.stream()).await?);
            if grants.value().is_withdrawn(id) {
                return Ok(());
            }
            grants.value().used(id).ok_or_else(nothing)?;
            let withdrawn = Event::Grant(GrantEvent::Withdrawn { proposal: id });
            let record = self
                .ledger
                .record(grants.next(), by.publisher().saying(), &[withdrawn])?;
            let batch = Batch {
                records: vec![record],
                ..Batch::default()
            };
            match self.parts.store.commit(batch).await {
                Ok(()) => {
                    tracing::info!(proposal = %id, principal = %by.principal(), "grant withdrawn");
                    return Ok(());
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, subject.stream())),
            }
        }
    }

    /// The record that gives what was granted with a proposal that is approved now; none when nothing was.
    pub(super) async fn giving(&self, proposal: &Proposal, saying: Saying) -> Result<Option<Record>, Error> {
        let (Some(subject), Some(_)) = (proposal.grantable, proposal.granted()) else {
            return Ok(None);
        };
        let grants = verify::grants(self.ledger.history(subject.stream()).await?);
        let given = GrantEvent::Given {
            proposal: proposal.id,
        };
        let record = self
            .ledger
            .record(grants.next(), saying, &[Event::Grant(given)])?;
        Ok(Some(record))
    }
}
