//! How many certificates a registration has at once.
//!
//! A registration with a limit has one document, sealed for workers, that lists the enrollments which count. It is
//! written in the commit of each intent, in the version that follows the one that was read: of two workers that begin
//! at the same time one commits, and the other counts again. That an enrollment no longer counts, since it ended
//! without a certificate, or its certificate has expired or was revoked, is read from its own verified events when the
//! list is full.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Certificate, Timestamp};
use std::sync::Arc;

use super::RegistrationAuthority;
use super::begin::run;
use super::holder::LINEAGE;
use super::rows;
use super::settle::Settled;
use crate::accounts::may_race;
use crate::domain::{
    Actor, Application, Command, Enrollment, EnrollmentId, EnrollmentState, Origin, OverLimit, Purpose,
    Record, Refusal, RegistrationId, RevocationReason, Role, Shown, StreamId, Verdict,
};
use crate::error::{Error, InternalError};
use crate::ledger::Saying;
use crate::ports::{
    Batch, CommitError, Conflict, DocumentId, DocumentWrite, RevocationPower, TaskLease, WakeKey,
};
use crate::steps::admit::Admitted;
use crate::steps::{Verified, verify};

/// The kind of the documents.
const KIND: &str = "ra.holdings";

/// Room for one more certificate: what is committed with its intent.
#[derive(Default)]
pub(super) struct Room {
    /// The list with the new enrollment on it.
    pub(super) documents: Vec<DocumentWrite>,
    /// The certificate that gives way when the new one has been issued.
    pub(super) supersedes: Option<EnrollmentId>,
}

impl Room {
    /// What happens to the enrollment besides.
    pub(super) fn command(&self) -> Option<Command> {
        self.supersedes.map(Command::Supersede)
    }
}

#[derive(Clone, Default, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
struct Holdings(Vec<EnrollmentId>);

/// How an enrollment counts.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
enum Counts {
    /// It has, or will have, a certificate. If that replaces an older one, the older one no longer counts.
    UnderWay(Option<EnrollmentId>),
    /// Its certificate is good.
    Issued,
    /// It has none, or none any more.
    Not,
}

impl RegistrationAuthority {
    /// Room for the certificate of this enrollment, if its registration may have one more, and what it renews may still be
    /// renewed.
    pub(super) async fn room_for(&self, application: &Application, id: EnrollmentId) -> Result<Room, Error> {
        let mut room = match application.registration {
            Some(registration) => self.room_of(registration, &application.shown, id).await?,
            None => Room::default(),
        };
        room.supersedes = room.supersedes.or(application.shown.replaces);
        if let Some(renewal) = application.shown.renewal {
            let renewing = self.renewing((renewal, id), &application.endpoint);
            room.documents.push(renewing.await?);
        }
        Ok(room)
    }

    /// Room among the certificates of a registration.
    async fn room_of(
        &self,
        registration: RegistrationId,
        shown: &Shown,
        id: EnrollmentId,
    ) -> Result<Room, Error> {
        let known = self.registrations.registration(registration).await?;
        let known = known
            .ok_or(Refusal::RegistrationClosed)?
            .into_value()
            .registration;
        let Some(max) = known.certificates_max.and_then(|max| usize::try_from(max).ok()) else {
            return Ok(Room::default());
        };
        let (version, Holdings(mut held)) = self.holdings(registration).await?;
        // What is renewed or replaced gives its place to what takes its place.
        let gives_way = [shown.renewal.map(|it| it.of), shown.replaces];
        held.retain(|one| *one != id && !gives_way.contains(&Some(*one)));
        let mut supersedes = None;
        if held.len() >= max {
            let counted = self.counted(registration, &held).await?;
            held = counted.iter().map(|(one, _)| *one).collect();
            supersedes = make_room(&counted, max, known.over_limit)?;
        }
        held.push(id);
        let body = borsh::to_vec(&Holdings(held)).map_err(|_| unreadable())?;
        let document = DocumentWrite {
            id: document(registration),
            version: version.saturating_add(1),
            body: Some(body),
            keys: Vec::new(),
            expires_at: None,
        };
        Ok(Room {
            documents: vec![document],
            supersedes,
        })
    }

    /// The verdict, or a refusal when it permits what there is no room for: for those to whom what follows costs something. Who
    /// cannot read the list finds room; it is looked at again in the commit of the intent.
    pub(super) async fn with_room(
        &self,
        verdict: Verdict,
        (admitted, shown): (&Admitted, &Shown),
    ) -> Result<Verdict, Error> {
        let (Verdict::Permit { findings, .. }, Some(behalf)) = (&verdict, admitted.behalf()) else {
            return Ok(verdict);
        };
        if !self.parts.roles.has(Role::Worker) {
            return Ok(verdict);
        }
        let nobody = EnrollmentId::from_bytes([0; 16]);
        match self.room_of(behalf.registration.id, shown, nobody).await {
            Ok(_) => Ok(verdict),
            Err(Error::Refused(refusal)) => Ok(Verdict::Refuse {
                refusal,
                findings: findings.clone(),
            }),
            Err(error) => Err(error),
        }
    }

    async fn holdings(&self, registration: RegistrationId) -> Result<(u64, Holdings), Error> {
        match self.parts.documents.document(&document(registration)).await? {
            None => Ok((0, Holdings::default())),
            Some(found) => {
                let held = Holdings::try_from_slice(&found.body).map_err(|_| unreadable())?;
                Ok((found.version, held))
            }
        }
    }

    /// Those that count, the oldest first.
    async fn counted(
        &self,
        registration: RegistrationId,
        held: &[EnrollmentId],
    ) -> Result<Vec<(EnrollmentId, Counts)>, Error> {
        let streams: Vec<StreamId> = held.iter().copied().map(StreamId::enrollment).collect();
        let now = self.now();
        let mut counted = Vec::with_capacity(held.len());
        for (history, id) in self.ledger.histories(&streams).await?.into_iter().zip(held) {
            let enrollment = verify::enrollment(history);
            let counts = enrollment.map_or(Counts::Not, |it| counts(it.value(), registration, now));
            if counts != Counts::Not {
                counted.push((*id, counts));
            }
        }
        counted.sort_by_key(|(id, _)| *id);
        Ok(counted)
    }

    /// Commits the intent of an enrollment that was received before, with room for its certificate, and with a record of
    /// another stream.
    pub(super) async fn begin_issuing(
        self: &Arc<Self>,
        (enrollment, lease): (Verified<Enrollment>, &TaskLease),
        (application, commands): (&Application, Vec<Command>),
        (reason, besides): (&str, Option<Record>),
    ) -> Result<Settled, Error> {
        let id = enrollment.value().id;
        let mut turn = 0;
        loop {
            let room = match self.room_for(application, id).await {
                Err(Error::Refused(refusal)) => {
                    return self.end(enrollment, lease, Command::Refuse(refusal)).await;
                }
                other => other?,
            };
            let commands = commands.iter().cloned().chain(room.command());
            let besides = Batch {
                records: besides.iter().cloned().collect(),
                documents: room.documents,
                ..Batch::default()
            };
            let (next, error) = self
                .try_advance(enrollment.clone(), commands, (reason, besides))
                .await?;
            match error {
                None => return Ok(Settled::GoOn(next)),
                Some(CommitError::Conflict(Conflict::Document(_))) if may_race(turn) => turn += 1,
                Some(error) => return Err(self.not_begun(error, next.value()).await),
            }
        }
    }

    /// Commits events that keep the task, and what goes with them; where it leads, and what stood in the way.
    async fn try_advance(
        &self,
        enrollment: Verified<Enrollment>,
        commands: impl IntoIterator<Item = Command>,
        (reason, besides): (&str, Batch),
    ) -> Result<(Verified<Enrollment>, Option<CommitError>), Error> {
        let (after, events) = run(enrollment.value().clone(), commands, self.now())?;
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, Actor::Node, origin, reason);
        let record = self.ledger.record(enrollment.next(), saying, &events)?;
        let batch = Batch {
            records: std::iter::once(record.clone()).chain(besides.records).collect(),
            documents: besides.documents,
            reservations: super::begin::serial_reservation(&after).into_iter().collect(),
            projections: rows::request(&after, self.now()),
            ..Batch::default()
        };
        let committed = self.parts.store.commit(batch).await;
        Ok((enrollment.after(&record, after), committed.err()))
    }

    /// The revocation of the certificate that gives way to the one just issued, for the same commit.
    pub(super) async fn superseded_by(&self, enrollment: &Enrollment) -> Result<Batch, Error> {
        let Some(older) = enrollment.supersedes() else {
            return Ok(Batch::default());
        };
        let older = self.load_enrollment(older).await?;
        let same = |other: &Enrollment| {
            let of = |it: &Enrollment| it.application().and_then(|application| application.registration);
            let replaced = enrollment.application().and_then(|it| it.shown.replaces) == Some(other.id)
                && other.asked().map(|asked| asked.requester)
                    == enrollment.asked().map(|asked| asked.requester);
            replaced || (of(other).is_some() && of(other) == of(enrollment))
        };
        let Some(older) = older.filter(|older| same(older.value())) else {
            return Ok(Batch::default());
        };
        let this = older.value();
        let certificate = this
            .certificate()
            .and_then(|(der, _)| Certificate::from_der(der).ok());
        let possible = this.decide(Command::Revoke(RevocationReason::Superseded)).is_ok();
        let Some(certificate) = certificate.filter(|_| possible) else {
            return Ok(Batch::default());
        };
        let (now, reason) = (self.now(), RevocationReason::Superseded);
        let (after, events) = run(this.clone(), [Command::Revoke(reason)], now)?;
        let why = match enrollment.application().and_then(|it| it.shown.replaces) {
            Some(replaced) if replaced == this.id => "another was made, since its key may not have arrived",
            _ => "the registration has as many certificates as it may have",
        };
        let origin = Origin::node(self.parts.node);
        let saying = Saying::new(Purpose::Worker, Actor::Node, origin, why);
        let told = self
            .backend_for(this)
            .map(|backend| backend.capabilities().revocation);
        let told = !matches!(told, Ok(RevocationPower::FromStore | RevocationPower::Impossible));
        self.parts.wakeups.wake(WakeKey::Status);
        Ok(Batch {
            records: vec![self.ledger.record(older.next(), saying, &events)?],
            claims: self.ending_claim(&after, now).await?.into_iter().collect(),
            tasks: told.then(|| self.revoke_task(this.id)).into_iter().collect(),
            projections: rows::revoked(&after, &certificate, reason, now)
                .into_iter()
                .collect(),
            ..Batch::default()
        })
    }
}

/// Whether a commit failed since another enrollment of the same registration began at the same time.
pub(super) fn was_counted_meanwhile(error: &CommitError) -> bool {
    matches!(error, CommitError::Conflict(Conflict::Document(id)) if [KIND, LINEAGE].contains(&id.kind))
}

const fn document(registration: RegistrationId) -> DocumentId {
    DocumentId {
        kind: KIND,
        id: *registration.as_bytes(),
    }
}

fn unreadable() -> InternalError {
    InternalError::Store("the list of a registration's certificates cannot be read".to_owned())
}

fn counts(enrollment: &Enrollment, registration: RegistrationId, now: Timestamp) -> Counts {
    let ours = enrollment
        .application()
        .is_some_and(|application| application.registration == Some(registration));
    if !ours {
        return Counts::Not;
    }
    match enrollment.state() {
        Some(EnrollmentState::Issued | EnrollmentState::Confirmed) => {
            // One on hold may be good again.
            let held = |(reason, _)| reason == RevocationReason::CertificateHold;
            let good = enrollment.revoked().is_none_or(held)
                && enrollment
                    .certificate()
                    .and_then(|(der, _)| Certificate::from_der(der).ok())
                    .is_some_and(|certificate| now < certificate.not_after());
            if good { Counts::Issued } else { Counts::Not }
        }
        None | Some(EnrollmentState::Refused | EnrollmentState::Failed | EnrollmentState::Expired) => {
            Counts::Not
        }
        Some(_) => Counts::UnderWay(enrollment.supersedes()),
    }
}

/// Which certificate gives way, if one must; refused when none may or can.
fn make_room(
    counted: &[(EnrollmentId, Counts)],
    max: usize,
    over_limit: OverLimit,
) -> Result<Option<EnrollmentId>, Refusal> {
    let gives_way = |id: &EnrollmentId| {
        counted
            .iter()
            .any(|(_, counts)| *counts == Counts::UnderWay(Some(*id)))
    };
    let mut staying = counted.iter().filter(|(id, _)| !gives_way(id));
    if staying.clone().count() < max {
        return Ok(None);
    }
    match over_limit {
        OverLimit::RefuseNew => Err(Refusal::LimitReached),
        // One that is still under way cannot be revoked: then there is no room until it is issued.
        OverLimit::RevokeOldest => staying
            .find(|(_, counts)| *counts == Counts::Issued)
            .map(|(id, _)| Some(*id))
            .ok_or(Refusal::LimitReached),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(number: u8) -> EnrollmentId {
        EnrollmentId::from_bytes([number; 16])
    }

    #[test]
    fn who_gives_way() {
        use Counts::{Issued, UnderWay};
        use OverLimit::{RefuseNew, RevokeOldest};
        let rows: [(_, &[Counts], _, _, _); 8] = [
            ("room", &[Issued], 2, RefuseNew, Ok(None)),
            (
                "full",
                &[Issued, Issued],
                2,
                RefuseNew,
                Err(Refusal::LimitReached),
            ),
            (
                "full of what is under way",
                &[UnderWay(None)],
                1,
                RefuseNew,
                Err(Refusal::LimitReached),
            ),
            ("the oldest goes", &[Issued, Issued], 2, RevokeOldest, Ok(Some(1))),
            (
                "the oldest that was issued goes",
                &[UnderWay(None), Issued],
                2,
                RevokeOldest,
                Ok(Some(2)),
            ),
            (
                "nothing was issued",
                &[UnderWay(None)],
                1,
                RevokeOldest,
                Err(Refusal::LimitReached),
            ),
            (
                "what goes already does not go again",
                &[Issued, UnderWay(Some(id(1)))],
                1,
                RevokeOldest,
                Err(Refusal::LimitReached),
            ),
            (
                "the next oldest goes",
                &[Issued, Issued, UnderWay(Some(id(1)))],
                2,
                RevokeOldest,
                Ok(Some(2)),
            ),
        ];
        for (case, counted, max, over_limit, expected) in rows {
            let counted: Vec<_> = (1..).map(id).zip(counted.iter().copied()).collect();
            let found = make_room(&counted, max, over_limit);
            assert_eq!(found, expected.map(|number| number.map(id)), "{case}");
        }
    }
}
