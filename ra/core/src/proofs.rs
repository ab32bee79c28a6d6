//! Proven identifiers: what a requester has shown control of, as signed events.

use portreeve_pkix::{Identifier, Timestamp};
use std::sync::Arc;

use crate::accounts::{Change, commit_error, from, may_grow, may_race};
use crate::domain::{
    Actor, Alongside, Event, Origin, ProofEvent, ProvenIdentifier, Purpose, Requester, StreamId, proof_stream,
};
use crate::error::Error;
use crate::ledger::{Ledger, Saying};
use crate::ports::{Batch, CommitError, Conflict};
use crate::steps::Verified;
use crate::steps::verify;

/// Control that was shown just now.
#[derive(Debug)]
pub struct NewProof {
    /// Who showed it.
    pub requester: Requester,
    /// Of what. A wildcard name is an identifier of its own.
    pub identifier: Identifier,
    /// How.
    pub method: String,
    /// What was seen.
    pub evidence: String,
    /// Up to when it counts.
    pub until: Timestamp,
    /// From where.
    pub origin: Origin,
    /// What to commit in the same transaction.
    pub alongside: Alongside,
}

/// A proof that counts.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct LiveProof {
    /// How control was shown.
    pub method: String,
    /// When.
    pub proven_at: Timestamp,
    /// Up to when it counts.
    pub until: Timestamp,
}

/// Proofs of control over identifiers.
pub struct Proofs {
    ledger: Arc<Ledger>,
}

impl Proofs {
    pub(crate) const fn new(ledger: Arc<Ledger>) -> Self {
        Self { ledger }
    }

    /// Records a proof; it replaces an earlier one. One identifier can be proven 1,000 times.
    pub async fn record(&self, proof: NewProof) -> Result<(), Error> {
        let stream = proof_stream(&proof.requester, &proof.identifier);
        let event = ProofEvent::Proven {
            requester: proof.requester.clone(),
            identifier: proof.identifier,
            method: proof.method,
            evidence: proof.evidence,
            until: proof.until,
        };
        let change = Change {
            origin: proof.origin,
            alongside: proof.alongside,
        };
        self.append(stream, &proof.requester, event, change).await
    }

    /// Ends a proof. One that does not exist stays that way.
    pub async fn withdraw(
        &self,
        requester: &Requester,
        identifier: &Identifier,
        change: Change,
    ) -> Result<(), Error> {
        self.append(
            proof_stream(requester, identifier),
            requester,
            ProofEvent::Withdrawn,
            change,
        )
        .await
    }

    /// The proof by which each identifier counts as proven; `None` when it does not.
    pub async fn live(
        &self,
        requester: &Requester,
        identifiers: &[Identifier],
    ) -> Result<Vec<Option<LiveProof>>, Error> {
        let streams: Vec<StreamId> = identifiers
            .iter()
            .map(|name| proof_stream(requester, name))
            .collect();
        let histories = self.ledger.histories(&streams).await?;
        let now = self.ledger.now();
        let live = |(history, identifier)| {
            let proof: ProvenIdentifier = verify::proof(history).map(Verified::into_value)?;
            proof.holds(requester, identifier, now).then_some(LiveProof {
                until: proof.until?,
                method: proof.method,
                proven_at: proof.proven_at,
            })
        };
        Ok(histories.into_iter().zip(identifiers).map(live).collect())
    }

    async fn append(
        &self,
        stream: StreamId,
        requester: &Requester,
        event: ProofEvent,
        change: Change,
    ) -> Result<(), Error> {
        let Alongside { documents, spends } = change.alongside;
        let mut turn = 0;
        loop {
            let history = self.ledger.history(stream).await?;
            let next = history.next();
            if event == ProofEvent::Withdrawn {
                let live = verify::proof(history).is_some_and(|proof| proof.value().until.is_some());
                if !live {
                    let rest = from(Alongside { documents, spends });
                    let kept = self.ledger.store.commit(rest).await;
                    return kept.map_err(|error| commit_error(error, stream));
                }
            } else {
                may_grow(next)?;
            }
            let saying = Saying::new(
                Purpose::Edge,
                Actor::Requester(requester.clone()),
                change.origin.clone(),
                "control over identifier",
            );
            let record = self.ledger.record(next, saying, &[Event::Proof(event.clone())])?;
            let batch = Batch {
                records: vec![record],
                documents: documents.clone(),
                spends: spends.clone(),
                ..Batch::default()
            };
            match self.ledger.store.commit(batch).await {
                Ok(()) => return Ok(()),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, stream)),
            }
        }
    }
}
