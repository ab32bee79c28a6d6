//! What follows from the last decision on a proposal of an operator, in the same commit: what was approved takes effect, and
//! a secret that was denied is void.

use std::time::Duration;

use super::RegistrationAuthority;
use super::begin::run;
use super::define::is_as_asked;
use crate::configuration::ConfigurationError;
use crate::domain::{
    Command, DecisionRejection, EnrollmentId, Event, KnownRegistration, KnownSecret, ObjectEvent,
    ObjectHistory, ObjectVersion, Proposal, ProposalSubject, Purpose, Refusal, RegistrationEvent,
    RegistrationId, RequestedStatus, RoleName, SecretEvent, SecretId, StreamId, object_digest, secret_digest,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::operators::ChangeError;
use crate::ports::Batch;
use crate::steps::{Verified, verify};

impl RegistrationAuthority {
    /// Refuses an approval of what something else has overtaken.
    pub(super) async fn not_overtaken(&self, proposal: &Proposal) -> Result<(), Error> {
        match &proposal.subject {
            ProposalSubject::Enrollment(_) | ProposalSubject::Certificates { .. } => Ok(()),
            ProposalSubject::Object { kind, name, .. } => {
                let history = self.objects.load(*kind, name).await?;
                self.draft_asked(proposal, history.value()).await.map(drop)
            }
            ProposalSubject::Registration(id) => self.registration_asked(proposal, *id).await.map(drop),
            ProposalSubject::Secret(id) => self.secret_asked(proposal, *id).await.map(drop),
        }
    }

    /// The draft that people decide on, if it can be in force in place of what they looked at.
    async fn draft_asked(
        &self,
        proposal: &Proposal,
        history: &ObjectHistory,
    ) -> Result<ObjectVersion, Error> {
        let ProposalSubject::Object { version, .. } = &proposal.subject else {
            return Err(overtaken());
        };
        let in_force = history.current().map(|current| current.version);
        let draft = history
            .revision(*version)
            .filter(|revision| revision.released.is_none())
            .filter(|revision| object_digest(&revision.object, in_force) == proposal.digest)
            .ok_or_else(overtaken)?;
        if draft.object.kind.is_of_people() {
            self.readable(&draft.object).map_err(or_overtaken)?;
            return Ok(draft.object.clone());
        }
        // What was said about it when it was proposed may be another now that other objects are in force.
        match self.acceptable(&draft.object).await {
            Ok(_) => Ok(draft.object.clone()),
            Err(ConfigurationError::Ra(error)) => Err(error),
            Err(_) => Err(overtaken()),
        }
    }

    /// The registration that people decide on, if it is as they looked at it.
    async fn registration_asked(
        &self,
        proposal: &Proposal,
        id: RegistrationId,
    ) -> Result<Verified<KnownRegistration>, Error> {
        let known = self.registrations.registration(id).await?;
        let asked = (proposal.id, &proposal.digest);
        known
            .filter(|known| is_as_asked(known, asked))
            .ok_or_else(overtaken)
    }

    /// The secret that people decide on, if it still waits for them.
    async fn secret_asked(&self, proposal: &Proposal, id: SecretId) -> Result<Verified<KnownSecret>, Error> {
        let now = self.now();
        let waits = |known: &Verified<KnownSecret>| {
            known.value().waiting.as_ref().is_some_and(|waiting| {
                waiting.proposal == proposal.id
                    && now < waiting.until
                    && secret_digest(id, &waiting.secret) == proposal.digest
            })
        };
        let known = self.secrets.secret(id).await?;
        known.filter(waits).ok_or_else(overtaken)
    }

    /// Adds what an approved proposal of an operator brings about. Looked at once more as it is read for that: what is
    /// appended comes after just this.
    pub(super) async fn take_effect(
        &self,
        proposal: &Proposal,
        (saying, batch): (&Saying, &mut Batch),
    ) -> Result<(), Error> {
        let approved_by = || proposal.approvals().map(|ruling| ruling.by.clone()).collect();
        match &proposal.subject {
            ProposalSubject::Enrollment(_) => {}
            ProposalSubject::Object { kind, name, .. } => {
                let history = self.objects.load(*kind, name).await?;
                let draft = self.draft_asked(proposal, history.value()).await?;
                self.superadmins_left(proposal, (history.value(), &draft), (saying, batch))
                    .await?;
                let released = Event::Object(ObjectEvent::Released {
                    version: draft.version,
                    approved_by: approved_by(),
                });
                let record = self.ledger.record(history.next(), saying.clone(), &[released])?;
                batch.records.push(record);
            }
            ProposalSubject::Registration(id) => {
                let known = self.registration_asked(proposal, *id).await?;
                let released = RegistrationEvent::Released {
                    proposal: proposal.id,
                    approved_by: approved_by(),
                };
                let (record, row, _) = self.registrations.appending(&known, released, saying.clone())?;
                batch.records.push(record);
                batch.projections.push(row);
            }
            ProposalSubject::Secret(id) => {
                let known = self.secret_asked(proposal, *id).await?;
                let released = SecretEvent::Released {
                    proposal: proposal.id,
                    approved_by: approved_by(),
                };
                let (record, row) = self.secrets.settling(&known, released, saying.clone())?;
                batch.records.push(record);
                batch.projections.extend(row);
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

    /// Adds what a denied proposal of an operator brings about: a secret that waited for it never becomes good.
    pub(super) async fn take_back(
        &self,
        proposal: &Proposal,
        (saying, batch): (&Saying, &mut Batch),
    ) -> Result<(), Error> {
        let ProposalSubject::Secret(id) = &proposal.subject else {
            return Ok(());
        };
        let known = self.secrets.secret(*id).await?;
        let waits = |known: &Verified<KnownSecret>| {
            let waiting = known.value().waiting.as_ref();
            waiting.is_some_and(|waiting| waiting.proposal == proposal.id)
        };
        if let Some(known) = known.filter(waits) {
            let denied = SecretEvent::Denied {
                proposal: proposal.id,
            };
            let (record, row) = self.secrets.settling(&known, denied, saying.clone())?;
            batch.records.push(record);
            batch.projections.extend(row);
        }
        Ok(())
    }

    /// Refuses what would leave nobody who has every right, or is about superadmins and was asked for by somebody who is
    /// none any more; adds what guards that.
    async fn superadmins_left(
        &self,
        proposal: &Proposal,
        (history, draft): (&ObjectHistory, &ObjectVersion),
        (saying, batch): (&Saying, &mut Batch),
    ) -> Result<(), Error> {
        let standing = match proposal.opened_by.principal() {
            Some(asks) => self.believed_standing(asks).await?,
            None => None,
        };
        let asks_as_one = standing.is_some_and(|standing| standing.holds(&RoleName::superadmin()));
        let left = self
            .superadmins_after((asks_as_one, saying.clone()), history.current(), Some(draft))
            .await
            .map_err(or_overtaken)?;
        batch.records.extend(left.guard);
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
}

fn overtaken() -> Error {
    Refusal::from(DecisionRejection::Overtaken).into()
}

fn or_overtaken(error: ChangeError) -> Error {
    match error {
        ChangeError::Ra(error) => error,
        _ => overtaken(),
    }
}
