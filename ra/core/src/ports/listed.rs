//! Rows of the lists of registrations and secrets, and which of them to list. They decide nothing.

use std::time::Duration;

use portreeve_pkix::Timestamp;

use crate::domain::{RegistrationId, SecretId, SecretKind};

/// A row of the list of registrations.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RegistrationRow {
    /// The registration.
    pub registration: RegistrationId,
    /// Its name.
    pub name: String,
    /// The team that owns it.
    pub team: Option<String>,
    /// The word of its state, as far as that does not depend on the time.
    pub state: String,
    /// Whether control over its names is taken as shown.
    pub vouched: bool,
    /// When its time is over.
    pub until: Option<Timestamp>,
}

/// A row of the list of secrets.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SecretRow {
    /// The secret.
    pub secret: SecretId,
    /// Whose it is: `registration:ID` or `operator:NAME`.
    pub owner: String,
    /// What it is for.
    pub kind: SecretKind,
    /// What its holder names it by.
    pub reference: String,
    /// The word of its state when it was issued or revoked.
    pub state: String,
    /// When its time is over.
    pub until: Option<Timestamp>,
    /// When it was issued.
    pub created_at: Timestamp,
}

/// Which registrations to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RegistrationFilter {
    /// Only those whose name contains this, whatever the case of ASCII letters.
    pub name: Option<String>,
    /// Only those of one of these teams, at most 256.
    pub teams: Option<Vec<String>>,
    /// Only those in this state.
    pub state: Option<String>,
    /// Only those whose names are vouched for.
    pub vouched_only: bool,
}

/// Which secrets to list.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct SecretFilter {
    /// Only those of this owner.
    pub owner: Option<String>,
    /// Only those of this kind.
    pub kind: Option<SecretKind>,
}

/// How long a secret is listed whose time is over.
pub const SECRET_LISTED: Duration = Duration::from_secs(30 * 86_400);
