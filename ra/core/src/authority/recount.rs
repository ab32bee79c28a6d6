//! Counting approvals once more, when what was approved is about to take effect.

use super::RegistrationAuthority;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, Electorate, Event, Origin, Principal, Proposal, ProposalEvent, Purpose, StreamId,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::Batch;
use crate::steps::Verified;

/// What counting again came to.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub(super) enum Recount {
    /// Everybody who approved is still entitled to.
    Stands,
    /// Somebody is not; others may decide in their place.
    Short,
    /// Somebody is not, and nobody can decide in their place.
    Hopeless,
}

impl RegistrationAuthority {
    /// Counts the approvals of a proposal with what its approvers may do now. Those that no longer count are recorded, and
    /// the proposal waits for others.
    pub(super) async fn recount(&self, proposal: Verified<Proposal>) -> Result<Recount, Error> {
        let lost = self.lost_approvals(proposal.value()).await?;
        if lost.is_empty() {
            return Ok(Recount::Stands);
        }
        let stream = StreamId::proposal(proposal.value().id);
        let mut after = Some(proposal.value().clone());
        let mut events = Vec::new();
        for (by, why) in lost {
            tracing::warn!(proposal = %proposal.value().id, principal = %by, why, "approval no longer counts");
            let event = ProposalEvent::Discounted { by, why };
            Proposal::apply(
                &mut after,
                proposal.value().id,
                &event,
                (&Actor::Node, self.now()),
            );
            events.push(Event::Proposal(event));
        }
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, Actor::Node, origin, "counted again");
        let mut place = proposal.next();
        let mut records = Vec::new();
        for some in events.chunks(crate::domain::MAX_EVENTS) {
            let record = self.ledger.record(place, saying.clone(), some)?;
            place.position = place.position.saturating_add(1);
            place.previous = record.hash();
            records.push(record);
        }
        let batch = Batch {
            records,
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| commit_error(error, stream))?;
        match after.is_some_and(|after| after.is_hopeless()) {
            true => Ok(Recount::Hopeless),
            false => Ok(Recount::Short),
        }
    }

    /// Who approved and is not entitled to any more, each with why.
    pub(super) async fn lost_approvals(
        &self,
        proposal: &Proposal,
    ) -> Result<Vec<(Principal, String)>, Error> {
        let constituency = self.constituency(proposal).await?;
        let mut lost = Vec::new();
        for ruling in proposal.approvals() {
            let standing = self.believed_standing(&ruling.by).await?;
            let keys = match standing {
                Some(_) => self.evidence_keys(&ruling.by).await?,
                None => Vec::new(),
            };
            let electorate = Electorate {
                on: &constituency.on(),
                excluded: &constituency.excluded,
                everywhere: constituency.everywhere,
                keys: &keys,
            };
            if let Err(why) = proposal.still_counts(&ruling.by, standing.as_ref(), &electorate) {
                lost.push((ruling.by.clone(), why.to_string()));
            }
        }
        Ok(lost)
    }
}
