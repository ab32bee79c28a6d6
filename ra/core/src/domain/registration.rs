//! Registrations: end entities that are known beforehand.

mod allowed;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Identifier, Timestamp};

pub use allowed::{AllowedName, AllowedNames, BadAllowedName};

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{EndpointName, ProfileName, RegistrationId, TeamName};
use super::principal::Principal;
use super::refusal::Refusal;

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
}

impl RegistrationState {
    /// The word in lists, the API and on the command line.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Ended => "ended",
            Self::Expired => "expired",
        }
    }
}

/// A registration, as its verified events tell.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KnownRegistration {
    /// Its id.
    pub id: RegistrationId,
    /// As it is now.
    pub registration: Registration,
    /// How often it was defined.
    pub version: u32,
    /// Who made it what it is now, and has not been confirmed by another person: they count as requesters of what is
    /// issued through it.
    pub unconfirmed_authors: Vec<Principal>,
    suspended: bool,
    ended: bool,
}

impl KnownRegistration {
    /// Takes an event into account; `None` stands for one not yet defined.
    pub fn apply(this: &mut Option<Self>, id: RegistrationId, event: &RegistrationEvent, by: &Actor) {
        match (this.as_mut(), event) {
            (None, RegistrationEvent::Defined(registration)) => {
                *this = Some(Self {
                    id,
                    registration: registration.clone(),
                    version: 1,
                    unconfirmed_authors: by.principal().cloned().into_iter().collect(),
                    suspended: false,
                    ended: false,
                });
            }
            (Some(known), RegistrationEvent::Defined(registration)) => {
                known.registration = registration.clone();
                known.version = known.version.saturating_add(1);
                let author = by
                    .principal()
                    .filter(|by| !known.unconfirmed_authors.contains(by));
                known.unconfirmed_authors.extend(author.cloned());
            }
            (Some(known), RegistrationEvent::Confirmed { by }) => {
                if !known.unconfirmed_authors.contains(by) {
                    known.unconfirmed_authors.clear();
                }
            }
            (Some(known), RegistrationEvent::Suspended) => known.suspended = true,
            (Some(known), RegistrationEvent::Resumed) => known.suspended = false,
            (Some(known), RegistrationEvent::Ended) => known.ended = true,
            (None, _) => {}
        }
    }

    /// Where it stands at `now`.
    pub fn state(&self, now: Timestamp) -> RegistrationState {
        if self.ended {
            RegistrationState::Ended
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
        match (self.ended, self.suspended) {
            (true, _) => RegistrationState::Ended,
            (false, true) => RegistrationState::Suspended,
            (false, false) => RegistrationState::Active,
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
