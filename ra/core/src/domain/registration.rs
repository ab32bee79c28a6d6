//! Registrations: end entities that are known beforehand.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Identifier, Timestamp};

use super::actor::Actor;
use super::event::EventKind;
use super::ids::{EndpointName, ProfileName, RegistrationId, TeamName};
use super::principal::Principal;

/// What becomes of a request that goes over a registration's limit.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum OverLimit {
    /// It is refused.
    RefuseNew,
    /// The oldest certificate is revoked as superseded.
    RevokeOldest,
}

/// What an end entity may have.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Registration {
    /// Its name, unique, at most 128 characters.
    pub name: String,
    /// Identifiers it may be certified for, at most 256.
    pub identifiers: Vec<AllowedIdentifier>,
    /// Whether control over these identifiers is taken as shown.
    pub vouched: bool,
    /// Profiles it may use; empty allows all of the endpoint.
    pub profiles: Vec<ProfileName>,
    /// Endpoints it may use; empty allows all.
    pub endpoints: Vec<EndpointName>,
    /// The team that owns it.
    pub team: Option<TeamName>,
    /// The person on whose behalf it asks, who may therefore not approve it.
    pub owner: Option<Principal>,
    /// Certificates it may have at once; `None` does not limit.
    pub certificates_max: Option<u32>,
    /// What happens over that limit.
    pub over_limit: OverLimit,
    /// After this nothing is issued for it.
    pub until: Option<Timestamp>,
}

/// An identifier, or all names below a domain.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum AllowedIdentifier {
    /// This one.
    Exactly(Identifier),
    /// Every DNS name below this one, at any depth, and wildcards there; not the name itself.
    Below(Identifier),
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
}
