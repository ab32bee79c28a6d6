//! Proposals of operators: on versions of objects, and on the status of certificates. What is approved takes effect in the
//! commit of the last approval.

use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::run;
use super::judge::unreadable;
use crate::access::Acting;
use crate::accounts::commit_error;
use crate::configuration::ConfigurationError;
use crate::domain::{
    Actor, ApprovalPolicy, Command, Decision, DecisionRejection, EnrollmentId, Event, ObjectEvent,
    ObjectKind, Principal, Proposal, ProposalEvent, ProposalId, ProposalSubject, Purpose, Record, Refusal,
    RequestedStatus, Right, StatusChange, StreamId, certificates_digest, object_digest,
};
use crate::error::{Error, InternalError};
use crate::ledger::{Saying, first};
use crate::ports::Batch;
use crate::steps::verify;

/// The approval policy that guards changes of configuration, when there is one.
pub const CONFIGURATION_POLICY: &str = "configuration";

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
        let id = ProposalId::new(self.now(), self.parts.random.as_ref());
        let opened = Event::Proposal(ProposalEvent::Opened {
            subject,
            digest,
            terms: policy.terms.clone(),
            until: self.now().saturating_add(policy.age_max),
            grantable: None,
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
                return Err(Refusal::from(DecisionRejection::lacks(right)).into());
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
            self.not_overtaken(proposal).await?;
        }
        Ok(Discounts {
            after: after.unwrap_or_else(|| proposal.clone()),
            events,
        })
    }

    /// Refuses an approval of a version that another one has overtaken.
    async fn not_overtaken(&self, proposal: &Proposal) -> Result<(), Error> {
        let ProposalSubject::Object { kind, name, version } = &proposal.subject else {
            return Ok(());
        };
        let history = self.objects.load(*kind, name).await?;
        let in_force = history.value().current().map(|current| current.version);
        let overtaken = || Error::from(Refusal::from(DecisionRejection::Overtaken));
        let draft = history
            .value()
            .revision(*version)
            .filter(|revision| revision.released.is_none())
            .filter(|revision| object_digest(&revision.object, in_force) == proposal.digest)
            .ok_or_else(overtaken)?;
        // What was said about it when it was proposed may be another now that other objects are in force.
        match self.acceptable(&draft.object).await {
            Ok(_) => Ok(()),
            Err(ConfigurationError::Ra(error)) => Err(error),
            Err(_) => Err(overtaken()),
        }
    }

    /// Adds what an approved proposal of an operator brings about.
    pub(super) async fn take_effect(
        &self,
        proposal: &Proposal,
        (saying, batch): (&Saying, &mut Batch),
    ) -> Result<(), Error> {
        match &proposal.subject {
            ProposalSubject::Enrollment(_) => {}
            ProposalSubject::Object { kind, name, version } => {
                let history = self.objects.load(*kind, name).await?;
                let approved_by: Vec<Principal> =
                    proposal.approvals().map(|ruling| ruling.by.clone()).collect();
                let released = Event::Object(ObjectEvent::Released {
                    version: *version,
                    approved_by,
                });
                let record = self.ledger.record(history.next(), saying.clone(), &[released])?;
                batch.records.push(record);
            }
            ProposalSubject::Certificates { change, enrollments } => {
                let by = proposal.opened_by.principal().ok_or(InternalError::Tampered {
                    stream: StreamId::proposal(proposal.id),
                    reason: "nobody asked for it",
                })?;
                let wish = RequestedStatus {
                    change: *change,
                    by: by.clone(),
                    comment: format!("approved as proposal {}", proposal.id),
                };
                self.request_status(enrollments, (&wish, saying), batch).await?;
            }
        }
        Ok(())
    }

    /// Has the workers change every one of these certificates that may still be changed so.
    async fn request_status(
        &self,
        enrollments: &[EnrollmentId],
        (wish, saying): (&RequestedStatus, &Saying),
        batch: &mut Batch,
    ) -> Result<(), Error> {
        let streams: Vec<StreamId> = enrollments.iter().copied().map(StreamId::enrollment).collect();
        for (history, stream) in self.ledger.histories(&streams).await?.into_iter().zip(&streams) {
            let Some(enrollment) = verify::enrollment(history) else {
                continue;
            };
            if !enrollment.value().may_become(wish.change) {
                continue;
            }
            let command = [Command::RequestStatus(wish.clone())];
            let (_, events) = run(enrollment.value().clone(), command, self.now())?;
            let saying = Saying {
                purpose: Purpose::Console,
                ..saying.clone()
            };
            batch
                .records
                .push(self.ledger.record(enrollment.next(), saying, &events)?);
            batch.tasks.push(self.task(*stream, Duration::ZERO, None));
        }
        Ok(())
    }

    /// Refuses to let somebody alone do what a policy guards.
    pub(super) async fn not_guarded(&self, change: StatusChange) -> Result<(), Error> {
        if change != StatusChange::Release {
            return Ok(());
        }
        match self.approval_policy(REVOCATION_POLICY).await? {
            None => Ok(()),
            Some(policy) => {
                let name = policy.terms.policy.to_string();
                Err(Refusal::from(DecisionRejection::ApprovalNeeded(name)).into())
            }
        }
    }
}

/// Discounts recorded with one decision, at most: a record has room for 16 events.
const DISCOUNTS_MAX: usize = 15;
