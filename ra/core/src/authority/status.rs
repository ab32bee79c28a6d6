//! Operators revoke certificates, put them on hold and release them.

use portreeve_pkix::Certificate;
use std::sync::Arc;
use std::time::Duration;

use super::RegistrationAuthority;
use super::approve::COMMENT_CHARS_MAX;
use super::begin::run;
use super::deadline::within;
use super::revoke::Wanted;
use super::settle::Settled;
use crate::access::Target;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Actor, Alongside, Command, Enrollment, EnrollmentId, On, Origin, Purpose, Refusal, RequestedStatus,
    RevocationReason, Right, Role, Standing, StatusChange, StreamId, TeamName,
};
use crate::error::Error;
use crate::ledger::Saying;
use crate::ports::{
    Batch, CommitError, Conflict, Ownership, Projection, RevocationPower, TaskLease, WakeKey,
};
use crate::steps::Verified;

/// How long a console waits for a worker.
const CHANGED_WITHIN: Duration = Duration::from_secs(10);

/// What an operator asks for.
#[derive(Clone, Debug)]
pub struct StatusRequest {
    /// The enrollment whose certificate it is about.
    pub enrollment: EnrollmentId,
    /// What.
    pub change: StatusChange,
    /// Why, in words; at most [`COMMENT_CHARS_MAX`] characters.
    pub comment: String,
    /// From where.
    pub origin: Origin,
}

/// What has come of it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum StatusOutcome {
    /// It is so, durably.
    Done,
    /// It is recorded, and a worker will do it.
    HandedOver,
}

/// An issued certificate, as its verified events tell.
#[derive(Clone, Debug)]
pub struct KnownCertificate {
    /// Where it came from.
    pub enrollment: Enrollment,
    /// The certificate.
    pub certificate: Certificate,
    /// Through what it was asked for, as it is now.
    pub ownership: Ownership,
}

impl KnownCertificate {
    /// Whether somebody has this right on it.
    pub fn allows(&self, standing: &Standing, right: Right) -> bool {
        let Some(application) = self.enrollment.application() else {
            return false;
        };
        let team = self.team();
        let on = On {
            backend: Some(&application.backend),
            profile: Some(&application.profile),
            team: team.as_ref(),
        };
        standing.may(right, on)
    }

    /// The team that owns it, if one does.
    pub fn team(&self) -> Option<TeamName> {
        team_of(&self.ownership)
    }
}

impl RegistrationAuthority {
    /// The certificate of an enrollment, if it was issued.
    pub async fn known_certificate(&self, id: EnrollmentId) -> Result<Option<KnownCertificate>, Error> {
        let Some(enrollment) = self.enrollment(id).await? else {
            return Ok(None);
        };
        let certificate = enrollment
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok());
        let Some(certificate) = certificate else {
            return Ok(None);
        };
        Ok(Some(KnownCertificate {
            ownership: self.ownership(&enrollment).await?,
            enrollment,
            certificate,
        }))
    }

    /// Changes where a certificate stands, for an operator who has the right to. Returns when it is so, or, where a worker
    /// has to do it and takes longer than ten seconds, when it is recorded.
    pub async fn change_status(
        self: &Arc<Self>,
        standing: &Standing,
        request: StatusRequest,
    ) -> Result<StatusOutcome, Error> {
        let (id, change) = (request.enrollment, request.change);
        match self.begin_change(standing, request).await? {
            StatusOutcome::Done => Ok(StatusOutcome::Done),
            StatusOutcome::HandedOver => self.changed_by_a_worker(id, change).await,
        }
    }

    /// As [`Self::change_status`], without waiting for a worker.
    pub async fn begin_change(
        self: &Arc<Self>,
        standing: &Standing,
        request: StatusRequest,
    ) -> Result<StatusOutcome, Error> {
        let stream = StreamId::enrollment(request.enrollment);
        let wish = RequestedStatus {
            change: request.change,
            by: standing.principal.clone(),
            comment: request.comment.chars().take(COMMENT_CHARS_MAX).collect(),
        };
        let by = (standing, &request.origin);
        let mut turn = 0;
        loop {
            let enrollment = self
                .load_enrollment(request.enrollment)
                .await?
                .ok_or(Refusal::UnknownCertificate)?;
            let certificate = self.changeable(by, enrollment.value(), wish.change).await?;
            if turn == 0 {
                self.not_guarded(by, wish.change).await?;
            }
            self.is_possible(enrollment.value(), wish.change)?;
            let committed = if self.parts.roles.has(Role::Worker) {
                let origin = request.origin.clone();
                self.carry_out_change(&enrollment, &certificate, (&wish, origin))
                    .await?
            } else {
                self.hand_change_over(&enrollment, (wish.clone(), request.origin.clone()))
                    .await?
            };
            match committed {
                Ok(outcome) => return Ok(outcome),
                Err(CommitError::Conflict(Conflict::Stream(_) | Conflict::Claim(_))) if may_race(turn) => {
                    turn += 1;
                }
                Err(error) => return Err(commit_error(error, stream)),
            }
        }
    }

    /// The certificate, if this operator may change it so.
    async fn changeable(
        &self,
        (standing, origin): (&Standing, &Origin),
        enrollment: &Enrollment,
        change: StatusChange,
    ) -> Result<Certificate, Error> {
        let certificate = enrollment
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok())
            .ok_or(Refusal::UnknownCertificate)?;
        let known = KnownCertificate {
            enrollment: enrollment.clone(),
            certificate,
            ownership: self.ownership(enrollment).await?,
        };
        let right = if change.is_about_hold() {
            Right::CertificateHold
        } else {
            Right::CertificateRevoke
        };
        if !known.allows(standing, right) {
            self.note_refused((standing, origin), right, &known).await;
            return Err(Refusal::NotAuthorized.into());
        }
        Ok(known.certificate)
    }

    /// Records that somebody lacks a right on a certificate.
    pub(super) async fn note_refused(
        &self,
        by: (&Standing, &Origin),
        right: Right,
        known: &KnownCertificate,
    ) {
        let (application, team) = (known.enrollment.application(), known.team());
        let on = On {
            backend: application.map(|application| &application.backend),
            profile: application.map(|application| &application.profile),
            team: team.as_ref(),
        };
        // It is refused; that is all it is for.
        let _ = self.authorize(by.0, right, (Target::Owned(on), by.1)).await;
    }

    fn is_possible(&self, enrollment: &Enrollment, change: StatusChange) -> Result<(), Refusal> {
        use RevocationReason::{AaCompromise, CaCompromise};
        if matches!(change, StatusChange::Revoke(CaCompromise | AaCompromise)) {
            return Err(Refusal::RevocationReason);
        }
        // A console need not know the CA; then its worker says so.
        let power = self
            .backend_for(enrollment)
            .map(|backend| backend.capabilities().revocation);
        match power {
            Ok(RevocationPower::Impossible) => return Err(Refusal::CannotRevoke),
            Ok(RevocationPower::MustBeTold) if change.is_about_hold() => return Err(Refusal::CannotRevoke),
            _ => {}
        }
        if enrollment.may_become(change) {
            return Ok(());
        }
        Err(match change {
            StatusChange::Revoke(_) => Refusal::AlreadyRevoked,
            StatusChange::Release => Refusal::NotHeld,
        })
    }

    async fn carry_out_change(
        &self,
        enrollment: &Verified<Enrollment>,
        certificate: &Certificate,
        (wish, origin): (&RequestedStatus, Origin),
    ) -> Result<Result<StatusOutcome, CommitError>, Error> {
        let actor = Actor::Operator(wish.by.clone());
        let committed = match wish.change {
            StatusChange::Revoke(reason) => {
                let wanted = Wanted {
                    reason,
                    knows_key: true,
                    actor,
                    comment: &wish.comment,
                    origin,
                    alongside: &Alongside::default(),
                };
                self.carry_out(enrollment, certificate, wanted).await?
            }
            StatusChange::Release => {
                let saying = Saying::new(Purpose::Worker, actor, origin, &wish.comment);
                self.release(enrollment, certificate, saying).await?
            }
        };
        Ok(committed.map(|()| StatusOutcome::Done))
    }

    async fn release(
        &self,
        enrollment: &Verified<Enrollment>,
        certificate: &Certificate,
        saying: Saying,
    ) -> Result<Result<(), CommitError>, Error> {
        let id = enrollment.value().id;
        let (_, events) = run(enrollment.value().clone(), [Command::Release], self.now())?;
        let batch = Batch {
            records: vec![self.ledger.record(enrollment.next(), saying, &events)?],
            projections: vec![Projection::Released(id)],
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        if committed.is_ok() {
            tracing::info!(enrollment.id = %id, serial = %certificate.serial(), "certificate released from hold");
            self.parts.wakeups.wake(WakeKey::Status);
        }
        Ok(committed)
    }

    /// Records what an operator asks for, once, with a task for any worker.
    async fn hand_change_over(
        &self,
        enrollment: &Verified<Enrollment>,
        (wish, origin): (RequestedStatus, Origin),
    ) -> Result<Result<StatusOutcome, CommitError>, Error> {
        let (this, now) = (enrollment.value(), self.now());
        let mut batch = Batch::default();
        if this.status_due().map(|due| due.change) != Some(wish.change) {
            let actor = Actor::Operator(wish.by.clone());
            let saying = Saying::new(Purpose::Console, actor, origin, &wish.comment);
            let (_, events) = run(this.clone(), [Command::RequestStatus(wish)], now)?;
            batch.records = vec![self.ledger.record(enrollment.next(), saying, &events)?];
        }
        batch.tasks = vec![self.task(StreamId::enrollment(this.id), Duration::ZERO, None)];
        let committed = self.parts.store.commit(batch).await;
        self.parts.wakeups.wake(WakeKey::Tasks);
        Ok(committed.map(|()| StatusOutcome::HandedOver))
    }

    async fn changed_by_a_worker(
        self: &Arc<Self>,
        id: EnrollmentId,
        change: StatusChange,
    ) -> Result<StatusOutcome, Error> {
        let changed = async {
            loop {
                let woken = self.wait_for(id, CHANGED_WITHIN);
                let enrollment = self
                    .load_enrollment(id)
                    .await?
                    .ok_or(Refusal::UnknownCertificate)?;
                if !enrollment.value().may_become(change) {
                    return Ok(StatusOutcome::Done);
                }
                woken.await;
            }
        };
        within(self.parts.clock.as_ref(), CHANGED_WITHIN, changed)
            .await
            .unwrap_or(Ok(StatusOutcome::HandedOver))
    }

    /// Carries out what an operator asked a console for. What cannot be done any more, or not by its CA, is left.
    pub(super) async fn change_as_requested(
        self: &Arc<Self>,
        enrollment: Verified<Enrollment>,
        lease: &TaskLease,
        wish: RequestedStatus,
    ) -> Result<Settled, Error> {
        let certificate = enrollment
            .value()
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok());
        match (certificate, self.is_possible(enrollment.value(), wish.change)) {
            (Some(certificate), Ok(())) => {
                let origin = Origin::node(self.parts.node);
                let committed = self
                    .carry_out_change(&enrollment, &certificate, (&wish, origin))
                    .await?;
                committed.map_err(|error| commit_error(error, lease.subject))?;
            }
            (_, Err(refusal)) => {
                tracing::warn!(enrollment.id = %enrollment.value().id, by = %wish.by, refusal = refusal.code(),
                               "an operator's change of a certificate's status was not carried out");
            }
            (None, Ok(())) => {}
        }
        self.complete(lease).await?;
        Ok(Settled::Stop(enrollment))
    }

    /// Through what an enrollment was asked for, as it is now.
    pub(super) async fn ownership(&self, enrollment: &Enrollment) -> Result<Ownership, Error> {
        let Some(id) = enrollment.on_behalf_of() else {
            return Ok(Ownership::default());
        };
        let found = self.registrations.registration(id).await?;
        Ok(found.map_or_else(Ownership::default, |found| {
            let registration = &found.value().registration;
            Ownership {
                registration: Some(registration.name.clone()),
                team: registration.team.as_ref().map(ToString::to_string),
            }
        }))
    }

    /// The team that owns the registration through which an enrollment was asked for, as it is now.
    pub async fn owning_team(&self, enrollment: &Enrollment) -> Result<Option<TeamName>, Error> {
        Ok(team_of(&self.ownership(enrollment).await?))
    }

    /// The first row of a request, which alone says through what it was asked for.
    pub(super) async fn first_row(&self, enrollment: &Enrollment) -> Result<Vec<Projection>, Error> {
        let ownership = self.ownership(enrollment).await?;
        Ok(super::rows::owned(
            super::rows::request(enrollment, self.now()),
            ownership,
        ))
    }
}

fn team_of(ownership: &Ownership) -> Option<TeamName> {
    ownership
        .team
        .as_deref()
        .and_then(|team| TeamName::new(team).ok())
}
