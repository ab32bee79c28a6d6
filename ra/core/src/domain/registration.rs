//! Registrations: end entities that are known beforehand.

mod allowed;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Identifier, Timestamp};

pub use allowed::{AllowedName, AllowedNames, BadAllowedName};

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{EndpointName, ProfileName, ProposalId, RegistrationId, TeamName};
use super::principal::Principal;
use super::refusal::Refusal;
use super::waiting::{ProposedRegistration, WaitingRegistration};

/// Characters of a registration's name, at most.
pub const REGISTRATION_NAME_MAX: usize = 128;

/// Allowed names of one registration, at most.
pub const ALLOWED_NAMES_MAX: usize = 256;

/// Profiles, and endpoints, of one registration, at most.
const NARROWED_TO_MAX: usize = 64;

/// The largest limit on certificates that one registration may have at once: whoever asks for one more is compared
/// with all of them.
pub const CERTIFICATES_MAX: u32 = 1_000;

/// What becomes of a request that goes over a registration's limit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum OverLimit {
    /// It is refused.
    RefuseNew,
    /// The oldest certificate is revoked as superseded when the new one has been issued.
    RevokeOldest,
}

impl OverLimit {
    /// The word in the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RefuseNew => "refuse-new",
            Self::RevokeOldest => "revoke-oldest",
        }
    }
}

/// What an end entity may have.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Registration {
    /// Its name, unique: letters, digits, spaces and ``-_.:/@#+()``, at most [`REGISTRATION_NAME_MAX`] characters.
    pub name: String,
    /// Names it may be certified for.
    pub names: AllowedNames,
    /// Whether wildcard names lie below an allowed domain as well. A wildcard that is listed itself needs no more.
    pub wildcards: bool,
    /// Whether control over the listed names is taken as shown: no challenge is asked for.
    pub vouched: bool,
    /// Profiles it may use; empty allows all of the endpoint.
    pub profiles: Vec<ProfileName>,
    /// Endpoints it may use; empty allows all.
    pub endpoints: Vec<EndpointName>,
    /// The team that owns it.
    pub team: Option<TeamName>,
    /// The person on whose behalf it asks, who may therefore not approve it.
    pub owner: Option<Principal>,
    /// Certificates it may have at once, at most [`CERTIFICATES_MAX`]; `None` does not limit.
    pub certificates_max: Option<u32>,
    /// What happens over that limit.
    pub over_limit: OverLimit,
    /// After this nothing is issued for it.
    pub until: Option<Timestamp>,
}

/// Why a registration cannot be as it was given.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegistrationError {
    /// The name.
    #[error("name: 1 to {REGISTRATION_NAME_MAX} letters, digits, spaces inside and -_.:/@#+()")]
    Name,
    /// The allowed names.
    #[error("names: at most {ALLOWED_NAMES_MAX}")]
    Names,
    /// Names are vouched for that nobody can see.
    #[error("vouched: only names that are listed can be vouched for")]
    VouchedForAny,
    /// Profiles or endpoints.
    #[error("profiles, endpoints: at most {NARROWED_TO_MAX} each")]
    Narrowed,
    /// The limit.
    #[error("certificates_max: 1 to {CERTIFICATES_MAX}")]
    Limit,
}

impl Registration {
    /// One that may have nothing.
    pub fn named(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            names: AllowedNames::Only(Vec::new()),
            wildcards: false,
            vouched: false,
            profiles: Vec::new(),
            endpoints: Vec::new(),
            team: None,
            owner: None,
            certificates_max: None,
            over_limit: OverLimit::RefuseNew,
            until: None,
        }
    }

    /// Whether it can be so.
    pub fn check(&self) -> Result<(), RegistrationError> {
        let legal = |character: char| character.is_alphanumeric() || " -_.:/@#+()".contains(character);
        let length = self.name.chars().count();
        if !(1..=REGISTRATION_NAME_MAX).contains(&length)
            || self.name.trim() != self.name
            || !self.name.chars().all(legal)
        {
            return Err(RegistrationError::Name);
        }
        match &self.names {
            AllowedNames::Only(names) if names.len() > ALLOWED_NAMES_MAX => {
                return Err(RegistrationError::Names);
            }
            AllowedNames::Only(names) if self.vouched && names.is_empty() => {
                return Err(RegistrationError::VouchedForAny);
            }
            AllowedNames::Any if self.vouched => return Err(RegistrationError::VouchedForAny),
            AllowedNames::Any | AllowedNames::Only(_) => {}
        }
        if self.profiles.len() > NARROWED_TO_MAX || self.endpoints.len() > NARROWED_TO_MAX {
            return Err(RegistrationError::Narrowed);
        }
        match self.certificates_max {
            Some(max) if !(1..=CERTIFICATES_MAX).contains(&max) => Err(RegistrationError::Limit),
            _ => Ok(()),
        }
    }

    /// Whether it may be certified for this identifier.
    pub fn covers(&self, identifier: &Identifier) -> bool {
        match &self.names {
            AllowedNames::Any => true,
            AllowedNames::Only(names) => names.iter().any(|name| name.covers(identifier, self.wildcards)),
        }
    }

    /// Whether control over this identifier is taken as shown.
    pub fn vouches_for(&self, identifier: &Identifier) -> bool {
        self.vouched && matches!(self.names, AllowedNames::Only(_)) && self.covers(identifier)
    }

    /// Whether it may use this profile.
    pub fn may_use(&self, profile: &ProfileName) -> bool {
        self.profiles.is_empty() || self.profiles.contains(profile)
    }

    /// Whether it may ask at this endpoint.
    pub fn may_ask_at(&self, endpoint: &EndpointName) -> bool {
        self.endpoints.is_empty() || self.endpoints.contains(endpoint)
    }
}

/// What can happen to a registration.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum RegistrationEvent {
    /// It is so from now on.
    Defined(Registration),
    /// Another person agreed to what it is now.
    Confirmed {
        /// Who.
        by: Principal,
    },
    /// Nothing is issued for it, until it is resumed.
    Suspended,
    /// It is as before.
    Resumed,
    /// It is over, for good.
    Ended,
    /// People are asked whether it may be so.
    Proposed {
        /// As it is to be.
        proposed: ProposedRegistration,
        /// Where they decide.
        proposal: ProposalId,
    },
    /// It is as was proposed from now on.
    Released {
        /// Where people decided.
        proposal: ProposalId,
        /// Who agreed.
        approved_by: Vec<Principal>,
    },
    /// What the records before this one say was removed, with the last request that was made through it.
    Erased,
}

impl RegistrationEvent {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Defined(_) => EventKind::RegistrationDefined,
            Self::Confirmed { .. } => EventKind::RegistrationConfirmed,
            Self::Suspended => EventKind::RegistrationSuspended,
            Self::Resumed => EventKind::RegistrationResumed,
            Self::Ended => EventKind::RegistrationEnded,
            Self::Proposed { .. } => EventKind::RegistrationProposed,
            Self::Released { .. } => EventKind::RegistrationReleased,
            Self::Erased => EventKind::RegistrationErased,
        }
    }
}

/// Where a registration stands.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum RegistrationState {
    /// It may be used.
    Active,
    /// It is suspended.
    Suspended,
    /// It is over.
    Ended,
    /// Its time is over.
    Expired,
    /// People have not agreed to it yet.
    Pending,
}

impl RegistrationState {
    /// The word in lists, the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
            Self::Expired => "expired",
            Self::Pending => "pending",
        }
    }
}

/// A registration, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownRegistration {
    /// Its id.
    pub id: RegistrationId,
    /// As it is now; while it never was in force, as it is to be.
    pub registration: Registration,
    /// How often it was defined; 0 while people have not agreed to it.
    pub version: u32,
    /// Who made it what it is now, and has not been confirmed by another person: they count as requesters of what is
    /// issued through it.
    pub unconfirmed_authors: Vec<Principal>,
    /// What people were asked about last, and have not agreed to.
    pub waiting: Option<WaitingRegistration>,
    suspended: bool,
    ended: bool,
}

impl KnownRegistration {
    /// Takes an event into account; `None` stands for one not yet defined.
    pub fn apply(this: &mut Option<Self>, id: RegistrationId, event: &RegistrationEvent, by: &Actor) {
        match (this.as_mut(), event) {
            (None, RegistrationEvent::Defined(registration)) => {
                *this = Some(Self {
                    version: 1,
                    unconfirmed_authors: by.principal().cloned().into_iter().collect(),
                    ..Self::new(id, registration)
                });
            }
            (None, RegistrationEvent::Proposed { proposed, proposal }) => {
                *this = Some(Self {
                    waiting: Some(WaitingRegistration::new(proposed, *proposal, by)),
                    ..Self::new(id, &proposed.registration)
                });
            }
            (Some(known), RegistrationEvent::Defined(registration)) => {
                known.waiting = None;
                known.define(registration, by.principal());
            }
            (Some(known), RegistrationEvent::Proposed { proposed, proposal }) => {
                if known.version == 0 {
                    known.registration = proposed.registration.clone();
                }
                known.waiting = Some(WaitingRegistration::new(proposed, *proposal, by));
            }
            (
                Some(known),
                RegistrationEvent::Released {
                    proposal,
                    approved_by,
                },
            ) => {
                known.release(*proposal, approved_by);
            }
            (Some(known), RegistrationEvent::Confirmed { by }) => {
                if !known.unconfirmed_authors.contains(by) {
                    known.unconfirmed_authors.clear();
                }
            }
            (Some(known), RegistrationEvent::Suspended) => known.suspended = true,
            (Some(known), RegistrationEvent::Resumed) => known.suspended = false,
            (Some(known), RegistrationEvent::Ended) => {
                known.waiting = None;
                known.ended = true;
            }
            // It counts only after the end.
            (Some(known), RegistrationEvent::Erased) if known.ended => *this = None,
            (Some(_), RegistrationEvent::Erased) => {}
            (None, _) => {}
        }
    }

    fn new(id: RegistrationId, registration: &Registration) -> Self {
        Self {
            id,
            registration: registration.clone(),
            version: 0,
            unconfirmed_authors: Vec::new(),
            waiting: None,
            suspended: false,
            ended: false,
        }
    }

    fn define(&mut self, registration: &Registration, author: Option<&Principal>) {
        self.registration = registration.clone();
        self.version = self.version.saturating_add(1);
        let author = author.filter(|by| !self.unconfirmed_authors.contains(by));
        self.unconfirmed_authors.extend(author.cloned());
    }

    /// Whoever agrees to what it becomes agrees to all that it came from, as if they confirmed it.
    fn release(&mut self, proposal: ProposalId, approved_by: &[Principal]) {
        let Some(waiting) = self.waiting.take_if(|waiting| waiting.proposal == proposal) else {
            return;
        };
        self.define(&waiting.proposed.registration, waiting.by.as_ref());
        if waiting.proposed.resumes {
            self.suspended = false;
        }
        let foreign = |by: &Principal| !self.unconfirmed_authors.contains(by);
        if approved_by.iter().any(foreign) {
            self.unconfirmed_authors.clear();
        }
    }

    /// Whether it is suspended, whatever else it is.
    pub const fn is_suspended(&self) -> bool {
        self.suspended
    }

    /// As it is in force; `None` while people have not agreed to it.
    pub fn in_force(&self) -> Option<&Registration> {
        (self.version > 0).then_some(&self.registration)
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> RegistrationState {
        if self.ended {
            RegistrationState::Ended
        } else if self.version == 0 {
            RegistrationState::Pending
        } else if self.suspended {
            RegistrationState::Suspended
        } else if self.registration.until.is_some_and(|until| now >= until) {
            RegistrationState::Expired
        } else {
            RegistrationState::Active
        }
    }

    /// Where it stands, as far as that does not depend on the time.
    pub fn lasting_state(&self) -> RegistrationState {
        match (self.ended, self.version, self.suspended) {
            (true, ..) => RegistrationState::Ended,
            (false, 0, _) => RegistrationState::Pending,
            (false, _, true) => RegistrationState::Suspended,
            (false, _, false) => RegistrationState::Active,
        }
    }

    /// Whether something may be issued for it at this endpoint now.
    pub fn admits(&self, endpoint: &EndpointName, now: Timestamp) -> Result<(), Refusal> {
        if self.state(now) != RegistrationState::Active || !self.registration.may_ask_at(endpoint) {
            return Err(Refusal::RegistrationClosed);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
