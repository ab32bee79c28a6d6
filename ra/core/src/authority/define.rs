//! What a registration may have: defined, changed and resumed. Where a policy guards configuration, what gives it more is
//! proposed to people first.

use super::RegistrationAuthority;
use super::guard::{Excluded, Extent};
use super::register::owned;
use crate::access::Acting;
use crate::accounts::{commit_error, may_race};
use crate::domain::{
    KnownRegistration, On, ProposalId, ProposalState, ProposalSubject, ProposedRegistration, Record, Refusal,
    Registration, RegistrationEvent, RegistrationId, RegistrationState, Right, StreamId,
};
use crate::error::Error;
use crate::ports::{CommitError, Conflict};
use crate::steps::Verified;
use portreeve_pkix::Timestamp;

/// What became of a registration.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Registered {
    /// As it is known now.
    pub known: KnownRegistration,
    /// Where people decide, when what was wanted waits for them.
    pub proposal: Option<ProposalId>,
}

/// What would become of a registration.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Foreseen {
    /// It would be in force at once.
    Created,
    /// People would be asked first.
    Proposed,
}

/// What to record, with the first record of a proposal when people are asked.
struct Planned {
    event: RegistrationEvent,
    opened: Option<(ProposalId, Record)>,
}

impl RegistrationAuthority {
    /// What would become of a registration that is created now; if it could not be, why.
    pub async fn check_registration(
        &self,
        by: &Acting,
        registration: &Registration,
    ) -> Result<Foreseen, Error> {
        self.may_define(by, registration).await?;
        self.check_defined(registration)?;
        if let Some(known) = self.registrations.find(&registration.name).await?
            && !never_in_force(known.value())
        {
            return Err(Refusal::NameTaken.into());
        }
        let guarded = self.guarding(
            (by.principal(), Excluded::concerned(registration.owner.as_ref())),
            Extent::Somewhere,
        );
        Ok(match guarded.await? {
            Some(_) => Foreseen::Proposed,
            None => Foreseen::Created,
        })
    }

    /// Creates a registration. One of this name that people have not agreed to is proposed anew.
    pub async fn create_registration(
        &self,
        by: &Acting,
        registration: Registration,
    ) -> Result<Registered, Error> {
        self.may_define(by, &registration).await?;
        self.check_defined(&registration)?;
        if let Some(known) = self.registrations.find(&registration.name).await? {
            let id = known.value().id;
            let again = never_in_force(known.value()) && self.registration_seen(by, id).await?.is_some();
            if !again {
                return Err(Refusal::NameTaken.into());
            }
            self.may_define(by, &known.value().registration).await?;
            return self
                .define(by, id, (registration, Some(0)))
                .await?
                .ok_or_else(taken);
        }
        let (id, name) = (self.registrations.new_id(), registration.name.clone());
        let proposed = ProposedRegistration {
            registration,
            resumes: false,
        };
        let planned = self.plan_registration(by, (id, None), proposed).await?;
        let (proposal, opened) = planned.opened.unzip();
        let first = (planned.event, opened);
        let known = self
            .registrations
            .create((id, &name), first, &by.publisher())
            .await?;
        let known = known.ok_or_else(taken)?;
        Ok(Registered { known, proposal })
    }

    /// Changes what a registration may have; its name stays. With an expected version, only if it has that: refused as
    /// stale otherwise. `None` when there is none that they may see.
    pub async fn define_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
        (registration, expected): (Registration, Option<u32>),
    ) -> Result<Option<Registered>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.may_define(by, &known.registration).await?;
        self.may_define(by, &registration).await?;
        let named = Registration {
            name: known.registration.name,
            ..registration
        };
        self.check_defined(&named)?;
        self.define(by, id, (named, expected)).await
    }

    /// Ends a suspension.
    pub async fn resume_registration(
        &self,
        by: &Acting,
        id: RegistrationId,
    ) -> Result<Option<Registered>, Error> {
        let Some(known) = self.registration_seen(by, id).await? else {
            return Ok(None);
        };
        self.need(by, Right::RegistrationWrite, owned(&known.registration))
            .await?;
        self.settle_definition(by, (id, None), |known| ProposedRegistration {
            registration: known.registration.clone(),
            resumes: true,
        })
        .await
    }

    async fn define(
        &self,
        by: &Acting,
        id: RegistrationId,
        (registration, expected): (Registration, Option<u32>),
    ) -> Result<Option<Registered>, Error> {
        self.settle_definition(by, (id, expected), |_| ProposedRegistration {
            registration: registration.clone(),
            resumes: false,
        })
        .await
    }

    /// Records that a registration is to be otherwise, or asks people. Of several who do so at once, each sees what the
    /// one before has left.
    async fn settle_definition(
        &self,
        by: &Acting,
        (id, expected): (RegistrationId, Option<u32>),
        wanted: impl Fn(&KnownRegistration) -> ProposedRegistration,
    ) -> Result<Option<Registered>, Error> {
        let mut turn = 0;
        loop {
            let Some(known) = self.registrations.registration(id).await? else {
                return Ok(None);
            };
            let before = known.value();
            if expected.is_some_and(|expected| expected != before.version) {
                return Err(Refusal::Stale.into());
            }
            let proposed = wanted(before);
            let unchanged = Registered {
                known: before.clone(),
                proposal: None,
            };
            if before.lasting_state() == RegistrationState::Ended || is_so(before, &proposed) {
                return Ok(Some(unchanged));
            }
            if let Some(open) = self.asked_already(before, &proposed).await? {
                return Ok(Some(Registered {
                    proposal: Some(open),
                    ..unchanged
                }));
            }
            if known.has_grown() {
                let often = "it has been changed too often: end it, and create another";
                return Err(Refusal::Malformed(often.to_owned()).into());
            }
            let planned = self.plan_registration(by, (id, Some(before)), proposed).await?;
            let (proposal, opened) = planned.opened.unzip();
            match self
                .registrations
                .append(&known, (planned.event, opened), &by.publisher())
                .await?
            {
                Ok(known) => return Ok(Some(Registered { known, proposal })),
                Err(CommitError::Conflict(Conflict::Stream(_))) if may_race(turn) => turn += 1,
                Err(error) => return Err(commit_error(error, StreamId::registration(id))),
            }
        }
    }

    /// What becomes of a registration that is to be so.
    async fn plan_registration(
        &self,
        by: &Acting,
        (id, before): (RegistrationId, Option<&KnownRegistration>),
        proposed: ProposedRegistration,
    ) -> Result<Planned, Error> {
        let in_force = before.and_then(KnownRegistration::in_force);
        let policy = self.parts.policy.as_ref();
        let resumes = proposed.resumes;
        let guarded = match resumes || policy.widens_registration(in_force, &proposed.registration) {
            true => {
                let owners = before.and_then(|before| before.registration.owner.clone());
                let mut excluded = Excluded::concerned(proposed.registration.owner.as_ref());
                excluded.concerned.extend(owners);
                excluded.authors.extend(
                    before
                        .iter()
                        .flat_map(|before| before.unconfirmed_authors.iter().cloned()),
                );
                self.guarding((by.principal(), excluded), Extent::Somewhere)
                    .await?
            }
            false => None,
        };
        let Some(policy) = guarded else {
            let event = match resumes {
                true => RegistrationEvent::Resumed,
                false => RegistrationEvent::Defined(proposed.registration),
            };
            return Ok(Planned { event, opened: None });
        };
        let digest = proposed.digest(id, before.map_or(0, |before| before.version));
        let subject = ProposalSubject::Registration(id);
        let (proposal, opened) = self.raising((subject, digest), &policy, by)?;
        Ok(Planned {
            event: RegistrationEvent::Proposed { proposed, proposal },
            opened: Some((proposal, opened)),
        })
    }

    /// The proposal in which people are asked just this, if one is open.
    async fn asked_already(
        &self,
        known: &KnownRegistration,
        proposed: &ProposedRegistration,
    ) -> Result<Option<ProposalId>, Error> {
        let Some(waiting) = known
            .waiting
            .as_ref()
            .filter(|waiting| waiting.proposed == *proposed)
        else {
            return Ok(None);
        };
        let digest = proposed.digest(known.id, known.version);
        let found = self.proposal(waiting.proposal).await?.filter(|proposal| {
            proposal.state(self.now()) == ProposalState::Open && proposal.digest == digest
        });
        Ok(found.map(|proposal| proposal.id))
    }

    /// Whether they may make a registration like this: for its team, and for each of its profiles.
    async fn may_define(&self, by: &Acting, registration: &Registration) -> Result<(), Error> {
        let on = owned(registration);
        self.need(by, Right::RegistrationWrite, on).await?;
        for profile in &registration.profiles {
            let with = On {
                profile: Some(profile),
                ..on
            };
            self.need(by, Right::RegistrationWrite, with).await?;
        }
        Ok(())
    }
    pub(super) fn check_defined(&self, registration: &Registration) -> Result<(), Refusal> {
        registration
            .check()
            .map_err(|error| Refusal::Malformed(error.to_string()))?;
        self.check_until(registration.until)
    }

    pub(super) fn check_until(&self, until: Option<Timestamp>) -> Result<(), Refusal> {
        match until {
            Some(until) if until <= self.now() => {
                Err(Refusal::Malformed("until: is over already".to_owned()))
            }
            _ => Ok(()),
        }
    }
}

/// Whether people were asked about it and have not agreed, so that whoever may can ask anew.
fn never_in_force(known: &KnownRegistration) -> bool {
    known.lasting_state() == RegistrationState::Pending
}

/// Whether a registration is so already.
fn is_so(known: &KnownRegistration, proposed: &ProposedRegistration) -> bool {
    match proposed.resumes {
        true => !known.is_suspended(),
        false => known.in_force() == Some(&proposed.registration),
    }
}

fn taken() -> Error {
    Refusal::NameTaken.into()
}

/// Whether a registration is as it was when people were asked about it, so that they decide on what they looked at.
pub(super) fn is_as_asked(
    known: &Verified<KnownRegistration>,
    (proposal, digest): (ProposalId, &[u8; 32]),
) -> bool {
    let known = known.value();
    known.lasting_state() != RegistrationState::Ended
        && known.waiting.as_ref().is_some_and(|waiting| {
            waiting.proposal == proposal && waiting.proposed.digest(known.id, known.version) == *digest
        })
}
