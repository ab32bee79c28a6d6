//! Proposals of operators: on what gives somebody more, and on the status of certificates.

use std::sync::Arc;
use std::time::Duration;

use portreeve_pkix::Timestamp;

use super::RegistrationAuthority;
use super::judge::unreadable;
use crate::access::Acting;
use crate::accounts::commit_error;
use crate::domain::{
    Actor, ApprovalPolicy, Decision, DecisionRejection, EnrollmentId, Event, ObjectKind, Origin, Proposal,
    ProposalEvent, ProposalId, ProposalState, ProposalSubject, RateLimit, Record, Refusal, Right, Standing,
    StatusChange, StreamId, certificates_digest,
};
use crate::error::Error;
use crate::ledger::first;
use crate::ports::{Admission, Batch};

/// The approval policy that guards revocation in bulk and release from hold, when there is one.
pub const REVOCATION_POLICY: &str = "revocation";

/// Approvals that no longer count, and the proposal without them.
pub(super) struct Discounts {
    pub(super) after: Proposal,
    events: Vec<Event>,
}

impl Discounts {
    /// What is recorded: the discounts, then this.
    pub(super) fn before(&self, event: ProposalEvent) -> Vec<Event> {
        let mut events = self.events.clone();
        events.push(Event::Proposal(event));
        events
    }
}

impl RegistrationAuthority {
    /// The approval policy with this name that is in force, if there is one.
    pub async fn approval_policy(&self, name: &str) -> Result<Option<Arc<ApprovalPolicy>>, Error> {
        let object = self.objects.current(ObjectKind::ApprovalPolicy, name).await?;
        let read = object.map(|object| self.parts.policy.approval_policy(&object));
        read.transpose()
            .map_err(|error| Error::Internal(unreadable(error)))
    }

    /// What opens a proposal of an operator, to be committed with what is proposed.
    pub(crate) fn raising(
        &self,
        (subject, digest): (ProposalSubject, [u8; 32]),
        policy: &ApprovalPolicy,
        by: &Acting,
    ) -> Result<(ProposalId, Record), Error> {
        let until = self.now().saturating_add(policy.age_max);
        self.raising_until((subject, digest), (policy, until), by)
    }

    /// The same with an end of its own.
    pub(crate) fn raising_until(
        &self,
        (subject, digest): (ProposalSubject, [u8; 32]),
        (policy, until): (&ApprovalPolicy, Timestamp),
        by: &Acting,
    ) -> Result<(ProposalId, Record), Error> {
        let id = ProposalId::new(self.now(), self.parts.random.as_ref());
        let opened = Event::Proposal(ProposalEvent::Opened {
            subject,
            digest,
            terms: policy.terms.clone(),
            until,
            grantable: None,
            granted_anyway: None,
        });
        let saying = by.publisher().saying();
        let record = self
            .ledger
            .record(first(StreamId::proposal(id)), saying, &[opened])?;
        Ok((id, record))
    }

    /// Asks people whether the status of these certificates may be changed so; whoever asks must have the right to change
    /// each of them. `None` when no policy guards this; then nothing is changed.
    pub async fn propose_status(
        &self,
        change: StatusChange,
        enrollments: Vec<EnrollmentId>,
        by: &Acting,
    ) -> Result<Option<ProposalId>, Error> {
        let Some(policy) = self.approval_policy(REVOCATION_POLICY).await? else {
            return Ok(None);
        };
        let mut enrollments = enrollments;
        enrollments.sort();
        enrollments.dedup();
        if enrollments.is_empty() || enrollments.len() > ProposalSubject::CERTIFICATES_MAX {
            let limit = ProposalSubject::CERTIFICATES_MAX;
            return Err(Refusal::Malformed(format!("1 to {limit} certificates in one proposal")).into());
        }
        self.may_change(&enrollments, (change, by)).await?;
        let digest = certificates_digest(change, &enrollments);
        let subject = ProposalSubject::Certificates { change, enrollments };
        let (id, opened) = self.raising((subject, digest), &policy, by)?;
        let batch = Batch {
            records: vec![opened],
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        committed.map_err(|error| commit_error(error, StreamId::proposal(id)))?;
        Ok(Some(id))
    }

    async fn may_change(
        &self,
        enrollments: &[EnrollmentId],
        (change, by): (StatusChange, &Acting),
    ) -> Result<(), Error> {
        let right = match change.is_about_hold() {
            true => Right::CertificateHold,
            false => Right::CertificateRevoke,
        };
        for id in enrollments {
            let known = self.known_certificate(*id).await?;
            let known = known.ok_or(Refusal::UnknownCertificate)?;
            if !known.allows(&by.standing, right) {
                self.note_refused((&by.standing, &by.origin), right, &known).await;
                return Err(match known.allows(&by.standing, Right::CertificateRead) {
                    true => Refusal::from(DecisionRejection::lacks(right)).into(),
                    false => Refusal::UnknownCertificate.into(),
                });
            }
        }
        Ok(())
    }

    /// What no longer counts of a proposal that takes effect with its last approval. For one on an enrollment a worker looks
    /// at that when it makes the intent.
    pub(super) async fn discounts(
        &self,
        proposal: &Proposal,
        decision: Decision,
    ) -> Result<Discounts, Error> {
        let mut after = Some(proposal.clone());
        let mut events = Vec::new();
        if proposal.subject.enrollment().is_none() && decision == Decision::Approve {
            // A record has room for some events only; what is left over is found by whoever decides next.
            let lost = self.lost_approvals(proposal).await?;
            for (by, why) in lost.into_iter().take(DISCOUNTS_MAX) {
                let event = ProposalEvent::Discounted { by, why };
                Proposal::apply(&mut after, proposal.id, &event, (&Actor::Node, self.now()));
                events.push(Event::Proposal(event));
            }
            let open = |after: &Proposal| after.state(self.now()) == ProposalState::Open;
            if after.as_ref().is_some_and(open) {
                self.not_overtaken(proposal).await?;
            }
        }
        Ok(Discounts {
            after: after.unwrap_or_else(|| proposal.clone()),
            events,
        })
    }

    /// Refuses to let somebody alone do what a policy guards: release a certificate from hold, or revoke many one by one.
    pub(super) async fn not_guarded(
        &self,
        (standing, origin): (&Standing, &Origin),
        change: StatusChange,
    ) -> Result<(), Error> {
        let Some(policy) = self.approval_policy(REVOCATION_POLICY).await? else {
            return Ok(());
        };
        let by = &standing.principal;
        let (right, what) = match change {
            StatusChange::Release => (
                Right::CertificateHold,
                "a release from hold, which others must agree to",
            ),
            StatusChange::Revoke(_) => {
                let admitted = self.parts.limiter.admit(&format!("alone:{by}"), ALONE, 1).await;
                if admitted == Admission::Admitted {
                    return Ok(());
                }
                (
                    Right::CertificateRevoke,
                    "so many certificates that others must agree to it",
                )
            }
        };
        self.refused((by, origin), right, what).await;
        let name = policy.terms.policy.to_string();
        Err(Refusal::from(DecisionRejection::ApprovalNeeded(name)).into())
    }
}

/// Certificates that one principal revokes or puts on hold without asking others, where a policy guards doing so to many: what
/// one call may not do, many calls do not do either. Enough for a day's work, and for a handful of stolen keys at once.
const ALONE: RateLimit = RateLimit {
    requests: 20,
    period: Duration::from_secs(3600),
    burst: 20,
};

/// Discounts recorded with one decision, at most: a record has room for 16 events.
const DISCOUNTS_MAX: usize = 15;
