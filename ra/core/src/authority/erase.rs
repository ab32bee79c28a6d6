//! `erase`: what the records of an ended enrollment say is removed, and an event tells of it. And who has a serial number.

use portreeve_pkix::{Certificate, SerialNumber, Timestamp};

use super::RegistrationAuthority;
use super::approve::DecisionRequest;
use super::begin::serial_key;
use super::resolve::said_by;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Command, Enrollment, EnrollmentId, EnrollmentState, Event, Refusal, StreamId, StreamKind,
};
use crate::error::{Error, InternalError};
use crate::ports::{
    Batch, CommitError, Conflict, Ownership, Projection, RequestRow, Sealing, SearchedNames, Space,
};
use crate::steps::Verified;

/// What came of a wish to erase.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Erasure {
    /// So many records say nothing any more.
    Done(u64),
    /// The enrollment has not ended: it goes on, its certificate is in force, or its claim still leads to it.
    NotEnded,
}

impl RegistrationAuthority {
    /// Erases salt and payload of the records of an enrollment that has ended for good: its certificate has expired, or
    /// there is none and none can come of it. First an event says so; doing it again removes what a crash left.
    pub async fn erase(
        &self,
        sealing: &dyn Sealing,
        id: EnrollmentId,
        request: DecisionRequest,
    ) -> Result<Erasure, Error> {
        let stream = StreamId::enrollment(id);
        let mut turn = 0;
        loop {
            let enrollment = self.load_enrollment(id).await?.ok_or(Refusal::UnknownRequest)?;
            if enrollment.value().state() == Some(EnrollmentState::Erased) {
                let said = enrollment.next().position.saturating_sub(1);
                return Ok(Erasure::Done(sealing.erase(stream, said).await?));
            }
            if !self.may_be_erased(enrollment.value()).await? {
                return Ok(Erasure::NotEnded);
            }
            match self.parts.store.commit(self.erased(&enrollment, &request)?).await {
                Ok(()) => {
                    tracing::info!(enrollment.id = %id, principal = %request.by, "enrollment erased");
                    let records = sealing.erase(stream, enrollment.next().position).await?;
                    return Ok(Erasure::Done(records));
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, stream)),
            }
        }
    }

    /// The enrollment of the certificate with this serial number by one of these issuers, whose names are given in DER.
    pub async fn certified(
        &self,
        serial: &SerialNumber,
        issuers: &[Vec<u8>],
    ) -> Result<Option<EnrollmentId>, Error> {
        for issuer in issuers {
            let key = serial_key(issuer, serial.as_bytes());
            let found = self.parts.store.reserved(Space::Serial, &key).await?;
            if let Some(stream) = found.filter(|stream| stream.kind == StreamKind::Enrollment) {
                return Ok(Some(EnrollmentId::from_bytes(stream.id)));
            }
        }
        Ok(None)
    }

    /// The record that says so, and the row of the list without names.
    fn erased(&self, enrollment: &Verified<Enrollment>, request: &DecisionRequest) -> Result<Batch, Error> {
        let (now, known) = (self.now(), enrollment.value());
        let event = Event::Enrollment(known.decide(Command::Erase)?);
        let record = self
            .ledger
            .record(enrollment.next(), said_by(request), &[event])?;
        let row = known.asked().map(|asked| RequestRow {
            enrollment: known.id,
            endpoint: asked.endpoint.to_string(),
            requester: String::new(),
            names: String::new(),
            profile: known
                .application()
                .map_or_else(String::new, |judged| judged.profile.to_string()),
            backend: String::new(),
            key: [0; 32],
            key_algorithm: String::new(),
            searched: SearchedNames::default(),
            ownership: Ownership::default(),
            state: EnrollmentState::Erased.as_str().to_owned(),
            proposal: known.proposal(),
            created_at: known.received_at().unwrap_or(now),
            updated_at: now,
        });
        Ok(Batch {
            records: vec![record],
            projections: row.map(Projection::Request).into_iter().collect(),
            ..Batch::default()
        })
    }

    async fn may_be_erased(&self, enrollment: &Enrollment) -> Result<bool, Error> {
        let now = self.now();
        if enrollment.decide(Command::Erase).is_err() || !is_over(enrollment, now)? {
            return Ok(false);
        }
        let Some(asked) = enrollment.asked() else {
            return Ok(true);
        };
        // A denial keeps its claim for a while, so that its client is not heard again at once.
        let claim = self.parts.store.claim(&asked.claim).await?;
        Ok(claim.is_none_or(|claim| claim.enrollment != enrollment.id || claim.until <= now))
    }
}

/// Whether its certificate, if there is one, has expired.
fn is_over(enrollment: &Enrollment, now: Timestamp) -> Result<bool, Error> {
    let Some((der, _)) = enrollment.certificate() else {
        return Ok(true);
    };
    let certificate = Certificate::from_der(der).map_err(|_| InternalError::Tampered {
        stream: StreamId::enrollment(enrollment.id),
        reason: "certificate cannot be read",
    })?;
    Ok(certificate.not_after() < now)
}
