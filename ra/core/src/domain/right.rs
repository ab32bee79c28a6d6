//! Rights of operators: what somebody may do, and on what.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use super::ids::{BackendName, ProfileName, RoleName, TeamName};
use super::principal::Principal;

/// A word that names no right.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("there is no right {0}")]
pub struct UnknownRight(pub String);

macro_rules! rights {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// One thing that operators may do. The words are those of role texts and token scopes.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum Right { $($(#[$doc])* $name),* }

        impl Right {
            /// Every right.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in role texts and token scopes.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text),* } }
        }
    };
}

rights! {
    /// See requests and proposals.
    RequestRead = "request.read";
    /// Approve and reject requests.
    RequestApprove = "request.approve";
    /// End doubt and quarantine, close incidents.
    RequestResolve = "request.resolve";
    /// See, search and download certificates.
    CertificateRead = "certificate.read";
    /// Revoke certificates for good.
    CertificateRevoke = "certificate.revoke";
    /// Put certificates on hold, and release them.
    CertificateHold = "certificate.hold";
    /// See registrations.
    RegistrationRead = "registration.read";
    /// Create, change, suspend registrations.
    RegistrationWrite = "registration.write";
    /// Issue and revoke secrets of registrations and EAB keys.
    SecretWrite = "secret.write";
    /// See profiles, endpoints, approval policies, trust anchors, backends.
    ConfigurationRead = "configuration.read";
    /// Draft and publish them.
    ConfigurationWrite = "configuration.write";
    /// Approve and reject changes of configuration, of operators and of registrations.
    ConfigurationApprove = "configuration.approve";
    /// See operators, roles, teams and tokens.
    OperatorRead = "operator.read";
    /// Create, change, disable them.
    OperatorWrite = "operator.write";
    /// Read the audit log, its checkpoints and proofs; export it.
    AuditRead = "audit.read";
    /// Erase payloads of ended enrollments.
    AuditErase = "audit.erase";
    /// See health, nodes, backends' state.
    SystemRead = "system.read";
}

impl Right {
    /// Whether a token may carry it only when it is bound to a client certificate: approving, making secrets, changing
    /// what the installation offers or who operates it, and erasing.
    pub const fn needs_certificate(self) -> bool {
        match self {
            Self::RequestApprove
            | Self::SecretWrite
            | Self::ConfigurationWrite
            | Self::ConfigurationApprove
            | Self::OperatorWrite
            | Self::AuditErase => true,
            Self::RequestRead
            | Self::RequestResolve
            | Self::CertificateRead
            | Self::CertificateRevoke
            | Self::CertificateHold
            | Self::RegistrationRead
            | Self::RegistrationWrite
            | Self::ConfigurationRead
            | Self::OperatorRead
            | Self::AuditRead
            | Self::SystemRead => false,
        }
    }
}

impl fmt::Display for Right {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Right {
    type Err = UnknownRight;

    fn from_str(text: &str) -> Result<Self, UnknownRight> {
        let known = Self::ALL.iter().find(|right| right.as_str() == text);
        known
            .copied()
            .ok_or_else(|| UnknownRight(text.chars().take(64).collect()))
    }
}

/// Which CAs, profiles or teams a role is for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Reach<T> {
    /// All there are and will be.
    All,
    /// These.
    Only(BTreeSet<T>),
}

impl<T: Ord> Reach<T> {
    /// Whether it is among them.
    pub fn has(&self, one: &T) -> bool {
        match self {
            Self::All => true,
            Self::Only(some) => some.contains(one),
        }
    }
}

/// A set of rights, as the policy crate read it from the published text of an operator role.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct OperatorRole {
    /// Its name.
    pub name: RoleName,
    /// What its holders may do.
    pub rights: BTreeSet<Right>,
    /// With which CAs.
    pub backends: Reach<BackendName>,
    /// With which profiles.
    pub profiles: Reach<ProfileName>,
    /// For whose registrations, and what is issued through them.
    pub teams: TeamReach,
}

impl OperatorRole {
    /// The role with every right on everything.
    pub fn superadmin() -> Self {
        Self {
            name: RoleName::superadmin(),
            rights: Right::ALL.iter().copied().collect(),
            backends: Reach::All,
            profiles: Reach::All,
            teams: TeamReach::All,
        }
    }
}

/// For which teams a role is.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum TeamReach {
    /// For all, and for what belongs to none.
    All,
    /// For those the operator is in.
    Own,
}

/// What a right is to be used on. What is `None` does not limit the question.
#[derive(Copy, Clone, Default, Debug)]
pub struct On<'a> {
    /// The CA.
    pub backend: Option<&'a BackendName>,
    /// The profile.
    pub profile: Option<&'a ProfileName>,
    /// The team that owns it; with `None` nobody does.
    pub team: Option<&'a TeamName>,
}

/// A principal and what they may do at this moment, from verified objects.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Who.
    pub principal: Principal,
    /// The roles they hold and that are in force.
    pub roles: Vec<OperatorRole>,
    /// The teams they are in.
    pub teams: BTreeSet<TeamName>,
    /// To what the way they signed in is limited: a token's scopes. `None` does not limit.
    pub scopes: Option<BTreeSet<Right>>,
}

impl Standing {
    /// One that may do everything: the host itself.
    pub fn superadmin(principal: Principal) -> Self {
        Self {
            principal,
            roles: vec![OperatorRole::superadmin()],
            teams: BTreeSet::new(),
            scopes: None,
        }
    }

    /// Whether some role gives this right somewhere, and the scopes do not take it away.
    pub fn may_somewhere(&self, right: Right) -> bool {
        self.within_scopes(right) && self.roles.iter().any(|role| role.rights.contains(&right))
    }

    /// Whether one role gives this right on all of this.
    pub fn may(&self, right: Right, on: On<'_>) -> bool {
        self.within_scopes(right)
            && self
                .roles
                .iter()
                .any(|role| role.rights.contains(&right) && self.reaches(role, on))
    }

    /// Whether one role gives this right on this CA and profile, for whichever team: for what belongs to none, such as a
    /// profile itself.
    pub fn may_whatever_the_team(&self, right: Right, on: On<'_>) -> bool {
        self.within_scopes(right)
            && self
                .roles
                .iter()
                .any(|role| role.rights.contains(&right) && covers(role, on))
    }

    /// Whether one role gives this right on all CAs and profiles there are and will be.
    pub fn may_everywhere(&self, right: Right) -> bool {
        self.within_scopes(right)
            && self.roles.iter().any(|role| {
                role.rights.contains(&right) && role.backends == Reach::All && role.profiles == Reach::All
            })
    }

    /// Whether this role is among those held.
    pub fn holds(&self, role: &RoleName) -> bool {
        self.roles.iter().any(|held| held.name == *role)
    }

    fn within_scopes(&self, right: Right) -> bool {
        self.scopes.as_ref().is_none_or(|scopes| scopes.contains(&right))
    }

    fn reaches(&self, role: &OperatorRole, on: On<'_>) -> bool {
        let team = match role.teams {
            TeamReach::All => true,
            TeamReach::Own => on.team.is_some_and(|team| self.teams.contains(team)),
        };
        team && covers(role, on)
    }
}

/// Whether a role is for this CA and this profile.
fn covers(role: &OperatorRole, on: On<'_>) -> bool {
    on.backend.is_none_or(|backend| role.backends.has(backend))
        && on.profile.is_none_or(|profile| role.profiles.has(profile))
}

#[cfg(test)]
mod tests;
