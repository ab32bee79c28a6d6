//! Grants: found, spent and given.

use super::RegistrationAuthority;
use crate::domain::{
    Actor, Application, ApprovalTerms, EnrollmentId, Event, GrantEvent, GrantSubject, Grants, Origin,
    Proposal, ProposalId, ProposalState, Purpose, Record,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::steps::issue;
use crate::steps::{Verified, verify};

/// Grants of one subject that are looked at, the newest first.
const LOOKED_AT_MAX: usize = 8;

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
