//! `erase`: what the records of an ended enrollment say is removed, and of what was about nothing else; events tell of it.

use portreeve_pkix::{Certificate, Timestamp};

use super::RegistrationAuthority;
use super::approve::DecisionRequest;
use super::resolve::said_by;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    Command, Enrollment, EnrollmentId, EnrollmentState, ErasedWith, Event, KnownRegistration, Proposal,
    ProposalEvent, Refusal, RegistrationEvent, RegistrationState, StreamId,
};
use crate::error::{Error, InternalError};
use crate::ports::{
    Batch, CommitError, Conflict, Ownership, Projection, RequestRow, Reservation, Scan, Sealing,
    SearchedNames, Space,
};
use crate::registrations::name_key;
use crate::search::{Among, Expression, Field, Plan, Term};
use crate::steps::Verified;

/// What came of a wish to erase.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Erasure {
    /// It is erased.
    Done(Erased),
    /// The enrollment has not ended: it goes on, its certificate is in force, or its claim still leads to it.
    NotEnded,
}

/// What was erased.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub struct Erased {
    /// So many records say nothing any more.
    pub records: u64,
    /// What was erased besides the enrollment.
    pub with: ErasedWith,
}

/// What an enrollment leaves nothing else of.
struct Last {
    proposal: Option<Verified<Proposal>>,
    registration: Option<Verified<KnownRegistration>>,
}

impl Last {
    fn names(&self) -> ErasedWith {
        ErasedWith {
            proposal: self.proposal.as_ref().map(|found| found.value().id),
            registration: self.registration.as_ref().map(|found| found.value().id),
        }
    }
}

impl RegistrationAuthority {
    /// Erases salt and payload of the records of an enrollment that has ended for good: its certificate has expired, or
    /// there is none and none can come of it. So are those of the proposal on it and, when it has ended and nothing else
    /// that is known was asked for through it, of its registration, whose name is free again. First events say so; doing
    /// it again removes what a crash left.
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
            if let Some(with) = enrollment.value().erased_with() {
                let said = enrollment.next().position.saturating_sub(1);
                return Ok(Erasure::Done(self.empty(sealing, (stream, said), with).await?));
            }
            if !self.may_be_erased(enrollment.value()).await? {
                return Ok(Erasure::NotEnded);
            }
            let last = self.last_of(enrollment.value()).await?;
            match self
                .parts
                .store
                .commit(self.erased(&enrollment, &last, &request)?)
                .await
            {
                Ok(()) => {
                    let with = last.names();
                    tracing::info!(enrollment.id = %id, principal = %request.by, ?with, "enrollment erased");
                    let said = (stream, enrollment.next().position);
                    return Ok(Erasure::Done(self.empty(sealing, said, with).await?));
                }
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, stream)),
            }
        }
    }

    /// Removes what was said to be: what goes with the enrollment first, since only its own last record tells of that.
    async fn empty(
        &self,
        sealing: &dyn Sealing,
        (stream, said): (StreamId, u64),
        with: ErasedWith,
    ) -> Result<Erased, Error> {
        let (others, mut records) = (with.streams(), 0_u64);
        for (other, history) in others.iter().zip(self.ledger.histories(&others).await?) {
            let said = history.next().position.saturating_sub(1);
            records = records.saturating_add(sealing.erase(*other, said).await?);
        }
        records = records.saturating_add(sealing.erase(stream, said).await?);
        Ok(Erased { records, with })
    }

    /// What is about this enrollment and about nothing else that is known.
    async fn last_of(&self, enrollment: &Enrollment) -> Result<Last, Error> {
        let proposal = match enrollment.proposal() {
            Some(id) => self.load_proposal(id).await?,
            None => None,
        };
        let registration = match enrollment.on_behalf_of() {
            Some(id) => self.registrations.registration(id).await?,
            None => None,
        };
        let registration = match registration {
            Some(known) if self.is_used_up(known.value(), enrollment.id).await? => Some(known),
            _ => None,
        };
        Ok(Last {
            proposal,
            registration,
        })
    }

    /// Whether a registration has ended and no other request that was made through it is known any more.
    async fn is_used_up(&self, known: &KnownRegistration, by: EnrollmentId) -> Result<bool, Error> {
        if known.lasting_state() != RegistrationState::Ended {
            return Ok(false);
        }
        let word = |field, word: &str| Expression::Term(Term::one_of(field, [word.to_owned()]));
        let erased = word(Field::State, EnrollmentState::Erased.as_str());
        let through = word(Field::Registration, &known.registration.name);
        let wanted = Expression::And(vec![through, Expression::Not(Box::new(erased))]);
        let now = self.now();
        let plan = Plan::of(Some(&wanted), Among::Requests, now);
        let scan = Scan {
            expression: Some(&wanted),
            plan: &plan,
            now,
            after: None,
            limit: 2,
        };
        let found = self.parts.store.find_requests(&scan).await?;
        Ok(found.next.is_none() && found.items.iter().all(|row| row.enrollment == by))
    }

    /// The records that say so, and the row of the list without names.
    fn erased(
        &self,
        enrollment: &Verified<Enrollment>,
        last: &Last,
        request: &DecisionRequest,
    ) -> Result<Batch, Error> {
        let (now, known) = (self.now(), enrollment.value());
        let event = Event::Enrollment(known.decide(Command::Erase(last.names()))?);
        let mut told = vec![(enrollment.next(), event)];
        if let Some(proposal) = &last.proposal {
            told.push((proposal.next(), Event::Proposal(ProposalEvent::Erased)));
        }
        let mut reservations = Vec::new();
        if let Some(registration) = &last.registration {
            told.push((
                registration.next(),
                Event::Registration(RegistrationEvent::Erased),
            ));
            reservations.push(Reservation::Release {
                space: Space::RegistrationName,
                key: name_key(&registration.value().registration.name),
            });
        }
        let records = told
            .into_iter()
            .map(|(place, event)| self.ledger.record(place, said_by(request), &[event]))
            .collect::<Result<Vec<_>, Error>>()?;
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
            records,
            reservations,
            projections: row.map(Projection::Request).into_iter().collect(),
            ..Batch::default()
        })
    }

    async fn may_be_erased(&self, enrollment: &Enrollment) -> Result<bool, Error> {
        let now = self.now();
        if enrollment.decide(Command::Erase(ErasedWith::default())).is_err() || !is_over(enrollment, now)? {
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
