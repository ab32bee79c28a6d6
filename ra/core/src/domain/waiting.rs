//! Registrations and secrets that wait for people: exactly what they are asked about.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Timestamp, sha256};

use super::actor::Actor;
use super::ids::{ProposalId, RegistrationId, SecretId};
use super::principal::Principal;
use super::registration::Registration;
use super::secret::Secret;

/// A registration as it is to be once people have agreed.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct ProposedRegistration {
    /// As it is to be.
    pub registration: Registration,
    /// Whether a suspension ends with it.
    pub resumes: bool,
}

impl ProposedRegistration {
    /// What people agree to who agree to it: all of it, in place of the version in force then (0: none).
    pub fn digest(&self, id: RegistrationId, in_force: u32) -> [u8; 32] {
        digest(&(b"portreeve/registration/1\0", id, self, in_force))
    }
}

/// A registration that people were asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingRegistration {
    /// As it is to be.
    pub proposed: ProposedRegistration,
    /// Where they decide.
    pub proposal: ProposalId,
    /// Who wrote it, if it was a person.
    pub by: Option<Principal>,
}

impl WaitingRegistration {
    pub(super) fn new(proposed: &ProposedRegistration, proposal: ProposalId, by: &Actor) -> Self {
        Self {
            proposed: proposed.clone(),
            proposal,
            by: by.principal().cloned(),
        }
    }
}

/// A secret that people were asked about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct WaitingSecret {
    /// As it was made.
    pub secret: Secret,
    /// Where they decide.
    pub proposal: ProposalId,
    /// After this they can no longer agree.
    pub until: Timestamp,
    /// When it was made.
    pub at: Timestamp,
    /// By whom.
    pub by: Actor,
}

/// What people agree to who agree to a secret: whose it is, what it may be used for, and what it is checked by.
pub fn secret_digest(id: SecretId, secret: &Secret) -> [u8; 32] {
    digest(&(b"portreeve/secret/1\0", id, secret))
}

fn digest(what: &impl BorshSerialize) -> [u8; 32] {
    borsh::to_vec(what).map_or([0; 32], |bytes| sha256(&bytes))
}
